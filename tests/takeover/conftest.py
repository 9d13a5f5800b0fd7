# SPDX-License-Identifier: Apache-2.0
"""What every take-over test needs: root, FUSE, a bound in time, and the build with places to die at."""
from __future__ import annotations

import pytest

from host.conftest import bounded, needs_fuse  # fixtures
from takeover.daemon import PROGRAM, Daemon

__all__ = ["bounded", "needs_fuse", "start"]

QUICK = ("--min-refresh=0s", "--wait=60s", "--stale-wait=60s")


@pytest.fixture
def start(world):
    """Starts a daemon of the test build; with keywords as of Daemon."""
    if not PROGRAM.exists():
        pytest.skip(f"NOT TESTED: take-over tests need {PROGRAM} (CMake target irsafs-places)")

    def start_daemon(*args: str, **options) -> Daemon:
        return Daemon(world, *QUICK, *args, **options).start()

    return start_daemon
