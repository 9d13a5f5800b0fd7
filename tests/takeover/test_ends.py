# SPDX-License-Identifier: Apache-2.0
"""Ends of all kinds: the worker stops, crashes, starves or never recovers; the supervisor is killed."""
from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lib.mount import mounts_at
from lib.procs import Family, state
from lib.program import environment, run
from lib.text import body, code
from lib.wait import wait_until
from lib.world import GOLDEN
from takeover.daemon import NOTIFIER, Daemon
from takeover.parked import Parked
from takeover.places import EVER, Action, Place
from takeover.storm import Crowd, Killer, aim, storm

INVAL = "--kernel-features=-epoch"
# Promises, three times as long for slow machines.
GONE_SECONDS = 3 * 1.0
STALL_SECONDS = 3 * 5.0
SERVE_SECONDS = 3 * 5.0
GIVE_UP_SECONDS = 3 * 10.0


# ---- a worker that does not die by itself

def test_stopped_worker_is_replaced(start):
    """No heartbeat for five seconds: it is killed, and who has waited is answered by the next one."""
    daemon = start()
    assert daemon.read() == GOLDEN
    worker = daemon.worker()
    os.kill(worker, signal.SIGSTOP)
    assert run(["touch", daemon.refresh], timeout=STALL_SECONDS).code == 0
    assert daemon.read() == GOLDEN
    assert daemon.worker() != worker


def test_stopped_notifier_is_replaced(start):
    """A touch waits for it, but not for ever."""
    daemon = start("--min-refresh=0s")
    assert daemon.read() == GOLDEN
    os.kill(daemon.child(NOTIFIER), signal.SIGSTOP)
    assert run(["touch", daemon.refresh], timeout=STALL_SECONDS).code == 0
    assert daemon.read() == GOLDEN
    assert "notifier_hung" in daemon.log()


def test_worker_that_stops_with_a_request_in_hand_is_replaced(start):
    daemon = start()
    worker = daemon.worker()
    daemon.places.arm(Place.READ, action=Action.STOP)
    parked = Parked(daemon, 10, wait=False)
    assert parked.texts(STALL_SECONDS) == [GOLDEN] * 10
    assert daemon.worker() != worker


def test_quiet_worker_is_left_alone(start):
    """Nobody asks for longer than a stall may last."""
    daemon = start()
    assert daemon.read() == GOLDEN
    worker = daemon.worker()
    pidfd = os.pidfd_open(worker)
    ended, _, _ = select.select([pidfd], [], [], 7.0)
    os.close(pidfd)
    assert not ended and daemon.worker() == worker


# ---- crashes

def test_crashes_in_a_handler(world, start):
    daemon = start()
    storm(world, daemon, lambda: aim(daemon, Place.READ, 50, every=37, action=Action.SEGV))


def test_worker_without_memory(world, start):
    """It has a limit of its own, far below what the host has: it alone is short of memory."""
    daemon = start()
    worker = daemon.worker()
    limits = Path(f"/proc/{worker}/limits").read_text()
    assert re.search(r"^Max (data size|address space) +\d+ ", limits, re.M), "no limit: this test would eat the host"

    storm(world, daemon, lambda: aim(daemon, Place.READ, 10, every=37, action=Action.ALLOCATE))
    assert daemon.worker() != worker


def test_two_thousand_deaths_are_no_reason_to_stop(world, start):
    """As long as each worker gets something done."""
    daemon = start()
    storm(world, daemon, lambda: aim(daemon, Place.READ, 2000, every=37))
    assert daemon.process.poll() is None and daemon.times_mounted() == 1


# ---- a flight outlives workers

def test_flight_of_a_dead_worker_is_published_by_the_next(world, start):
    gate = world.service.hold()
    daemon = start()
    parked = Parked(daemon, 1)
    gate.wait_arrived()
    worker = daemon.worker()
    os.kill(worker, signal.SIGKILL)
    daemon.worker(other_than=worker)
    gate.release()
    assert parked.texts() == [GOLDEN]
    assert world.service.count == 1


def test_flight_that_outlives_many_workers(world, start):
    """Not one of them lives as long as the fetch lasts."""
    world.service.behave(delay=1.0)
    daemon = start()
    parked = Parked(daemon, 10)
    with Killer(daemon, life_ms=(5, 20)):
        assert parked.texts() == [GOLDEN] * 10
    assert world.service.count == 1


def test_outcome_that_ends_workers_is_let_go_of(start):
    """A text or report that crashes each worker it is handed to is no reason to crash for ever."""
    daemon = start("--min-refresh=0s")
    daemon.places.arm(Place.LANDING, times=EVER, action=Action.SEGV)
    text = daemon.read()
    assert body(text) == "" and code(text) == 4
    daemon.places.disarm()
    daemon.touch()
    assert daemon.read() == GOLDEN


# ---- no worker ever recovers

