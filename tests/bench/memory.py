# SPDX-License-Identifier: Apache-2.0
"""Resident memory of the processes that stay, from smaps_rollup."""
from __future__ import annotations

from pathlib import Path

from .stage import BenchFailed, Stage

KEYS = {"Rss": "rss", "Pss": "pss", "Private_Clean": "private_clean", "Private_Dirty": "private_dirty"}


def usage(pid: int) -> dict:
    """KiB, and the highest RSS so far."""
    words = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    found = {KEYS[w[0][:-1]]: int(w[1]) for w in words if w[0][:-1] in KEYS}
    found["private"] = found.pop("private_clean") + found.pop("private_dirty")
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            found["peak"] = int(line.split()[1])
    return found


def notifier_of(pid: int) -> int:
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if Path(f"/proc/{child}/comm").read_text().strip() == "irsafs-notifier":
            return int(child)
    raise BenchFailed("the daemon has no notifier")


def both(stage: Stage) -> dict:
    pid = stage.mount.process.pid
    return {"daemon": usage(pid), "notifier": usage(notifier_of(pid))}


def measure(stages: dict) -> dict:
    """stages: name -> Stage."""
    return {f"{name}, fetch {stage.mount.status()['fetch']['total']}": both(stage) for name, stage in stages.items()}
