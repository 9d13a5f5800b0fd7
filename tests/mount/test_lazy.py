# SPDX-License-Identifier: Apache-2.0
"""Mounting and listing ask nobody; the first look asks once; reads within the TTL ask nobody."""
from __future__ import annotations

import os

import pytest

from lib.labels import WORKLOAD_TYPE
from lib.program import run, run_as_user
from lib.world import GOLDEN, RUN


def connections(world) -> tuple:
    return world.tokens.connections, world.service.connections


def test_mounting_and_listing_ask_nobody(world):
    mount = world.mount()
    assert sorted(os.listdir(mount.path)) == ["config", "refresh", "status"]
    assert run(["ls", mount.path]).out.split() == [b"config", b"refresh", b"status"]
    assert run(["ls", "-ld", mount.path]).code == 0
    assert run(["find", mount.path, "-name", "conf*"]).code == 0
    assert run(["df", mount.path]).code == 0
    assert run(["cat", mount.path / "status", mount.refresh]).code == 0
    assert mount.status()["fetch"] == {"in_flight": False, "total": 0, "failed": 0, "last_ms": None}
    assert connections(world) == (0, 0)


def test_first_look_makes_one_token_request_and_one_post(world):
    mount = world.mount()
    assert mount.read() == GOLDEN
    assert connections(world) == (1, 1)
    assert world.service.bodies == [{"run_id": RUN}]
    assert world.service.requests[0].header("Content-Type") == "application/json"
    assert mount.status()["fetch"]["total"] == 1


def test_workload_type_is_sent_when_the_pod_has_one(world):
    world.labels.run(RUN, **{WORKLOAD_TYPE: "edge-workload", "note": 'a "b" \\ c'})
    assert world.mount().read() == GOLDEN
    assert world.service.bodies == [{"run_id": RUN, "irsa_workload_type": "edge-workload"}]


@pytest.mark.parametrize("look", [["stat"], ["ls", "-l"], ["test", "-r"]])
def test_a_stat_is_a_look(world, look):
    mount = world.mount()
    assert run([*look, mount.config]).code == 0
    assert connections(world) == (1, 1)
    assert mount.config.stat().st_size == len(GOLDEN)


def test_a_thousand_reads_from_many_processes_ask_nobody(world):
    mount = world.mount()
    mount.read()
    command = f"seq 1000 | xargs -P 8 -I{{}} cat {mount.config}"
    ran = run_as_user(["sh", "-c", command], timeout=60)
    assert ran.out == GOLDEN.encode() * 1000
    assert connections(world) == (1, 1)


def test_prefetch_asks_without_a_look(world):
    mount = world.mount("--prefetch")
    world.service.wait_requests(1)
    assert mount.wait_state("fresh")["profiles"] == 6
    assert mount.read() == GOLDEN
    assert connections(world) == (1, 1)
