# SPDX-License-Identifier: Apache-2.0
"""What a touch promises: no older text afterwards, one more flight, no starving, old handles stay."""
from __future__ import annotations

import mmap
import os
import subprocess
from pathlib import Path

from lib.program import environment, run
from lib.text import body, code
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, render, role

NEW_ROLES = [role("new"), *GOLDEN_ROLES]
NEW = render(NEW_ROLES)


def start_reader(mount) -> subprocess.Popen:
    return subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, env=environment(), text=True)


def result(reader) -> str:
    return reader.communicate(timeout=30)[0]


def test_touch_sooner_than_min_refresh_is_kept_for_the_next_fetch(world):
    mount = world.mount("--min-refresh=2s", "--wait=60s")
    mount.read()
    world.service.roles = NEW_ROLES
    for _ in range(5):
        mount.touch()
    assert world.service.count == 1
    assert mount.read() == NEW         # waits for the fetch that follows
    mount.wait_idle()
    assert world.service.count == 2
    first, second = world.service.requests
    assert second.began - first.began > 1.8


def test_collapsed_touch_outlives_the_patience_of_readers(world):
    """min-refresh is longer than a reader waits: the text says so until the fetch that follows."""
    mount = world.mount("--min-refresh=3s", "--wait=500ms")
    mount.read()
    world.service.roles = NEW_ROLES
    mount.touch()
    text = mount.read()
    assert body(text) == GOLDEN and code(text) == 501
    status = mount.status()
    assert (status["stale"], status["state"], status["source"]) == (True, "stale", "last_good")
    wait_until(lambda: mount.read() == NEW, "the fetch that follows")
    assert world.service.count == 2


def test_collapsed_touch_is_honoured_without_a_reader(world):
    mount = world.mount("--min-refresh=1s")
    mount.read()
    mount.touch()
    world.service.wait_requests(2)


def test_touch_during_a_flight_leads_to_exactly_one_more(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    gate = world.service.hold()
    early = start_reader(mount)
    gate.wait_arrived()
    world.service.roles = NEW_ROLES
    for _ in range(4):
        mount.touch()                  # returns although the flight is held
    late = start_reader(mount)
    mount.wait_waiters(2)
    assert world.service.count == 1
    gate.release()
    assert result(early) == GOLDEN     # served by the flight that it waited for
    assert result(late) == NEW
    mount.wait_idle()
    assert mount.read() == NEW
    assert world.service.count == 2
    assert world.service.most_active == 1


def test_touches_faster_than_a_fetch_starve_nobody(world):
    world.service.behave(delay=0.2)
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    storm = subprocess.Popen(
        ["sh", "-c", f"while touch {mount.refresh}; do :; done"], env=environment(), stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(10):
            assert run(["cat", mount.config], timeout=20).out == GOLDEN.encode()
    finally:
        storm.kill()
        storm.wait()
    assert world.service.most_active == 1


def test_open_handle_keeps_its_text_to_the_end(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    with mount.config.open("rb") as old:
        half = old.read(100)
        old_map = mmap.mmap(old.fileno(), 0, access=mmap.ACCESS_READ)
        world.service.roles = NEW_ROLES
        mount.touch()
        assert mount.read() == NEW
        Path("/proc/sys/vm/drop_caches").write_text("3")
        assert half + old.read() == GOLDEN.encode()
        assert old_map[:] == GOLDEN.encode()
        assert os.fstat(old.fileno()).st_size == len(GOLDEN)
        assert os.fstat(old.fileno()).st_ino != mount.config.stat().st_ino
    assert mount.read() == NEW


def test_touch_succeeds_while_the_service_is_down(world):
    mount = world.mount("--min-refresh=0s")
    mount.read()
    world.service.refuse()
    assert run(["touch", mount.refresh]).code == 0
    text = mount.read()
    assert body(text) == GOLDEN and code(text) == 503
    assert mount.status()["stale"] is True


def test_touch_overrides_the_back_off(world):
    mount = world.mount("--min-refresh=0s", "--wait=2s")
    world.service.behave(status=500)
    for _ in range(6):                 # the back-off doubles each time
        mount.touch()
        assert code(mount.read()) == 701
    failed = world.service.count
    world.service.normal()
    assert code(mount.read()) == 701   # still backing off
    assert world.service.count == failed
    mount.touch()
    assert mount.read() == GOLDEN
    assert world.service.count == failed + 1


def test_touch_does_not_override_retry_after(world):
    mount = world.mount("--min-refresh=0s", "--wait=500ms")
    mount.read()
    world.service.behave(status=429, headers=(("Retry-After", "60"),))
    mount.touch()
    assert code(mount.read()) == 702
    world.service.normal()
    mount.touch()
    text = mount.read()
    assert body(text) == GOLDEN and code(text) == 702
    assert world.service.count == 2


def test_retry_after_is_clamped_and_then_tried(world):
    mount = world.mount("--min-refresh=0s", "--wait=500ms")
    world.service.queue(status=503, headers=(("Retry-After", "0"),))
    assert code(mount.read()) in (701, 702)
    wait_until(lambda: mount.read() == GOLDEN, "the retry after the clamped time")
    first, second = world.service.requests
    assert second.began - first.began > 0.9
