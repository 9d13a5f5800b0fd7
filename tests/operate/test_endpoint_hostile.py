# SPDX-License-Identifier: Apache-2.0
"""Requests that are none: refused or dropped, and nobody notices: not the next client, not the readers."""
from __future__ import annotations

import random
import re

import pytest

from lib.endpoint import parse, serve
from lib.world import GOLDEN

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
CALL = b"POST /refresh HTTP/1.1\r\nHost: localhost\r\n"
END = b"\r\n"
HEALTHY = b"{'status': 'Healthy'}"
DROPPED = None                         # closed without an answer
REFUSED = (DROPPED, 400, 404, 405, 408, 411, 413, 414, 417, 431, 501, 505)
SERVED = (*REFUSED, 200)
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(194))

# name -> bytes, statuses that are right
NEVER_SERVED = {
    "request line of 1 MB": b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "1 MB without a line end": b"G" * 1_000_000,
    "query of 1 MB": b"GET /healthz?" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "header of 1 MB": HEALTH + b"X: " + b"a" * 1_000_000 + b"\r\n\r\n",
    "header of 9 KiB": HEALTH + b"X: " + b"a" * 9216 + b"\r\n\r\n",
    "10,000 headers": HEALTH + b"".join(b"X-%d: x\r\n" % i for i in range(10_000)) + END,
    "endless folded header": HEALTH + b"X: x\r\n" + b" x\r\n" * 10_000 + END,
    "empty lines only": b"\r\n" * 50_000,
    "NUL in the path": b"GET /healthz\0 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL after the path": b"GET /healthz \0HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "NUL bytes only": bytes(100_000),
    "bad UTF-8 in the path": b"GET /\xff\xfe\xc0\xaf HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "bad UTF-8 as method": b"\xff\xfe /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n",
    "HTTP/0.9 with an end": b"GET /healthz\r\n\r\n",
    "no version": b"GET /healthz \r\nHost: localhost\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    "not HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "TLS": CLIENT_HELLO,
    "garbage": random.Random(7).randbytes(65536),
    "blank before the method": b" GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method only": b"GET\r\n\r\n",
    "no colon": HEALTH + b"nonsense\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "CONNECT to a path": b"CONNECT /refresh HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "BREW": b"BREW /refresh HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method in small letters": b"get /refresh HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "method of 1 MB": b"G" * 1_000_000 + b" /refresh HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "huge Content-Length": CALL + b"Content-Length: 99999999999999999999\r\n\r\nx",
    "negative Content-Length": CALL + b"Content-Length: -1\r\n\r\nx",
    "Content-Length in words": CALL + b"Content-Length: many\r\n\r\nx",
    "1 GB that never comes": CALL + b"Content-Length: 1000000000\r\n\r\nx",
    "2 MB": CALL + b"Content-Length: 2000000\r\n\r\n" + bytes(2_000_000),
    "huge chunk": CALL + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
    "negative chunk": CALL + b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx",
    "endless chunks": CALL + b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + (bytes(4096) + b"\r\n1000\r\n") * 500,
    "PUT with a body": b"PUT /refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
}
PERHAPS_SERVED = {
    "NUL in a header": HEALTH + b"X: a\0b\r\n\r\n",
    "bad UTF-8 in a header": HEALTH + b"X: \xff\xfe\r\n\xff: x\r\n\r\n",
    "lines without CR": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
    "CR only": b"GET /healthz HTTP/1.1\rHost: localhost\r\r",
    "empty header name": HEALTH + b": x\r\n\r\n",
    "blank before the colon": HEALTH + b"X : x\r\n\r\n",
    "HTTP/1.9": b"GET /healthz HTTP/1.9\r\nHost: localhost\r\n\r\n",
    "HTTP/3.0": b"GET /healthz HTTP/3.0\r\nHost: localhost\r\n\r\n",
    "header of 7 KiB": HEALTH + b"X: " + b"a" * 7168 + b"\r\n\r\n",
    "Upgrade": HEALTH + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "Expect": CALL + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    "strange Expect": CALL + b"Expect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}",
    "Range": HEALTH + b"Range: bytes=0-" + b",5-" * 1000 + b"\r\n\r\n",
    "GET with a body": HEALTH + b"Content-Length: 5\r\n\r\nhello",
    "two lengths": CALL + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello",
    "length and chunks": CALL + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HEALTH + END,
    "gzip in transfer": CALL + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": CALL + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "pipelined a thousand times": (HEALTH + END) * 1000,
    "pipelined beside refresh": HEALTH + END + CALL + b"Content-Length: 0\r\n\r\n",
    "request behind a body": CALL + b"Content-Length: 2\r\n\r\n{}" + HEALTH + END,
    "bytes behind the request": HEALTH + END + random.Random(8).randbytes(20_000),
}


