# SPDX-License-Identifier: Apache-2.0
"""Fixtures that all tests share."""
from __future__ import annotations

import pytest

from lib.world import World


@pytest.fixture
def world():
    """Stand-ins, labels and mounts of one test."""
    here = World()
    yield here
    here.close()
