# SPDX-License-Identifier: Apache-2.0
"""`irsafs status`: what it says, what it believes, and that nothing holds it up."""
from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest

from lib import procs
from lib.endpoint import free_port, serve
from lib.program import CLIENT, IRSAFS, environment, public, run, run_as_user
from standin.control import Control, document, failure

NOWHERE = "--mountpoint=/nonexistent/aws"


@pytest.fixture
def control():
    """A stand-in on a port of its own."""
    server = Control()
    yield server
    server.close()


def status(*args: str, env=None):
    """The verb, in an environment of nothing."""
    ran = run([IRSAFS, "status", *args], env or environment(AWS_CONFIG_FILE="/nonexistent/aws/config"))
    ran.text = ran.out.decode()
    return ran


def rows(text: str) -> dict:
    """Label -> the words beside it, unfolded."""
    found, label = {}, None
    for line in text.splitlines()[1:]:
        label = line[2:14].strip() or label
        found[label] = f"{found.get(label, '')} {line[14:].strip()}".strip()
    return found


# --- what it says ----------------------------------------------------------------------------------

KNOWN = [
    ("fresh", 3, 0, "irsafs works: 3 profiles, fetched 4m 12s ago"),
    ("fresh", 1, 0, "irsafs works: 1 profile, fetched 4m 12s ago"),
    ("aging", 3, 0, "irsafs works: 3 profiles, fetched 4m 12s ago"),
    ("pending", 3, 0, "irsafs works: a new text is on its way, 3 profiles, fetched 4m 12s ago"),
    ("empty", 3, 0, "irsafs works: the next look gets a new text, 3 profiles, fetched 4m 12s ago"),
    ("stale", 3, 11, "irsafs is stale: the last good text is served, 3 profiles, fetched 4m 12s ago"),
    ("none", 3, 12, "irsafs has nothing to serve: config holds comments only"),
    ("pending", None, 12, "irsafs has nothing to serve yet: the first text is on its way"),
    ("empty", None, 12, "irsafs has nothing to serve yet: nobody has looked at config"),
    ("none", None, 12, "irsafs has nothing to serve: config holds comments only"),
    ("of a later version", 3, 12, "irsafs has nothing to serve: config holds comments only"),
]


@pytest.mark.parametrize("state, profiles, code, first", KNOWN, ids=str)
def test_states(control, state, profiles, code, first):
    control.doc = document(state=state, profiles=profiles, age_ms=None if profiles is None else 252_000)
    ran = status(f"--control={control.address}")
    assert (ran.code, ran.err, ran.text.splitlines()[0]) == (code, "", first)
    assert max(map(len, ran.text.splitlines())) <= 80
    ran = status(f"--control={control.address}", "-q")
    assert (ran.code, ran.out, ran.err) == (code, b"", "")


def test_document_comes_as_it_is(control):
    ran = status("--json", f"--control={control.address}")
    assert ran.code == 0 and ran.text == json.dumps(control.doc, indent=2) + "\n"


def test_why_since_when_and_what_to_do(control):
    control.doc = document(state="stale", stale=True, error=failure(), fetch={"in_flight": False, "total": 4, "failed": 2, "last_ms": 3})
    told = rows(status(f"--control={control.address}").text)
    assert told["why"] == "the mapping service failed (status 500) (IRSAFS-E701)"
    assert told["since"].startswith("2026-01-31T03:01:00Z, ") and told["since"].endswith(" ago")
    assert told["what to do"] == "the service itself failed: its administrator finds the cause in its log"
    assert told["next try"] == "at the first look after 12s, or a refresh"
    control.doc["fetch"]["in_flight"] = True
    assert rows(status(f"--control={control.address}").text)["next try"] == "now: a fetch is under way"


def test_the_rest(control):
    items = [{"section": f"profile p{i}", "key": None if i else "region", "reason": "not allowed"} for i in range(7)]
    control.doc = document(dropped={"total": 40, "items": items}, control={"address": "127.0.0.1:6003", "state": "taken", "error": "in use"})
    told = rows(status(f"--control={control.address}").text)
    assert told["config"] == "/var/run/.aws/config, generation 4, 961 bytes"
    assert told["dropped"].startswith("40 items of the service's answer [profile p0] region: not allowed [profile p1]: not allowed")
    assert "p5" not in told["dropped"] and told["dropped"].endswith("and more: status --json")
    assert told["service"] == "https://irsa-svc.domino-field, only with a valid certificate"
    assert told["token"].startswith("from url, ends 2026-01-31T03:05:00Z, ") and "ago" in told["token"]
    assert told["control"] == "127.0.0.1:6003, taken: in use"
    assert told["irsafs"] == "1.2.3, process 7, asked over the control endpoint"


