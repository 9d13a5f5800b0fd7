# SPDX-License-Identifier: Apache-2.0
"""A host that is short of something: descriptors, processes, standard streams, a writable disk, time on a CPU."""
from __future__ import annotations

import fcntl
import itertools
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lib.inside import Inside
from lib.mount import mounts_at
from lib.procs import children, set_soft_limit
from lib.program import BUILD, environment, run
from lib.text import body, code
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import render, role

QUICK = ("--min-refresh=0s", "--wait=60s", "--stale-wait=60s")
NEW = render([role("new")])


def check_stale(mount, *codes: int) -> None:
    """The last good text, and above it why it is not a new one."""
    text = mount.read()
    assert code(text) in codes and body(text) == GOLDEN


def readers_of(mount, count: int) -> list:
    readers = [
        subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, env=environment()) for _ in range(count)
    ]
    mount.wait_waiters(count)
    return readers


# ---- descriptors

def test_forty_descriptors_are_enough(world):
    """Readers cost the daemon none: 100 wait at once, and a hundred fetches leave none behind."""
    mount = world.mount(*QUICK, prefix=("prlimit", "--nofile=40"))
    gate = world.service.hold()
    readers = readers_of(mount, 100)
    gate.release()
    assert {reader.communicate(timeout=30)[0] for reader in readers} == {GOLDEN.encode()}
    world.service.normal()
    for _ in range(100):
        mount.touch()
        assert mount.read() == GOLDEN
    assert len(os.listdir(f"/proc/{mount.worker}/fd")) < 20


@pytest.mark.parametrize("number", [3, 2], ids=["supervisor", "worker"])
def test_no_descriptor_left(world, number):
    """No fetch can begin, or end: the text says so, last-good stays; when there are descriptors again, all is well."""
    mount = world.mount(*QUICK)
    pid = mount.process.pid if number == 3 else mount.worker
    enough = re.search(r"^Max open files +(\d+)", Path(f"/proc/{pid}/limits").read_text(), re.M)[1]
    set_soft_limit(pid, "nofile", "3")
    assert code(mount.read()) == number and body(mount.read()) == ""
    set_soft_limit(pid, "nofile", enough)
    mount.touch()
    assert mount.read() == GOLDEN
    set_soft_limit(pid, "nofile", "3")
    mount.touch()
    check_stale(mount, number)
    assert mount.status()["error"]["class"] == "local"
    set_soft_limit(pid, "nofile", enough)
    world.service.roles = [role("new")]
    mount.touch()
    assert mount.read() == NEW


def test_descriptors_too_few_to_start(world):
    mount = world.prepare(prefix=("prlimit", "--nofile=6"))
    mount.launch()
    assert mount.wait_exit() in (9, 75)
    mount.process = None
    assert "IRSAFS-E" in mount.log() and mounts_at(mount.path) == []


# ---- processes

@pytest.fixture
def cgroup(world):
    """A cgroup of ours with a limit on processes; mounted for the test."""
    root = world.folder / "cgroup"
    root.mkdir()
    for options in (["-t", "cgroup", "-o", "pids"], ["-t", "cgroup2"]):
        if run(["mount", *options, "irsafs-test", root]).code == 0:
            break
    else:
        pytest.fail("no cgroup file system can be mounted")
    group = root / f"irsafs-test-{os.getpid()}"
    if "cgroup2" in options:
        (root / "cgroup.subtree_control").write_text("+pids")
    group.mkdir()
    yield group
    for pid in (group / "cgroup.procs").read_text().split():
        (root / "cgroup.procs").write_text(pid)
    wait_until(lambda: not (group / "cgroup.procs").read_text(), "an empty cgroup")
    group.rmdir()
    run(["umount", "-l", root])
    root.rmdir()


def test_the_client_cannot_be_started(world, cgroup):
    mount = world.mount(*QUICK)
    pids = [mount.process.pid, *children(mount.process.pid)]
    for pid in pids:
        (cgroup / "cgroup.procs").write_text(str(pid))
    limit = cgroup / "pids.max"
    limit.write_text(str(len(pids)))   # those that stay
    assert code(mount.read()) == 3
    limit.write_text("max")
    mount.touch()
    assert mount.read() == GOLDEN
    limit.write_text(str(len(pids)))
    mount.touch()
    check_stale(mount, 3)
    limit.write_text(str(len(pids) + 1))  # the client starts, but gets no thread for its resolver
    world.service.roles = [role("new")]
    mount.touch()
    text = mount.read()
    assert text == NEW or (body(text) == GOLDEN and code(text) != 0)
    limit.write_text("max")
    mount.touch()
    assert mount.read() == NEW


