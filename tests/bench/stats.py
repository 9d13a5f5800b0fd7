# SPDX-License-Identifier: Apache-2.0
"""Medians, ratios and their spread."""
from __future__ import annotations

import random
import statistics
from dataclasses import asdict, dataclass

RESAMPLES = 1000


def quantile(values: list, q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * q))]


@dataclass(frozen=True)
class Spread:
    """A set of numbers in short; low and high hold the middle 90 % of them."""

    median: float
    low: float
    high: float
    p99: float
    n: int

    @staticmethod
    def of(values: list) -> "Spread":
        return Spread(
            statistics.median(values), quantile(values, 0.05), quantile(values, 0.95), quantile(values, 0.99),
            len(values),
        )

    def plain(self) -> dict:
        return asdict(self)


def interval(of: list, minus: list) -> tuple:
    """A 95 % bootstrap interval of the difference of two medians."""
    rng = random.Random(1)             # the same samples give the same report
    differences = sorted(
        statistics.median(rng.choices(of, k=len(of))) - statistics.median(rng.choices(minus, k=len(minus)))
        for _ in range(RESAMPLES)
    )
    return differences[int(RESAMPLES * 0.025)], differences[int(RESAMPLES * 0.975)]
