# SPDX-License-Identifier: Apache-2.0
"""Labels, tokens and CA files that change or break under a running mount: readers and `status`."""
from __future__ import annotations

import datetime
import json
import os
import time
from pathlib import Path

import pytest

from lib.labels import EXECUTION_ID
from lib.program import token_runs
from lib.text import body, code, comments
from lib.wait import wait_until
from lib.world import GOLDEN, RUN
from standin.mapping import PATH, MappingService, render, role
from standin.tls import DAY, Authority

ARGS = ("--min-refresh=0s", "--wait=60s", "--stale-wait=60s", "--fetch-timeout=2s")


def look_after_touch(mount) -> str:
    mount.touch()
    return mount.read()


# --- TLS --------------------------------------------------------------------------------------------


@pytest.fixture
def ca(world):
    return Authority(world.folder)


@pytest.fixture
def serve(world):
    """Starts a mapping service with this server context; gives its URL."""
    servers = []

    def start(context) -> str:
        servers.append(MappingService(world.tokens, tls=context))
        return f"https://127.0.0.1:{servers[-1].port}{PATH}"

    yield start
    for server in servers:
        server.close()


def day(after: datetime.timedelta) -> str:
    return (datetime.datetime.utcnow() + after).strftime("%Y-%m-%d")


BAD = {
    "expired": ({"start": -9 * DAY, "end": -3 * DAY}, f"certificate expired {day(-3 * DAY)}"),
    "not yet valid": ({"start": 3 * DAY, "end": 9 * DAY}, f"certificate not valid before {day(3 * DAY)} (local clock?)"),
    "self-signed": ({"own_issuer": True}, "self-signed certificate"),
    "wrong host": ({"hosts": ("other.example",)}, "IP address mismatch"),
}


@pytest.mark.parametrize("name", BAD)
def test_tls_reason_reaches_status_and_text(world, serve, ca, name):
    leaf, words = BAD[name]
    mount = world.mount(*ARGS, f"--endpoint={serve(ca.context(**leaf))}", f"--ca-file={ca.bundle}")
    text = mount.read()
    assert code(text) == 505 and words in "\n".join(comments(text))
    error = mount.status()["error"]
    assert (error["code"], error["class"]) == ("IRSAFS-E505", "unreachable") and words in error["message"]


def test_ca_file_is_replaced_in_place(world, serve, ca):
    """The rotation of a CA needs no restart; a window with both works; a broken file never means no check."""
    new = Authority(world.folder, "new CA")
    path = world.folder / "ca.pem"
    old_pem, new_pem = ca.bundle.read_bytes(), new.bundle.read_bytes()
    path.write_bytes(old_pem)
    mount = world.mount(*ARGS, f"--endpoint={serve(new.context())}", f"--ca-file={path}")
    assert code(mount.read()) == 505
    path.write_bytes(old_pem + new_pem)
    assert look_after_touch(mount) == GOLDEN
    endpoint = mount.status()["endpoint"]
    assert (endpoint["tls"], endpoint["cert_expires_at"]) == ("verified", new.last_leaf_ends())
    for content, expected in ((new_pem, 0), (old_pem, 505), (b"", 306), (b"garbage\n", 306), (None, 306), (new_pem, 0)):
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        text = look_after_touch(mount)
        assert (code(text), body(text)) == (expected, GOLDEN)


def test_plain_http_and_unverified_tls_are_named(world, serve, ca):
    mount = world.mount(*ARGS)
    mount.read()
    endpoint = mount.status()["endpoint"]
    assert (endpoint["scheme"], endpoint["tls"], endpoint["cert_expires_at"]) == ("http", "none", None)
    assert "tls=none endpoint=http://127.0.0.1" in mount.log()
    mount = world.mount(*ARGS, f"--endpoint={serve(ca.context(own_issuer=True))}", "--insecure-skip-tls-verify")
    assert mount.read() == GOLDEN
    assert mount.status()["endpoint"]["tls"] == "insecure"
    assert "tls=insecure endpoint=https://127.0.0.1" in mount.log()


# --- token ------------------------------------------------------------------------------------------


def test_rotation_of_an_opaque_token_in_an_outage_keeps_the_text(world):
    world.tokens.raw = "opaque-token-number-1"
    mount = world.mount(*ARGS)
    assert mount.read() == GOLDEN
    world.service.behave(status=500)
    for number in (2, 3):
        world.tokens.raw = f"opaque-token-number-{number}"
        text = look_after_touch(mount)
        assert (code(text), body(text)) == (701, GOLDEN)


def test_other_api_key_means_other_user(world):
    path = world.folder / "key"
    path.write_text("key-of-jane-0123")
    world.service.api_keys["key-of-jane-0123"] = world.service.api_keys["key-of-eve-45678"] = "jane"
    env = {name: value for name, value in world.env().items() if name != "DOMINO_API_PROXY"}
    mount = world.mount(*ARGS, f"--api-key-file={path}", env=env)
    assert mount.read() == GOLDEN
    world.service.behave(status=500)
    assert body(look_after_touch(mount)) == GOLDEN
    path.write_text("key-of-eve-45678")
    assert body(look_after_touch(mount)) == ""


