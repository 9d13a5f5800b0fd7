# SPDX-License-Identifier: Apache-2.0
"""Mode fd: a driver hands over /dev/fuse, and irsafs serves it as an ordinary user without any right."""
from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lib import procs
from lib.csi import PAYLOAD, UID, Driver, FdMount, good, open_mounted, send
from lib.program import check_output, run_as_user, run_client, run_irsafs
from lib.wait import wait_until
from lib.world import GOLDEN

HAND_OVER_MS = 500


@pytest.fixture
def pod(world):
    """Makes a driver and an irsafs that waits for it."""

    def make(*args: str, hand_over=good, connects: bool = False) -> FdMount:
        driver = Driver(world.folder, hand_over, connects)
        word = "listen" if connects else "connect"
        mount = FdMount(driver, [f"--fd-socket={word}:{driver.socket}", *args], world.env(), world.secrets)
        world.mounts.append(mount)
        return mount

    return make


def start(mount: FdMount) -> FdMount:
    mount.driver.start()
    return mount.start()


def refuse(mount: FdMount, number: int, *words: str) -> str:
    mount.driver.start()
    mount.launch()
    assert mount.wait_exit(20) == 9
    mount.process = None
    log = mount.log()
    assert f"IRSAFS-E{number}" in log, log
    for word in words:
        assert word in log, log
    return log


def test_readers_are_served(pod):
    mount = start(pod())
    assert mount.read() == GOLDEN
    reader = run_as_user(["cat", mount.config])
    assert reader.code == 0 and reader.out.decode() == GOLDEN
    status = mount.status()
    assert (status["mode"], status["layout"], status["mountpoint"]) == ("fd", None, str(mount.path))
    assert "mode_chosen mode=fd" in mount.log() and "peer_uid=0" in mount.log()
    assert not mount.driver.socket.exists()
    mount.stop()


def test_touch_by_another_user(pod):
    mount = start(pod("--min-refresh=10ms"))
    assert mount.read() == GOLDEN
    generation = mount.status()["generation"]
    assert run_as_user(["touch", mount.refresh]).code == 0
    assert mount.read() == GOLDEN and mount.status()["generation"] > generation


def test_nobody_has_a_right(pod):
    mount = start(pod())
    assert mount.read() == GOLDEN
    pids = [mount.process.pid, *procs.children(mount.process.pid)]
    assert sorted(procs.name(pid) for pid in pids) == ["irsafs", "irsafs-notifier", "irsafs-worker"]
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert status["Uid"].split() == [str(UID)] * 4 and status["Gid"].split() == [str(UID)] * 4
        for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[caps], 16) == 0, caps
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert Path(f"/proc/{pid}/mem").stat().st_uid == 0         # not dumpable: its user cannot open it
    assert {"capabilities", "no_new_privs", "seccomp", "landlock"} <= set(mount.status()["sandbox"]["worker"].split())


def test_init_is_answered_without_the_network(pod):
    mount = start(pod("--endpoint=http://192.0.2.1:9/map"))      # an address that nobody has
    assert sorted(os.listdir(mount.path)) == ["config", "refresh", "status"]
    assert mount.status()["fetch"]["total"] == 0


def test_the_driver_may_start_later(pod):
    mount = pod()
    mount.launch()
    wait_until(lambda: "mode_chosen" in mount.log(), "its start")
    mount.driver.start()
    mount.wait_mounted()
    assert mount.read() == GOLDEN


def test_irsafs_listens(pod):
    mount = start(pod(connects=True))
    assert mount.read() == GOLDEN
    assert not mount.driver.socket.exists()


@pytest.mark.parametrize("kind", ["device", "socket"])
def test_a_descriptor_from_the_start(pod, kind):
    mount = pod()
    theirs, ours = socket.socketpair()
    with theirs, ours:
        fd = open_mounted(mount.path)
        number = fd if kind == "device" else ours.fileno()
        if kind == "socket":
            send(theirs, PAYLOAD, [fd])
        mount.arguments = [a if "--fd-socket" not in a else f"--fd-socket=fd:{number}" for a in mount.arguments]
        mount.driver.served.set()
        with mount._log.open("ab") as log:
            mount.process = subprocess.Popen(mount.arguments, env=mount._env, cwd="/", stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log, pass_fds=(number,))
        os.close(fd)
    mount.wait_mounted()
    assert mount.read() == GOLDEN


def test_verbs_find_it(pod):
    mount = start(pod("--min-refresh=10ms"))
    which = ("--control=off", f"--mountpoint={mount.path}")
    assert mount.read() == GOLDEN
    status = run_client(["status", "--json", *which], report=False)
    assert status.code == 0 and json.loads(status.out)["mode"] == "fd"
    assert run_client(["refresh", "--wait", *which], report=False).code == 0
    doctor = run_client(["doctor", *which], report=False).out.decode()
    assert f"{mount.path}: one irsafs, alive" in doctor, doctor


# ---- processes that die


def test_workers_die(pod):
    mount = start(pod("--min-refresh=10ms"))
    assert mount.read() == GOLDEN
    with mount.config.open() as held:
        for _ in range(20):
            worker = mount.worker
            os.kill(worker, signal.SIGKILL)
            assert mount.read() == GOLDEN
            mount.touch()
            assert mount.read() == GOLDEN and mount.worker != worker
        assert held.read() == GOLDEN


