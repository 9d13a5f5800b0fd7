# SPDX-License-Identifier: Apache-2.0
"""Readers and touchers of every kind, and trouble while they look: nobody may notice it."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable

from lib.program import BUILD, environment

from .daemon import WORKER, Daemon
from .places import EVER, Action, Place

KILLER = Path(__file__).with_name("killer.py")
READERS = BUILD / "takeover-readers"
SECONDS = 170                          # the crowd gives up after that
FAULTS = ("torn", "empty", "stale", "back", "changed", "comment", "error", "estale", "hang")
CROWD = {"plain": 4, "held": 4, "sized": 4, "mapped": 2, "listing": 1, "missing": 1, "touch": 2}


class Crowd:
    """The processes of tests/consistency/takeover_readers.c, for the length of a block; then `counted`."""

    def __init__(self, folder: Path) -> None:
        self._arguments = [READERS, folder, SECONDS, *(f"{kind}={count}" for kind, count in CROWD.items())]
        self.counted: dict = {}

    def __enter__(self) -> "Crowd":
        self._process = subprocess.Popen(
            [str(argument) for argument in self._arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), cwd="/"
        )
        return self

    def __exit__(self, *_) -> None:
        out, _ = self._process.communicate(timeout=30)
        print(f"crowd: {out.decode()}")
        assert self._process.returncode == 0, "the crowd could not start its processes"
        self.counted = json.loads(out)

    def check(self) -> None:
        """Everybody has looked, something has changed meanwhile, and nobody has noticed anything else."""
        assert {fault: self.counted[fault] for fault in FAULTS} == dict.fromkeys(FAULTS, 0)
        assert 0 not in self.counted["looks_of"].values(), self.counted["looks_of"]
        assert min(self.counted["newest"], self.counted["touches"]) >= 3, "too few changes to prove anything"


class Killer:
    """killer.py, until it has done its number of kills; or for the length of a block, which begins after the first."""

    def __init__(self, daemon: Daemon, kills: int = EVER, *, life_ms: tuple = (1, 50), name: str = WORKER) -> None:
        self._kills = kills
        arguments = [sys.executable, KILLER, daemon.process.pid, name, kills, *life_ms]
        self._process = subprocess.Popen(
            [str(argument) for argument in arguments], bufsize=0, stdout=subprocess.PIPE, env=environment()
        )
        assert self._process.stdout.readline() == b"begun\n", "nobody was killed"

    def finish(self, timeout: float = SECONDS) -> None:
        done = self._end(timeout)
        assert done == self._kills, f"{done} kills"

    def __enter__(self) -> "Killer":
        return self

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._end(10.0)

    def _end(self, timeout: float) -> int:
        out, _ = self._process.communicate(timeout=timeout)
        print(f"killer: {out.decode()}")
        assert self._process.returncode == 0, "no successor of one that was killed"
        return json.loads(out)["kills"]


def kill(daemon: Daemon, kills: int, **options) -> None:
    """So many random kills, one after the other."""
    Killer(daemon, kills, **options).finish()


def aim(daemon: Daemon, place: Place, hits: int, *also: Place, every: int = 1, action: Action = Action.KILL) -> None:
    """Lets the daemon meet that end at a place, and at others on the way, until it had so many there."""
    daemon.places.arm(place, *also, times=EVER, every=every, action=action)
    try:
        daemon.places.wait_hits(place, hits, daemon.check_connection)
    finally:
        daemon.places.disarm()


def storm(world, daemon: Daemon, trouble: Callable[[], None]) -> dict:
    """The crowd looks while trouble() lasts: no fault, and when it has gone all is forgotten."""
    world.service.stamped = True
    daemon.touch()
    daemon.read()
    floor = daemon.settle()
    with Crowd(daemon.path) as crowd:
        trouble()
    crowd.check()
    assert world.service.most_active == 1, "two fetches at once"
    assert daemon.settle() == floor
    assert floor.underflows == 0
    return crowd.counted
