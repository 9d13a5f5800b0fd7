# SPDX-License-Identifier: Apache-2.0
"""Whole programs that read the config: cat and boto3, from the mount and from tmpfs."""
from __future__ import annotations

import statistics
import subprocess
from collections import defaultdict
from pathlib import Path

from lib.program import environment

from .plan import Plan
from .stage import LABELS, BenchFailed, Stage
from .stats import Spread, interval
from .timed import programs

PYTHON = "/usr/bin/python3"
BOTO = str(Path(__file__).with_name("boto.py"))


def boto_env(stage: Stage) -> dict:
    """No credentials, no network, no other files."""
    home = str(stage.folder)
    return environment(
        HOME=home, AWS_SHARED_CREDENTIALS_FILE=f"{home}/none", AWS_EC2_METADATA_DISABLED="true",
        AWS_DEFAULT_REGION="us-east-1", PYTHONDONTWRITEBYTECODE="1",
    )


def profile(stage: Stage) -> str:
    """The first profile of the text of the moment."""
    return stage.read().decode().split("]")[0].removeprefix("[profile ")


def boto_command(stage: Stage, label: str) -> list:
    return [PYTHON, BOTO, "once", stage.dirs[label] / "config", profile(stage)]


def compare(values: dict) -> dict:
    """Times per label in ns, and the differences of the medians to the first."""
    reference = values[LABELS[0]]
    middle = statistics.median(reference)
    result = {}
    for label in LABELS:
        low, high = interval(values[label], reference)
        difference = statistics.median(values[label]) - middle
        result[label] = {
            "ns": Spread.of(values[label]).plain(), "difference_ns": difference, "interval_ns": [low, high],
            "ratio": statistics.median(values[label]) / middle, "raw_ns": values[label],
        }
    return result


def whole(stage: Stage, rounds: int, commands: list, env: dict) -> dict:
    runs = programs(rounds, commands, env)
    stage.check()
    return compare({label: [end - begin for begin, end, _ in of] for label, of in zip(LABELS, runs)})


def check_cat(stage: Stage) -> None:
    for directory in stage.dirs.values():
        done = subprocess.run(["cat", directory / "config"], stdout=subprocess.PIPE, check=True)
        if done.stdout != stage.service.text(stage.service.count):
            raise BenchFailed(f"cat {directory}: wrong bytes")


def sessions(stage: Stage, rounds: int) -> dict:
    variants = [f"{label}={stage.dirs[label]}/config" for label in LABELS]
    done = subprocess.run(
        [PYTHON, BOTO, "many", str(rounds), profile(stage), *variants], env=boto_env(stage), cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True,
    )
    values = defaultdict(list)
    for label, took in map(str.split, done.stdout.splitlines()):
        values[label].append(int(took))
    stage.check()
    return compare(values)


def measure(small: Stage, large: Stage, plan: Plan) -> dict:
    result = {}
    for name, stage in (("2 KiB", small), ("64 KiB", large)):
        check_cat(stage)
        cats = [["cat", stage.dirs[label] / "config"] for label in LABELS]
        botos = [boto_command(stage, label) for label in LABELS]
        result[f"`cat`, {name}"] = whole(stage, plan.cats, cats, environment())
        result[f"Python, `boto3.Session`, {name}"] = whole(stage, plan.boto_programs, botos, boto_env(stage))
        result[f"`boto3.Session` alone, {name}"] = sessions(stage, plan.boto_sessions)
        check_cat(stage)
    return result