def test_notifiers_die(pod):
    mount = start(pod("--min-refresh=10ms"))
    assert mount.read() == GOLDEN
    for _ in range(5):
        notifier = procs.named(mount.process.pid, "irsafs-notifier")[0]
        os.kill(notifier, signal.SIGKILL)
        mount.touch()
        assert mount.read() == GOLDEN
        wait_until(lambda: notifier not in procs.children(mount.process.pid), "another notifier")


def test_the_connection_outlives_workers_that_hang(pod):
    """On a mount of our own two in a row are the end of it; this one cannot be made again."""
    mount = start(pod())
    assert mount.read() == GOLDEN
    for _ in range(3):
        worker = mount.worker
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: mount.worker not in (worker, mount.process.pid), "another worker", timeout=30)
    assert mount.read() == GOLDEN
    assert "connection_given_up" not in mount.log() and mount.log().count("worker_hung") == 3


def test_end(pod):
    mount = start(pod())
    assert mount.read() == GOLDEN
    mount.stop()
    with pytest.raises(OSError) as caught:
        os.listdir(mount.path)
    assert caught.value.errno == errno.ENOTCONN


def test_the_driver_unmounts(pod):
    mount = start(pod())
    assert mount.read() == GOLDEN
    mount.driver.unpublish()
    assert mount.wait_exit(20) == 9
    mount.process = None
    assert "IRSAFS-E914" in mount.log() and "delete the pod" in mount.log()


def test_told_to_end_while_it_waits(pod):
    mount = pod("--fd-timeout=1h")
    mount.launch()
    wait_until(lambda: "mode_chosen" in mount.log(), "its start")
    mount.process.send_signal(signal.SIGTERM)
    assert mount.wait_exit() == 0
    mount.process = None


# ---- what is not a descriptor of a mounted file system


def no_descriptor(connection, path):
    connection.sendall(PAYLOAD)


def two_descriptors(connection, path):
    fd = open_mounted(path)
    with open("/dev/null", "rb") as null:
        send(connection, PAYLOAD, [fd, null.fileno()])
    os.close(fd)


def many_descriptors(connection, path):
    with open("/dev/null", "rb") as null:
        send(connection, PAYLOAD, [null.fileno()] * 250)


def null(connection, path):
    with open("/dev/null", "r+b") as file:
        send(connection, PAYLOAD, [file.fileno()])


def a_file(connection, path):
    with open("/etc/passwd", "rb") as file:
        send(connection, PAYLOAD, [file.fileno()])


def garbage(connection, path):
    connection.sendall(os.urandom(300))


def too_long(connection, path):
    fd = open_mounted(path)
    send(connection, b"x" * 501, [fd])
    os.close(fd)


def not_mounted(connection, path):
    fd = os.open("/dev/fuse", os.O_RDWR)
    send(connection, PAYLOAD, [fd])
    os.close(fd)


def closed(connection, path):
    return None


def silent(connection, path):
    time.sleep(3)          # longer than --fd-timeout: the test waits for irsafs, not for this


@pytest.mark.parametrize("hand_over, number, words", [
    (no_descriptor, 913, "0 descriptors"), (two_descriptors, 913, "2 descriptors"), (garbage, 913, "0 descriptors"),
    (many_descriptors, 913, "250 descriptors"), (null, 913, "not of /dev/fuse"), (a_file, 913, "not of /dev/fuse"),
    (too_long, 913, "longer than 500"), (not_mounted, 913, "nothing is mounted"), (closed, 912, "closed"),
    (silent, 912, "no message"),
], ids=lambda v: getattr(v, "__name__", None))
def test_broken_messages(pod, hand_over, number, words):
    mount = pod(f"--fd-timeout={HAND_OVER_MS}ms", hand_over=hand_over)
    refuse(mount, number, words)


def test_garbage_beside_a_good_descriptor_does_not_matter(pod):
    def odd(connection, path):
        fd = open_mounted(path)
        send(connection, b"\0\xff{", [fd])
        os.close(fd)

    assert start(pod(hand_over=odd)).read() == GOLDEN


@pytest.mark.parametrize("connects", [False, True], ids=["connect", "listen"])
def test_nobody_is_there(pod, connects):
    mount = pod(f"--fd-timeout={HAND_OVER_MS}ms", connects=connects)
    mount.launch()
    assert mount.wait_exit(20) == 9
    mount.process = None
    assert "IRSAFS-E912" in mount.log() and str(mount.driver.socket)[:60] in mount.log()
    assert "delete the pod" in mount.log() and not mount.driver.socket.exists()


@pytest.mark.parametrize("args, words", [
    (["--fd-socket=/a"], "connect:PATH"), (["--fd-socket=fd:1"], "fd:N"), (["--fd-socket=fd:x"], "fd:N"),
    (["--fd-socket=connect:"], "connect:PATH"), (["--mode=fd"], "--fd-socket"), (["--mode=mont"], "mount, fd, file or auto"),
])
def test_wrong_settings(world, args, words):
    ran = run_irsafs(["mount", world.folder, *args], world.env())
    assert ran.code == 2 and words in ran.err
    check_output(ran.err, world.secrets())
