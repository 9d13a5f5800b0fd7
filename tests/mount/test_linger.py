# SPDX-License-Identifier: Apache-2.0
"""--linger: a sidecar among the app containers serves on when the pod is told to end."""
from __future__ import annotations

import os
import signal

import pytest

from lib.mount import mounts_at
from lib.procs import Family
from lib.wait import wait_until
from lib.world import GOLDEN


def end(mount, number=signal.SIGTERM) -> None:
    mount.process.send_signal(number)


def wait_lingering(mount) -> None:
    wait_until(lambda: " lingering " in mount.log(), "the word that it serves on")


def wait_end(mount) -> None:
    family = Family(mount.process.pid)
    assert mount.wait_exit(20.0) == 0
    mount.process = None
    assert "fuse.irsafs" not in mounts_at(mount.point)
    family.wait_gone()


@pytest.mark.parametrize("args", [(), ("--layout=subdir",)], ids=["root", "subdir"])
def test_serves_on_until_the_second_signal(world, args):
    mount = world.mount("--linger=10m", "--min-refresh=0s", *args)
    assert mount.read() == GOLDEN
    end(mount)
    wait_lingering(mount)
    generation = mount.status()["generation"]
    mount.touch()
    assert mount.read() == GOLDEN and mount.status()["generation"] > generation, "no fetch any more"
    assert "stopping" not in mount.log()
    end(mount)
    wait_end(mount)
    assert mount.log().count(" stopping ") == mount.log().count(" unmounted ") == 1


def test_ends_by_itself_when_the_time_is_over(world):
    mount = world.mount("--linger=500ms")
    assert mount.read() == GOLDEN
    end(mount)
    wait_end(mount)
    assert " lingering for_ms=500" in mount.log() and " unmounted " in mount.log()


def test_who_reads_for_the_first_time_is_served_too(world):
    mount = world.mount("--linger=10m")
    end(mount)
    wait_lingering(mount)
    assert mount.read() == GOLDEN
    end(mount)
    wait_end(mount)


def test_a_worker_that_dies_meanwhile_is_replaced(world):
    mount = world.mount("--linger=10m")
    assert mount.read() == GOLDEN
    end(mount)
    wait_lingering(mount)
    worker = mount.worker
    os.kill(worker, signal.SIGKILL)
    assert mount.read() == GOLDEN
    wait_until(lambda: mount.worker not in (worker, mount.process.pid), "another worker")
    assert mount.read() == GOLDEN
    end(mount)
    wait_end(mount)


def test_a_person_at_the_terminal_does_not_wait(world):
    mount = world.mount("--linger=10m")
    end(mount, signal.SIGINT)
    wait_end(mount)
    assert "lingering" not in mount.log()


@pytest.mark.parametrize("env", [{}, {"IRSAFS_LINGER": "0s"}], ids=["default", "0s"])
def test_off(world, env):
    mount = world.mount(env=world.env(**env))
    mount.stop()
    assert "lingering" not in mount.log()


def test_the_setting_of_the_environment(world):
    mount = world.mount(env=world.env(IRSAFS_LINGER="10m"))
    end(mount)
    wait_lingering(mount)
    end(mount)
    wait_end(mount)
