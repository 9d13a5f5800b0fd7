# SPDX-License-Identifier: Apache-2.0
"""Every odd call on a mount, as root, as the user of a run, and as root of a user namespace.

The calls are in odd_calls.py, what each of them answers in odd_calls.txt: nothing changes a file, nothing
is "not implemented" and nothing is an I/O error.
"""
from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lib.program import TESTS, USER, check_output, public, run
from lib.world import GOLDEN, World

AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
CALLERS = {"root": (), "user": AS_USER, "namespace": (*AS_USER, "unshare", "-Ur")}


def table() -> dict:
    """Name of a call -> what it answers root, and what everybody else; `a|b` where kernels differ."""
    rows = {}
    for line in (TESTS / "host" / "odd_calls.txt").read_text().splitlines():
        if not line.startswith("#"):
            name, root, others = (part.strip() for part in line.split(" / "))
            rows[name] = {"root": root.split("|"), "user": others.split("|"), "namespace": others.split("|")}
    return rows


ROWS = table()


class Seen:
    """One mount before and after all the calls, and what each caller saw."""

    def __init__(self) -> None:
        world = World()
        try:
            self.mount = world.mount("--min-refresh=0s", "--log-level=debug")
            self.before = self.look()
            self.outcomes = {caller: self.run(world.folder / caller, prefix) for caller, prefix in CALLERS.items()}
            self.after = self.look()
            self.posts = world.service.count
        finally:
            world.close()

    def look(self) -> tuple:
        config = self.mount.config.stat()
        modes = [(self.mount.path / name).stat().st_mode for name in (".", "config", "refresh", "status")]
        return self.mount.read(), config.st_ino, config.st_mtime_ns, modes, sorted(os.listdir(self.mount.path))

    def run(self, scratch: Path, prefix: tuple) -> dict:
        scratch.mkdir()
        scratch.chmod(0o777)
        script = public(TESTS / "host" / "odd_calls.py")
        ran = run([*prefix, "/usr/bin/python3", "-B", script, self.mount.path, scratch], timeout=120)
        check_output(ran.err, [])
        assert ran.code == 0, ran.err
        return json.loads(ran.out)


@pytest.fixture(scope="module")
def seen():
    return Seen()


@pytest.mark.parametrize("name", ROWS)
def test_odd_call(seen, name):
    wrong = {
        caller: outcomes[name] for caller, outcomes in seen.outcomes.items() if outcomes[name] not in ROWS[name][caller]
    }
    assert not wrong


def test_no_call_is_left_out(seen):
    assert set(seen.outcomes["root"]) == set(ROWS)


def test_none_is_not_implemented_and_none_is_an_io_error(seen):
    bad = {
        (caller, name): outcome
        for caller, outcomes in seen.outcomes.items()
        for name, outcome in outcomes.items()
        if outcome in ("ENOSYS", "EIO", "ECONNABORTED", "ENOTCONN", "SIGALRM") or "Error" in outcome
    }
    assert not bad


def test_nothing_has_changed_and_nobody_was_asked(seen):
    assert seen.after == seen.before and seen.before[0] == GOLDEN
    assert seen.posts == 1
