# SPDX-License-Identifier: Apache-2.0
"""Slow, idle and flooding clients beside readers: bounded, ended, and without effect on the file system."""
from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from lib.endpoint import ANSWER_SECONDS, Served, serve
from lib.procs import connections
from lib.program import environment, run
from lib.text import body
from lib.trouble import Repeat
from lib.wait import wait_until
from lib.world import GOLDEN

pytestmark = pytest.mark.slow
MOST = 64                              # connections in all
GONE_SECONDS = 15.0                    # three times what a request may take
FLOOD_SECONDS = 5
MODES = {
    "slow headers": ["-H", "-u", "/healthz"],
    "slow body": ["-B", "-s", "8000", "-u", "/refresh"],
    "slow read": ["-X", "-w", "1", "-y", "2", "-z", "1", "-n", "1", "-u", "/status"],
}


class Readers:
    """Looks at everything again and again, and wants each look to be right."""

    def __init__(self, mount, behind: bool = False) -> None:
        self._behind = behind          # comment lines may say that a refresh is due
        self._mount, self.looks, self.faults, self._lock = mount, 0, [], threading.Lock()
        self._threads = [Repeat(look, 0.002) for look in (self._look, self._look, self._cat)]

    def _look(self) -> None:
        try:
            with self._mount.config.open() as file:
                size, text = os.fstat(file.fileno()).st_size, file.read()
            self._judge((len(text), body(text) if self._behind else text), (size, GOLDEN))
            self._judge(self._mount.status()["mode"], "mount")
        except (OSError, ValueError) as error:
            self._judge(repr(error), None)

    def _cat(self) -> None:
        ran = run(["cat", self._mount.path / "status", self._mount.config], environment(), timeout=GONE_SECONDS)
        self._judge((ran.code, ran.out.endswith(GOLDEN.encode()), ran.err), (0, True, ""))

    def _judge(self, seen, wanted) -> None:
        with self._lock:
            self.looks += 1
            if seen != wanted:
                self.faults.append(seen)

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.__enter__()
        return self

    def __exit__(self, *_) -> None:
        for thread in self._threads:
            thread.__exit__()

    def check(self) -> None:
        assert self.faults == [] and self.looks > 10


class Watch(Repeat):
    """The most connections that the worker had at once."""

    def __init__(self, served: Served) -> None:
        self.worker, self.most = served.mount.worker, 0
        wait_until(lambda: self.now() == 0, "end of the connections before")
        super().__init__(self._look, 0.005)

    def _look(self) -> None:
        self.most = max(self.most, self.now())

    def now(self) -> int:
        return connections(self.worker)


@pytest.fixture
def served(world):
    """Fetches all the time, so that the readers need the worker."""
    served = serve(world, "--ttl=300ms", "--min-refresh=0s", "--wait=60s", "--stale-wait=60s", metrics=True)
    assert served.mount.read() == GOLDEN
    return served


def check_calm(served: Served, watch: Watch) -> None:
    """All of them are gone, and a request is answered as if they had never been."""
    wait_until(lambda: watch.now() == 0, "end of the connections", GONE_SECONDS)
    for endpoint in (served.control, served.metrics):
        assert endpoint.ask("/livez").body == b"ok\n"
    assert served.mount.read() == GOLDEN
    assert served.mount.worker == watch.worker, "the worker died"


def slowhttptest(endpoint, mode: list, connections: int = 1000) -> str:
    """Runs it for a few seconds and gives its last words."""
    target = [*mode[:-1], f"http://{endpoint.address}{mode[-1]}"]
    args = ["prlimit", "--nofile=8192", "slowhttptest", *target, "-c", connections, "-r", 500, "-i", 1, "-l", FLOOD_SECONDS, "-p", 1]
    ran = run(args, environment(), timeout=60)
    return re.sub(r"\x1b\[[\d;]*m", "", ran.out.decode(errors="replace") + ran.err)


@pytest.mark.parametrize("mode", MODES)
def test_a_thousand_slow_clients(world, served, mode):
    watch = Watch(served)
    with Readers(served.mount) as readers, watch:
        out = slowhttptest(served.control, MODES[mode])
    assert "Exit status:" in out, f"slowhttptest did not get anywhere: {out[-2000:]}"
    readers.check()
    assert watch.most <= MOST
    assert watch.most > MOST / 2 or mode == "slow read", "too few to show anything"  # the kernel takes a short answer whole
    check_calm(served, watch)


def test_idle_connections_are_bounded_and_ended(served):
    watch = Watch(served)
    with Readers(served.mount) as readers, watch:
        idle = [served.control.connect() for _ in range(100)]
        wait_closed(idle)
    readers.check()
    assert 0 < watch.most <= MOST
    check_calm(served, watch)


def test_both_listeners_have_one_bound(served):
    watch = Watch(served)
    with watch:
        idle = [endpoint.connect() for _ in range(50) for endpoint in (served.control, served.metrics)]
        wait_closed(idle)
    assert 0 < watch.most <= MOST
    check_calm(served, watch)


