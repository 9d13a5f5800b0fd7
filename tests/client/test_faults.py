# SPDX-License-Identifier: Apache-2.0
"""Whatever service and token endpoint do: the documented exit code, a report, and no text."""
from __future__ import annotations

import socket
import subprocess
import time

import pytest

from lib.faults import ARN, CHUNKED, SERVICE, TOKEN
from lib.memory import CEILING, SANITIZED, peak_anonymous, small
from lib.program import CLIENT
from lib.world import GOLDEN


def check(ran, codes: set) -> None:
    assert ran.report["code"] in codes
    assert ran.code == ran.report["code"] // 100
    assert (ran.out, ran.err) == (b"", "")
    message = ran.report["message"]
    assert message and message.isascii() and message.isprintable() and len(message) < 192
    assert "evil" not in message and "html" not in message


@pytest.mark.parametrize("name", SERVICE)
def test_failing_service(world, fetch, name):
    fault, codes = SERVICE[name]
    world.service.behave(**fault)
    check(fetch("--fetch-timeout=700ms", preexec_fn=small), codes)
    assert world.service.connections == (2 if name in ("401", "403") else 1)   # trying again is the daemon's
    assert world.service.poured < 16 << 20   # what the sockets hold; 64 MiB and more were on offer


@pytest.mark.parametrize("name", TOKEN)
def test_failing_token_endpoint(world, fetch, name):
    fault, codes = TOKEN[name]
    world.tokens.behave(**fault)
    check(fetch("--fetch-timeout=700ms", preexec_fn=small), codes)
    assert world.service.connections == 0


def test_service_that_is_not_there(world, fetch):
    check(fetch(env={"DOMINO_IRSA_ENDPOINT": "http://irsa-svc.invalid/x"}), {502})


def test_slow_but_good_service(world, fetch):
    world.service.behave(delay=0.5)
    assert fetch("--fetch-timeout=20s").out.decode() == GOLDEN


def test_chunked_answer(world, fetch):
    world.service.behave(framing="chunked")
    assert fetch().out.decode() == GOLDEN


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_no_second_request_after_a_redirect(world, fetch, status):
    """Not to another origin, not to the same one, not with another scheme."""
    places = (world.tokens.origin + "/stolen", "/x", world.service.url, f"https://127.0.0.1:{world.tokens.port}/", "file:///etc/hosts")
    for place in places:
        world.service.behave(status=status, headers=(("Location", place),))
        assert fetch().report["code"] == 805
    assert [request.target for request in world.tokens.requests] == ["/access-token"] * len(places)
    assert (world.tokens.connections, world.service.connections) == (len(places), len(places))


def test_nobody_accepts(world, fetch):
    """A port whose queue is full: not even the connection is made."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        others = [socket.socket() for _ in range(4)]
        try:
            for other in others:
                other.setblocking(False)
                other.connect_ex(listener.getsockname())
            began = time.monotonic()
            check(fetch(f"--endpoint=http://127.0.0.1:{listener.getsockname()[1]}/", "--fetch-timeout=700ms"), {504})
            assert time.monotonic() - began < 3
        finally:
            for other in others:
                other.close()


def test_refused_connection_fails_at_once(world, fetch):
    world.service.refuse()
    began = time.monotonic()
    check(fetch("--fetch-timeout=60s"), {503})
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("value", ["", "yesterday", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_date_of_the_service_does_not_matter(world, fetch, value):
    world.service.behave(headers=(("Date", value), ("Age", "-1"), ("Expires", value)))
    assert fetch().out.decode() == GOLDEN


def test_endless_extension_of_a_chunk(world, fetch):
    """Bytes that never reach the text: they cost no memory, and the deadline ends them."""
    world.service.behave(raw=CHUNKED + b"4;", endless=b"x" * 65536)
    check(fetch("--fetch-timeout=700ms", preexec_fn=small), {504})


HELD = b"# x\n" * 0x3FFFF               # four bytes less than the ceiling of an answer
BODIES = {
    "with a length": {"body": HELD, "length_error": 64 << 20, "hang": "end"},
    "chunked": {"raw": CHUNKED + b"400000\r\n" + HELD, "hang": "end"},
}


@pytest.mark.parametrize("name", BODIES)
def test_memory_during_a_large_answer(world, name):
    """As much as is ever kept has come, and the rest does not."""
    world.service.behave(**BODIES[name])
    process = subprocess.Popen([CLIENT, "--fetch-timeout=1s"], env=world.env(), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    peak = peak_anonymous(process)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (5, b"") and b"IRSAFS-E504" in err
    assert len(HELD) < peak and (SANITIZED or peak < CEILING)


def sections(count: int) -> bytes:
    return b"".join(b"[profile p%d]\nweb_identity_token_file = /t\nrole_arn=%s%d\n" % (i, ARN, i) for i in range(count))


def test_memory_for_the_largest_text(world, fetch):
    world.service.behave(body=sections(8192))
    ran = fetch("--web-identity-token-file=/t", preexec_fn=small)
    assert ran.report["code"] == 0 and ran.report["profiles"] == 8192


@pytest.mark.parametrize("status", [401, 403])
def test_refused_token_is_read_again_once(world, fetch, status):
    world.service.queue(status=status)
    assert fetch().out.decode() == GOLDEN
    assert (world.tokens.count, world.service.count) == (2, 2)
    world.service.behave(status=status)
    assert fetch().code == {401: 4, 403: 6}[status]
    assert (world.tokens.count, world.service.count) == (4, 4)
