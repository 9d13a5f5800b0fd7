# SPDX-License-Identifier: Apache-2.0
"""A scriptable HTTP(S) server on 127.0.0.1 that records every request.

A subclass gives the *normal* answer; a test changes it for all requests (`behave`) or for the next
ones (`queue`). One connection carries one request, so that every answer's framing can be wrong
without an effect on the next request.
"""
from __future__ import annotations

import dataclasses
import http.client
import socket
import ssl
import struct
import threading
import time
from dataclasses import dataclass
from typing import Optional

HEAD_LIMIT = 64 * 1024
BODY_LIMIT = 1024 * 1024
IDLE_SECONDS = 30.0


class Gate:
    """Holds answers back until the test opens it, and tells how many requests have arrived."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._changed = threading.Condition()
        self._arrived = 0

    def pass_through(self, timeout: float = IDLE_SECONDS) -> None:
        with self._changed:
            self._arrived += 1
            self._changed.notify_all()
        self._open.wait(timeout)

    def release(self) -> None:
        self._open.set()

    def wait_arrived(self, count: int = 1, timeout: float = 15.0) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._arrived >= count, timeout):
                raise AssertionError(f"{self._arrived} requests reached the gate, {count} expected")


@dataclass(frozen=True)
class Answer:
    """What is sent, and how it goes wrong on the way."""

    status: int = 200
    headers: tuple = ()               # pairs; Content-Length, Connection, Date are added
    body: bytes = b""
    framing: str = "length"           # length | chunked | bad-chunk | close | both
    length_error: int = 0             # added to the true Content-Length
    delay: float = 0.0                # seconds before the status line
    gate: Optional[Gate] = None       # held before the status line
    hang: Optional[str] = None        # headers | body | mid | end: silence until the client leaves
    drip: Optional[float] = None      # seconds between single bytes of the body
    drip_headers: Optional[float] = None
    cut: Optional[int] = None         # close after that many bytes of the body
    reset: Optional[str] = None       # headers | mid: RST instead of the rest
    flood: int = 0                    # extra header lines of 80 bytes
    interim: int = 0                  # 103 answers before the real one
    raw: Optional[bytes] = None       # sent as it is instead of an answer
    endless: bytes = b""              # after all that, again and again until the client leaves


@dataclass(frozen=True, repr=False)
class Request:
    """One request as it came, with the monotonic time at which its first byte was there."""

    method: str
    target: str
    version: str
    headers: tuple
    body: bytes
    began: float
    began_ns: int

    def __repr__(self) -> str:        # headers and body may hold a secret
        return f"<{self.method} {self.target}>"

    def all(self, name: str) -> list:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name: str) -> Optional[str]:
        values = self.all(name)
        return values[0] if values else None

    def names(self) -> list:
        return sorted(key.lower() for key, _ in self.headers)


class BadRequest(Exception):
    """The peer sent something that is not one bounded HTTP/1.x request."""


def read_request(conn: socket.socket) -> Optional[Request]:
    """Reads one request; None when the peer left without sending one."""
    head = conn.recv(4096)
    began_ns = time.monotonic_ns()
    if not head:
        return None
    while b"\r\n\r\n" not in head:
        more = conn.recv(4096)
        if not more or len(head) > HEAD_LIMIT:
            raise BadRequest("head cut or too long")
        head += more
    head, body = head.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3:
        raise BadRequest("request line")
    headers = tuple(_header(line) for line in lines[1:])
    body = _read_body(conn, headers, body)
    return Request(parts[0], parts[1], parts[2], headers, body, began_ns / 1e9, began_ns)


def _header(line: str) -> tuple:
    name, colon, value = line.partition(":")
    if not colon:
        raise BadRequest("header line")
    return name, value.strip()


def _read_body(conn: socket.socket, headers: tuple, body: bytes) -> bytes:
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    want = int(lengths[0]) if lengths else 0
    if want > BODY_LIMIT:
        raise BadRequest("body too long")
    while len(body) < want:
        more = conn.recv(65536)
        if not more:
            raise BadRequest("body cut")
        body += more
    return body


class Server:
    """The listener, its connections, the record of requests and the script."""

    def __init__(self, tls: Optional[ssl.SSLContext] = None) -> None:
        self.tls = tls
        self.requests: list = []
        self.violations: list = []
        self.connections = 0
        self.active = 0                # requests that came and are not answered
        self.most_active = 0
        self.poured = 0                # bytes of endless answers that went out
        self._changed = threading.Condition()
        self._always: dict = {}
        self._next: list = []
        self._stopping = threading.Event()
        self._open: set = set()
        self._listener = self._reserve(0)
        self.port: int = self._listener.getsockname()[1]
        self.accept()

    # --- what a test uses ---------------------------------------------------------------------

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def count(self) -> int:
        with self._changed:
            return len(self.requests)

    def behave(self, **changes) -> None:
        """From now on every answer is the normal one with these fields of Answer changed."""
        with self._changed:
            self._always = changes

    def queue(self, times: int = 1, **changes) -> None:
        """The next `times` answers are changed like this; they go before `behave`."""
        with self._changed:
            self._next += [changes] * times

    def normal(self) -> None:
        with self._changed:
            self._always, self._next = {}, []

    def hold(self) -> Gate:
        """Holds every answer until the returned gate is released."""
        gate = Gate()
        self.behave(gate=gate)
        return gate

    def wait_requests(self, count: int, timeout: float = 15.0) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.requests) >= count, timeout):
                raise AssertionError(f"{len(self.requests)} requests came, {count} expected")

    def refuse(self) -> None:
        """Connection refused from now on; the port stays ours."""
        self._close_listener()
        self._listener = self._reserve(self.port)

    def accept(self) -> None:
        self._listener.listen(1024)
        self._acceptor = threading.Thread(target=self._accept_loop, daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        self._stopping.set()
        self._close_listener()
        with self._changed:
            conns = list(self._open)
        for conn in conns:
            _shutdown(conn)

    # --- what a subclass gives ------------------------------------------------------------------

    def answer(self, request: Request) -> Answer:
        """The normal answer; contract violations go to self.violations, without secrets."""
        raise NotImplementedError

    def converse(self, conn: socket.socket) -> None:
        """One connection: one request, one answer."""
        request = read_request(conn)
        if request is not None:
            answer = self._decide(request)
            try:
                self._send(conn, answer)
            finally:
                self._answered()

    # --- inside ---------------------------------------------------------------------------------

    def _reserve(self, port: int) -> socket.socket:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", port))
        return sock

    def _close_listener(self) -> None:
        _shutdown(self._listener)
        self._listener.close()
        self._acceptor.join(5)

    def _accept_loop(self) -> None:
        listener = self._listener
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self.connections += 1
                self._open.add(conn)
            threading.Thread(target=self._serve, args=(conn,), daemon=True).start()

    def _serve(self, conn: socket.socket) -> None:
        wire = conn
        try:
            conn.settimeout(IDLE_SECONDS)
            if self.tls:
                wire = self.tls.wrap_socket(conn, server_side=True)
                with self._changed:
                    self._open.discard(conn)
                    self._open.add(wire)
            self.converse(wire)
            _end(wire)
        except BadRequest as error:
            self.violate(f"malformed request: {error}")
        except OSError:
            pass                       # the peer left, or the handshake failed: a test's subject
        finally:
            with self._changed:
                self._open.discard(conn)
                self._open.discard(wire)
            wire.close()

    def violate(self, what: str) -> None:
        with self._changed:
            self.violations.append(what)

    def _decide(self, request: Request) -> Answer:
        answer = self.answer(request)
        with self._changed:
            changes = self._next.pop(0) if self._next else self._always
            self.requests.append(request)
            self.active += 1
            self.most_active = max(self.most_active, self.active)
            self._changed.notify_all()
        return dataclasses.replace(answer, **changes)

    def _answered(self) -> None:
        with self._changed:
            self.active -= 1
            self._changed.notify_all()

    def _send(self, conn: socket.socket, answer: Answer) -> None:
        if answer.delay:
            self._stopping.wait(answer.delay)
        if answer.gate:
            answer.gate.pass_through()
        if answer.raw is not None:
            conn.sendall(answer.raw)
        elif answer.reset == "headers":
            _reset(conn)
        elif answer.hang == "headers":
            _wait_for_end(conn)
        else:
            self._send_head(conn, answer)
            self._send_body(conn, answer)
        if answer.hang == "end":
            _wait_for_end(conn)
        while answer.endless and not self._stopping.is_set():
            conn.sendall(answer.endless)
            self.poured += len(answer.endless)

    def _send_head(self, conn: socket.socket, answer: Answer) -> None:
        for _ in range(answer.interim):
            conn.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        reason = http.client.responses.get(answer.status, "Unknown")
        lines = [f"HTTP/1.1 {answer.status} {reason}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if answer.framing in ("length", "both"):
            lines.append(f"Content-Length: {len(answer.body) + answer.length_error}")
        if answer.framing in ("chunked", "bad-chunk", "both"):
            lines.append("Transfer-Encoding: chunked")
        lines += [f"X-Flood-{i}: {'x' * 64}" for i in range(answer.flood)]
        lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        self._drip(conn, head, answer.drip_headers)

    def _send_body(self, conn: socket.socket, answer: Answer) -> None:
        body = _framed(answer)
        if answer.hang == "body":
            _wait_for_end(conn)
        elif answer.hang == "mid":
            conn.sendall(body[: len(body) // 2])
            _wait_for_end(conn)
        elif answer.reset == "mid":
            conn.sendall(body[: len(body) // 2])
            _reset(conn)
        else:
            self._drip(conn, body[: answer.cut], answer.drip)

    def _drip(self, conn: socket.socket, data: bytes, pause: Optional[float]) -> None:
        if not pause:
            conn.sendall(data)
            return
        for i in range(len(data)):
            conn.sendall(data[i : i + 1])
            if self._stopping.wait(pause):
                return


def _framed(answer: Answer) -> bytes:
    if answer.framing not in ("chunked", "bad-chunk", "both"):
        return answer.body
    size = b"zz" if answer.framing == "bad-chunk" else b"%x" % len(answer.body)
    return size + b"\r\n" + answer.body + b"\r\n0\r\n\r\n"


def _wait_for_end(conn: socket.socket) -> None:
    while conn.recv(4096):
        pass


def _end(conn: socket.socket) -> None:
    """Closes without losing what the peer has not read yet."""
    if isinstance(conn, ssl.SSLSocket):
        conn.unwrap()
        return
    conn.shutdown(socket.SHUT_WR)
    _wait_for_end(conn)


def _reset(conn: socket.socket) -> None:
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def _shutdown(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass                           # not connected or already closed