def test_no_part_of_a_token_is_shown(world):
    """Good, refused, malformed and sent back by the service: not in the text, `status`, log, nor in /proc."""
    world.tokens.raw = "".join(f"{i:03d}abcdefghi" for i in range(40))
    token = world.tokens.raw.encode()
    mount = world.mount(*ARGS, "--log-level=debug")
    seen = mount.read()
    for fault in ({"status": 401}, {"raw": b"HTTP/1.1 500 " + token + b"\r\n\r\n"}, {"body": b"[profile x]\nrole_arn = " + token + b"\n"}, {"hang": "body"}):
        world.service.behave(**fault)
        seen += look_after_touch(mount) + json.dumps(mount.status())
    folder = Path(f"/proc/{mount.process.pid}")
    for name in ("cmdline", "environ", "maps", "mountinfo"):
        seen += (folder / name).read_text()
    assert token_runs(seen + mount.log(), world.secrets()) == 0


# --- labels -----------------------------------------------------------------------------------------


BROKEN = {
    "cut": f'{EXECUTION_ID}="{RUN[:8]}',
    "empty": "",
    "binary": "\0\1\2",
    "10 MiB": "a" * (10 << 20),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_labels_keep_the_text(world, name):
    path = world.folder / "plain-labels"
    path.write_text(good := f'{EXECUTION_ID}="{RUN}"')
    mount = world.mount(*ARGS, f"--labels={path}")
    assert mount.read() == GOLDEN
    path.write_text(BROKEN[name])
    text = look_after_touch(mount)
    assert code(text) in (303, 304) and body(text) == GOLDEN
    path.write_text(good)
    began = time.monotonic()
    assert look_after_touch(mount) == GOLDEN and time.monotonic() - began < 2
    assert {b["run_id"] for b in world.service.bodies} == {RUN}


def test_fifo_in_place_of_the_labels_hangs_nobody(world):
    path = world.folder / "plain-labels"
    os.mkfifo(path)
    mount = world.mount(*ARGS, f"--labels={path}")
    began = time.monotonic()
    assert code(mount.read()) == 304 and time.monotonic() - began < 2
    path.unlink()
    path.write_text(f'{EXECUTION_ID}="{RUN}"')
    began = time.monotonic()
    assert look_after_touch(mount) == GOLDEN and time.monotonic() - began < 2


def test_another_run_appears(world):
    """The labels of the pod name another run: its text comes, the old one is never shown for it."""
    world.service.runs["other"] = "jane"
    mount = world.mount(*ARGS)
    assert mount.read() == GOLDEN
    world.labels.run("other")
    world.service.roles = [role("others")]
    assert look_after_touch(mount) == render([role("others")])


# --- the service ------------------------------------------------------------------------------------


def test_last_answer_wins(world):
    """Roles vanish and return: nothing is merged, nothing of an older answer stays."""
    first, second = [role("first"), role("both")], [role("both"), role("second")]
    mount = world.mount(*ARGS)
    for roles in (first, second, [], second, first):
        world.service.roles = roles
        text = look_after_touch(mount)
        assert (text == render(roles)) if roles else (body(text) == "" and code(text) == 0)


def test_slow_but_good_service(world):
    """Slower than a reader waits: the old text first, then the new one, from a single request."""
    mount = world.mount("--ttl=1s", "--stale-wait=500ms", "--min-refresh=0s")
    assert mount.read() == GOLDEN
    mount.wait_status(lambda s: s["state"] not in ("fresh", "aging"), "the end of the TTL")
    world.service.roles = [role("late")]
    before = world.service.count
    world.service.queue(delay=1.5)
    text = mount.read()
    assert (code(text), body(text)) == (501, GOLDEN)
    mount.wait_idle()
    assert mount.read() == render([role("late")]) and world.service.count <= before + 2


def test_tries_in_an_outage_are_counted(world):
    """A hundred looks a second for seven seconds: tries after 1, 2 and 4 s with jitter, no more."""
    world.service.behave(status=500)
    mount = world.mount("--wait=1s", "--stale-wait=1s")
    end = time.monotonic() + 7
    while time.monotonic() < end:
        assert code(mount.read()) == 701
        time.sleep(0.01)
    assert 3 <= world.service.count <= 5
    assert world.tokens.count == world.service.count


@pytest.mark.parametrize("value, least", [("3", 2.9), ("soon", 0.9)])
def test_touches_wait_for_what_the_service_asked(world, value, least):
    world.service.queue(status=503, headers=(("Retry-After", value),))
    mount = world.mount(*ARGS)
    assert code(mount.read()) == 701
    wait_until(lambda: look_after_touch(mount) == GOLDEN, "the next try")
    first, second = world.service.requests[:2]
    assert second.began - first.began > least
