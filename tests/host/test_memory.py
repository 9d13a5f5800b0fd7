# SPDX-License-Identifier: Apache-2.0
"""Each allocation of the daemon fails once, from its start over a cold look to its end."""
from __future__ import annotations

import errno
import os
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lib.mount import EXTRA_ARGS, mounts_at, unmount_all
from lib.program import BUILD, IRSAFS, SUSPICIOUS
from lib.text import body, code
from lib.wait import LONG
from lib.world import GOLDEN

PRELOAD = BUILD / "tests" / "libfailmalloc.so"
WORKERS = 2
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z (DEBUG|INFO|WARN|ERROR) |irsafs: .*\(IRSAFS-E\d{3}\)$|  -> ")
# A look that meets the failure itself may fail with one of these; the text that says so is better.
ERRORS = {errno.ENOMEM, errno.EAGAIN}


class Run:
    """One life of a daemon in which the n-th allocation fails."""

    def __init__(self, world, client: Path, n: int) -> None:
        self.n = n
        self.path = world.folder / f"aws-{n}"
        self.path.mkdir()
        self.count = os.memfd_create("count")
        self.log = os.memfd_create("log")
        self.process = subprocess.Popen(
            [IRSAFS, "mount", self.path, *EXTRA_ARGS, f"--client={client}", "--min-refresh=0s", "--wait=10s", "--log-level=debug"],
            env=world.env(LD_PRELOAD=str(PRELOAD), FAILMALLOC=str(n), FAILMALLOC_COUNT=str(self.count)),
            cwd="/", stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, pass_fds=(self.count,),
        )

    def wait_mounted(self) -> bool:
        """False when it has ended instead."""
        pidfd = os.pidfd_open(self.process.pid)
        with open("/proc/self/mountinfo", "rb") as table:
            poller = select.poll()
            poller.register(table, select.POLLPRI)
            poller.register(pidfd, select.POLLIN)
            end = time.monotonic() + LONG
            while not mounts_at(self.path) and self.process.poll() is None:
                assert time.monotonic() < end, "neither a mount nor an end"
                poller.poll(100)
        os.close(pidfd)
        return self.process.poll() is None

    def look(self) -> str:
        try:
            return (self.path / "config").read_text()
        except OSError as error:
            return f"errno {error.errno}"

    def live(self) -> str:
        """What is wrong with this life; "" when it is as promised."""
        if not self.wait_mounted():
            return self.judge_refusal()
        first = self.look()
        if first in {f"errno {number}" for number in (errno.ENOTCONN, errno.ECONNREFUSED, errno.ECONNABORTED, errno.ENOENT)}:
            return self.judge_refusal()  # it must be ending, at its very first request or before
        errors = {f"errno {number}" for number in ERRORS}
        if first != GOLDEN and first not in errors and not (body(first) == "" and code(first) in (1, 2, 3, 4, 807)):
            return f"the look gave {first[:200]!r}"
        try:
            os.utime(self.path / "refresh")
        except OSError as error:
            if error.errno not in ERRORS:
                return f"the touch failed: {error}"
            os.utime(self.path / "refresh")
        for _ in range(2):             # the failure may still lie ahead; then this look meets it
            second = self.look()
            if second == GOLDEN:
                break
            os.utime(self.path / "refresh")
        else:
            return f"the next looks gave {second[:200]!r}"
        try:
            (self.path / "status").read_text()
        except OSError as error:
            if error.errno not in ERRORS:
                return f"status: {error}"
        self.process.send_signal(signal.SIGTERM)
        end = self.process.wait(LONG)
        return f"exit {end} at the end" if end != 0 or mounts_at(self.path) else ""

    def judge_refusal(self) -> str:
        end = self.process.wait(LONG)
        said = self.words()
        if end != 75 or not re.search(r"IRSAFS-E00\d", said):
            return f"refused with exit {end}: {said[-300:]!r}"
        return "refused, but something is mounted" if mounts_at(self.path) else ""

    def words(self) -> str:
        return os.pread(self.log, 1 << 20, 0).decode(errors="replace")

    def close(self) -> int:
        """The number of allocations, when the daemon has ended by itself."""
        self.process.kill()
        unmount_all(self.path)
        self.process.wait(LONG)
        total = os.pread(self.count, 8, 0)
        os.close(self.count)
        os.close(self.log)
        self.path.rmdir()
        return struct.unpack("Q", total)[0] if total else 0


def judge(world, client: Path, n: int) -> tuple:
    run = Run(world, client, n)
    try:
        wrong = run.live()
        found = SUSPICIOUS.search(run.words())
        if found and not wrong:
            wrong = f"said {found[0]!r}"
        foreign = [line for line in run.words().splitlines() if not LINE.match(line)]
        if foreign and not wrong:
            wrong = f"a library wrote past the log: {foreign[0]!r}"
    except Exception as error:         # told with its number, after the others
        wrong = f"{type(error).__name__}: {error}"
    return (f"{n}: {wrong}" if wrong else ""), run.close()


@pytest.fixture
def client(world):
    folder = world.folder / "client"
    folder.mkdir()
    shutil.copy(BUILD / "tests" / "fixed-client", folder / "client")
    (folder / "text").write_text(GOLDEN)
    return folder / "client"


def test_every_allocation_of_one_cold_look(world, client):
    wrong, total = judge(world, client, 0)
    assert not wrong and total > 100
    with ThreadPoolExecutor(WORKERS) as pool:
        results = pool.map(lambda n: judge(world, client, n)[0], range(1, total + 1))
        failed = [text for text in results if text]
    assert not failed, f"{len(failed)} of {total} lives: " + "\n".join(failed[:20])


def test_memory_of_the_machine_is_over(world, client):
    """Address space for nothing more: looks are answered from what there is, and nothing dies."""
    mount = world.mount(f"--client={client}", "--min-refresh=0s", "--wait=10s")
    assert mount.read() == GOLDEN
    pages = int(Path(f"/proc/{mount.process.pid}/statm").read_text().split()[0])
    hard = resource.prlimit(mount.process.pid, resource.RLIMIT_AS)[1]
    resource.prlimit(mount.process.pid, resource.RLIMIT_AS, (pages * 4096, hard))
    for _ in range(50):
        mount.touch()
        assert body(mount.read()) == GOLDEN
    resource.prlimit(mount.process.pid, resource.RLIMIT_AS, (hard, hard))
    mount.touch()
    assert mount.read() == GOLDEN
