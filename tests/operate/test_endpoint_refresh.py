# SPDX-License-Identifier: Apache-2.0
"""/refresh fetches, answers after the result, and tells a failure apart."""
from __future__ import annotations

import os
import signal
import socket
import struct

import pytest

from lib.endpoint import finish, parse, serve
from lib.program import environment, run
from lib.text import body, code, comments
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, render, role

NEW_ROLES = [role("acme-new-bucket-role")]
NEW = render(NEW_ROLES)
FOREIGN = b"<html><title>foreign words</title> secret-of-the-service </html>"
REQUEST = b"POST /refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


def check_done(reply) -> dict:
    assert (reply.status, reply.type) == (200, "application/json")
    answer = reply.json()
    assert {key: type(value) for key, value in answer.items()} == {"generation": int, "profiles": int, "changed": bool}
    return answer


def check_failed(reply, status: int, *codes: int) -> dict:
    assert (reply.status, reply.type) == (status, "application/json")
    answer = reply.json()
    assert {key: type(value) for key, value in answer.items()} == {"error": dict, "generation": int, "stale": bool}
    assert {key: type(value) for key, value in answer["error"].items()} == dict.fromkeys(("code", "class", "message"), str)
    assert answer["error"]["code"] in [f"IRSAFS-E{number}" for number in codes]
    assert "foreign" not in reply.text and "secret" not in reply.text and "html" not in reply.text
    return answer


def call(served) -> socket.socket:
    """A call of /refresh that has been heard: two more requests have come and gone since."""
    sock = served.control.connect()
    sock.sendall(REQUEST)
    for _ in range(2):
        assert served.control.ask("/livez").status == 200
    return sock


def answer_to(sock: socket.socket):
    with sock:
        return parse(finish(sock))


# ---- results

@pytest.mark.parametrize("method", ["GET", "POST"])
def test_changed_mapping_is_seen_without_a_touch(world, method):
    served = serve(world, "--min-refresh=0s")
    assert served.mount.read() == GOLDEN
    before = served.mount.status()["generation"]
    world.service.roles = NEW_ROLES
    answer = check_done(served.control.refresh(method))
    assert served.mount.read() == NEW
    assert run(["cat", served.mount.config]).out == NEW.encode()
    assert (answer["profiles"], answer["changed"]) == (2, True) and answer["generation"] > before
    assert answer["generation"] == served.control.ask("/status").json()["generation"]
    assert world.service.count == 2


def test_same_text_is_not_changed(world):
    served = serve(world, "--min-refresh=0s")
    assert served.mount.read() == GOLDEN
    answer = check_done(served.control.refresh())
    assert (answer["profiles"], answer["changed"]) == (6, False)
    assert world.service.count == 2
    world.service.roles = GOLDEN_ROLES[:1]
    assert check_done(served.control.refresh())["changed"] is True
    assert check_done(served.control.refresh())["changed"] is False


def test_first_text(world):
    served = serve(world)
    answer = check_done(served.control.refresh())
    assert (answer["profiles"], answer["changed"]) == (6, True)
    assert served.mount.read() == GOLDEN
    assert world.service.count == 1, "the reader asks nobody again"
    assert served.control.ask("/readyz").status == 200


