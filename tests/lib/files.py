# SPDX-License-Identifier: Apache-2.0
"""A daemon in mode file: a folder like an emptyDir, in which everybody may write."""
from __future__ import annotations

from .inside import SHELL
from .mount import Mount
from .program import USER
from .wait import wait_until

# As Pod Security "restricted" has it: an arbitrary user, no capability, no way to gain one.
RESTRICTED = (
    "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
    "--inh-caps=-all",
)


def read_only_root(folder) -> tuple:
    """In front of a program: a container without /dev/fuse whose files are read-only outside this folder."""
    setup = f"mount --bind /dev/null /dev/fuse; mount --bind {folder} {folder}; mount -o remount,bind,ro /"
    return (*SHELL, f'{setup}\nexec "$@"', "sh")


class Folder(Mount):
    """As Mount, but nothing is mounted, and status can be a second old."""

    def __init__(self, path, args, *rest) -> None:
        path.chmod(0o777)
        super().__init__(path, ["--mode=file", *args], *rest)

    def _answers(self) -> bool:
        try:
            return self.refresh.exists() and self.status().get("pid") == self.process.pid
        except OSError:
            return False

    def wait_text(self, test, what: str) -> str:
        def look() -> str:
            try:
                text = self.read()
            except FileNotFoundError:
                return ""
            return text if test(text) else ""

        return wait_until(look, what)
