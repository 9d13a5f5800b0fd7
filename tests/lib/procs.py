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
        if Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[1:2] == [b"worker"]:
            return child
    return pid


def sockets(pid: int) -> int:
    """How many of its descriptors are sockets."""
    folder, count = Path(f"/proc/{pid}/fd"), 0
    for fd in os.listdir(folder):
        try:
            count += os.readlink(folder / fd).startswith("socket:")
        except FileNotFoundError:      # closed meanwhile
            pass
    return count


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
