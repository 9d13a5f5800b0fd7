# SPDX-License-Identifier: Apache-2.0
"""The worker is killed, again and again: how long nobody answers, what readers see of it, what it leaves."""
from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Callable, Optional

from lib.mount import Mount
from lib.world import World
from takeover.storm import CROWD, FAULTS, Crowd

from . import memory
from .plan import Plan
from .stage import ARGUMENTS, BenchFailed
from .stats import Spread
from .timed import timed

QUIET_US = (20_000, 50_000)            # how long a worker lives: here until its take-over is over
STORM_US = (1_000, 50_000)
FLAT_US = (1_000, 20_000)
FLAT_STEPS = 4
SETTLE_SECONDS = 1.5                   # longer than any pause of the daemon's own
READERS = sum(count for kind, count in CROWD.items() if kind != "touch")
TOUCHERS = CROWD["touch"]


def kill(mount: Mount, kills: int, gap_us: tuple) -> dict:
    """SIGKILL to the first answer, and one more answer after it to compare with (ns)."""
    lines = timed("kills", mount.process.pid, "irsafs-worker", mount.path, kills, *gap_us)
    if len(lines) != kills:
        raise BenchFailed(f"{len(lines)} answers after {kills} kills")
    gaps = [int(answered) - int(killed) for killed, answered, _ in lines]
    return {
        "kills": kills, "gap_ns": spread(gaps), "next_ns": spread([int(word) for _, _, word in lines]), "raw_ns": gaps,
    }


def spread(values: list) -> dict:
    return {**Spread.of(values).plain(), "max": max(values)}


def crowd(mount: Mount, meanwhile: Callable[[], object]) -> tuple:
    """What the readers counted, and what happened meanwhile. Whoever of them notices anything ends the run."""
    with Crowd(mount.path) as looking:
        found = meanwhile()
    counted = looking.counted
    faults = {fault: counted[fault] for fault in FAULTS if counted[fault] != 0}
    if faults:
        raise BenchFailed(f"READERS NOTICED: {faults} in {counted['looks']} looks, {found}; {mount.log()[-2000:]}")
    if 0 in counted["looks_of"].values() or min(counted["newest"], counted["touches"]) < 3:
        raise BenchFailed(f"too few looks or changes to prove anything: {counted}")
    return counted, found


def settled(mount: Mount) -> dict:
    """The daemon's memory when nobody has looked for a moment but once."""
    mount.touch()
    mount.read()
    Path("/proc/sys/vm/drop_caches").write_text("2")   # the kernel forgets names, and says so
    time.sleep(SETTLE_SECONDS)
    mount.read()
    return memory.family(mount)


def check(world: World, mount: Mount, device: int) -> None:
    if mount.process.poll() is not None:
        raise BenchFailed(f"irsafs has ended with {mount.process.returncode}: {mount.log()}")
    if os.stat(mount.path).st_dev != device or "connection_given_up" in mount.log():
        raise BenchFailed(f"mounted anew: {mount.log()}")
    if world.service.most_active != 1:
        raise BenchFailed(f"{world.service.most_active} fetches at once")
    problems = world.service.violations + world.tokens.violations
    if problems:
        raise BenchFailed(f"contract with the stand-ins broken: {problems}")


def flat(mount: Mount, kills: int, begun: int) -> list:
    """Memory after each part of so many take-overs, the last ones under the crowd."""
    rows = []
    for step in range(1, FLAT_STEPS + 1):
        count = kills * step // FLAT_STEPS - kills * (step - 1) // FLAT_STEPS
        counted, found = crowd(mount, lambda: kill(mount, count, FLAT_US))
        rows.append({
            "take_overs": begun + kills * step // FLAT_STEPS, "memory": settled(mount), "looks": counted["looks"],
            "us_of": counted["us_of"], "gap_ns": found["gap_ns"],
        })
    return rows


def measure(plan: Plan, long: bool, progress: Callable[[str], None]) -> dict:
    world = World()
    try:
        world.service.stamped = True
        mount = world.mount(*ARGUMENTS)
        device = os.stat(mount.path).st_dev
        before = settled(mount)
        quiet = kill(mount, plan.quiet_kills, QUIET_US)
        progress("readers without kills")
        calm, _ = crowd(mount, lambda: time.sleep(plan.calm_seconds))
        progress(f"{plan.storm_kills} kills under readers")
        began = time.monotonic()
        storm, found = crowd(mount, lambda: kill(mount, plan.storm_kills, STORM_US))
        result = {
            "readers": READERS, "touchers": TOUCHERS, "kinds": CROWD, "quiet": quiet, "calm": calm, "storm": storm,
            "storm_gap": found, "storm_seconds": time.monotonic() - began,
            "storm_fetches": storm["newest"] - calm["newest"],
        }
        check(world, mount, device)
        begun = plan.quiet_kills + plan.storm_kills
        result["memory"] = [{"take_overs": 0, "memory": before}, {"take_overs": begun, "memory": settled(mount)}]
        result["flat"] = None
        if long:
            progress(f"{plan.flat_kills} more kills")
            result["flat"] = flat(mount, plan.flat_kills, begun)
            check(world, mount, device)
        return result
    finally:
        world.close()
