# SPDX-License-Identifier: Apache-2.0
"""Every failure of service and token endpoint: what a reader sees cold and warm, and recovery."""
from __future__ import annotations

import re

import pytest

from lib.faults import SERVICE, TOKEN
from lib.text import body, code, comments, profiles
from lib.world import GOLDEN


@pytest.fixture
def mount(world):
    """Waits longer than a fetch may take, so that each read shows how its fetch ended."""
    return world.mount("--min-refresh=0s", "--fetch-timeout=700ms", "--wait=60s", "--stale-wait=60s")


def check_text(text: str, kept: bool, codes: set) -> None:
    assert code(text) in codes
    assert body(text) == (GOLDEN if kept else "")
    if not kept:
        assert profiles(text) == []
    top = "\n".join(comments(text))
    assert re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", top), "no time since when"
    for word in ("html", "SSH", "credential_process", "injected", "evil"):
        assert word not in top.replace("text/html", ""), "foreign words in the text"


def walk(world, mount, server, fault: dict, codes: set) -> None:
    """Cold, recovered, warm, recovered again: without a restart, without anybody hanging."""
    server.behave(**fault)
    check_text(mount.read(), False, codes)
    error = mount.status()["error"]
    assert int(error["code"].removeprefix("IRSAFS-E")) in codes
    server.normal()
    mount.touch()
    assert mount.read() == GOLDEN
    server.behave(**fault)
    mount.touch()
    check_text(mount.read(), not codes & {601}, codes)
    server.normal()
    mount.touch()
    assert mount.read() == GOLDEN
    mount.wait_state("fresh", timeout=1)


@pytest.mark.parametrize("name", SERVICE)
def test_failing_service(world, mount, name):
    walk(world, mount, world.service, *SERVICE[name])


@pytest.mark.parametrize("name", TOKEN)
def test_failing_token_endpoint(world, mount, name):
    walk(world, mount, world.tokens, *TOKEN[name])


@pytest.mark.parametrize("which, number", [("service", 503), ("tokens", 401)])
def test_refused_connections(world, which, number):
    server = getattr(world, which)
    mount = world.mount("--min-refresh=0s", "--wait=1s", "--stale-wait=1s")
    server.refuse()
    check_text(mount.read(), False, {number})
    server.accept()
    mount.touch()
    assert mount.read() == GOLDEN
    server.refuse()
    mount.touch()
    check_text(mount.read(), True, {number})
    server.accept()
    mount.touch()
    assert mount.read() == GOLDEN


def test_no_post_without_a_token(world, mount):
    world.tokens.behave(status=500)
    mount.read()
    assert world.tokens.count >= 1 and world.service.connections == 0


def test_redirects_are_not_followed(world, mount):
    world.service.behave(status=307, headers=(("Location", world.service.origin + "/x"),))
    assert code(mount.read()) == 805
    assert world.service.connections == 1


def test_one_401_is_cured_by_a_new_token(world, mount):
    world.service.queue(status=401)
    assert mount.read() == GOLDEN
    assert (world.tokens.count, world.service.count) == (2, 2)


def test_lasting_401_and_403_are_asked_twice_only(world, mount):
    for status in (401, 403):
        before = world.service.count
        world.service.behave(status=status)
        mount.touch()
        mount.read()
        assert world.service.count - before <= 2


def test_empty_answer_means_no_roles(world, mount):
    assert mount.read() == GOLDEN
    world.service.roles = []
    mount.touch()
    text = mount.read()
    assert len(comments(text)) == 1 and body(text) == ""
    assert "the mapping service maps no role to you" in text
    status = mount.wait_state("fresh", timeout=1)
    assert (status["profiles"], status["error"], status["stale"]) == (0, None, False)


def test_expired_token_is_still_tried(world, mount):
    world.tokens.exp_in = -3600
    assert mount.read() == GOLDEN


def test_opaque_token_with_line_end_is_used(world, mount):
    world.tokens.raw, world.tokens.suffix = "opaque-token-0123456789", "\r\n"
    assert mount.read() == GOLDEN


def test_large_answer_is_served_whole(world, mount):
    world.service.stamped = True
    text = mount.read()
    assert len(text) > 90_000 and text.endswith("\n") and len(profiles(text)) > 80
    assert len(mount.config.read_bytes()) == mount.config.stat().st_size == len(text)
