# SPDX-License-Identifier: Apache-2.0
"""From the start of `irsafs mount` to a mount that answers."""
from __future__ import annotations

from .plan import Plan
from .stage import ARGUMENTS, BenchFailed, Stage
from .stats import Spread
from .timed import timed

COLUMNS = ("mount visible", "`stat status`", "`cat status`", "end after SIGTERM")


def measure(stage: Stage, plan: Plan) -> dict:
    point = stage.folder / "start"
    point.mkdir()
    asked = stage.tokens.count, stage.service.count
    lines = timed(
        "start", point, plan.starts, "--", stage.program, "mount", point, *ARGUMENTS, env=stage.env,
        log=stage.folder / "start.stderr",
    )
    if (stage.tokens.count, stage.service.count) != asked:
        raise BenchFailed("a start without a look at config made a request")
    columns = zip(*([int(word) for word in line] for line in lines))
    return {
        name: {**Spread.of(list(column)).plain(), "raw_ns": list(column)} for name, column in zip(COLUMNS, columns)
    }
