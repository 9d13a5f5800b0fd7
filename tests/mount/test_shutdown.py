# SPDX-License-Identifier: Apache-2.0
"""The end: readers are answered, the mount is gone, nothing stays behind."""
from __future__ import annotations

import signal
import subprocess

import pytest

from lib.mount import mounts_at
from lib.procs import Family
from lib.program import environment
from lib.text import body, code
from lib.world import GOLDEN


def start_readers(mount, count: int) -> list:
    readers = [
        subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        for _ in range(count)
    ]
    mount.wait_waiters(count)
    return readers


def ends(readers: list) -> list:
    return [(*reader.communicate(timeout=10), reader.returncode) for reader in readers]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_idle_daemon(world, number):
    mount = world.mount()
    mount.read()
    family = Family(mount.process.pid)
    mount.process.send_signal(number)
    assert mount.wait_exit() == 0
    mount.process = None
    assert mounts_at(mount.path) == []
    family.wait_gone()


def test_before_the_first_look(world):
    world.mount().stop()


def test_clean_end_is_no_death(world):
    """Whether the supervisor hears of the worker's end by its message or by its exit first."""
    for _ in range(100):
        mount = world.mount()
        mount.stop()
        assert "process_died" not in mount.log()


def test_waiters_on_a_cold_file_are_answered(world):
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    readers = start_readers(mount, 50)
    gate.wait_arrived()
    family = Family(mount.process.pid)
    mount.stop()
    family.wait_gone()
    for out, err, returncode in ends(readers):
        assert (err, returncode) == (b"", 0)
        assert body(out.decode()) == "" and code(out.decode()) != 0
    gate.release()


def test_waiters_on_a_touched_file_get_the_last_good_text(world):
    mount = world.mount("--wait=60s", "--min-refresh=0s")
    mount.read()
    gate = world.service.hold()
    mount.touch()
    readers = start_readers(mount, 20)
    mount.stop()
    for out, err, returncode in ends(readers):
        assert (err, returncode) == (b"", 0)
        assert body(out.decode()) == GOLDEN and code(out.decode()) != 0
    gate.release()


def test_open_files_and_working_directories_do_not_hold_it(world):
    mount = world.mount()
    mount.read()
    inside = subprocess.Popen(["sleep", "60"], cwd=mount.path)
    try:
        with mount.config.open() as held:
            mount.stop()
            assert held.readable()
    finally:
        inside.kill()
        inside.wait()


def test_second_signal_changes_nothing(world):
    mount = world.mount()
    mount.read()
    mount.process.send_signal(signal.SIGTERM)
    mount.process.send_signal(signal.SIGTERM)
    assert mount.wait_exit() == 0
    mount.process = None
    assert mounts_at(mount.path) == []


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE], ids=lambda n: n.name)
def test_other_signals_do_not_end_it(world, number):
    mount = world.mount()
    mount.process.send_signal(number)
    assert mount.read() == GOLDEN
    assert mount.process.poll() is None


def test_killed_daemon_takes_everything_with_it(world):
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    readers = start_readers(mount, 20)
    gate.wait_arrived()
    family = Family(mount.process.pid)
    mount.kill()
    family.wait_gone()
    for out, _, returncode in ends(readers):
        assert out == b"" and returncode == 1
    gate.release()
