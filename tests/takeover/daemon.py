# SPDX-License-Identifier: Apache-2.0
"""An irsafs of the test build: a supervisor with a worker, a notifier and sometimes a client."""
from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from lib.mount import Mount
from lib.procs import name, named, processes, state
from lib.program import BUILD, CLIENT
from lib.trouble import drop_dentries
from lib.wait import wait_until

from .places import Counts, Places

PROGRAM = BUILD / "places" / "irsafs"
WORKER, NOTIFIER, CLIENT_NAME = "irsafs-worker", "irsafs-notifier", "irsafs-client"


def _maps(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/maps").read_text()
    except OSError:                    # gone, or none of ours
        return ""


class Daemon(Mount):
    """`process` is the supervisor."""

    def __init__(self, world, *args: str, env: Optional[dict] = None, prefix: tuple = ()) -> None:
        number = len(world.mounts)
        path = world.folder / f"aws{number}"
        path.mkdir()
        self.places = Places(world.folder / f"places{number}")
        names = {**(env or world.env()), "IRSAFS_TEST_PLACES": str(self.places.path)}
        super().__init__(path, [f"--client={CLIENT}", *args], names, world.secrets)
        self.arguments = [*prefix, str(PROGRAM), *self.arguments[1:]]
        world.mounts.append(self)

    def child(self, wanted: str, other_than: int = 0) -> int:
        """The child of that name, waited for."""

        def find() -> int:
            alive = (pid for pid in named(self.process.pid, wanted) if pid != other_than and state(pid) != "Z")
            return next(alive, 0)

        return wait_until(find, f"{wanted} below the supervisor")

    def worker(self, other_than: int = 0) -> int:
        return self.child(WORKER, other_than)

    def times_mounted(self) -> int:
        """By its own word: the kernel gives a new mount the id of the old one."""
        return self.log().count(" INFO mounted ")

    def check_connection(self) -> None:
        """Fails when the first one was given up, and who waited there got an error."""
        assert " connection_given_up " not in self.log(), "no worker went on, the connection was given up"

    def settle(self) -> Counts:
        """What is held when nobody holds anything: no lookup counts, no requests."""

        seen: list = []

        def settled() -> bool:
            drop_dentries()
            seen.append(self.places.counts())
            return seen[-1].lookups == seen[-1].slots == 0

        try:
            wait_until(settled, "no lookup counts, no requests")
        except AssertionError as error:
            raise AssertionError(f"{error}: {seen[-3:]}") from None
        return seen[-1]

    def left_over(self) -> dict:
        """Processes of this daemon that live without it, as they map its file: pid -> name."""
        path = str(self.places.path)
        return {pid: name(pid) for pid in processes() if pid != os.getpid() and path in _maps(pid)}

    def ask(self) -> None:
        """One request that only the worker can answer."""
        assert not os.path.exists(self.path / "no-such-name")
