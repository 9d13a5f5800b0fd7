# SPDX-License-Identifier: Apache-2.0
"""The consistency checker (tests/consistency/readers.c) and its counters."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .program import BUILD, environment

CHECKER = BUILD / "consistency-readers"
FAULTS = ("torn", "empty", "stale", "back", "comment", "error")
SECONDS = 240                          # a loaded machine may need so long


class Checker:
    """A running checker; counters() waits for its end."""

    def __init__(
        self, config: Path, refresh: Path, looks: int, gap_us: int, *, readers: int = 6, touchers: int = 2, changes: int = 30
    ) -> None:
        args = [CHECKER, config, refresh, readers, touchers, gap_us, looks, changes, SECONDS]
        self._process = subprocess.Popen(
            [str(arg) for arg in args], stdout=subprocess.PIPE, env=environment(), cwd="/"
        )

    def counters(self) -> dict:
        out, _ = self._process.communicate(timeout=SECONDS + 30)
        assert self._process.returncode == 0, "the checker could not start its processes"
        return json.loads(out)