# ---- a stopped daemon

LATE_READER = """
import sys, time
while time.monotonic() < float(sys.argv[2]):
    time.sleep(0.01)
print(open(sys.argv[1]).read(), end="")
"""


def pass_by(seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, what)


def test_stopped_and_continued(world):
    """What the kernel has is served while the daemon stands still; afterwards one fetch, not a storm."""
    mount = world.mount("--ttl=2s", "--min-refresh=0s", "--wait=60s")
    mount.read()
    pass_by(0.1, "the time in which attributes are not cached")
    mount.read()
    os.kill(mount.worker, signal.SIGSTOP)
    wait_until(lambda: ") T " in Path(f"/proc/{mount.worker}/stat").read_text(), "a stopped daemon")
    assert run(["cat", mount.config], timeout=1).out == GOLDEN.encode()
    expired = time.monotonic() + 2.2
    late = [
        subprocess.Popen(
            ["/usr/bin/python3", "-c", LATE_READER, mount.config, str(expired)], stdout=subprocess.PIPE, env=environment()
        )
        for _ in range(20)
    ]
    pass_by(2.7, "the end of the TTL")
    assert all(reader.poll() is None for reader in late)  # they wait for the daemon, as they must
    os.kill(mount.worker, signal.SIGCONT)
    assert {reader.communicate(timeout=10)[0] for reader in late} == {GOLDEN.encode()}
    mount.wait_idle()
    assert world.service.count == 2
    mount.wait_state("fresh", timeout=1)


def test_stopped_during_a_flight(world):
    """The client's own deadline and the daemon's pass while it is stopped: one answer, and a later success."""
    gate = world.service.hold()
    mount = world.mount("--fetch-timeout=1s", "--min-refresh=0s", "--wait=60s")
    readers = readers_of(mount, 5)
    gate.wait_arrived()
    os.kill(mount.worker, signal.SIGSTOP)
    pass_by(2, "all deadlines")
    os.kill(mount.worker, signal.SIGCONT)
    texts = {reader.communicate(timeout=10)[0].decode() for reader in readers}
    assert len(texts) == 1 and code(texts.pop()) == 504
    gate.release()
    world.service.normal()
    mount.touch()
    assert mount.read() == GOLDEN


def test_hardly_any_cpu(world):
    """Starved: late, but right, and no flight more than needed."""
    mount = world.mount("--min-refresh=0s", "--wait=60s", prefix=("nice", "-n", "19"))
    burners = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count() or 1)]
    try:
        for number in range(2):
            world.service.roles = [role(f"r{number}")]
            mount.touch()
            assert mount.read() == render([role(f"r{number}")])
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()
    assert world.service.count == 2


# ---- standard streams

STREAMS = {"stderr": "2>&-", "all": "<&- >&- 2>&-", "stdin and stdout": "<&- >&-", "stdout and stderr": ">&- 2>&-"}


@pytest.mark.parametrize("name", STREAMS)
def test_closed_streams(world, name):
    mount = world.mount(*QUICK, prefix=("sh", "-c", f'exec "$@" {STREAMS[name]}', "sh"))
    assert mount.read() == GOLDEN
    world.service.roles = [role("new")]
    mount.touch()
    assert mount.read() == NEW
    for pid, number in itertools.product({mount.process.pid, mount.worker}, range(3)):
        target = os.readlink(f"/proc/{pid}/fd/{number}")  # nothing of ours may stand where a program writes by habit
        assert "fuse" not in target and "memfd" not in target and "socket" not in target, target
    mount.stop()


