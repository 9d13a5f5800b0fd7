# SPDX-License-Identifier: Apache-2.0
"""How it ends: SIGTERM at the worst moment, SIGKILL again and again, and the kernel's own abort."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lib.mount import STOP_SECONDS, mounts_at
from lib.program import environment, run
from lib.text import body, code
from lib.wait import wait_until
from lib.world import GOLDEN

START_SECONDS = 15.0                   # the promise is 5 s; the rest is for slow machines


def state(pid: int) -> str:
    """The state letter of a process, "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def start_readers(mount, count: int) -> list:
    readers = [
        subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        for _ in range(count)
    ]
    mount.wait_waiters(count)
    return readers


def check_nobody_hangs(processes: list) -> None:
    wait_until(lambda: all(state(p.pid) != "D" for p in processes), "nobody in D state", STOP_SECONDS)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "touched"])
def test_sigterm_at_the_worst_moment(world, warm):
    """100 waiters, open handles, a mapping, working directories inside, a fetch that hangs."""
    mount = world.mount("--wait=60s", "--min-refresh=0s")
    if warm:
        mount.read()
    gate = world.service.hold()
    held = [os.open(mount.path / name, os.O_RDONLY) for name in (["config"] if warm else []) + ["status", "refresh", "."]]
    inside = [subprocess.Popen(["sleep", "600"], cwd=mount.path) for _ in range(3)]
    if warm:
        mount.touch()
    readers = start_readers(mount, 100)
    gate.wait_arrived()
    try:
        mount.stop()                   # exit 0 in time, and no mount
        check_nobody_hangs([*readers, *inside])
        for reader in readers:
            out, err = reader.communicate(timeout=STOP_SECONDS)
            assert (reader.returncode, err) == (0, b"")
            assert code(out.decode()) != 0 and body(out.decode()) == (GOLDEN if warm else "")
        assert [p.poll() for p in inside] == [None] * 3
    finally:
        for process in (*inside, *readers):
            process.kill()
            process.wait()
        for fd in held:
            os.close(fd)
        gate.release()
    assert os.listdir(mount.path) == []


def test_sigterm_while_a_touch_storm_runs(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    script = f"while touch -c {mount.refresh} && cat {mount.config} > /dev/null; do :; done"
    storm = [subprocess.Popen(["sh", "-c", script], stderr=subprocess.DEVNULL, env=environment()) for _ in range(8)]
    wait_until(lambda: world.service.count > 20, "a storm")
    mount.stop()
    for process in storm:
        process.wait(STOP_SECONDS)
    check_nobody_hangs(storm)


def restart(mount) -> None:
    begin = time.monotonic()
    mount.start()
    assert mount.read() == GOLDEN
    assert time.monotonic() - begin < START_SECONDS
    assert mounts_at(mount.path) == ["fuse.irsafs"]


def test_killed_and_started_twenty_times(world):
    """Each time while readers wait, handles are open and somebody stands in the directory."""
    mount = world.mount("--wait=60s", "--min-refresh=0s")
    for _ in range(20):
        mount.read()
        held = os.open(mount.config, os.O_RDONLY)
        inside = subprocess.Popen(["sleep", "600"], cwd=mount.path)
        gate = world.service.hold()
        mount.touch()
        readers = start_readers(mount, 5)
        mount.kill()
        gate.release()
        world.service.normal()
        restart(mount)
        check_nobody_hangs([*readers, inside])
        for process in (*readers, inside):
            process.kill()
            process.communicate()
        os.close(held)
    mount.stop()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGQUIT], ids=lambda n: n.name)
def test_crashed_daemon_is_replaced(world, number):
    mount = world.mount()
    mount.read()
    mount.process.send_signal(number)
    mount.process.wait(STOP_SECONDS)
    mount.process = None
    restart(mount)


# ---- the kernel ends it

@pytest.fixture
def connections(world):
    """fusectl, mounted for the test."""
    folder = world.folder / "connections"
    folder.mkdir()
    assert run(["mount", "-t", "fusectl", "irsafs-test", folder]).code == 0
    yield folder
    run(["umount", "-l", folder])


def abort(connections, mount) -> None:
    (connections / str(os.minor(mount.path.stat().st_dev)) / "abort").write_text("1")


def check_end(mount) -> None:
    assert mount.wait_exit() == 9
    mount.process = None
    assert "IRSAFS-E907" in mount.log()
    assert mounts_at(mount.path) == []


def test_abort_of_the_connection(world, connections):
    mount = world.mount()
    mount.read()
    abort(connections, mount)
    check_end(mount)
    restart(mount)


def test_abort_with_waiters(world, connections):
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    readers = start_readers(mount, 50)
    gate.wait_arrived()
    abort(connections, mount)
    check_end(mount)
    check_nobody_hangs(readers)
    for reader in readers:             # the kernel has answered them itself
        out, _ = reader.communicate(timeout=STOP_SECONDS)
        assert out == b"" and reader.returncode == 1
    gate.release()
    world.service.normal()
    restart(mount)


# ---- where it begins again

def test_busy_mount_point(world):
    """Somebody stands in the directory and has a file of it open, before the mount and after it."""
    mount = world.prepare()
    (mount.path / "config").write_text("an older file of our name\n")
    inside = subprocess.Popen(["sleep", "600"], cwd=mount.path)
    with (mount.path / "config").open() as held:
        mount.start()
        assert mount.read() == GOLDEN
        mount.stop()
        assert held.read() == "an older file of our name\n"
    inside.kill()
    inside.wait()
    assert (mount.path / "config").read_text() == "an older file of our name\n"


def test_second_daemon_changes_nothing(world):
    """Ten that want the same place at once: one serves, the others say why, nobody is harmed."""
    mount = world.mount()
    assert mount.read() == GOLDEN
    others = [subprocess.Popen(mount.arguments, env=world.env(), stderr=subprocess.PIPE, text=True) for _ in range(10)]
    for other in others:
        _, err = other.communicate(timeout=START_SECONDS)
        assert other.returncode == 10 and "IRSAFS-E101" in err
    assert mounts_at(mount.path) == ["fuse.irsafs"]
    assert mount.read() == GOLDEN and world.service.count == 1


def test_many_that_start_at_the_same_moment(world):
    """On a free mount point: one layer, one serves, the others end with exit 10."""
    for _ in range(5):
        mount = world.prepare()
        racers = [subprocess.Popen(mount.arguments, env=world.env(), stderr=subprocess.DEVNULL) for _ in range(10)]
        wait_until(lambda: sum(racer.poll() is None for racer in racers) == 1, "one that is left", START_SECONDS)
        mount.process = next(racer for racer in racers if racer.poll() is None)
        assert sorted(racer.returncode for racer in racers if racer is not mount.process) == [10] * 9
        mount.wait_mounted()
        assert mounts_at(mount.path) == ["fuse.irsafs"]
        assert mount.read() == GOLDEN
        mount.stop()
