# SPDX-License-Identifier: Apache-2.0
"""`status` shows each state as it is, in the promised schema, without waiting or asking."""
from __future__ import annotations

import json
import os
import re
import subprocess

from lib.program import environment, run
from lib.wait import wait_until
from lib.world import GOLDEN, RUN

INT, STR, BOOL, NULL = int, str, bool, type(None)
SCHEMA = {
    "schema": (INT,), "version": (STR,), "mode": (STR,), "layout": (STR, NULL), "mountpoint": (STR,), "state": (STR,),
    "stale": (BOOL,), "generation": (INT,), "profiles": (INT, NULL), "bytes": (INT, NULL), "age_ms": (INT, NULL), "ttl_ms": (INT, NULL),
    "next_change_ms": (INT, NULL), "fetched_at": (STR, NULL), "source": (STR,),
    "dropped": {"total": (INT,), "items": (list,)},
    "error": (dict, NULL),
    "fetch": {"in_flight": (BOOL,), "total": (INT,), "failed": (INT,), "last_ms": (INT, NULL)},
    "waiters": (INT,), "run_id": (STR, NULL), "workload_type": (STR, NULL),
    "token": {"source": (STR, NULL), "expires_at": (STR, NULL)},
    "endpoint": {"scheme": (STR, NULL), "host": (STR, NULL), "tls": (STR, NULL), "cert_expires_at": (STR, NULL)},
    "kernel": {"protocol": (STR,)}, "file": (NULL,),
    "control": None, "metrics": None, "sandbox": None, "pid": (INT,), "written_at": (STR,),
}
ERROR = {"code": (STR,), "class": (STR,), "message": (STR,), "since": (STR,), "next_try_ms": (INT, NULL)}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def check(value, schema, where="status") -> None:
    if isinstance(schema, dict):
        assert set(value) == set(schema), f"{where}: keys {sorted(set(value) ^ set(schema))}"
        for key, inner in schema.items():
            check(value[key], inner, f"{where}.{key}")
    elif schema is not None:
        assert type(value) in schema, f"{where}: {value!r}"


def look(mount) -> dict:
    """One status, checked against the schema."""
    status = mount.status()
    check(status, SCHEMA)
    if status["error"] is not None:
        check(status["error"], ERROR, "error")
        assert TIME.fullmatch(status["error"]["since"])
        assert re.fullmatch(r"IRSAFS-E\d{3}", status["error"]["code"])
    return status


def look_until(mount, state: str) -> dict:
    """The checked status of a state that has been reached; one look may be 100 ms old."""
    mount.wait_state(state, timeout=1)
    return look(mount)


def test_before_the_first_look(world):
    mount = world.mount()
    status = look(mount)
    assert status["schema"] == 1 and status["mode"] == "mount" and status["mountpoint"] == str(mount.path)
    assert (status["state"], status["source"], status["stale"]) == ("empty", "none", False)
    assert status["pid"] == mount.process.pid
    for key in ("age_ms", "fetched_at", "error", "run_id", "workload_type"):
        assert status[key] is None, key
    assert re.fullmatch(r"7\.\d+", status["kernel"]["protocol"])
    assert world.tokens.connections == 0


def test_fresh_text(world):
    mount = world.mount("--ttl=100s")
    mount.read()
    status = look_until(mount, "fresh")
    assert (status["source"], status["stale"], status["error"]) == ("service", False, None)
    assert (status["profiles"], status["bytes"], status["run_id"]) == (6, len(GOLDEN), RUN)
    assert status["fetch"]["total"] == 1 and status["fetch"]["failed"] == 0 and status["fetch"]["last_ms"] >= 0
    assert 0 <= status["age_ms"] < 60_000 and 0 < status["next_change_ms"] <= 88_000
    assert TIME.fullmatch(status["fetched_at"])
    assert status["token"]["source"] == "url" and TIME.fullmatch(status["token"]["expires_at"])
    assert status["endpoint"]["scheme"] == "http" and status["endpoint"]["tls"] == "none"
    assert status["endpoint"]["host"].startswith("127.0.0.1")
    assert status["dropped"] == {"total": 0, "items": []}


def test_every_change_of_state_is_shown(world):
    mount = world.mount("--ttl=2s", "--wait=500ms", "--stale-wait=100ms", "--min-refresh=0s", "--max-stale=5s")
    look_until(mount, "empty")
    gate = world.service.hold()
    reader = subprocess.Popen(["cat", mount.config], stdout=subprocess.DEVNULL, env=environment())
    pending = look_until(mount, "pending")
    assert pending["fetch"]["in_flight"] is True and pending["waiters"] == 1
    reader.wait(10)                    # the wait is over: comments only, while the flight goes on
    assert look_until(mount, "none")["fetch"]["in_flight"] is True
    gate.release()
    first = look_until(mount, "fresh")
    assert mount.wait_state("aging")["generation"] >= first["generation"]
    world.service.behave(status=500)
    mount.touch()
    mount.read()
    stale = look_until(mount, "stale")
    assert stale["stale"] is True and stale["source"] == "last_good"
    assert (stale["error"]["code"], stale["error"]["class"]) == ("IRSAFS-E701", "service")
    assert stale["fetch"]["failed"] == 1 and stale["profiles"] == 6
    wait_until(lambda: mount.read() and mount.status()["state"] == "none", "the end of max-stale")
    none = look(mount)
    assert none["source"] == "none" and not none["profiles"]
    world.service.normal()
    mount.touch()
    mount.read()
    again = look_until(mount, "fresh")
    assert again["error"] is None and again["generation"] > first["generation"]


def test_state_without_anything_to_serve(world):
    world.service.behave(status=500)
    mount = world.mount()
    mount.read()
    status = look_until(mount, "none")
    assert status["source"] == "none" and not status["profiles"]
    assert status["error"]["next_try_ms"] >= 0


def test_status_is_a_whole_file_for_every_reader(world):
    mount = world.mount()
    copy = world.folder / "copy"
    assert run(["cp", mount.path / "status", copy]).code == 0
    check(json.loads(copy.read_text()), SCHEMA)
    tar = run(["sh", "-c", f"tar -C {mount.path} -cf - status | tar -xOf -"])
    check(json.loads(tar.out), SCHEMA)
    size = (mount.path / "status").stat().st_size
    assert size == len((mount.path / "status").read_bytes()) <= 16384


def test_a_held_status_keeps_its_text(world):
    mount = world.mount()
    with (mount.path / "status").open() as old:
        mount.read()
        look_until(mount, "fresh")
        assert json.load(old)["state"] == "empty"


def test_many_held_statuses_do_not_stop_new_ones(world):
    mount = world.mount()
    held = []
    try:
        for _ in range(400):
            held.append(os.open(mount.path / "status", os.O_RDONLY))
        mount.read()
        look_until(mount, "fresh")
    finally:
        for fd in held:
            os.close(fd)


def test_dropped_keys_are_counted_and_listed_up_to_a_limit(world):
    extra = "".join(f"bad_key_number_{i} = {'x' * 200}\n" for i in range(100))
    world.service.behave(body=(GOLDEN + extra).encode())
    mount = world.mount()
    assert mount.read() == GOLDEN
    dropped = look_until(mount, "fresh")["dropped"]
    assert dropped["total"] == 100 and 0 < len(dropped["items"]) <= 32
    check(dropped["items"][0], {"section": (STR,), "key": (STR,), "reason": (STR,)}, "item")
    assert dropped["items"][0]["key"] == "bad_key_number_0"
    assert (mount.path / "status").stat().st_size <= 16384
