# SPDX-License-Identifier: Apache-2.0
"""Daemons that listen, and talk with them: as a client that behaves, or byte by byte."""
from __future__ import annotations

import dataclasses
import http.client
import io
import json
import random
import select
import socket
import time
from typing import Callable, Optional

from .mount import Mount
from .program import token_runs
from .wait import LONG, wait_until

PORTS = range(20_000, 32_000)          # below those that the kernel gives to clients
ANSWER_SECONDS = 30.0                  # a bound for what normally takes milliseconds


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on."""
    while True:
        port = random.choice(PORTS)
        with listener(host, port, backlog=None) as sock:
            if sock.fileno() >= 0:
                return port


def listener(host: str, port: int, backlog: Optional[int] = 8) -> socket.socket:
    """A listening socket (only bound without a backlog); a closed one when the port is taken."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        if backlog is not None:
            sock.listen(backlog)
    except OSError:
        sock.close()
    return sock


@dataclasses.dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def type(self) -> str:
        return self.headers["Content-Type"]

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> dict:
        return json.loads(self.body)


class _Wire:
    """What HTTPResponse wants of a socket."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._data)


def parse(data: bytes, method: str = "GET") -> Reply:
    """The one answer that these bytes are, to the last of them."""
    response = http.client.HTTPResponse(_Wire(data), method=method)
    response.begin()
    stream = response.fp
    body = response.read()
    rest = stream.read() if not stream.closed else b""
    assert rest == b"", f"bytes after the answer: {rest[:200]!r}"
    return Reply(response.status, response.headers, body)


class Endpoint:
    """An address that a daemon should listen on."""

    def __init__(self, host: str, port: int, secrets: Callable[[], list] = list) -> None:
        self.host, self.port = host, port
        self._secrets = secrets

    @property
    def address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    # --- clients that behave ----------------------------------------------------------------------

    def ask(
        self, target: str, method: str = "GET", headers: Optional[dict] = None, body: Optional[bytes] = None,
        timeout: float = ANSWER_SECONDS,
    ) -> Reply:
        """One request on a connection of its own; no answer may show a token."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            reply = Reply(response.status, response.headers, response.read())
        finally:
            connection.close()
        return self._clean(reply)

    def refresh(self, method: str = "POST", **request) -> Reply:
        return self.ask("/refresh", method, **request)

    def serves(self) -> bool:
        """Whether an irsafs answers, now."""
        try:
            reply = self.ask("/livez", timeout=5.0)
        except (OSError, http.client.HTTPException):
            return False
        return (reply.status, reply.body) == (200, b"ok\n")

    def wait_serving(self, timeout: float = LONG) -> None:
        wait_until(self.serves, f"an answer at {self.address}", timeout)

    def listens(self) -> bool:
        """Whether somebody takes connections."""
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    # --- others -----------------------------------------------------------------------------------

    def connect(self, timeout: float = ANSWER_SECONDS) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout)

    def raw(self, data: bytes, timeout: float = ANSWER_SECONDS, half_close: bool = False) -> bytes:
        """Sends while it receives, until the endpoint closes; what came before that."""
        with self.connect(timeout) as sock:
            return finish(sock, data, timeout, half_close)

    def say(self, *lines: str, method: str = "GET") -> Reply:
        """A request of these lines, sent as they are; its one answer."""
        return self._clean(parse(self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")), method))

    def _clean(self, reply: Reply) -> Reply:
        shown = token_runs(f"{reply.headers}{reply.body.decode('latin-1')}", self._secrets())
        assert shown == 0, "a token is in an answer"
        return reply


def finish(sock: socket.socket, data: bytes = b"", timeout: float = ANSWER_SECONDS, half_close: bool = False) -> bytes:
    """As Endpoint.raw(), on a connection that is there."""
    sock.setblocking(False)
    end, got, left = time.monotonic() + timeout, b"", memoryview(data)
    while True:
        readable, writable, _ = select.select([sock], [sock] if left else [], [], max(0.0, end - time.monotonic()))
        if not readable and not writable:
            raise TimeoutError(f"not closed within {timeout:g} s; {len(got)} bytes came, {len(left)} are not sent")
        if writable:
            left = _send(sock, left)
            if not left and half_close:
                _end_of_sending(sock)
        if readable:
            try:
                more = sock.recv(65536)
            except ConnectionResetError:  # closed with bytes of ours unread
                return got
            if not more:
                return got
            got += more


def _send(sock: socket.socket, left: memoryview) -> memoryview:
    try:
        return left[sock.send(left):]
    except (BrokenPipeError, ConnectionResetError):
        return left[:0]


def _end_of_sending(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass                           # the other side has closed already


@dataclasses.dataclass(frozen=True)
class Served:
    """A daemon and where it listens."""

    mount: Mount
    control: Endpoint
    metrics: Optional[Endpoint] = None


def prepare(
    world, *args: str, metrics: bool = False, host: str = "127.0.0.1", port: int = 0, env: Optional[dict] = None,
    prefix: tuple = (),
) -> Served:
    """A daemon, not started, with a control endpoint on a free port; with `metrics` also a second listener."""
    control = Endpoint(host, port or free_port(host), world.secrets)
    flags, second = [f"--control={control.address}"], None
    if metrics:
        second = Endpoint(host, free_port(host), world.secrets)
        flags.append(f"--metrics={second.address}")
    return Served(world.prepare(*flags, *args, env=env, prefix=prefix), control, second)


def serve(world, *args: str, **options) -> Served:
    """As prepare(), started and listening."""
    served = prepare(world, *args, **options)
    served.mount.start()
    served.control.wait_serving()
    if served.metrics:
        served.metrics.wait_serving()
    return served
