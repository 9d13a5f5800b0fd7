# SPDX-License-Identifier: Apache-2.0
"""A process of the daemon is killed at random, a thousand times, while everybody looks."""
from __future__ import annotations

import os

import pytest

from takeover.daemon import NOTIFIER, WORKER
from takeover.storm import kill, storm

KILLS = int(os.environ.get("IRSAFS_KILLS", "1000"))

# name -> (who is killed, how often, after how many milliseconds of life)
STORMS = {
    "worker": (WORKER, KILLS, (1, 50)),
    "worker, as soon as it is there": (WORKER, KILLS, (0, 6)),
    "notifier": (NOTIFIER, KILLS // 5, (1, 50)),
}


@pytest.mark.parametrize("flags", [
    pytest.param([], id="epoch"), pytest.param(["--kernel-features=-epoch"], id="inval", marks=pytest.mark.slow),
])
@pytest.mark.parametrize("name", STORMS)
def test_random_kills(world, start, name, flags):
    victim, kills, life_ms = STORMS[name]
    daemon = start(*flags)
    counted = storm(world, daemon, lambda: kill(daemon, kills, life_ms=life_ms, name=victim))
    print(f"{kills} kills, {counted['looks']} looks, slowest {counted['slowest_us'] / 1000:.1f} ms")
    assert daemon.times_mounted() == 1
