# SPDX-License-Identifier: Apache-2.0
"""An outage costs one bounded wait, however many looks a program makes and whenever it comes."""
from __future__ import annotations

import json
import subprocess
import time

import pytest

from lib.program import environment, run
from lib.text import body, code, profiles
from lib.wait import wait_until
from lib.world import GOLDEN

EIGHT_OPENS = """
import json, sys, time
began = time.monotonic()
texts = [open(sys.argv[1]).read() for _ in range(8)]
print(json.dumps([time.monotonic() - began, texts]))
"""


def eight_opens(mount) -> tuple:
    """Seconds and texts of a program that opens the file eight times."""
    seconds, texts = json.loads(run(["/usr/bin/python3", "-c", EIGHT_OPENS, mount.config], timeout=60).out)
    return seconds, set(texts)


def test_cold_file(world):
    mount = world.mount("--wait=2s")
    gate = world.service.hold()
    seconds, texts = eight_opens(mount)
    assert 1.5 < seconds < 8           # one wait, not eight
    assert len(texts) == 1
    text = texts.pop()
    assert code(text) == 501 and profiles(text) == []
    gate.release()                     # the flight went on and publishes
    wait_until(lambda: mount.read() == GOLDEN, "the text of the flight")
    assert world.service.count == 1


def test_touched_file(world):
    mount = world.mount("--wait=2s", "--min-refresh=0s")
    mount.read()
    gate = world.service.hold()
    mount.touch()
    gate.wait_arrived()
    seconds, texts = eight_opens(mount)
    assert 1 < seconds < 8
    assert len(texts) == 1
    text = texts.pop()
    assert code(text) == 501 and body(text) == GOLDEN
    assert mount.status()["stale"] is True
    gate.release()
    wait_until(lambda: mount.read() == GOLDEN, "the text of the flight")
    assert world.service.count == 2


def test_expired_file(world):
    mount = world.mount("--wait=60s", "--stale-wait=1s", "--ttl=1s")
    mount.read()
    gate = world.service.hold()
    mount.wait_status(lambda s: s["state"] not in ("fresh", "aging"), "the end of the TTL")
    seconds, texts = eight_opens(mount)
    assert 0.7 < seconds < 5
    assert [(code(text), body(text)) for text in texts] == [(501, GOLDEN)]
    gate.release()


def start_by_reader(world) -> tuple:
    mount = world.mount("--wait=3s")
    return mount, subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, env=environment())


def start_by_prefetch(world) -> tuple:
    return world.mount("--wait=3s", "--prefetch"), None


@pytest.mark.parametrize("start", [start_by_reader, start_by_prefetch], ids=lambda start: start.__name__)
def test_a_late_reader_waits_for_the_rest_only(world, start):
    gate = world.service.hold()
    began = time.monotonic()
    mount, first = start(world)
    gate.wait_arrived()
    wait_until(lambda: time.monotonic() - began > 2, "two of the three seconds")
    second = run(["cat", mount.config])
    assert time.monotonic() - began < 4.7   # 5 s and more if each reader had its own wait
    assert code(second.out.decode()) == 501
    if first:
        assert first.communicate(timeout=10)[0] == second.out
    gate.release()


def test_failed_service_answers_every_look_at_once(world):
    world.service.behave(status=500)
    mount = world.mount("--wait=60s", "--stale-wait=60s")
    assert code(mount.read()) == 701
    ino = mount.config.stat().st_ino
    _, texts = eight_opens(mount)
    assert [code(text) for text in texts] == [701]
    assert world.service.count <= 2    # the second only when the back-off had passed
    if world.service.count == 1:
        assert mount.config.stat().st_ino == ino


def test_containers_may_start_in_any_order(world):
    world.service.refuse()
    world.tokens.refuse()
    mount = world.mount("--wait=60s")
    reader = subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, env=environment())
    mount.wait_waiters(1)
    world.tokens.accept()
    world.tokens.wait_requests(2)      # tried again and again while the service refuses
    assert reader.poll() is None
    world.service.accept()
    assert reader.communicate(timeout=30)[0] == GOLDEN.encode()
