# SPDX-License-Identifier: Apache-2.0
"""Each allocation of each process of the daemon fails once, from its start over a cold look to its end.

The worker is killed once on the way, so that those of a take-over are among them.
"""
from __future__ import annotations

import ctypes
import errno
import json
import os
import re
import select
import shutil
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Optional

import pytest

from lib.failmalloc import Failmalloc
from lib.mount import EXTRA_ARGS, mounts_at, unmount_all
from lib.procs import named, set_soft_limit
from lib.program import BUILD, SUSPICIOUS
from lib.text import body, code
from lib.trouble import drop_dentries
from lib.wait import LONG, wait_until
from lib.world import GOLDEN
from takeover.daemon import NOTIFIER, PROGRAM, WORKER, Daemon
from takeover.places import Place, Places

PARALLEL = 2
HANGS = 20.0                           # a life takes less than a second
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARN|ERROR) |irsafs(-notifier)?: .*\(IRSAFS-E\d{3}\)$|  -> ")
SIGNALLED = re.compile(r"process_died process=(\S+) signal=(\d+)")
GIVEN_UP = re.compile(r"worker_hung|connection_given_up")
# A look that meets the failure itself may fail with one of these; the text that says so is better.
ERRORS = {errno.ENOMEM, errno.EAGAIN}
GONE = {errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNABORTED, errno.ENOENT}
CODES = (1, 2, 3, 4, 807)
DROPPED = [{"section": f"profile {n}", "key": None, "reason": "not a role"} for n in range(3)]
REPORT = {
    "schema": 1, "code": 0, "message": None, "retry_after_ms": None, "connect_refused": False, "identity": "0" * 64, "run_id": "run",
    "workload_type": "Workspace", "profiles": 2, "token": {"source": "url", "expires_at": None},
    "endpoint": {"scheme": "http", "host": "service:6000", "tls": "none", "cert_expires_at": None}, "sandbox": ["no_new_privs", "seccomp"],
    "dropped": {"total": 3, "items": DROPPED},
}
KNOWN = ("profiles", "bytes", "dropped", "error", "run_id", "workload_type", "token", "endpoint", "kernel", "sandbox")
MOUNT = "mount"
ROLES = (MOUNT, "worker", "notifier")  # as their first argument says
WALLS = ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp", "Seccomp_filters", "Uid")


