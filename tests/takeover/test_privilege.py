# SPDX-License-Identifier: Apache-2.0
"""What each process of the daemon may do: as /proc shows it, and by trying."""
from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from lib.world import GOLDEN
from takeover.daemon import CLIENT_NAME, NOTIFIER, WORKER, Daemon
from takeover.parked import Parked
from takeover.places import FORBIDDEN, UNTRIED, Place

NOBODY = 65534
KILL, SETGID, SETUID, SYS_ADMIN = 1 << 5, 1 << 6, 1 << 7, 1 << 21
SUPERVISOR_CAPS = KILL | SETGID | SETUID | SYS_ADMIN
FILTERED = 2                           # Seccomp in /proc/PID/status
SERVANTS = (WORKER, NOTIFIER, CLIENT_NAME)
KEY = "an-api-key-0123456789-of-the-test"


@pytest.fixture
def daemon(world, start):
    """One with a client under way, which has its token by now."""
    gate = world.service.hold()
    daemon = start(env=world.env(DOMINO_USER_API_KEY=KEY))
    parked = Parked(daemon, 1)
    gate.wait_arrived()
    yield daemon
    gate.release()
    parked.texts()


def facts(pid: int) -> dict:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


def caps(pid: int) -> dict:
    return {key[3:]: int(value[0], 16) for key, value in facts(pid).items() if key.startswith("Cap")}


def fuse_descriptors(pid: int) -> int:
    folder = Path(f"/proc/{pid}/fd")
    return sum(os.readlink(folder / fd) == "/dev/fuse" for fd in os.listdir(folder))


# ---- what they have

@pytest.mark.parametrize("name", SERVANTS)
def test_servants_own_nothing(daemon, name):
    pid = daemon.child(name)
    seen = facts(pid)
    assert seen["Uid"] == seen["Gid"] == [str(NOBODY)] * 4
    held = caps(pid)
    assert held.pop("Bnd") & ~SUPERVISOR_CAPS == 0
    assert held == dict.fromkeys(("Eff", "Prm", "Inh", "Amb"), 0)
    assert seen["NoNewPrivs"] == ["1"]
    assert seen["Seccomp"] == [str(FILTERED)]
    assert seen["Threads"] == ["1"] or name == CLIENT_NAME


def test_supervisor_has_four_capabilities(daemon):
    held = caps(daemon.process.pid)
    assert held["Eff"] == held["Prm"] == SUPERVISOR_CAPS
    assert held["Inh"] == held["Amb"] == 0
    assert facts(daemon.process.pid)["NoNewPrivs"] == ["1"]


@pytest.mark.parametrize("name, count", [(WORKER, 1), (NOTIFIER, 1), (CLIENT_NAME, 0)])
def test_descriptors_of_the_connection(daemon, name, count):
    assert fuse_descriptors(daemon.child(name)) == count


def test_client_has_no_log(daemon):
    assert os.readlink(f"/proc/{daemon.child(CLIENT_NAME)}/fd/2") == "/dev/null"


@pytest.mark.parametrize("name", SERVANTS)
def test_no_secret_in_an_environment(world, daemon, name):
    shown = Path(f"/proc/{daemon.child(name)}/environ").read_bytes()
    secrets = [KEY, *world.secrets()]
    assert len(secrets) > 1
    leaked = any(secret.encode() in shown for secret in secrets)
    assert not leaked                  # and not printed


@pytest.mark.parametrize("name", SERVANTS)
def test_groups_are_kept_but_that_of_root(world, start, name):
    """A projected token is readable by root and a group that the runtime gives."""
    gate = world.service.hold()
    daemon = start(prefix=("setpriv", "--groups", "0,1234,5678"))
    parked = Parked(daemon, 1)
    gate.wait_arrived()
    assert facts(daemon.child(name))["Groups"] == ["1234", "5678"]
    gate.release()
    assert parked.texts() == [GOLDEN]


def test_the_next_worker_is_as_poor_as_the_first(daemon):
    worker = daemon.worker()
    before = {key: facts(worker)[key] for key in ("Uid", "Gid", "Groups", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}
    daemon.places.arm(Place.READ)
    daemon.ask()
    seen = facts(daemon.worker(other_than=worker))
    assert {key: seen[key] for key in before} == before


# ---- what they cannot do

@pytest.mark.parametrize("action", FORBIDDEN, ids=lambda action: action.name.lower())
def test_forbidden_call(start, action):
    """Refused, or the worker dies of it and the next one answers."""
    daemon = start()
    worker = daemon.worker()
    daemon.places.arm(Place.READ, action=action)
    daemon.ask()
    assert daemon.places.hits(Place.READ) == 1
    refused = daemon.places.result in (errno.EPERM, errno.EACCES, errno.ENOSYS)
    killed = daemon.places.result == UNTRIED and daemon.worker() != worker
    assert refused or killed, f"result {daemon.places.result}"
    assert daemon.read() == GOLDEN


# ---- the switch

@pytest.mark.parametrize("mode, confined", [("required", True), ("best-effort", True), ("off", False)])
def test_sandbox(start, mode, confined):
    daemon = start(f"--sandbox={mode}")
    assert daemon.read() == GOLDEN
    worker = daemon.worker()
    assert (facts(worker)["Seccomp"] == [str(FILTERED)]) == confined
    assert (facts(worker)["Uid"] == [str(NOBODY)] * 4) == confined
    assert (caps(worker)["Eff"] == 0) == confined
    assert mode in json.dumps(daemon.status()["sandbox"])
