# SPDX-License-Identifier: Apache-2.0
"""A text belongs to the user and run it was fetched for: nobody else is shown it."""
from __future__ import annotations

import pytest

from lib.text import body, code, profiles
from lib.world import GOLDEN, RUN
from standin.mapping import render, role

OTHER_RUN = "64aabbccddeeff0011223344"


@pytest.fixture
def mount(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    assert mount.read() == GOLDEN
    return mount


def test_another_user_never_sees_the_old_text(world, mount):
    world.tokens.sub = "eve"
    world.service.behave(status=500)
    mount.touch()
    text = mount.read()
    assert (profiles(text), body(text), code(text)) == ([], "", 701)


def test_another_run_never_sees_the_old_text(world, mount):
    world.service.runs[OTHER_RUN] = "jane"
    world.labels.run(OTHER_RUN)
    world.service.behave(status=500)
    mount.touch()
    text = mount.read()
    assert (profiles(text), body(text), code(text)) == ([], "", 701)


def test_another_user_gets_the_own_text(world, mount):
    world.tokens.sub = "eve"
    world.service.runs[RUN] = "eve"
    world.service.roles_of["eve"] = [role("eves")]
    mount.touch()
    assert mount.read() == render([role("eves")])


def test_the_same_user_and_run_keep_it(world, mount):
    world.service.behave(status=500)
    mount.touch()
    assert body(mount.read()) == GOLDEN


def test_without_a_token_it_is_kept(world, mount):
    world.tokens.behave(status=500)
    mount.touch()
    text = mount.read()
    assert (body(text), code(text)) == (GOLDEN, 401)