def walls(pid: int) -> dict:
    """What /proc shows of a process's sandbox."""
    lines = (line.partition(":") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {key: value.split() for key, _, value in lines if key in WALLS}


def differences(are: dict, should_be: dict) -> dict:
    return {key: (value, should_be.get(key)) for key, value in are.items() if value != should_be.get(key)}


def is_mounted(path: Path) -> bool:
    """By a daemon of this test, not by the dead one before it."""
    lines = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return any(fields[4] == str(path) and fields[-2] == "irsafs" for fields in lines)


def leave_dead_mount(path: Path) -> None:
    """What a daemon leaves that was killed with its worker."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    done = ctypes.CDLL(None, use_errno=True).mount(b"dead", os.fsencode(path), b"fuse.irsafs", 0, options)
    os.close(fd)
    assert done == 0, os.strerror(ctypes.get_errno())


class Life:
    """One life of a daemon in which the n-th allocation of all processes of a role fails."""

    def __init__(self, world, client: Path, role: str, n: int, model: Optional["Life"] = None) -> None:
        self.model = model             # one without a failure
        self.path = world.folder / f"aws-{role}-{n}"
        self.path.mkdir()
        if role == MOUNT:
            leave_dead_mount(self.path)
        self.failmalloc = Failmalloc(self.path.with_suffix(".malloc"), n, role=role)
        self.places = Places(self.path.with_suffix(".places"))
        self.places.arm(Place.LANDED)  # a text is there, its reader is not answered
        self.log = os.memfd_create("log")
        self.hangs = False
        self.process = subprocess.Popen(
            [PROGRAM, "mount", self.path, *EXTRA_ARGS, f"--client={client}", "--min-refresh=0s", "--wait=10s", "--log-level=debug"],
            env=world.env(IRSAFS_TEST_PLACES=str(self.places.path), **self.failmalloc.env),
            cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.watchdog = threading.Timer(HANGS, self._end_hanging)
        self.watchdog.daemon = True
        self.watchdog.start()
        self.total = 0                 # allocations, known at the end
        self.met = False               # the failure
        self.walls: dict = {}
        self.known: dict = {}

    def _end_hanging(self) -> None:
        """With its supervisor a daemon ends, and whoever waits for it gets an error."""
        self.hangs = True
        self.process.kill()

    def wait_mounted(self) -> bool:
        """False when it has ended instead."""
        with open("/proc/self/mountinfo", "rb") as table:
            poller = select.poll()
            poller.register(table, select.POLLPRI)
            poller.register(self.pidfd, select.POLLIN)
            while not is_mounted(self.path) and self.process.poll() is None:
                poller.poll(100)
        return self.process.poll() is None

    def look(self) -> str:
        try:
            return (self.path / "config").read_text()
        except OSError as error:
            return f"errno {error.errno}"

    def touch(self) -> None:
        try:
            os.utime(self.path / "refresh")
        except OSError as error:
            if error.errno not in ERRORS:
                raise
            os.utime(self.path / "refresh")

    def live(self) -> str:
        """What is wrong with this life; "" when it is as promised."""
        if not self.wait_mounted():
            return self.judge_refusal()
        first = self.look()
        if first in {f"errno {number}" for number in GONE}:
            return self.judge_refusal()  # it must be ending, before its very first request
        errors = {f"errno {number}" for number in ERRORS}
        if first != GOLDEN and first not in errors and not (body(first) == "" and code(first) in CODES):
            return f"the look gave {first[:200]!r}"
        for _ in range(2):             # the failure may still lie ahead; then this look meets it
            self.touch()
            second = self.look()
            if second == GOLDEN:
                break
        else:
            return f"the next looks gave {second[:200]!r}"
        try:
            status = json.loads((self.path / "status").read_text())
            self.known = {key: status[key] for key in KNOWN}
        except OSError as error:
            if error.errno not in ERRORS:
                return f"status: {error}"
        if self.model and self.known not in ({}, self.model.known):
            return f"status says {differences(self.known, self.model.known)}"
        weak = self.judge_walls()
        if weak:
            return weak
        self.process.send_signal(signal.SIGTERM)
        end = self.process.wait()
        return f"exit {end} at the end" if end != 0 or mounts_at(self.path) else ""

    def judge_walls(self) -> str:
        """A sandbox that is not there because memory was short is none: all processes have theirs."""
        found = {}

        def stand() -> bool:           # one that was just replaced still puts them up
            for name in (WORKER, NOTIFIER):
                found[name] = next((walls(pid) for pid in named(self.process.pid, name)), {})
            found["supervisor"] = walls(self.process.pid)
            return found == self.model.walls if self.model else all(found.values())

        try:
            wait_until(stand, "the walls", 2.0)
        except AssertionError:
            return f"walls: {differences(found, self.model.walls if self.model else {})}"
        self.walls = found
        return ""

    def judge_refusal(self) -> str:
        end = self.process.wait()
        said = self.words()
        if end != 75 or not re.search(r"IRSAFS-E00\d", said):
            return f"refused with exit {end}: {said[-300:]!r}"
        return "refused, but something is mounted" if is_mounted(self.path) else ""

    def judge_words(self) -> str:
        """Nothing crashes, hangs or writes past the log; the one kill is the test's own."""
        said = self.words()
        found = SUSPICIOUS.search(said) or GIVEN_UP.search(said)
        if found:
            return f"said {found[0]!r}"
        signals = SIGNALLED.findall(said)
        if signals not in ([], [("worker", str(int(signal.SIGKILL)))]):
            return f"died: {signals}"
        foreign = [line for line in said.splitlines() if not LINE.match(line)]
        return f"a library wrote past the log: {foreign[0]!r}" if foreign else ""

    def words(self) -> str:
        return os.pread(self.log, 1 << 20, 0).decode(errors="replace")

    def judge(self) -> str:
        try:
            wrong = self.live() or self.judge_words()
        except Exception as error:     # told with its number, after the others
            wrong = f"{type(error).__name__}: {error}"
        return "hangs" if self.hangs else wrong

    def close(self) -> None:
        self.watchdog.cancel()
        self.process.kill()
        unmount_all(self.path)
        self.process.wait(LONG)
        self.total, self.met = self.failmalloc.count, self.failmalloc.failed == 1
        self.failmalloc.close()
        os.close(self.pidfd)
        os.close(self.log)
        self.path.rmdir()


def live(world, client: Path, role: str, n: int, model: Optional[Life] = None) -> tuple:
    life = Life(world, client, role, n, model)
    try:
        wrong = life.judge()
        return life, f"{role} {n}: {wrong}" if wrong else ""
    finally:
        life.close()


@pytest.fixture
def client(world):
    folder = world.folder / "client"
    folder.mkdir()
    shutil.copy(BUILD / "tests" / "fixed-client", folder / "client")
    (folder / "text").write_text(GOLDEN)
    (folder / "report").write_text(json.dumps(REPORT))
    return folder / "client"


@pytest.mark.parametrize("role", ROLES)
def test_every_allocation_of_one_cold_look(world, client, role):
    model, wrong = live(world, client, role, 0)
    assert not wrong and model.total > 0, wrong
    with ThreadPoolExecutor(PARALLEL) as pool:
        lives = list(pool.map(lambda n: live(world, client, role, n, model), range(1, model.total + 1)))
    failed = [text for _, text in lives if text]
    assert not failed, f"{len(failed)} of {model.total} lives: " + "\n".join(failed[:20])
    missed = [n for n, (life, _) in enumerate(lives, 1) if not life.met]
    assert len(missed) <= model.total // 20, f"did not fail: {missed}"


def test_forget_without_memory(world):
    """What the kernel has forgotten is not kept, though libfuse has no memory to hear it."""
    failmalloc = Failmalloc(world.folder / "malloc", 0, role="worker")
    daemon = Daemon(world, "--min-refresh=0s", env=world.env(**failmalloc.env)).start()
    assert daemon.read() == GOLDEN
    for times in range(1, 4):
        daemon.touch()
        assert daemon.read() == GOLDEN
        failmalloc.fail_next()
        drop_dentries()                # makes the next request a FORGET
        wait_until(lambda: failmalloc.failed == times, "a failure")
    assert daemon.settle().underflows == 0
    assert failmalloc.processes == 1 + times
    failmalloc.close()


def test_memory_of_the_machine_is_over(world, client):
    """Address space for nothing more: looks are answered from what there is, and nothing dies."""
    mount = world.mount(f"--client={client}", "--min-refresh=0s", "--wait=10s")
    assert mount.read() == GOLDEN
    worker = mount.worker
    pages = int(Path(f"/proc/{worker}/statm").read_text().split()[0])
    set_soft_limit(worker, "as", str(pages * 4096))
    for _ in range(50):
        mount.touch()
        assert body(mount.read()) == GOLDEN
    set_soft_limit(worker, "as", "unlimited")
    mount.touch()
    assert mount.read() == GOLDEN
    assert mount.worker == worker