class FullPipe:
    """A pipe that takes not a byte more, as the stderr of a program whose log nobody reads."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        fcntl.fcntl(self.write_end, fcntl.F_SETFL, os.O_NONBLOCK)
        try:
            while True:
                os.write(self.write_end, b"." * 65536)
        except BlockingIOError:
            pass
        try:
            while True:
                os.write(self.write_end, b".")
        except BlockingIOError:
            fcntl.fcntl(self.write_end, fcntl.F_SETFL, 0)

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


def drain(fd: int) -> bytes:
    os.set_blocking(fd, False)
    data = b""
    try:
        while True:
            data += os.read(fd, 65536)
    except BlockingIOError:
        return data


def test_nobody_reads_the_log(world):
    """Every line is dropped, none blocks; the number of them is told when there is room again."""
    pipe = FullPipe()
    mount = world.prepare(*QUICK, "--log-level=debug")
    mount.process = subprocess.Popen(
        mount.arguments, env=world.env(), cwd="/", stdin=subprocess.DEVNULL, stderr=pipe.write_end
    )
    mount.wait_mounted()
    assert mount.read() == GOLDEN
    for _ in range(20):
        mount.touch()
        assert mount.read() == GOLDEN
    drain(pipe.read_end)
    world.service.behave(status=500)
    mount.touch()
    assert code(mount.read()) == 701   # a change, so that a line is due
    log = drain(pipe.read_end)
    assert b"fetch_failed" in log and b"log_lines_lost" in log
    mount.stop()
    pipe.close()


def test_the_logs_reader_is_gone(world):
    """A broken pipe is neither a signal that ends the daemon nor an error of a reader."""
    read_end, write_end = os.pipe()
    mount = world.prepare(*QUICK, "--log-level=debug")
    mount.process = subprocess.Popen(mount.arguments, env=world.env(), cwd="/", stdin=subprocess.DEVNULL, stderr=write_end)
    os.close(write_end)
    os.close(read_end)
    mount.wait_mounted()
    for _ in range(5):
        mount.touch()
        assert mount.read() == GOLDEN
    mount.stop()


# ---- disks

NO_TMP = "mount -t tmpfs -o size=4k,mode=000,ro none /tmp"


def inside(world, setup: str, program: str = "", folder: str = "") -> Inside:
    path = world.folder / f"aws{len(world.mounts)}"
    path.mkdir()
    env = world.env(POD_INFO_PATH=str(world.labels.path).replace(str(world.folder), folder)) if folder else world.env()
    place = Path(str(path).replace(str(world.folder), folder)) if folder else path
    mount = Inside(path, list(QUICK), env, world.secrets, setup, program)
    if folder:
        mount.arguments[mount.arguments.index(str(path))] = str(place)
        mount._inside = place
    world.mounts.append(mount)
    return mount.start()


def check_serves(world, mount) -> None:
    assert mount.read() == GOLDEN
    world.service.roles = [role("new")]
    mount.touch()
    assert mount.read() == NEW
    assert mount.status()["state"] == "fresh"


def can_write(mount, place: str) -> bool:
    return run(["nsenter", "-m", "-t", str(mount.process.pid), "touch", f"{place}/irsafs-test"]).code == 0


def test_read_only_root_file_system(world):
    setup = "mount -o remount,bind,ro /; for d in /tmp /run /dev/shm; do mount --bind $d $d; mount -o remount,bind,ro $d; done"
    mount = inside(world, setup)
    for place in ("/", "/tmp", "/var/tmp", "/run", "/dev/shm", "/root", str(BUILD), str(world.folder)):
        assert not can_write(mount, place), place
    check_serves(world, mount)
    mount.stop()


def test_no_tmp(world):
    """/tmp is there and useless; what the test keeps there is bound elsewhere first."""
    setup = (
        f"mount --bind {world.folder} /mnt; mount --bind {BUILD} /srv; {NO_TMP}; unset TMPDIR"
    )
    mount = inside(world, setup, "/srv/irsafs", "/mnt")
    assert not can_write(mount, "/tmp")
    check_serves(world, mount)
    mount.stop()


def test_full_disk(world):
    """Nothing is written anywhere, so that a full disk is nothing to us: every place is a full tmpfs."""
    setup = (
        f"mount --bind {world.folder} /mnt; mount --bind {BUILD} /srv\n"
        "for d in /tmp /var/tmp /run /dev/shm; do mount -t tmpfs -o size=4k none $d; "
        "head -c 4096 /dev/zero > $d/full 2>/dev/null || :; done"
    )
    mount = inside(world, setup, "/srv/irsafs", "/mnt")
    check_serves(world, mount)
    mount.stop()
