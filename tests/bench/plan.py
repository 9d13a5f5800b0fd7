# SPDX-License-Identifier: Apache-2.0
"""How often everything is done: fixed counts, so that a run ends whatever it finds."""
from __future__ import annotations

from dataclasses import dataclass

SIZES = {"2 KiB": 2048, "64 KiB": 65536}


@dataclass(frozen=True)
class Plan:
    file_rounds: int                   # of file_ops operations per file, each
    file_ops: int
    sparse_ops: int                    # one operation every 2 ms
    requests: int                      # cached reads during which the daemon is watched
    request_programs: int
    touches: int
    clients: int
    starts: int
    cats: int
    boto_programs: int
    boto_sessions: int
    memory_touches: int
    quiet_kills: int                   # of the worker, with nobody else looking
    calm_seconds: int                  # of the crowd without kills
    storm_kills: int                   # under the crowd
    flat_kills: int                    # with --long only


FULL = Plan(
    file_rounds=100, file_ops=1000, sparse_ops=300, requests=10000, request_programs=200, touches=60, clients=60,
    starts=40, cats=600, boto_programs=24, boto_sessions=200, memory_touches=60, quiet_kills=300, calm_seconds=15,
    storm_kills=1000, flat_kills=10000,
)
QUICK = Plan(
    file_rounds=20, file_ops=1000, sparse_ops=100, requests=10000, request_programs=50, touches=12, clients=12,
    starts=10, cats=100, boto_programs=3, boto_sessions=30, memory_touches=5, quiet_kills=30, calm_seconds=3,
    storm_kills=60, flat_kills=200,
)