def test_a_token_that_was_old_when_it_came(control):
    """The next fetch will not do better: the session is over."""
    control.doc = document(state="stale", error=failure(code="IRSAFS-E404", since="2026-01-31T03:06:00Z"))
    told = rows(status(f"--control={control.address}").text)
    assert told["token"].startswith("from url, ended 2026-01-31T03:05:00Z, ")
    assert told["token"].endswith(" ago: its source gives an old one")


@pytest.mark.parametrize("tls, words", [("none", "no TLS"), ("insecure", "certificate NOT verified")])
def test_unprotected_ways_are_named(control, tls, words):
    control.doc["endpoint"] = {"scheme": "https", "host": "h", "tls": tls}
    assert words in rows(status(f"--control={control.address}").text)["service"]


def poisoned(value):
    """The same document, each text of it with a foreign end."""
    if isinstance(value, dict):
        return {key: poisoned(item) for key, item in value.items()}
    return value + "\x1b[2J\r\x9b" if isinstance(value, str) else value


@pytest.mark.parametrize("key", document())
def test_foreign_text_does_nothing_to_a_terminal(control, key):
    """Whatever text of the document a stranger has chosen."""
    control.doc = document(error=failure())
    control.doc[key] = poisoned(control.doc[key])
    ran = status(f"--control={control.address}")
    assert ran.text.isascii() and set(ran.text) <= set(map(chr, range(32, 127))) | {"\n"}


def test_long_foreign_text_is_folded(control):
    control.doc = document(state="stale", error=failure(message="\x1b[2J\r\nroot\u202e " + "word " * 60), run_id="\x07\x9b")
    ran = status(f"--control={control.address}")
    assert ran.code == 11 and ran.text.isascii() and set(ran.text) <= set(map(chr, range(32, 127))) | {"\n"}
    assert max(map(len, ran.text.splitlines())) <= 80


# --- whom it believes ------------------------------------------------------------------------------

STRANGERS = {
    "garbage": {"raw": b"\x00\xff garbage\r\n\r\n"},
    "silence": {"hang": "headers"},
    "half": {"hang": "mid"},
    "dripping": {"drip": 0.2},
    "dripping head": {"drip_headers": 0.2},
    "endless": {"raw": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "endless": b"5\r\n{\"a\":\r\n"},
    "endless head": {"raw": b"HTTP/1.1 200 OK\r\n", "endless": b"A: b\r\n"},
    "closed": {"raw": b""},
    "not found": {"status": 404},
    "a login": {"status": 302, "headers": (("Location", "/status"),)},
    "HTML": {"body": b"<html>"},
    "nothing": {"body": b""},
    "a list": {"body": b"[1]"},
    "deep": {"body": b"[" * 9000},
    "NUL": {"body": b'{"schema":1}\0'},
    "too large": {"body": json.dumps(document(run_id="x" * 17_000)).encode()},
    "schema 2": {"body": json.dumps(document(schema=2)).encode()},
    "a word for a number": {"body": json.dumps(document(pid="7")).encode()},
    "no state": {"body": json.dumps({k: v for k, v in document().items() if k != "state"}).encode()},
    "another health": {"body": b'{"status": "UP"}'},
}


@pytest.mark.parametrize("name", STRANGERS)
def test_strangers_on_the_port(control, name):
    """Neither believed nor waited for."""
    control.behave(**STRANGERS[name])
    ran = status(f"--control={control.address}")
    assert (ran.code, ran.out) == (13, b"")
    assert "IRSAFS-E103" in ran.err and control.address in ran.err and "irsafs mount" in ran.err
    assert status(f"--control={control.address}", "-q").err == ""


@pytest.mark.parametrize("name", ["garbage", "a login", "silence"])
def test_files_are_asked_when_a_stranger_has_the_port(world, control, name):
    control.behave(**STRANGERS[name])
    mount = world.mount()
    mount.read()
    ran = status(f"--control={control.address}", f"--mountpoint={mount.path}")
    assert ran.code == 0 and rows(ran.text)["irsafs"].endswith("asked through its mount")


def test_redirects_and_proxies_are_not_followed(control):
    other = Control()
    try:
        control.behave(status=302, headers=(("Location", f"http://{other.address}/status"),))
        assert status(f"--control={control.address}").code == 13
        env = environment(http_proxy=other.origin, HTTP_PROXY=other.origin, ALL_PROXY=other.origin, no_proxy="", AWS_CONFIG_FILE="/nonexistent/c")
        assert status(f"--control=127.0.0.1:{free_port()}", env=env).code == 13
        assert other.connections == 0
    finally:
        other.close()


