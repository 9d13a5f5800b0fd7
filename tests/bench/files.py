# SPDX-License-Identifier: Apache-2.0
"""Cached operations on one file: the mount against tmpfs, in one process, no request on the way."""
from __future__ import annotations

import os
import statistics
from collections import defaultdict
from typing import Optional

from .plan import Plan
from .stage import LABELS, BenchFailed, Stage
from .stats import Spread
from .timed import timed

REFERENCE = LABELS[0]
SPARSE_PAUSE_US = 2000
CLOCK_ROUNDS, CLOCK_OPS = 20, 1000


def last_cpu() -> int:
    """The CPU to be pinned to: the first one is where interrupts go."""
    return max(os.sched_getaffinity(0))


def clock_cost(stage: Stage) -> float:
    """What an operation that does nothing seems to take."""
    lines = timed("files", "clock", CLOCK_ROUNDS, CLOCK_OPS, 0, last_cpu(), *stage.targets())
    return statistics.median(int(line[4]) for line in lines)


class Sides:
    """Two builds on equal texts: `irsafs`, a second daemon of the same build (its noise), and the build before."""

    def __init__(self, stage: Stage, again: Stage, before: Stage) -> None:
        self._stages = {"again": again, "before": before}
        self.labels = (*LABELS, *self._stages)
        self.targets = [*stage.targets(), *(f"{label}={of.dirs['irsafs']}" for label, of in self._stages.items())]
        if len({len(str(of.dirs["irsafs"])) for of in (stage, again, before)}) != 1:
            raise BenchFailed("paths of different length")

    def check(self) -> None:
        for of in self._stages.values():
            of.check()


def side_by_side(operation: str, stage: Stage, sides: Sides, plan: Plan, cost: float) -> dict:
    seen = measured(operation, sides.targets, sides.labels, plan.file_rounds, plan.file_ops, 0, cost)
    sides.check()
    stage.check()

    def against(label: str, other: str) -> dict:
        return Spread.of([a / b for a, b in zip(seen[label]["raw_ns"], seen[other]["raw_ns"])]).plain()

    return {
        "of": seen, "now_to_before": against("irsafs", "before"), "now_to_again": against("irsafs", "again"),
    }


def through_links(operation: str, stage: Stage, linked: Stage, plan: Plan, cost: float) -> dict:
    """linked: a mount of layout subdir with the same text, whose names are links."""
    labels = (*LABELS, "links")
    targets = [*stage.targets(), f"links={linked.dirs['irsafs']}"]
    seen = measured(operation, targets, labels, plan.file_rounds, plan.file_ops, 0, cost)
    for of in (stage, linked):
        of.check()
    return seen


def compare(operation: str, stage: Stage, rounds: int, ops: int, pause_us: int, cost: float) -> dict:
    found = measured(operation, stage.targets(), LABELS, rounds, ops, pause_us, cost)
    stage.check()
    return found


def measured(
    operation: str, targets: list, labels: tuple, rounds: int, ops: int, pause_us: int, cost: float
) -> dict:
    """Nanoseconds per label, and ratios to the first tmpfs file within the same round."""
    median, p99 = defaultdict(list), defaultdict(list)
    for _, label, _, _, mid, high in timed(
        "files", operation, rounds, ops, pause_us, last_cpu(), *targets
    ):
        median[label].append(max(int(mid) - cost, 1.0))
        p99[label].append(max(int(high) - cost, 1.0))
    return {
        label: {
            "ns": Spread.of(median[label]).plain(),
            "p99_ns": statistics.median(p99[label]),
            "ratio": Spread.of([a / b for a, b in zip(median[label], median[REFERENCE])]).plain(),
            "p99_ratio": statistics.median(a / b for a, b in zip(p99[label], p99[REFERENCE])),
            "raw_ns": median[label],
        }
        for label in labels
    }


def measure(small: Stage, large: Stage, linked: Stage, sides: Optional[dict], plan: Plan) -> dict:
    """Keys: operation and size; `sparse` is one operation every 2 ms, with cold CPU caches.

    linked: as `small`, with layout subdir. sides: Stage -> Sides, where there is a build before.
    """
    cost = clock_cost(small)
    hot = [
        ("open, read, close, 2 KiB", "read", small), ("open, read, close, 64 KiB", "read", large),
        ("stat", "stat", small), ("opendir, getdents, close", "list", small),
        ("pread, open file, 2 KiB", "held", small), ("pread, open file, 64 KiB", "held", large),
    ]
    return {
        "cpu": last_cpu(),
        "clock_ns": cost,
        "hot": {
            name: compare(op, stage, plan.file_rounds, plan.file_ops, 0, cost) for name, op, stage in hot
        },
        "sparse": {
            name: compare(op, stage, max(plan.sparse_ops // 20, 1), 20, SPARSE_PAUSE_US, cost)
            for name, op, stage in hot[:4]
        },
        "links": {
            name: through_links(op, small, linked, plan, cost) for name, op, stage in hot[:3] if stage is small
        },
        "sides": {
            name: side_by_side(op, stage, sides[stage], plan, cost) for name, op, stage in hot
        } if sides else None,
    }