@pytest.fixture
def served(world):
    served = serve(world)
    assert served.mount.read() == GOLDEN
    return served


def answer(data: bytes):
    """The one answer, or nothing; evhttp sends 100 Continue before it."""
    data = re.sub(rb"\A(HTTP/1\.1 100 [^\r]*\r\n\r\n)+", b"", data)
    return parse(data) if data else None


def check_still_serving(world, served, worker: int) -> None:
    assert served.control.ask("/healthz").body == HEALTHY
    assert served.mount.read() == GOLDEN
    assert served.mount.status()["state"] == "fresh"
    assert served.mount.worker == worker, "the worker died"
    assert world.service.violations == []


@pytest.mark.parametrize("name", NEVER_SERVED)
@pytest.mark.parametrize("half_close", [False, True], ids=["open", "half closed"])
def test_refused(world, served, name, half_close):
    worker = served.mount.worker
    reply = answer(served.control.raw(NEVER_SERVED[name], half_close=half_close))
    assert (reply and reply.status) in REFUSED
    assert not reply or reply.headers["Connection"] == "close"
    check_still_serving(world, served, worker)
    assert world.service.count == 1, "it was taken for a call"


@pytest.mark.parametrize("name", PERHAPS_SERVED)
def test_odd(world, served, name):
    """One answer at most, whatever it is."""
    worker = served.mount.worker
    reply = answer(served.control.raw(PERHAPS_SERVED[name]))
    assert (reply and reply.status) in SERVED
    check_still_serving(world, served, worker)
    assert world.service.count <= (2 if PERHAPS_SERVED[name].startswith(CALL) else 1)


def test_head_below_the_limit_is_served(served):
    assert served.control.ask("/healthz", headers={"X": "a" * 7000}).body == HEALTHY


def test_every_byte_as_a_method_and_in_a_path(world, served):
    worker = served.mount.worker
    for byte in range(256):
        each = bytes([byte])
        for data in (each + b"GET /refreshed HTTP/1.1\r\n", b"GET /refresh" + each + b"ed HTTP/1.1\r\n"):
            reply = answer(served.control.raw(data + b"Host: localhost\r\n\r\n", half_close=True))
            assert (reply and reply.status) in (REFUSED if byte not in b"?#\r\n" else SERVED), data
    check_still_serving(world, served, worker)


@pytest.mark.slow
def test_request_cut_anywhere(world, served):
    worker = served.mount.worker
    whole = CALL + b"Content-Length: 2\r\n\r\n{}"
    for length in range(len(whole)):
        reply = answer(served.control.raw(whole[:length], half_close=True))
        assert (reply and reply.status) in REFUSED, whole[:length]
    check_still_serving(world, served, worker)
    assert world.service.count == 1


def test_request_in_single_bytes(served):
    with served.control.connect() as sock:
        for byte in HEALTH + END:
            sock.sendall(bytes([byte]))
        sock.shutdown(1)
        data = b""
        while more := sock.recv(4096):
            data += more
    assert parse(data).body == HEALTHY


def test_random_requests(world, served):
    """Words of HTTP in an order that nobody has thought of."""
    worker, dice = served.mount.worker, random.Random(11)
    words = [
        b"GET ", b"HEAD ", b"POST ", b"/healthz", b"/status", b"//", b"?", b"%", b"%2", b"%00", b" HTTP/1.1", b" HTTP/", b"\r\n",
        b"\n", b"\r", b"Host: localhost\r\n", b"Host:", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n", b"\0",
        b"\xff", b" ", b":", b"http://", b"[::1", b"@", b"x" * 300, b"\r\n\r\n", b"Expect: 100-continue\r\n", b"Connection: keep-alive\r\n",
    ]
    for _ in range(300):
        data = b"".join(dice.choices(words, k=dice.randrange(1, 20)))
        served.control.raw(data, half_close=True)
    check_still_serving(world, served, worker)
