# SPDX-License-Identifier: Apache-2.0
"""One irsafs daemon on one private mount point, watched from start to end."""
from __future__ import annotations

import json
import os
import re
import select
import shlex
import signal
import subprocess
import time
from pathlib import Path
from typing import Callable, Optional

from . import procs
from .program import IRSAFS, check_output, public
from .wait import LONG, wait_until

STOP_SECONDS = 6.0                     # the promise is 2 s; the rest is for slow machines
EXTRA_ARGS = shlex.split(os.environ.get("IRSAFS_MOUNT_ARGS", ""))
# Where not every wall can be had.
POSSIBLE_ARGS = [arg.replace("required", "best-effort") for arg in EXTRA_ARGS]


def _mount_table() -> list:
    """Pairs of mount point and file system type, in the order of mounting."""
    table = []
    for line in os.fsdecode(Path("/proc/self/mountinfo").read_bytes()).splitlines():
        fields = line.split(" ")
        point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])
        table.append((Path(point), fields[fields.index("-") + 1]))
    return table


def mounts_at(path: Path) -> list:
    """The file system types mounted on path, lowest first."""
    return [fstype for point, fstype in _mount_table() if point == path]


def unmount_all(folder: Path) -> None:
    """Takes away whatever irsafs left on this folder and in it."""
    for point, fstype in reversed(_mount_table()):
        if fstype == "fuse.irsafs" and point.is_relative_to(folder):
            subprocess.run(["umount", "-l", str(point)], check=True)


class Mount:
    """A running `irsafs mount`. `prefix` is a program that starts it, such as setpriv.

    Without an endpoint, whose port all daemons of a machine share, unless the test gives it one (lib/endpoint.py);
    the default one with IRSAFS_CONTROL=None in `env`.
    """

    def __init__(self, path: Path, args: list, env: dict, secrets: Callable[[], list], prefix: tuple = ()) -> None:
        self.path = path
        subdir = "--layout=subdir" in args or env.get("IRSAFS_LAYOUT") == "subdir"
        self.point = path / ".live" if subdir else path        # where FUSE is
        self.config = path / "config"
        self.refresh = path / "refresh"
        self.arguments = [*prefix, str(public(IRSAFS) if prefix else IRSAFS), "mount", str(path), *EXTRA_ARGS, *args]
        names = {"IRSAFS_CONTROL": "off", **env}
        self._env = {name: value for name, value in names.items() if value is not None}
        self._secrets = secrets
        self._log = path.with_name(path.name + ".stderr")
        self.process: Optional[subprocess.Popen] = None

    # --- life -----------------------------------------------------------------------------------

    def start(self) -> "Mount":
        self.launch()
        self.wait_mounted()
        return self

    def launch(self) -> None:
        """Starts the program without waiting for the mount."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self.arguments, env=self._env, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait_mounted(self, timeout: float = LONG) -> None:
        """Woken by changes of the mount table and by the daemon's end."""
        pidfd = os.pidfd_open(self.process.pid)
        end = time.monotonic() + timeout
        with open("/proc/self/mountinfo", "rb") as table:
            poller = select.poll()
            poller.register(table, select.POLLPRI)
            poller.register(pidfd, select.POLLIN)
            while not self._answers():
                poller.poll(100)
                assert self.process.poll() is None, f"exit {self.process.returncode} instead of a mount: {self.log()}"
                assert time.monotonic() < end, f"no mount within {timeout:g} s: {self.log()}"
        os.close(pidfd)

    def _answers(self) -> bool:
        """Whether it is this process that serves the mount point, and not a dead one before it."""
        if "fuse.irsafs" not in mounts_at(self.point):
            return False
        try:
            return self.status()["pid"] == self.process.pid
        except OSError:
            return False

    def wait_exit(self, timeout: float = STOP_SECONDS) -> int:
        return self.process.wait(timeout)

    def stop(self) -> None:
        """Ends the daemon as Kubernetes does and demands a clean end."""
        self.process.send_signal(signal.SIGTERM)
        code = self.wait_exit()
        self.process = None
        assert code == 0, f"exit {code} after SIGTERM"
        assert "fuse.irsafs" not in mounts_at(self.point), "still mounted after SIGTERM"

    def kill(self) -> None:
        """SIGKILL: the mount stays behind, dead."""
        self.process.kill()
        self.process.wait(STOP_SECONDS)
        self.process = None

    def close(self) -> None:
        """The end of the test: stops what runs, takes the mount away, judges the log."""
        try:
            if self.process:
                self.stop()
        finally:
            if self.process:
                self.process.kill()
                unmount_all(self.path)
                self.process.wait(STOP_SECONDS)
            unmount_all(self.path)
            print(self.log())
            check_output(self._raw_log(), self._secrets())

    @property
    def worker(self) -> int:
        """The pid of the process that answers the kernel."""
        return procs.worker(self.process.pid)

    # --- looks ----------------------------------------------------------------------------------

    def log(self) -> str:
        """What the daemon wrote, without tokens."""
        text = self._raw_log()
        for secret in self._secrets():
            text = text.replace(secret, "<token>")
        return text

    def _raw_log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def read(self) -> str:
        return self._clean(self.config.read_text())

    def touch(self) -> None:
        os.utime(self.refresh)

    def status(self) -> dict:
        return json.loads(self._clean((self.path / "status").read_text()))

    def _clean(self, text: str) -> str:
        """The text, after making sure that no reader was shown a token."""
        shown = any(secret in text for secret in self._secrets())
        assert not shown, "a token is in a file of the mount"
        return text

    def wait_status(self, test: Callable[[dict], bool], what: str, timeout: float = LONG) -> dict:
        """Looks at status until test agrees, and gives that status."""

        def look() -> Optional[dict]:
            status = self.status()
            return status if test(status) else None

        return wait_until(look, what, timeout)

    def wait_state(self, *states: str, timeout: float = LONG) -> dict:
        return self.wait_status(lambda s: s["state"] in states, f"state {' or '.join(states)}", timeout)

    def wait_idle(self) -> dict:
        """Until no fetch is under way."""
        return self.wait_status(lambda s: not s["fetch"]["in_flight"], "end of the fetch")

    def wait_waiters(self, count: int) -> dict:
        return self.wait_status(lambda s: s["waiters"] >= count, f"{count} waiting readers")


def refuse(world, args: list, exit_code: int, *words: str, env=None) -> str:
    """Demands that a daemon does not start, and gives its words."""
    mount = world.prepare(*args, env=env)
    mount.launch()
    assert mount.wait_exit() == exit_code, mount.log()
    mount.process = None
    log = mount.log()
    assert f"IRSAFS-E{exit_code}" in log
    for word in words:
        assert word in log, log
    assert log.count("\n") <= 3
    assert mounts_at(mount.path) == []
    assert world.tokens.connections == world.service.connections == 0
    return log
