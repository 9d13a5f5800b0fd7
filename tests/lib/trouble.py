# SPDX-License-Identifier: Apache-2.0
"""What goes on while others look."""
from __future__ import annotations

import threading
from pathlib import Path


class Repeat(threading.Thread):
    """Does something again and again until the end of the block."""

    def __init__(self, action, pause: float) -> None:
        super().__init__(daemon=True)
        self._action, self._pause, self._end = action, pause, threading.Event()

    def run(self) -> None:
        while not self._end.wait(self._pause):
            self._action()

    def __enter__(self) -> "Repeat":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self._end.set()
        self.join()


def drop_dentries() -> None:
    """The kernel forgets the names that nobody uses, and tells the daemon."""
    Path("/proc/sys/vm/drop_caches").write_text("2")