def wait_closed(conns: list, timeout: float = GONE_SECONDS) -> None:
    """Until the other side has closed each of them."""
    for sock in conns:
        with sock:
            assert select.select([sock], [], [], timeout)[0], "a connection is still open"
            assert closed(sock)


@pytest.mark.parametrize("begin", [b"", b"GET /healthz HTTP/1.1\r\n", b"POST /refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8000\r\n\r\n"])
def test_a_request_may_not_take_long_however_busy_it_is(served, begin):
    """The bound is of the whole request: a byte now and then is no excuse."""
    check_cut_off(served, begin)


def test_a_request_may_not_take_long_after_a_rotation(world):
    """The next connection has the number that the descriptor of the old log had."""
    folder = world.folder / "irsa"
    folder.mkdir()
    served = serve(world, f"--log-dir={folder}")
    log, old = folder / "app.log", folder / "old"
    links = Path(f"/proc/{served.mount.worker}/fd")
    log.rename(old)
    os.kill(served.mount.process.pid, signal.SIGHUP)
    wait_until(lambda: str(old.resolve()) not in map(os.path.realpath, links.iterdir()), "the worker to let go of the old log")
    check_cut_off(served, b"")


def check_cut_off(served, begin: bytes) -> None:
    with served.control.connect() as sock:
        sock.sendall(begin)
        gone = threading.Event()

        def drip() -> None:
            try:
                sock.send(b"x")
            except OSError:
                gone.set()

        with Repeat(drip, 0.25):
            assert gone.wait(GONE_SECONDS) or closed(sock), "it goes on"
    assert served.control.ask("/livez").status == 200


def closed(sock: socket.socket) -> bool:
    sock.settimeout(1.0)
    try:
        while sock.recv(4096):
            pass
        return True
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_endless_quick_requests(world, served):
    watch = Watch(served)
    bad: list = []
    asked = [0] * 8

    def ask(number: int) -> None:
        for path in ("/healthz", "/status", "/metrics", "/readyz?verbose"):
            reply = served.control.ask(path)
            asked[number] += 1
            if reply.status != 200:
                bad.append((path, reply.status))

    clients = [Repeat(lambda number=number: ask(number), 0.0) for number in range(8)]
    with Readers(served.mount) as readers, watch:
        for client in clients:
            client.start()
        wait_until(lambda: min(asked) >= 400, "requests of everybody", ANSWER_SECONDS * 2)
        for client in clients:
            client.__exit__()
    assert bad == []
    readers.check()
    assert 0 < watch.most <= MOST
    check_calm(served, watch)


def test_endless_calls_are_few_fetches(world):
    """min-refresh and one fetch at a time: the service does not notice who calls how often."""
    served = serve(world, "--min-refresh=1h", "--fetch-timeout=300ms")
    assert served.control.refresh().status == 200
    calls = [0] * 8

    def call(number: int) -> None:
        calls[number] += served.control.refresh().status == 504

    clients = [Repeat(lambda number=number: call(number), 0.0) for number in range(8)]
    with Readers(served.mount, behind=True) as readers:
        for client in clients:
            client.start()
        wait_until(lambda: min(calls) >= 5, "late answers for everybody", ANSWER_SECONDS)
        for client in clients:
            client.__exit__()
    readers.check()
    assert world.service.count == 1


def test_more_callers_than_connections(world, served):
    """Who waits for a fetch holds a connection; others are turned away, and the readers are served."""
    gate = world.service.hold()
    watch = Watch(served)
    head = b"POST /refresh HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    with watch:
        callers = []
        for _ in range(200):
            callers.append(served.control.connect())
            try:
                callers[-1].sendall(head)
            except (BrokenPipeError, ConnectionResetError):
                pass                   # turned away already
        gate.wait_arrived()
        assert run(["cat", served.mount.path / "status"], environment(), timeout=GONE_SECONDS).code == 0
        gate.release()
        answered = [answer(sock) for sock in callers]
    assert 0 < answered.count(b"HTTP/1.1 200") <= MOST
    assert set(answered) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}
    assert 0 < watch.most <= MOST
    check_calm(served, watch)


def answer(sock: socket.socket) -> bytes:
    with sock:
        try:
            return sock.recv(12)
        except ConnectionResetError:
            return b""


def test_descriptors_are_left_for_the_file_system(world, served):
    """With every connection taken a fetch (which brings two descriptors) and a touch still work."""
    watch = Watch(served)
    idle = [served.control.connect() for _ in range(MOST)]
    wait_until(lambda: watch.now() >= MOST, "all connections taken")
    before = world.service.count
    served.mount.touch()
    assert served.mount.read() == GOLDEN
    assert world.service.count > before
    ran = subprocess.run(["touch", served.mount.refresh], timeout=GONE_SECONDS, check=False)
    assert ran.returncode == 0
    wait_closed(idle)
    check_calm(served, watch)
