# SPDX-License-Identifier: Apache-2.0
"""Hundreds of readers of a cold file share one request; killed ones leave, nobody else waits."""
from __future__ import annotations

import json
import signal
import subprocess

import pytest

from lib.program import environment, run
from lib.world import GOLDEN

READERS = 300


def start_reader(mount) -> subprocess.Popen:
    return subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


def waiting(readers: list) -> int:
    return sum(reader.poll() is None for reader in readers)


def finish(reader) -> tuple:
    out, err = reader.communicate(timeout=30)
    return reader.returncode, out, err


@pytest.fixture
def crowd(world):
    """A mount with READERS readers held in front of the service's answer."""
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    readers = [start_reader(mount) for _ in range(READERS)]
    gate.wait_arrived()
    mount.wait_waiters(READERS)
    yield mount, readers, gate
    gate.release()
    for reader in readers:
        reader.kill()
        reader.communicate()


def test_three_hundred_readers_one_post(world, crowd):
    mount, readers, gate = crowd
    gate.release()
    assert {finish(reader) for reader in readers} == {(0, GOLDEN.encode(), b"")}
    assert (world.tokens.connections, world.service.connections) == (1, 1)
    assert mount.status()["waiters"] == 0


def test_others_are_served_while_readers_wait(crowd):
    mount, readers, _ = crowd
    assert run(["ls", mount.path]).out == b"config\nrefresh\nstatus\n"
    assert json.loads(run(["cat", mount.path / "status"]).out)["state"] == "pending"
    assert run(["stat", mount.path]).code == 0
    assert run(["stat", "-f", mount.path]).code == 0
    assert run(["stat", mount.path / "missing"]).code == 1
    assert run(["touch", mount.refresh]).code == 0
    assert waiting(readers) == READERS


def test_a_killed_reader_is_gone_and_the_others_are_served(world, crowd):
    mount, readers, gate = crowd
    for victim, number in ((readers[0], signal.SIGKILL), (readers[9], signal.SIGINT), (readers[-1], signal.SIGKILL)):
        victim.send_signal(number)
        assert victim.wait(timeout=3) == -number
    mount.wait_status(lambda s: s["waiters"] == READERS - 3, "three waiters less")
    assert waiting(readers) == READERS - 3
    gate.release()
    alive = readers[1:9] + readers[10:-1]
    assert {finish(reader) for reader in alive} == {(0, GOLDEN.encode(), b"")}
    assert world.service.count == 1


def test_all_killed_readers_leave_a_flight_that_lands(world, crowd):
    mount, readers, gate = crowd
    for reader in readers:
        reader.kill()
    for reader in readers:
        assert reader.wait(timeout=3) == -signal.SIGKILL
    gate.release()
    mount.wait_state("fresh")
    assert mount.read() == GOLDEN
    assert world.service.count == 1
