# SPDX-License-Identifier: Apache-2.0
"""The processes below a daemon, as /proc shows them."""
from __future__ import annotations

import os
import re
import select
from pathlib import Path

from .program import run


def processes() -> list:
    """All of the machine."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def children(pid: int) -> list:
    """All processes below pid; none when it is gone."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [each for child in below for each in (int(child), *children(int(child)))]


def name(pid: int) -> str:
    """What ps shows; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def state(pid: int) -> str:
    """The state letter of a process, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def named(pid: int, wanted: str) -> list:
    """The processes below pid that have this name."""
    return [child for child in children(pid) if name(child) == wanted]


def worker(pid: int) -> int:
    """The process that answers the kernel: below pid as `irsafs worker`, or pid itself."""
    for child in children(pid):
        try:
            words = Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):     # ended meanwhile
            continue
        if words[1:2] == [b"worker"]:
            return child
    return pid


def _sockets(pid: int) -> set:
    """The inodes of the sockets that it holds."""
    folder, found = Path(f"/proc/{pid}/fd"), set()
    for fd in os.listdir(folder):
        try:
            target = os.readlink(folder / fd)
        except FileNotFoundError:      # closed meanwhile
            continue
        if target.startswith("socket:["):
            found.add(int(target[8:-1]))
    return found


def _table(pid: int, name: str) -> list:
    """The lines of a table of the process's network, as words."""
    return [line.split() for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]


def _listening(pid: int) -> dict:
    """Inode -> port of all TCP sockets that listen."""
    lines = _table(pid, "tcp") + _table(pid, "tcp6")
    return {int(words[9]): int(words[1].rpartition(":")[2], 16) for words in lines if words[3] == "0A"}


def ports(pid: int) -> list:
    """The TCP ports on which this process, or one below it, listens."""
    held = set().union(*map(_sockets, [pid, *children(pid)]))
    return sorted(port for inode, port in _listening(pid).items() if inode in held)


def connections(pid: int) -> int:
    """How many TCP connections it holds, in whatever state."""
    held = _sockets(pid)
    return len(held - set(_listening(pid)) - {int(words[6]) for words in _table(pid, "unix")})


def set_soft_limit(pid: int, name: str, soft: str) -> None:
    """By the user of the process itself: root without CAP_SYS_RESOURCE may not set limits of others."""
    text = Path(f"/proc/{pid}/status").read_text()
    uid, gid = (int(re.search(rf"^{which}:\t(\d+)", text, re.M)[1]) for which in ("Uid", "Gid"))
    ran = run(["prlimit", f"--pid={pid}", f"--{name}={soft}:"], user=uid, group=gid, extra_groups=[])
    assert ran.code == 0, ran.err


class Family:
    """The processes that a daemon has started, watched until they are gone."""

    def __init__(self, pid: int) -> None:
        self._fds = [os.pidfd_open(child) for child in children(pid)]
        assert self._fds, "a daemon has a notifier at least"

    def wait_gone(self, timeout: float = 6.0) -> None:
        for fd in self._fds:
            assert select.select([fd], [], [], timeout)[0], "a process outlived the daemon"
            os.close(fd)


def status_fields(pid: int) -> dict:
    """/proc/PID/status by name."""
    return dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
