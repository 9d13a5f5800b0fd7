# SPDX-License-Identifier: Apache-2.0
"""Calls irsafs-bench, the C program with the timed loops."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Optional

from lib.program import BUILD, environment

from .stage import BenchFailed

PROGRAM = BUILD / "tests" / "irsafs-bench"
LIMIT_SECONDS = 150


def timed(*args, env: Optional[dict] = None, log: Optional[Path] = None) -> list:
    """The lines of numbers that it printed, as lists of words."""
    with open(log or os.devnull, "ab") as noise:
        done = subprocess.run(
            [str(PROGRAM), *(str(arg) for arg in args)], env=env or environment(), cwd="/", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=noise if log else subprocess.PIPE, timeout=LIMIT_SECONDS, text=True,
        )
    if done.returncode != 0:
        reason = log.read_text(errors="replace") if log else done.stderr
        raise BenchFailed(f"irsafs-bench {args[0]}: exit {done.returncode}: {reason[-2000:]}")
    return [line.split() for line in done.stdout.splitlines()]


def programs(rounds: int, commands: list, env: Optional[dict] = None) -> list:
    """Runs each command `rounds` times, interleaved; a list of (begin, end, max RSS) per command."""
    words = [word for command in commands for word in ("--", *command)]
    runs: list = [[] for _ in commands]
    for index, begin, end, rss in timed("spawn", rounds, *words, env=env):
        runs[int(index)].append((int(begin), int(end), int(rss)))
    return runs
