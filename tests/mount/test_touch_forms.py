# SPDX-License-Identifier: Apache-2.0
"""`refresh` takes every form of a touch, from root and from the user of a run container."""
from __future__ import annotations

import pytest

from lib.program import run, run_as_user
from standin.mapping import render, role

ONE_CALL = {                           # what the kernel sends as one request
    "touch": "touch {}",
    "touch -c": "touch -c {}",
    "colon": ": > {}",
    "append": "echo x >> {}",
    "truncate": "truncate -s 0 {}",
    "utimensat": "/usr/bin/python3 -c 'import os; os.utime(\"{}\")'",
    "path.touch": "/usr/bin/python3 -c 'import pathlib; pathlib.Path(\"{}\").touch()'",
}
TWO_CALLS = {                          # O_TRUNC and data
    "echo": "echo x > {}",
    "cp": "cp /etc/hostname {}",
    "tee": "echo x | tee {}",
    "dd": "dd if=/etc/hostname of={} status=none",
}


def touch_and_count(world, command: str, runner) -> int:
    """Touches a fresh text and gives the number of requests that led to."""
    mount = world.mount("--min-refresh=0s")
    mount.read()
    world.service.roles = [role("new")]
    ran = runner(["sh", "-c", command.format(mount.refresh)])
    assert (ran.code, ran.err) == (0, "")
    assert mount.read() == render([role("new")])
    mount.wait_idle()
    assert mount.read() == render([role("new")])
    assert mount.refresh.stat().st_size == 0
    return world.service.count - 1


@pytest.mark.parametrize("runner", [run, run_as_user], ids=["root", "user"])
@pytest.mark.parametrize("form", ONE_CALL)
def test_one_touch_is_one_fetch(world, form, runner):
    assert touch_and_count(world, ONE_CALL[form], runner) == 1


@pytest.mark.parametrize("runner", [run, run_as_user], ids=["root", "user"])
@pytest.mark.parametrize("form", TWO_CALLS)
def test_truncating_and_writing_is_a_touch(world, form, runner):
    assert touch_and_count(world, TWO_CALLS[form], runner) in (1, 2)


@pytest.mark.parametrize("option", ["-a", "-m", "-d 2020-01-01", "-r /etc/hostname"])
def test_owner_may_set_any_time(world, option):
    assert touch_and_count(world, f"touch {option} {{}}", run) == 1


def test_large_writes_are_swallowed(world):
    mount = world.mount()
    assert run(["sh", "-c", f"head -c 3000000 /dev/zero > {mount.refresh}"]).code == 0
    assert mount.refresh.read_bytes() == b""
