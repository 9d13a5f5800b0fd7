# SPDX-License-Identifier: Apache-2.0
"""What every host test needs from the machine, and the end of those that hang."""
from __future__ import annotations

import os
import threading

import pytest

LIMIT_SECONDS = 180.0


@pytest.fixture(autouse=True)
def needs_fuse():
    """Without root and /dev/fuse nothing here can run; the reason is told, CI counts it as a failure."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: host tests need root")
    if not os.path.exists("/dev/fuse"):
        pytest.skip("NOT TESTED: host tests need /dev/fuse")


@pytest.fixture(autouse=True)
def bounded(request):
    """A look of the test itself that a broken daemon never answers ends when the daemon is killed."""
    if "world" not in request.fixturenames:
        yield
        return
    world = request.getfixturevalue("world")

    def end() -> None:
        for mount in world.mounts:
            if mount.process:
                mount.process.kill()

    timer = threading.Timer(LIMIT_SECONDS, end)
    timer.daemon = True
    timer.start()
    yield
    timer.cancel()