def test_irsafs_of_another_mount_is_not_meant(world, control):
    """Who names a mount point gets that one's status, or none."""
    mount = world.mount()
    ran = status(f"--control={control.address}", f"--mountpoint={mount.path}", "--json")
    assert json.loads(ran.out)["mountpoint"] == str(mount.path)
    ran = status(f"--control={control.address}", NOWHERE)
    assert ran.code == 13 and "it serves /var/run/.aws" in ran.err


@pytest.mark.parametrize("value", ["", "6003", "localhost", "h:0", "h:99999", "h:1/x", "u@h:1", "h:1?x", "http://h:1", "[::1:6003", "x y:1"])
def test_form_of_control(value):
    assert status(f"--control={value}").code == 2
    ran = status(env=environment(IRSAFS_CONTROL=value))
    assert ran.code == 3 and "IRSAFS_CONTROL" in ran.err or value == ""


# --- the real one ----------------------------------------------------------------------------------


def test_over_the_endpoint(world):
    """In a container that sees only the port, as the user of run containers."""
    served = serve(world)
    args = [public(CLIENT), "status", f"--control={served.control.address}"]
    env = environment(AWS_CONFIG_FILE="/nonexistent/config")
    assert run_as_user(args, env=env).code == 12
    served.mount.read()
    ran = run_as_user(args, env=env)
    assert ran.code == 0 and ran.out.decode().startswith("irsafs works: 6 profiles, fetched ")
    assert run_as_user([public(CLIENT), "status", "-q"], env={**env, "IRSAFS_CONTROL": served.control.address}).code == 0
    ran = run_as_user([*args, "--json"], env=env)
    assert json.loads(ran.out)["pid"] == served.mount.process.pid


def test_through_the_files(world):
    """In a container that sees only the mount."""
    mount = world.mount("--ttl=100ms", "--stale-wait=5s")
    env = environment(AWS_CONFIG_FILE=str(mount.config), IRSAFS_CONTROL="off")
    assert run_as_user([public(CLIENT), "status"], env=env).code == 12
    mount.read()
    world.service.behave(status=500)
    mount.wait_status(lambda s: mount.read() and s["state"] == "stale", "an outage")
    ran = run_as_user([public(CLIENT), "status"], env=env)
    told = rows(ran.out.decode())
    assert ran.code == 11 and ran.out.startswith(b"irsafs is stale: ")
    assert "IRSAFS-E701" in told["why"] and told["irsafs"].endswith("asked through its mount")
    ran = status("--json", env=env)
    assert ran.code == 11 and json.loads(ran.out)["mountpoint"] == str(mount.path)


def test_nobody_there(tmp_path):
    ran = status(f"--control=127.0.0.1:{free_port()}")
    assert (ran.code, ran.out) == (13, b"")
    assert "nobody listens" in ran.err and "/nonexistent/aws (No such file or directory)" in ran.err
    assert "-> start 'irsafs mount', or say where it is" in ran.err
    (tmp_path / "status").write_text(json.dumps(document()))
    for path, why in ((tmp_path, "no mount"), (tmp_path / "status", "Not a directory"), ("/proc", "no mount")):
        ran = status("--control=off", f"--mountpoint={path}")
        assert ran.code == 13 and f"({why})" in ran.err, ran.err
    os.unlink(tmp_path / "status")
    os.mkfifo(tmp_path / "status")
    assert status("--control=off", f"--mountpoint={tmp_path}").code == 13


def test_dead_mount(world):
    mount = world.mount()
    mount.read()
    family = procs.Family(mount.process.pid)
    mount.kill()
    family.wait_gone()
    ran = status("--control=off", f"--mountpoint={mount.path}")
    assert ran.code == 13 and "a dead mount" in ran.err


def test_mount_that_hangs(world):
    """Nobody answers, and nobody replaces who does not: the verb ends all the same."""
    mount = world.mount()
    mount.read()
    stopped = [mount.process.pid, *procs.children(mount.process.pid)]
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        ran = status("--control=off", f"--mountpoint={mount.path}")
        assert ran.code == 13 and "does not answer" in ran.err
        assert status("-q", "--control=off", f"--mountpoint={mount.path}").code == 13
    finally:
        for pid in reversed(stopped):
            os.kill(pid, signal.SIGCONT)


def test_full_stdout(control):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run([IRSAFS, "status", f"--control={control.address}"], stdout=full, stderr=subprocess.PIPE, timeout=20, check=False)
    assert done.returncode == 75 and b"IRSAFS-E002" in done.stderr
