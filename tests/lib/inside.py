# SPDX-License-Identifier: Apache-2.0
"""A daemon in a mount namespace of its own, seen through /proc/PID/root."""
from __future__ import annotations

from pathlib import Path

from .mount import Mount

SHELL = ("unshare", "-m", "--propagation", "private", "sh", "-ec")


class Inside(Mount):
    """`setup` is a shell script that arranges the namespace; paths keep their names in it."""

    def __init__(self, path: Path, args: list, env: dict, secrets, setup: str, program: str = "") -> None:
        super().__init__(path, args, env, secrets, (*SHELL, f'{setup}\nexec "$@"', "sh"))
        self._inside = path
        if program:
            self.arguments[len(SHELL) + 2] = program

    def launch(self) -> None:
        super().launch()
        self._look_at(Path(f"/proc/{self.process.pid}/root{self._inside}"))

    def _look_at(self, path: Path) -> None:
        self.path, self.config, self.refresh = path, path / "config", path / "refresh"

    def _answers(self) -> bool:
        try:
            return self.status()["pid"] == self.process.pid
        except OSError:                # the namespace is not there yet, or nothing is mounted in it
            return False
