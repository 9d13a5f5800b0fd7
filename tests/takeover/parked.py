# SPDX-License-Identifier: Apache-2.0
"""Readers that wait for one text."""
from __future__ import annotations

import subprocess
import time

from lib.mount import Mount
from lib.program import environment

END_SECONDS = 30.0


class Parked:
    """So many `cat config`, all of them waiting; with wait=False perhaps not yet."""

    def __init__(self, mount: Mount, count: int, *, wait: bool = True) -> None:
        self._readers = [
            subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())
            for _ in range(count)
        ]
        if wait:
            mount.wait_waiters(count)

    def texts(self, timeout: float = END_SECONDS) -> list:
        """What they read; None for one that met an error. Nobody hangs."""
        end = time.monotonic() + timeout
        texts = [reader.communicate(timeout=max(0.1, end - time.monotonic()))[0].decode() for reader in self._readers]
        return [text if reader.returncode == 0 else None for text, reader in zip(texts, self._readers)]

    def kill(self) -> None:
        for reader in self._readers:
            reader.kill()

    def wait_gone(self, timeout: float) -> float:
        """How long it took until all of them had ended."""
        begin = time.monotonic()
        for reader in self._readers:
            reader.wait(max(0.01, begin + timeout - time.monotonic()))
            reader.stdout.close()
        return time.monotonic() - begin
