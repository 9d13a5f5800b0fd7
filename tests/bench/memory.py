# SPDX-License-Identifier: Apache-2.0
"""Memory of the processes of one daemon while it is the only one, so that nothing is shared with another."""
from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Optional

from lib.mount import Mount
from lib.procs import children, name, named
from lib.program import IRSAFS
from standin.http import Gate
from standin.tls import Authority

from . import refresh
from .plan import SIZES, Plan
from .stage import BenchFailed, Stage

SIZE = "64 KiB"
PATHS = ("/healthz", "/livez", "/readyz", "/readyz?verbose", "/status", "/metrics")
NAMES = {"irsafs-worker": "worker", "irsafs-notifier": "notifier"}
KEYS = {
    "Rss": "rss", "Pss": "pss", "Private_Clean": "private_clean", "Private_Dirty": "private_dirty",
}
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
PRESENT, FRAME = 1 << 63, (1 << 55) - 1


def usage(pid: int) -> dict:
    """KiB, and the highest RSS so far."""
    words = [line.split() for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]]
    found = {KEYS[w[0][:-1]]: int(w[1]) for w in words if w[0][:-1] in KEYS}
    found["private"] = found.pop("private_clean") + found.pop("private_dirty")
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            found["peak"] = int(line.split()[1])
    found["descriptors"] = len(os.listdir(f"/proc/{pid}/fd"))
    return found


def frames(pid: int) -> set:
    """The page frames that a process has mapped."""
    found = set()
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as table:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            begin, end = (int(word, 16) // (PAGE_KIB * 1024) for word in line.split()[0].split("-"))
            if "[vsyscall]" not in line:
                entries = os.pread(table.fileno(), (end - begin) * 8, begin * 8)
                found |= {entry & FRAME for (entry,) in struct.iter_unpack("<Q", entries) if entry & PRESENT}
    return found


def shared_blocks(pids: list) -> dict:
    """The memfds that any of them holds, mapped or not: how many, and what they take."""
    sizes = {}
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            if os.readlink(fd).startswith("/memfd:"):
                found = os.stat(fd)
                sizes[found.st_ino] = found.st_blocks // 2
    return {"count": len(sizes), "kib": sum(sizes.values())}


def family(mount: Mount) -> dict:
    """Every process that stays, and all together; `frames_kib` counts each page once, whoever else has it."""
    top = mount.process.pid
    below = {name(pid): pid for pid in children(top)}
    pids = {process: below[wanted] for wanted, process in NAMES.items() if wanted in below}
    pids = {"supervisor" if "worker" in pids else "daemon": top, **pids}
    if "notifier" not in pids:
        raise BenchFailed(f"no notifier: {pids}")
    used = {process: usage(pid) for process, pid in pids.items()}
    mapped = set().union(*map(frames, pids.values()))
    mapped.discard(0)                  # what a kernel shows to those who may not know
    together = {key: sum(of[key] for of in used.values()) for key in ("pss", "private", "descriptors")}
    return {
        **used,
        "together": {**together, "frames_kib": len(mapped) * PAGE_KIB, "memfds": shared_blocks(list(pids.values()))},
    }


def client_that_waits(stage: Stage) -> dict:
    """A client in the middle of its fetch: the request is sent, the service takes its time."""
    gate = Gate()
    stage.service.queue(gate=gate)
    stage.mount.touch()
    gate.wait_arrived()
    found = usage(named(stage.mount.process.pid, "irsafs-client")[0])
    gate.release()
    stage.check()
    return found


def ask(stage: Stage, rounds: int) -> int:
    """Every path of the endpoint so often; how many requests that were. A build without one has none."""
    if not stage.control.listens():
        return 0
    for _ in range(rounds):
        for path in PATHS:
            if stage.control.ask(path).status != 200:
                raise BenchFailed(f"{path} of the endpoint")
    return rounds * len(PATHS)


def alone(folder: Path, authority: Authority, program: Path, plan: Plan) -> dict:
    """One daemon of that build: after its first fetch, and after many."""
    stage = Stage(folder, SIZES[SIZE], authority, program, control=True)
    try:
        stage.open()
        asked = ask(stage, 1)
        first = family(stage.mount)
        refresh.touch(stage, plan.memory_touches)
        asked += ask(stage, plan.memory_touches)
        many = family(stage.mount)
        client = client_that_waits(stage)
        return {"first": first, "many": many, "fetches": stage.service.count, "client": client, "asked": asked}
    finally:
        stage.close()


def measure(folder: Path, authority: Authority, before: Optional[Path], plan: Plan) -> dict:
    """`before` is the program of another build."""
    builds = {"now": IRSAFS, **({"before": before} if before else {})}
    return {name: alone(folder / f"alone-{name}", authority, program, plan) for name, program in builds.items()}
