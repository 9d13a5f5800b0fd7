# SPDX-License-Identifier: Apache-2.0
"""The processes below a daemon, as /proc shows them."""
from __future__ import annotations

import os
import select
from pathlib import Path


def children(pid: int) -> list:
    """All processes below pid; none when it is gone."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [each for child in below for each in (int(child), *children(int(child)))]


def name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


def named(pid: int, wanted: str) -> list:
    """The processes below pid that have this name."""
    return [child for child in children(pid) if name(child) == wanted]


class Family:
    """The processes that a daemon has started, watched until they are gone."""

    def __init__(self, pid: int) -> None:
        self._fds = [os.pidfd_open(child) for child in children(pid)]
        assert self._fds, "a daemon has a notifier at least"

    def wait_gone(self, timeout: float = 6.0) -> None:
        for fd in self._fds:
            assert select.select([fd], [], [], timeout)[0], "a process outlived the daemon"
            os.close(fd)
