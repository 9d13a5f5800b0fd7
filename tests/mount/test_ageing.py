# SPDX-License-Identifier: Apache-2.0
"""The text ages: background fetch after 0.8 TTL, new text after TTL, nothing after max-stale."""
from __future__ import annotations

import time

from lib.text import body, code, comments, profiles
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, render, role

NEW_ROLES = [role("new"), *GOLDEN_ROLES]
NEW = render(NEW_ROLES)


def wait_expired(mount) -> None:
    mount.wait_status(lambda s: s["state"] not in ("fresh", "aging"), "the end of the TTL")


def test_aging_text_is_served_at_once_and_fetched_behind(world):
    mount = world.mount("--ttl=4s")
    mount.read()
    world.service.roles = NEW_ROLES
    gate = world.service.hold()
    mount.wait_state("aging")
    assert mount.read() == GOLDEN
    gate.wait_arrived()
    assert mount.status()["fetch"]["in_flight"] is True
    gate.release()
    mount.wait_status(lambda s: s["generation"] > 1 and s["state"] == "fresh", "the new generation")
    assert mount.read() == NEW
    assert (world.tokens.count, world.service.count) == (2, 2)


def test_equal_text_keeps_the_inode(world):
    mount = world.mount("--ttl=4s")
    mount.read()
    before = mount.config.stat()
    mount.wait_state("aging")
    mount.read()
    world.service.wait_requests(2)
    mount.wait_state("fresh")
    after = mount.config.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert world.service.count == 2


def test_first_look_after_the_ttl_gets_the_new_text(world):
    mount = world.mount("--ttl=1s")
    before = mount.config.stat()
    world.service.roles = NEW_ROLES
    wait_expired(mount)
    assert world.service.count == 1    # an idle pod asks for nothing
    assert mount.read() == NEW
    after = mount.config.stat()
    assert after.st_ino != before.st_ino and after.st_mtime_ns > before.st_mtime_ns
    assert world.service.count == 2


def test_stale_wait_bounds_the_look_after_the_ttl(world):
    mount = world.mount("--ttl=1s", "--stale-wait=300ms", "--wait=60s")
    mount.read()
    world.service.roles = NEW_ROLES
    wait_expired(mount)
    gate = world.service.hold()
    text = mount.read()
    assert body(text) == GOLDEN and comments(text) and code(text) == 501
    status = mount.status()
    assert (status["stale"], status["source"], status["state"]) == (True, "last_good", "stale")
    gate.release()
    wait_until(lambda: mount.read() == NEW, "the text of the flight that went on")
    assert world.service.count == 2


def test_last_good_text_ends_with_max_stale(world):
    mount = world.mount("--ttl=1s", "--max-stale=3s", "--stale-wait=100ms")
    mount.read()
    world.service.behave(status=500)
    wait_expired(mount)
    text = mount.read()
    assert body(text) == GOLDEN and code(text) == 701
    wait_until(lambda: profiles(mount.read()) == [], "the end of max-stale")
    assert code(mount.read()) == 701
    status = mount.wait_state("none", timeout=1)
    assert status["source"] == "none" and not status["profiles"]


def test_ttl_differs_from_pod_to_pod_by_a_tenth(world):
    seconds = []
    for _ in range(8):
        mount = world.mount("--ttl=100s")
        mount.read()
        seconds.append(mount.status()["ttl_ms"] / 1000)
    assert all(90 <= s <= 110 for s in seconds)
    assert len(set(seconds)) > 1


def test_mtime_is_the_moment_of_readiness(world):
    gate = world.service.hold()
    mount = world.mount("--prefetch")
    gate.wait_arrived()
    times = [time.time_ns()]
    gate.release()
    times += [mount.config.stat().st_mtime_ns, time.time_ns()]
    assert times == sorted(times)
