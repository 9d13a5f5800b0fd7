# SPDX-License-Identifier: Apache-2.0
"""The wall clock jumps while the daemon runs: no burst of fetches, nothing stale too early or for ever."""
from __future__ import annotations

import glob
import os
import time

import pytest

from lib.program import BUILD, IRSAFS, environment, public, run
from lib.text import body, code
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import render, role

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), "")
JUMPS = {"three days on": "+3d", "three days back": "-3d", "1970": "@1970-01-01 00:00:10", "2100": "@2100-01-01 00:00:00"}
NEW = render([role("new")])


class Clock:
    """The wall clock of one daemon and its clients. What counts intervals is left alone."""

    def __init__(self, folder) -> None:
        self._file = folder / "time"
        self.jump("+0")
        self.env = {
            "LD_PRELOAD": f"{public(BUILD / 'tests' / 'libtimerfd.so')}:{LIBRARY}",
            "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC",
        }

    def jump(self, to: str) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(to + "\n")
        os.replace(new, self._file)


@pytest.fixture
def clock(world):
    assert LIBRARY, "libfaketime is not installed"
    return Clock(world.folder)


def start(world, clock, *flags):
    """The test build, without walls: the product's worker has no environment, and opens no file with the time."""
    client = f"--client={IRSAFS.with_name('irsafs-client')}"
    mount = world.prepare(
        "--sandbox=off", "--min-refresh=0s", "--wait=60s", client, *flags, env=world.env(**clock.env)
    )
    mount.arguments[0] = str(BUILD / "places" / "irsafs")
    return mount.start()


def test_only_the_wall_clock_is_faked(clock):
    """What these tests stand on."""
    show = "import time; print(*(time.clock_gettime(c) for c in (time.CLOCK_REALTIME, time.CLOCK_BOOTTIME, time.CLOCK_MONOTONIC)))"
    clock.jump("+3d")
    ran = run(["/usr/bin/python3", "-c", show], env=environment(**clock.env))
    wall, boot, monotonic = map(float, ran.out.split())
    assert abs(wall - time.time() - 3 * 86400) < 60
    assert abs(boot - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60
    assert abs(monotonic - time.monotonic()) < 60


@pytest.mark.parametrize("name", JUMPS)
def test_jump_in_a_quiet_life(world, clock, name):
    ttl = 2.0
    mount = start(world, clock, f"--ttl={int(ttl)}s", "--stale-wait=60s")
    assert mount.read() == GOLDEN
    fetched = time.monotonic()
    clock.jump(JUMPS[name])
    # Not stale too early: until shortly before it ages nobody is asked, however often somebody looks.
    while time.monotonic() < fetched + 0.8 * ttl - 0.6:
        assert mount.read() == GOLDEN
        assert mount.status()["state"] == "fresh"
    assert world.service.count == 1
    # Not fresh for ever, and no burst.
    world.service.roles = [role("new")]
    wait_until(lambda: mount.read() == NEW, "the text after the TTL", 3 * ttl)
    assert world.service.count == 2
    status = mount.status()
    assert 0 <= status["age_ms"] < 10_000 and not status["stale"]
    world.service.roles = [role("after"), role("new")]
    mount.touch()
    assert mount.read() == render([role("after"), role("new")])
    assert world.service.count == 3


@pytest.mark.parametrize("name", JUMPS)
def test_jump_in_an_outage(world, clock, name):
    """The back-off is neither skipped nor made endless, and last-good is neither dropped nor kept too long."""
    mount = start(world, clock, "--ttl=1s", "--max-stale=5s", "--stale-wait=60s")
    assert mount.read() == GOLDEN
    good = time.monotonic()
    world.service.behave(status=500)
    mount.touch()
    text = mount.read()
    assert (code(text), body(text)) == (701, GOLDEN)
    clock.jump(JUMPS[name])
    before, begin = world.service.count, time.monotonic()
    while time.monotonic() < good + 3:
        assert body(mount.read()) == GOLDEN
    tries = world.service.count - before
    assert tries <= (time.monotonic() - begin) / 0.5 + 1, "a burst"
    assert tries >= 1, "no try at all"
    wait_until(lambda: body(mount.read()) == "", "the end of last-good", 10)
    assert time.monotonic() > good + 4
    world.service.normal()
    wait_until(lambda: mount.read() == GOLDEN, "the recovery", 20)


def test_time_of_the_first_look_is_1970(world, clock):
    """A host without a clock: everything works, and no stamp is nonsense."""
    clock.jump(JUMPS["1970"])
    mount = start(world, clock)
    assert mount.read() == GOLDEN
    assert mount.status()["fetched_at"].startswith("1970-01-01T00:")
    world.service.behave(status=500)
    mount.touch()
    assert "1970-01-01T00:" in mount.read()