def start_looker(daemon: Daemon) -> subprocess.Popen:
    """Looks again and again, whatever it gets."""
    script = f"while :; do cat {daemon.config}; done"
    return subprocess.Popen(["sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())


def test_connection_without_hope_is_given_up(world, start):
    """Who waits gets an error, and a new mount serves."""
    gate = world.service.hold()
    daemon = start()
    parked = Parked(daemon, 20)
    gate.wait_arrived()
    daemon.places.arm(Place.READ, Place.REPLAY, times=EVER)
    looker = start_looker(daemon)
    try:
        assert parked.texts(GIVE_UP_SECONDS) == [None] * 20
    finally:
        daemon.places.disarm()
        looker.kill()
        looker.wait(GONE_SECONDS)
    gate.release()
    world.service.normal()
    daemon.wait_mounted(SERVE_SECONDS)
    assert daemon.read() == GOLDEN
    assert daemon.process.poll() is None and daemon.times_mounted() == 2
    assert mounts_at(daemon.path) == ["fuse.irsafs"]


@pytest.mark.parametrize("action", [Action.STOP, Action.KILL], ids=["hang", "die"])
def test_workers_that_get_no_further_than_a_take_over_are_given_up(start, action):
    """A take-over that ends well is no sign of life: nobody is answered."""
    daemon = start()
    daemon.places.arm(Place.FLIGHT, times=EVER, action=action)
    reader = subprocess.Popen(["cat", daemon.config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
    out, _ = reader.communicate(timeout=GIVE_UP_SECONDS)
    daemon.places.disarm()
    assert (out, reader.returncode) == (b"", 1)
    daemon.wait_mounted(SERVE_SECONDS)
    assert daemon.read() == GOLDEN


@pytest.mark.slow
def test_three_connections_without_hope_are_the_end(start):
    daemon = start()
    daemon.places.arm(Place.READ, Place.REPLAY, times=EVER)
    looker = start_looker(daemon)
    try:
        assert daemon.wait_exit(3 * GIVE_UP_SECONDS) == 9
    finally:
        daemon.places.disarm()
        looker.kill()
        looker.wait(GONE_SECONDS)
    daemon.process = None
    assert "IRSAFS-E909" in daemon.log()
    assert mounts_at(daemon.path) == []


# ---- the supervisor is killed

def check_restart(world, daemon: Daemon) -> None:
    """The dead mount is replaced, and there is one layer."""
    assert daemon.left_over() == {}
    world.service.normal()
    daemon.places.disarm()
    begin = time.monotonic()
    daemon.start()
    assert daemon.config.read_text() != ""
    assert time.monotonic() - begin < SERVE_SECONDS
    assert mounts_at(daemon.path) == ["fuse.irsafs"]


@pytest.mark.parametrize("flags", [[], [INVAL]], ids=["epoch", "inval"])
def test_killed_supervisor_takes_everybody_with_it(world, start, flags):
    gate = world.service.hold()
    daemon = start(*flags)
    parked = Parked(daemon, 50)
    gate.wait_arrived()
    family = Family(daemon.process.pid)
    daemon.kill()
    family.wait_gone(GONE_SECONDS)
    assert parked.texts(GONE_SECONDS) == [None] * 50
    gate.release()
    check_restart(world, daemon)
    assert daemon.read() == GOLDEN


def stick(daemon: Daemon) -> None:
    """Until the worker is stopped with a LOOKUP in hand that the notifier waits for. A stop just before or
    after the notifier's system call is none, and undone."""
    worker, notifier = daemon.worker(), daemon.child(NOTIFIER)
    for _ in range(100):
        daemon.places.arm(Place.LOOKUP_DURING_NOTIFY, action=Action.STOP)
        daemon.places.wait_hits(Place.LOOKUP_DURING_NOTIFY)
        try:
            return wait_until(lambda: state(notifier) == "D", "a notifier that waits in the kernel", 0.5, 0.001)
        except AssertionError:
            os.kill(worker, signal.SIGCONT)
    raise AssertionError("no notifier waits in the kernel")


def test_killed_supervisor_while_the_notifier_is_stuck(world, start):
    """It waits in the kernel for a LOOKUP that a worker has in hand, which does not move."""
    world.service.stamped = True
    daemon = start(INVAL)
    daemon.read()
    with Crowd(daemon.path) as crowd:
        stick(daemon)
        worker, family = daemon.worker(), Family(daemon.process.pid)
        daemon.kill()
        os.kill(worker, signal.SIGCONT)  # a stopped one cannot follow the supervisor
        family.wait_gone(GONE_SECONDS)
    assert crowd.counted["hang"] == 0 and crowd.counted["error"] > 0
    check_restart(world, daemon)


def test_killed_supervisor_amid_take_overs(world, start):
    """Whichever process has just been started: none stays."""
    daemon = start()
    world.service.stamped = True
    for _ in range(10):
        with Crowd(daemon.path) as crowd:
            with Killer(daemon, life_ms=(0, 10)):
                world.service.wait_requests(world.service.count + 3)
                daemon.kill()
        wait_until(lambda: daemon.left_over() == {}, "nobody left", GONE_SECONDS)
        assert crowd.counted["hang"] == 0
        check_restart(world, daemon)