def test_head_has_no_body(world):
    served = serve(world)
    reply = served.control.say("HEAD /refresh HTTP/1.1", "Host: localhost", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")


def test_no_roles(world):
    served = serve(world, "--min-refresh=0s")
    served.mount.read()
    world.service.roles = []
    answer = check_done(served.control.refresh())
    assert (answer["profiles"], answer["changed"]) == (0, True)
    assert body(served.mount.read()) == ""


@pytest.mark.parametrize("sent", [b"{}", b"x" * 4000, b"\0\xff" * 100])
def test_body_of_a_call_does_not_matter(world, sent):
    served = serve(world)
    check_done(served.control.refresh(body=sent))
    assert served.mount.read() == GOLDEN


def test_chunked_body(world):
    served = serve(world)
    head = "POST /refresh HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    check_done(parse(served.control.raw(f"{head}2\r\n{{}}\r\n0\r\n\r\n".encode())))


# ---- failures

FAILURES = {
    "500": ({"status": 500, "body": FOREIGN}, 502, [701]),
    "503": ({"status": 503, "body": FOREIGN}, 502, [701, 702]),
    "403": ({"status": 403, "body": FOREIGN}, 502, [601]),
    "404": ({"status": 404, "body": FOREIGN}, 502, [602]),
    "login page": ({"body": FOREIGN}, 502, [801]),
    "reset": ({"reset": "headers"}, 502, [506]),
    "silence": ({"hang": "headers"}, 504, [501, 504]),
    "silence in the body": ({"hang": "mid"}, 504, [501, 504]),
    "drip": ({"drip": 0.01}, 504, [501, 504]),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failing_service(world, name):
    changes, status, codes = FAILURES[name]
    served = serve(world, "--min-refresh=0s", "--fetch-timeout=700ms", "--wait=60s")
    world.service.behave(**changes)
    assert check_failed(served.control.refresh(), status, *codes)["stale"] is False
    world.service.normal()
    check_done(served.control.refresh())
    assert served.mount.read() == GOLDEN
    world.service.behave(**changes)
    answer = check_failed(served.control.refresh(), status, *codes)
    text = served.mount.read()
    kept = codes != [601]              # who may not see it does not keep it
    assert body(text) == (GOLDEN if kept else "") and code(text) in codes
    assert answer["stale"] is kept
    assert "foreign" not in "\n".join(comments(text))
    world.service.normal()
    assert check_done(served.control.refresh())["profiles"] == 6
    assert served.mount.read() == GOLDEN


@pytest.mark.parametrize("which, number", [("service", 503), ("tokens", 401)])
def test_refused_connections(world, which, number):
    served = serve(world, "--min-refresh=0s", "--wait=1s", "--stale-wait=1s", "--fetch-timeout=2s")
    served.mount.read()
    server = getattr(world, which)
    server.refuse()
    answer = check_failed(served.control.refresh(), 502, number)
    assert answer["stale"] is True and answer["error"]["message"]
    assert body(served.mount.read()) == GOLDEN
    server.accept()
    check_done(served.control.refresh())
    assert served.mount.read() == GOLDEN


def test_error_is_the_one_of_status_and_text(world):
    world.service.behave(status=500, body=FOREIGN)
    served = serve(world, "--min-refresh=0s")
    told = check_failed(served.control.refresh(), 502, 701)["error"]
    text, shown = served.mount.read(), served.mount.wait_state("none")["error"]
    assert told == {key: shown[key] for key in told}
    assert told["class"] == "service" and code(text) == 701


def test_empty_head_of_a_failure(world):
    world.service.behave(status=500)
    served = serve(world)
    reply = served.control.say("HEAD /refresh HTTP/1.1", "Host: localhost", method="HEAD")
    assert (reply.status, reply.body) == (502, b"")


# ---- many calls, few fetches

def test_calls_during_a_fetch_share_the_next_one(world):
    served = serve(world, "--min-refresh=0s")
    gate = world.service.hold()
    early = call(served)
    gate.wait_arrived()
    late = [served.control.connect() for _ in range(30)]
    for sock in late:
        sock.sendall(REQUEST)
    late.append(call(served))
    assert world.service.count == 1
    world.service.roles = NEW_ROLES    # the answer that is held has been made from the old ones
    gate.release()
    assert check_done(answer_to(early))["profiles"] == 6
    answers = [check_done(answer_to(sock)) for sock in late]
    assert {(a["profiles"], a["changed"]) for a in answers} == {(2, True)}
    assert len({a["generation"] for a in answers}) == 1
    assert world.service.count == 2
    assert served.mount.read() == NEW


def test_call_during_the_fetch_of_a_reader(world):
    served = serve(world, "--min-refresh=0s", "--prefetch")
    served.mount.wait_state("fresh")
    gate = world.service.hold()
    served.mount.touch()
    gate.wait_arrived()
    late = call(served)
    world.service.roles = NEW_ROLES
    gate.release()
    assert check_done(answer_to(late))["profiles"] == 2
    assert world.service.count == 3


def test_calls_within_min_refresh_are_one_fetch(world):
    served = serve(world, "--min-refresh=1s")
    check_done(served.control.refresh())
    calls = [call(served) for _ in range(10)]
    for sock in calls:
        assert check_done(answer_to(sock))["changed"] is False
    assert world.service.count == 2


def test_min_refresh_and_fetch_timeout_bound_a_call(world):
    """A fetch that is not due yet is not made; the caller is told."""
    served = serve(world, "--min-refresh=1h", "--fetch-timeout=1s")
    check_done(served.control.refresh())
    check_failed(served.control.refresh(), 504, 501, 504)
    assert world.service.count == 1
    assert body(served.mount.read()) == GOLDEN


def test_retry_after_holds(world):
    world.service.behave(status=429, headers=(("Retry-After", "60"),))
    served = serve(world, "--min-refresh=0s", "--fetch-timeout=1s")
    check_failed(served.control.refresh(), 502, 702)
    reply = served.control.refresh()
    check_failed(reply, reply.status, 501, 504, 702)
    assert reply.status in (502, 504)
    assert world.service.count == 1


# ---- callers and processes that leave

@pytest.mark.parametrize("how", ["close", "reset", "half"])
def test_caller_that_hangs_up(world, how):
    served = serve(world, "--min-refresh=0s")
    gate = world.service.hold()
    worker = served.mount.worker
    sock, other = call(served), call(served)
    gate.wait_arrived()
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    else:
        sock.close()
    assert served.control.ask("/livez").status == 200
    gate.release()
    check_done(answer_to(other))
    if how == "half":
        got = finish(sock)
        assert not got or check_done(parse(got))
    assert served.mount.read() == GOLDEN
    assert served.mount.worker == worker


def test_readers_are_served_while_callers_wait(world):
    served = serve(world, "--min-refresh=0s")
    assert served.mount.read() == GOLDEN
    gate = world.service.hold()
    callers = [call(served) for _ in range(5)]
    gate.wait_arrived()
    assert run(["ls", served.mount.path], environment()).out == b"config\nrefresh\nstatus\n"
    assert served.mount.status()["fetch"]["in_flight"] is True
    gate.release()
    for sock in callers:
        check_done(answer_to(sock))


def test_end_with_callers_waiting(world):
    served = serve(world, "--min-refresh=0s")
    gate = world.service.hold()
    callers = [call(served) for _ in range(20)]
    gate.wait_arrived()
    served.mount.stop()
    for sock in callers:
        with sock:
            got = finish(sock)
        if got:
            assert parse(got).status in (502, 503, 504)
    assert not served.control.listens()
    gate.release()


def test_end_with_idle_connections(world):
    served = serve(world)
    idle = [served.control.connect() for _ in range(20)]
    served.mount.stop()
    for sock in idle:
        with sock:
            assert finish(sock) == b""


@pytest.mark.parametrize("waiting", [0, 10], ids=["idle", "waited for"])
def test_killed_worker(world, waiting):
    """The port is the supervisor's: nobody is refused, and the next worker answers."""
    served = serve(world, "--min-refresh=0s")
    gate = world.service.hold()
    callers = [call(served) for _ in range(waiting)]
    if callers:
        gate.wait_arrived()
    for _ in range(5):
        os.kill(served.mount.worker, signal.SIGKILL)
        assert served.control.listens()
        served.control.wait_serving()
    gate.release()
    world.service.normal()
    for sock in callers:
        with sock:
            assert finish(sock) == b"", "only a worker that is dead now knew of this call"
    check_done(served.control.refresh())
    assert served.mount.read() == GOLDEN
    assert served.mount.status()["control"]["state"] == "listening"
