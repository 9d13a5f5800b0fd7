# SPDX-License-Identifier: Apache-2.0
"""The endpoint costs little memory, and no request costs any for good."""
from __future__ import annotations

from bench.memory import PATHS, family
from lib.endpoint import serve
from lib.procs import connections
from lib.wait import wait_until
from lib.world import GOLDEN

TOGETHER_KIB = 8_000_000 // 1024       # supervisor, worker and notifier
ROUNDS = 500
GROWTH_KIB = 256                       # an allocator's, not one of each request


def ask(served, rounds: int) -> None:
    for _ in range(rounds):
        for path in PATHS:
            assert served.control.ask(path).status == 200
    wait_until(lambda: connections(served.mount.worker) == 0, "end of the connections")


def test_memory_with_the_endpoint_on(world):
    served = serve(world, "--min-refresh=0s", metrics=True)
    assert served.mount.read() == GOLDEN
    ask(served, ROUNDS)
    before = family(served.mount)
    ask(served, ROUNDS)
    after = family(served.mount)
    assert max(after["together"]["pss"], after["together"]["frames_kib"]) <= TOGETHER_KIB
    assert after["together"]["private"] - before["together"]["private"] <= GROWTH_KIB
    assert after["together"]["descriptors"] == before["together"]["descriptors"]


def test_memory_after_a_flood(world):
    served = serve(world)
    assert served.mount.read() == GOLDEN
    ask(served, 100)
    before = family(served.mount)
    for _ in range(20):
        conns = [served.control.connect() for _ in range(60)]
        for sock in conns:
            sock.sendall(b"GET /" + b"a" * 8000)
        for sock in conns:
            sock.close()
    ask(served, 10)
    after = family(served.mount)
    assert after["together"]["frames_kib"] <= TOGETHER_KIB
    assert after["together"]["descriptors"] == before["together"]["descriptors"]
