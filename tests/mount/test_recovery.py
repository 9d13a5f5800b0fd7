# SPDX-License-Identifier: Apache-2.0
"""Readers get out of an outage by themselves: no touch, no restart, and back-off meanwhile."""
from __future__ import annotations

from lib.labels import NAME
from lib.text import code
from lib.wait import wait_until
from lib.world import GOLDEN, RUN


def read_until_golden(mount) -> None:
    wait_until(lambda: mount.read() == GOLDEN, "the true text")


def test_service_comes_back(world):
    world.service.behave(status=500)
    mount = world.mount()
    assert code(mount.read()) == 701
    world.service.normal()
    read_until_golden(mount)
    assert mount.wait_state("fresh", timeout=1)["error"] is None


def test_token_endpoint_comes_back(world):
    world.tokens.behave(status=500)
    mount = world.mount()
    assert code(mount.read()) == 401
    world.tokens.normal()
    read_until_golden(mount)


def test_labels_appear_after_the_mount(world):
    labels = world.labels.path
    away = labels.with_name("away")
    labels.rename(away)
    mount = world.mount()
    assert code(mount.read()) in (303, 304)
    assert world.service.connections == 0
    away.rename(labels)
    read_until_golden(mount)


def test_labels_without_a_run_id_get_one(world):
    world.labels.write({NAME: "ray"})
    mount = world.mount()
    assert code(mount.read()) == 303
    world.labels.run(RUN)
    read_until_golden(mount)


def test_back_off_grows_while_readers_keep_looking(world):
    world.service.behave(status=500)
    mount = world.mount()
    wait_until(lambda: mount.read() and world.service.count >= 3, "the third try")
    first, second, third = world.service.requests[:3]
    assert second.began - first.began > 0.4
    assert third.began - second.began > 0.8
