# SPDX-License-Identifier: Apache-2.0
"""What tests need from the machine."""
from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def needs_fuse():
    """Without root and /dev/fuse nothing can be mounted; the reason is told, CI counts it as a failure."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: mount tests need root")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("NOT TESTED: mount tests need /dev/fuse")
