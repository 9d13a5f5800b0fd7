# SPDX-License-Identifier: Apache-2.0
"""One allocation of a program fails: tests/oom/failmalloc.c, preloaded, and the file that tells it which."""
from __future__ import annotations

import mmap
from pathlib import Path

from .program import BUILD, public

PRELOAD = BUILD / "tests" / "libfailmalloc.so"
FIRST, LAST, COUNT, FAILED, PROCESSES = range(5)
SIZE = 4096
EVER = (1 << 64) - 1


class Failmalloc:
    """The n-th allocation fails (0: none), or with `following` it and all later ones.

    Counted over all processes of a role, which is the first argument of a program; without a role over
    all processes.
    """

    def __init__(self, path: Path, n: int, following: bool = False, role: str = "") -> None:
        path.write_bytes(bytes(SIZE))
        path.chmod(0o666)              # a worker is another user
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), SIZE)
        self._words = memoryview(self._map).cast("Q")
        self._words[LAST] = EVER if following and n else n
        self._words[FIRST] = n
        self.path = path
        self.env = {"LD_PRELOAD": str(public(PRELOAD)), "FAILMALLOC": str(path)}
        if role:
            self.env["FAILMALLOC_ROLE"] = role

    def close(self) -> None:
        self._words.release()
        self._map.close()
        self.path.unlink()

    def fail_next(self, n: int = 1) -> None:
        """The n-th from now on."""
        self._words[FIRST] = self._words[LAST] = self.count + n

    def fail_none(self) -> None:
        self._words[FIRST] = self._words[LAST] = 0

    @property
    def count(self) -> int:
        return self._words[COUNT]

    @property
    def failed(self) -> int:
        """How many have failed."""
        return self._words[FAILED]

    @property
    def processes(self) -> int:
        """How many have been started."""
        return self._words[PROCESSES]
