# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""
from __future__ import annotations

import signal

import pytest

from lib.world import World

# A shell ignores these for what it starts in the background, and so would every program of a test.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture
def world():
    """Stand-ins, labels and mounts of one test."""
    here = World()
    yield here
    here.close()
