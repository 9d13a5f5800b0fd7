# SPDX-License-Identifier: Apache-2.0
"""How many requests reach the daemon, counted by its read(2) calls: every request needs one."""
from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Callable

from lib.program import environment

from .plan import Plan
from .processes import boto_command, boto_env
from .stage import BenchFailed, Stage
from .timed import programs, timed

CONTROL = 1000
SETTLE_SECONDS = 0.05                  # the daemon looks for more after each request
PYTHON = "import sys; n = [len(open(sys.argv[1]).read()) for _ in range(int(sys.argv[2]))]"


def reads(pid: int) -> int:
    for line in Path(f"/proc/{pid}/io").read_text().splitlines():
        key, value = line.split(": ")
        if key == "syscr":
            return int(value)
    raise BenchFailed("/proc/PID/io has no syscr")


def measure(stage: Stage, plan: Plan) -> dict:
    """Reads of the daemon during each kind of look, and the proof that the counter moves."""
    pid = stage.mount.worker
    config = stage.dirs["irsafs"] / "config"

    def during(action: Callable[[], object]) -> int:
        time.sleep(SETTLE_SECONDS)
        before = reads(pid)
        action()
        time.sleep(SETTLE_SECONDS)
        return reads(pid) - before

    def look_at_status() -> None:
        for _ in range(CONTROL):
            os.stat(stage.dirs["irsafs"] / "status")

    control = during(look_at_status)
    if control < CONTROL:
        raise BenchFailed(f"{CONTROL} looks at status, but only {control} reads of the daemon: no counter")
    looks = [
        ("C program, open, read, close", plan.requests, lambda n: timed(
            "files", "read", 1, n, 0, "any", f"irsafs={config.parent}")),
        ("C program, stat", plan.requests, lambda n: timed("files", "stat", 1, n, 0, "any", f"irsafs={config.parent}")),
        ("C program, opendir, getdents, close", plan.requests, lambda n: timed(
            "files", "list", 1, n, 0, "any", f"irsafs={config.parent}")),
        ("`cat`, one process each", plan.request_programs, lambda n: programs(n, [["cat", config]])),
        ("Python `open().read()`", plan.requests, lambda n: subprocess.run(
            ["/usr/bin/python3", "-c", PYTHON, config, str(n)], env=environment(), check=True)),
        ("`boto3.Session(profile_name=…)`, one process each", plan.boto_programs, lambda n: programs(
            n, [boto_command(stage, "irsafs")], boto_env(stage))),
    ]
    found = {}
    for name, count, action in looks:
        action(1)                      # fills what the kernel does not know yet
        found[name] = {"looks": count, "daemon_reads": during(lambda: action(count))}
        stage.check()
    return {"control": {"looks": CONTROL, "daemon_reads": control}, "looks": found}
