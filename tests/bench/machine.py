# SPDX-License-Identifier: Apache-2.0
"""What the figures depend on, without anything that names the machine."""
from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from lib.program import IRSAFS


def first_match(path: str, pattern: str) -> str:
    found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return found[1].strip() if found else "unknown"


def cpu_ticks() -> dict:
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    values = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return dict(zip(names, map(int, values)))


class Load:
    """What else the machine did meanwhile."""

    def __init__(self) -> None:
        self._before = cpu_ticks()
        self._load = os.getloadavg()[0]

    def facts(self) -> dict:
        spent = {name: value - self._before[name] for name, value in cpu_ticks().items()}
        total = max(sum(spent.values()), 1)
        return {
            "load_before": round(self._load, 2), "load_after": round(os.getloadavg()[0], 2),
            "steal_percent": round(100 * spent["steal"] / total, 1),
            "busy_percent": round(100 * (total - spent["idle"] - spent["iowait"]) / total),
        }


def build(program: Path) -> dict:
    """What a build is: its version, its kind, the commit of the clone that it lies in."""
    folder = program.parent
    version = subprocess.run([str(program), "--version"], stdout=subprocess.PIPE, check=True, text=True).stdout
    commit = subprocess.run(
        ["git", "-C", str(folder), "describe", "--always", "--dirty", "--exclude=*"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ).stdout
    return {
        "irsafs": version.strip(), "commit": commit.strip() or "unknown",
        "build_type": first_match(str(folder / "CMakeCache.txt"), r"^CMAKE_BUILD_TYPE:\w+=(.*)$"),
    }


def facts() -> dict:
    flags = first_match("/proc/cpuinfo", r"^flags\s*: (.*)$").split()
    return {
        "date": datetime.date.today().isoformat(),
        **build(IRSAFS),
        "system": first_match("/etc/os-release", r'^PRETTY_NAME="(.*)"$'),
        "kernel": re.match(r"[0-9.]+", platform.release())[0],
        "cpu": first_match("/proc/cpuinfo", r"^model name\s*: (.*)$"),
        "cpus": len(os.sched_getaffinity(0)),
        "virtual": "hypervisor" in flags,
        "memory_gib": round(int(first_match("/proc/meminfo", r"^MemTotal:\s*(\d+)")) / 1048576),
        "clock": Path("/sys/devices/system/clocksource/clocksource0/current_clocksource").read_text().strip(),
    }
