# SPDX-License-Identifier: Apache-2.0
"""A million looks by many processes while touches and dentry drops run: nothing torn, stale or empty."""
from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest

from lib.checker import FAULTS, Checker
from lib.trouble import Repeat, drop_dentries
from standin.stamped import stamped_text

# name -> (looks, mount flags, pause between touches in microseconds, drop dentries meanwhile)
STORMS = {
    "every touch swaps": (700_000, ["--min-refresh=0s"], 60_000, False),
    "touches while pending": (1_000, ["--min-refresh=0s"], 500, False),
    "collapsed touches": (100_000, ["--min-refresh=100ms"], 150_000, False),
    "dentries dropped": (150_000, ["--min-refresh=0s"], 60_000, True),
    "short ttl": (100_000, ["--min-refresh=0s", "--ttl=500ms", "--stale-wait=60s"], 150_000, False),
}


# Less is enough where a sanitizer, not the count, is to find something.
LOOKS_MAX = int(os.environ.get("IRSAFS_LOOKS_MAX", "1000000"))


@pytest.mark.parametrize("name", STORMS)
def test_storm(world, name):
    looks, flags, gap_us, drop = STORMS[name]
    looks = min(looks, LOOKS_MAX)
    world.service.stamped = True
    mount = world.mount(*flags, "--wait=60s")
    with Repeat(drop_dentries, 0.005 if drop else 3600):
        counted = Checker(mount.config, mount.refresh, looks, gap_us).counters()
    assert {fault: counted[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert counted["looks"] >= looks, "the machine was too slow for the number of looks"
    assert min(counted["newest"], counted["touches"]) >= 30, "too few changes to prove anything"
    assert world.service.most_active == 1


class InPlace:
    """What irsafs is not: one file, rewritten in place; every tenth text is an old one."""

    def __init__(self, folder: Path) -> None:
        self.config, self.refresh = folder / "config", folder / "refresh"
        self._numbers = itertools.count(1)
        self.refresh.touch()
        self.rewrite()

    def rewrite(self) -> None:
        number = next(self._numbers)
        text = stamped_text(number - (5 if number % 10 == 0 else 0), time.monotonic_ns() - 100_000_000)
        with self.config.open("wb", buffering=0) as file:
            for start in range(0, len(text), 16384):
                file.write(text[start : start + 16384])


def test_the_checker_catches_a_file_rewritten_in_place(world):
    naive = InPlace(world.folder)
    with Repeat(naive.rewrite, 0.001):
        counted = Checker(naive.config, naive.refresh, 30_000, 5_000).counters()
    for fault in ("torn", "empty", "stale", "back"):
        assert counted[fault] > 0, f"the checker does not see {fault}: {counted}"


def test_the_checker_accepts_a_file_replaced_by_rename(world):
    config, refresh = world.folder / "config", world.folder / "refresh"
    numbers = itertools.count(1)
    refresh.touch()

    def replace() -> None:
        new = config.with_name("new")
        new.write_bytes(stamped_text(next(numbers), time.monotonic_ns()))
        new.rename(config)

    replace()
    with Repeat(replace, 0.001):
        counted = Checker(config, refresh, 30_000, 0, touchers=0).counters()
    assert (counted["torn"], counted["empty"], counted["back"], counted["error"]) == (0, 0, 0, 0)
    assert counted["newest"] >= 30
