# SPDX-License-Identifier: Apache-2.0
"""`killer.py PID NAME KILLS MIN_MS MAX_MS`: kills the child NAME of PID, and the next one, and the next ...

Each one lives for a random time between the two. Prints a line after the first one; ends after KILLS or on
SIGTERM and prints how many it were and how long the slowest successor took, in milliseconds, as JSON.
"""
from __future__ import annotations

import collections
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

SUCCESSOR_SECONDS = 15.0


def read(path: str) -> str:
    """Nothing when the process has gone."""
    try:
        return Path(path).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def find(parent: int, name: str, killed: collections.deque) -> int:
    """The child of that name which was not killed yet (and perhaps not reaped); 0: none."""
    children = read(f"/proc/{parent}/task/{parent}/children").split()
    return next((int(pid) for pid in children if int(pid) not in killed and read(f"/proc/{pid}/comm") == f"{name}\n"), 0)


def wait(parent: int, name: str, killed: collections.deque) -> int:
    end = time.monotonic() + SUCCESSOR_SECONDS
    while time.monotonic() < end:
        pid = find(parent, name, killed)
        if pid:
            return pid
        time.sleep(0.0002)
    sys.exit(f"no successor of {name} {list(killed)[-1:]} within {SUCCESSOR_SECONDS:g} s")


def main() -> None:
    parent, name, kills = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    shortest, longest = float(sys.argv[4]) / 1000, float(sys.argv[5]) / 1000
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    killed: collections.deque = collections.deque(maxlen=16)
    done, slowest, last = 0, 0.0, time.monotonic()
    try:
        while done < kills:
            pid = wait(parent, name, killed)
            slowest = max(slowest, time.monotonic() - last)
            time.sleep(random.uniform(shortest, longest))
            killed.append(pid)
            os.kill(pid, signal.SIGKILL)
            last = time.monotonic()
            done += 1
            if done == 1:
                print("begun", flush=True)
    except KeyboardInterrupt:
        pass
    print(json.dumps({"kills": done, "slowest_successor_ms": round(slowest * 1000, 1)}))


main()
