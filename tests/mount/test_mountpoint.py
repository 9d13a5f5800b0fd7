# SPDX-License-Identifier: Apache-2.0
"""What may be at the mount point: nothing, our names, a dead irsafs; and what must be refused."""
from __future__ import annotations

import os
import signal
import subprocess

import pytest

from lib.mount import mounts_at
from lib.procs import children
from lib.program import check_output, run, run_irsafs
from lib.wait import wait_until
from lib.world import GOLDEN

ONE_LAYER = ["fuse.irsafs"]


def refuse(world, path, exit_code: int, number: int, *words: str) -> None:
    """Demands that a daemon refuses the path with this exit code, error number and these words."""
    before = mounts_at(path)
    ran = run_irsafs(["mount", path], world.env(), timeout=20)
    assert ran.code == exit_code, ran.err
    assert f"IRSAFS-E{number}" in ran.err
    for word in (str(path), *words):
        assert word in ran.err
    assert mounts_at(path) == before


def test_missing(world):
    path = world.folder / "missing"
    refuse(world, path, 9, 903)
    assert not path.exists()


def test_not_a_directory(world):
    path = world.folder / "file"
    path.touch()
    refuse(world, path, 9, 904)


def test_not_empty(world):
    path = world.folder / "aws0"
    path.mkdir()
    (path / "credentials").write_text("mine")
    refuse(world, path, 9, 905, "--allow-nonempty")
    mount = world.mount("--allow-nonempty", path=path)
    assert mount.read() == GOLDEN
    mount.stop()
    assert (path / "credentials").read_text() == "mine"


def test_our_own_names_do_not_count(world):
    path = world.folder / "aws0"
    path.mkdir()
    for name in ("config", "refresh", "status"):
        (path / name).write_text("left by another version")
    assert world.mount(path=path).read() == GOLDEN


def test_already_served(world):
    first = world.mount()
    assert first.read() == GOLDEN
    refuse(world, first.path, 10, 101)
    assert mounts_at(first.path) == ONE_LAYER
    assert first.read() == GOLDEN and first.process.poll() is None


def test_dead_mount_is_replaced(world):
    mount = world.mount()
    assert mount.read() == GOLDEN
    for _ in range(3):
        mount.kill()
        assert mounts_at(mount.path) == ONE_LAYER
        mount.start()
        assert mounts_at(mount.path) == ONE_LAYER
        assert mount.read() == GOLDEN
    mount.stop()


def test_silent_mount_is_left_alone(world):
    first = world.mount()
    os.kill(first.worker, signal.SIGSTOP)
    try:
        refuse(world, first.path, 10, 102, "does not answer")
        assert mounts_at(first.path) == ONE_LAYER
    finally:
        os.kill(first.worker, signal.SIGCONT)
    assert first.read() == GOLDEN


def test_the_end_that_is_asked_for_before_the_mount_is_not_lost(world):
    """As process 1 of a container irsafs would not even be ended by it."""
    first = world.mount()
    second = world.prepare(path=first.path)
    worker = first.worker
    os.kill(worker, signal.SIGSTOP)
    second.launch()
    wait_until(lambda: children(second.process.pid), "a look at the mount that is there")
    second.process.send_signal(signal.SIGTERM)
    first.kill()
    os.kill(worker, signal.SIGKILL)
    assert second.wait_exit() == 0
    second.process = None
    assert "stopping" in second.log() and mounts_at(first.path) == []


def test_another_mount_is_a_directory_like_others(world):
    path = world.folder / "aws0"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "volume", path], check=True)
    try:
        mount = world.mount(path=path)
        assert mounts_at(path) == ["tmpfs", "fuse.irsafs"]
        assert mount.read() == GOLDEN
        mount.process.send_signal(signal.SIGTERM)
        assert mount.wait_exit() == 0
        mount.process = None
        assert mounts_at(path) == ["tmpfs"]
    finally:
        subprocess.run(["umount", "-R", path], check=True)


def test_default_mount_point_is_the_directory_of_the_config(world):
    path = world.folder / "aws0"
    mount = world.prepare(env=world.env(AWS_CONFIG_FILE=str(path / "config")))
    mount.arguments.remove(str(path))
    assert mount.start().read() == GOLDEN


@pytest.mark.parametrize("relative", [True, False], ids=["relative", "trailing slash"])
def test_other_spellings_of_the_path(world, relative):
    path = world.folder / "aws0"
    mount = world.prepare()
    spelling = os.path.relpath(path, "/") if relative else f"{path}/"
    mount.arguments[mount.arguments.index(str(path))] = spelling
    assert mount.start().read() == GOLDEN
    assert mount.status()["mountpoint"] == str(path)


def test_somebody_else_unmounts(world):
    mount = world.mount()
    assert run(["umount", mount.path]).code == 0
    assert mount.wait_exit() != 0
    mount.process = None
    assert "IRSAFS-E907" in mount.log()
    check_output(mount.log(), world.secrets())


def test_the_volume_below_stays_when_somebody_else_unmounts(world):
    """In a pod the mount point is the root of a volume: it must not be taken away with our mount."""
    path = world.folder / "volume"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "volume", path], check=True)
    try:
        mount = world.mount(path=path)
        assert mounts_at(path) == ["tmpfs", "fuse.irsafs"]
        assert run(["umount", path]).code == 0
        assert mount.wait_exit() == 9
        mount.process = None
        assert mounts_at(path) == ["tmpfs"]
    finally:
        subprocess.run(["umount", "-R", path], check=True)


def test_a_mount_over_ours_stays(world):
    mount = world.mount()
    subprocess.run(["mount", "-t", "tmpfs", "over", mount.path], check=True)
    try:
        mount.process.send_signal(signal.SIGTERM)
        assert mount.wait_exit() == 0
        mount.process = None
        assert mounts_at(mount.path) == ["fuse.irsafs", "tmpfs"]
    finally:
        subprocess.run(["umount", mount.path], check=True)


def test_a_mount_point_may_have_any_name(world):
    path = world.folder / "a b\tc\\d\udcff"
    path.mkdir()
    mount = world.mount(path=path)
    assert mount.read() == GOLDEN
    assert mount.status()["mountpoint"].endswith("/a b\tc\\d?".replace("\t", "?"))
