# SPDX-License-Identifier: Apache-2.0
"""The worker dies at chosen places: in the middle of a request, a transaction, a take-over, an end."""
from __future__ import annotations

import signal
import time
from typing import NamedTuple

import pytest

from lib.mount import mounts_at
from lib.procs import Family
from lib.trouble import Repeat, drop_dentries
from lib.world import GOLDEN
from standin.http import Gate
from takeover.daemon import Daemon
from takeover.parked import Parked
from takeover.places import EVER, Place
from takeover.storm import aim, kill, storm

INVAL = "--kernel-features=-epoch"
GONE_SECONDS = 3.0                     # the promise is 1 s; the rest is for slow machines
STOP_SECONDS = 3.0


class Aim(NamedTuple):
    """How many deaths there, at each how-manieth pass; and what helps to get there at all."""

    hits: int
    every: int
    also: tuple = ()                   # other places to die at
    flags: tuple = ()
    drop: bool = False                 # the kernel forgets names again and again, that of the present text too


# `every` is a prime, so that no kind of request is always spared, and never 1: what dies each time it is tried makes no
# progress. One take-over passes READ and REPLAY for each of the crowd's requests, and SAVE several times for each.
AIMS = {
    Place.READ: Aim(300, 37),
    Place.TOUCHED: Aim(200, 2),
    Place.CHARGED: Aim(200, 7),
    Place.REPLIED: Aim(300, 37),
    Place.FORGET_BEFORE: Aim(200, 3, drop=True),
    Place.FORGET_AFTER: Aim(200, 3, drop=True),
    Place.LANDED: Aim(100, 2),
    Place.REPLAY: Aim(200, 29, also=(Place.READ,)),
    Place.LOOKUP_DURING_NOTIFY: Aim(60, 2, flags=(INVAL,)),
    Place.NOTIFIED: Aim(100, 2),
    Place.SAVE: Aim(300, 199, drop=True),
    Place.FLIGHT: Aim(100, 2),
}
# INTERRUPT and STOPPING need readers that are killed and a daemon that ends: see below.


# ---- readers and touchers of every kind

@pytest.mark.parametrize("place", AIMS, ids=lambda place: place.name.lower())
def test_death_at(world, start, place):
    hits, every, also, flags, drop = AIMS[place]
    daemon = start(*flags)

    def trouble() -> None:
        with Repeat(drop_dentries, 0.005 if drop else 3600):
            aim(daemon, place, hits, *also, every=every)

    storm(world, daemon, trouble)


@pytest.mark.parametrize("flags", [
    pytest.param([], id="epoch"), pytest.param([INVAL], id="inval", marks=pytest.mark.slow),
])
def test_death_everywhere(world, start, flags):
    """But in transactions, which one take-over has too many of: see Place.SAVE above."""
    daemon = start(*flags)

    def everywhere() -> None:
        daemon.places.arm(*(set(Place) - {Place.STOPPING, Place.SAVE}), times=EVER, every=61)
        try:
            daemon.places.wait_all_hits(600)
        finally:
            daemon.places.disarm()

    storm(world, daemon, everywhere)
    print({place.name: daemon.places.hits(place) for place in Place})


# ---- one flight, whoever dies

@pytest.mark.parametrize("place", [Place.READ, Place.FLIGHT, Place.LANDED, Place.SAVE, Place.REPLIED], ids=lambda place: place.name.lower())
def test_one_death_in_the_life_of_a_text(world, start, place):
    """Of a cold file: each reader gets the text, and the service is asked once."""
    gate = world.service.hold()
    daemon = start()
    if place in (Place.LANDED, Place.REPLIED):
        parked = Parked(daemon, 20)
        gate.wait_arrived()
        daemon.places.arm(place)
    else:
        daemon.places.arm(place)
        parked = Parked(daemon, 20)
    gate.release()
    assert parked.texts() == [GOLDEN] * 20
    assert daemon.places.hits(place) == 1
    assert world.service.count == 1


# ---- one death, and nothing is counted twice

@pytest.fixture
def settled(start):
    """A daemon that has a text; the kernel knows no name of it."""
    daemon = start()
    assert daemon.read() == GOLDEN
    return daemon, daemon.settle()


# At the third undo record the LOOKUP is counted, and its record follows.
@pytest.mark.parametrize("place, every", [(Place.CHARGED, 1), (Place.REPLIED, 1), (Place.SAVE, 3)], ids=["charged", "replied", "save"])
def test_one_death_in_a_lookup(settled, place, every):
    daemon, floor = settled
    daemon.places.arm(place, every=every)
    assert daemon.read() == GOLDEN
    assert daemon.places.hits(place) == 1
    assert daemon.settle() == floor
    assert floor.underflows == 0


@pytest.mark.parametrize("place", [Place.FORGET_BEFORE, Place.FORGET_AFTER], ids=["before the commit", "after it"])
def test_one_death_in_a_forget(settled, place):
    daemon, floor = settled
    assert daemon.read() == GOLDEN
    daemon.places.arm(place)
    drop_dentries()
    daemon.places.wait_hits(place)
    assert daemon.settle() == floor
    assert floor.underflows == 0


# ---- many readers wait

class Waiting(NamedTuple):
    daemon: Daemon
    readers: Parked
    gate: Gate


@pytest.fixture
def waiting(world, start):
    """300 readers of a text that the service holds back."""
    gate = world.service.hold()
    daemon = start()
    readers = Parked(daemon, 300)
    gate.wait_arrived()
    yield Waiting(daemon, readers, gate)
    gate.release()
    readers.kill()


def kill_while_they_wait(daemon: Daemon, count: int) -> None:
    kill(daemon, count, life_ms=(5, 40))
    daemon.wait_waiters(300)


def test_waiting_readers_outlive_twenty_workers(world, waiting):
    kill_while_they_wait(waiting.daemon, 20)
    waiting.gate.release()
    assert waiting.readers.texts() == [GOLDEN] * 300
    assert world.service.count == 1


def check_gone(waiting: Waiting) -> None:
    waiting.readers.kill()
    print(f"gone after {waiting.readers.wait_gone(GONE_SECONDS) * 1000:.0f} ms")
    waiting.gate.release()
    assert waiting.daemon.read() == GOLDEN
    waiting.daemon.settle()            # no lookup count and no slot is left


@pytest.mark.parametrize("deaths", [0, 1, 20])
def test_waiting_readers_can_be_killed(waiting, deaths):
    if deaths:
        kill_while_they_wait(waiting.daemon, deaths)
    check_gone(waiting)


def test_death_with_an_interrupt_in_hand(waiting):
    """The kernel sends each once only: one that is lost is a reader that cannot be killed."""
    waiting.daemon.places.arm(Place.INTERRUPT, times=60, every=3)
    check_gone(waiting)
    assert waiting.daemon.places.hits(Place.INTERRUPT) == 60


# ---- the end

@pytest.mark.parametrize("deaths", [1, EVER], ids=["once", "each time"])
def test_death_when_told_to_stop(world, start, deaths):
    gate = world.service.hold()
    daemon = start()
    parked = Parked(daemon, 50)
    gate.wait_arrived()
    family = Family(daemon.process.pid)
    daemon.places.arm(Place.STOPPING, times=deaths)
    begin = time.monotonic()
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait_exit(STOP_SECONDS) == 0
    daemon.process = None
    print(f"ended after {(time.monotonic() - begin) * 1000:.0f} ms")
    assert daemon.places.hits(Place.STOPPING) >= 1
    assert mounts_at(daemon.path) == []
    parked.texts(GONE_SECONDS)         # or errors: whatever, but at once
    family.wait_gone()
    gate.release()
