# SPDX-License-Identifier: Apache-2.0
"""Mode fd: a driver hands over /dev/fuse, and irsafs serves it as an ordinary user without any right."""
from __future__ import annotations

import errno
import functools
import json
import os
import select
import signal
import socket
import stat
import struct
import subprocess
import time
from pathlib import Path

import pytest

from lib import procs
from lib.csi import PAYLOAD, UID, FdMount, answer_init, open_mounted, prepare, send, start, unmount
from lib.program import check_output, run, run_as_user, run_client, run_irsafs
from lib.wait import wait_until
from lib.world import GOLDEN

HAND_OVER_MS = 500


@pytest.fixture
def pod(world):
    """Makes a driver and an irsafs that waits for it."""
    return functools.partial(prepare, world)


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


# Which of them is to be looked into by a process of the same user, from outside of all walls.
LOOK = """
import ctypes, sys
pid = int(sys.argv[1])
for name in ("mem", "environ", "fd", "maps"):
    try:
        (__import__("os").listdir if name == "fd" else open)(f"/proc/{pid}/{name}")
        print(name)
    except PermissionError:
        pass
PTRACE_SEIZE = 0x4206
if ctypes.CDLL(None).ptrace(PTRACE_SEIZE, pid, 0, 0) == 0:
    print("ptrace")
"""


def test_nobody_has_a_right(world, pod):
    """Not even to each other, although all are one user: what each may call is tried in confine/."""
    mount = start(pod())
    gate = world.service.hold()
    reader = subprocess.Popen(["cat", mount.config], stdout=subprocess.DEVNULL)
    gate.wait_arrived()
    pids = {procs.name(pid): pid for pid in [mount.process.pid, *procs.children(mount.process.pid)]}
    assert sorted(pids) == ["irsafs", "irsafs-client", "irsafs-notifier", "irsafs-worker"]
    for name, pid in pids.items():
        status = procs.status_fields(pid)
        assert status["Uid"].split() == [str(UID)] * 4 and status["Gid"].split() == [str(UID)] * 4
        for caps in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[caps], 16) == 0, caps
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        looked = run(["/usr/bin/python3", "-c", LOOK, str(pid)], user=UID, group=UID, extra_groups=[])
        assert (looked.code, looked.out) == (0, b""), f"{name}: {looked.out} {looked.err}"
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert links.count("/dev/fuse") == {"irsafs": 2, "irsafs-client": 0}.get(name, 1), name
    gate.release()
    assert reader.wait(20) == 0
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


@pytest.mark.slow
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
#
# Through a real socket, and not a fuzz target: nothing of the payload is looked at, and what there is to get wrong
# (control messages, their truncation, what kind of file a descriptor is) the kernel makes. --fd-socket is fuzzed
# with all other options.


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


def credentials(connection, path):
    """Of root: SCM_CREDENTIALS, and no descriptor."""
    connection.sendmsg([PAYLOAD], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, struct.pack("iII", os.getpid(), 0, 0))])


def drip(connection, path):
    try:
        for byte in PAYLOAD:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)
    except BrokenPipeError:
        pass                   # refused at the first byte


def a_pipe(connection, path):
    send(connection, PAYLOAD, list(os.pipe()[:1]))


def a_socket(connection, path):
    send(connection, PAYLOAD, [connection.fileno()])


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


def unmounted(connection, path):
    fd = open_mounted(path)
    unmount(path)
    send(connection, PAYLOAD, [fd])
    os.close(fd)


def read_only(connection, path):
    fd = open_mounted(path, os.O_RDONLY)
    send(connection, PAYLOAD, [fd])
    os.close(fd)


def closed(connection, path):
    return None


def shut_down(connection, path):
    connection.shutdown(socket.SHUT_RDWR)


def silent(connection, path):
    time.sleep(3)          # longer than --fd-timeout: the test waits for irsafs, not for this


@pytest.mark.parametrize("hand_over, number, words", [
    (no_descriptor, 913, "0 descriptors"), (two_descriptors, 913, "2 descriptors"), (garbage, 913, "0 descriptors"),
    (many_descriptors, 913, "250 descriptors"), (null, 913, "not of /dev/fuse"), (a_file, 913, "not of /dev/fuse"),
    (credentials, 913, "0 descriptors"), (drip, 913, "0 descriptors"), (a_pipe, 913, "not of /dev/fuse"),
    (a_socket, 913, "not of /dev/fuse"), (too_long, 913, "longer than 500"), (not_mounted, 913, "nothing is mounted"),
    (unmounted, 913, "nothing is mounted"), (read_only, 913, "not open for reading and writing"),
    (closed, 912, "closed"), (shut_down, 912, "closed"), (silent, 912, "no message"),
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


def more_than_fit(connection, path):
    with open("/dev/null", "rb") as null:
        send(connection, PAYLOAD, [null.fileno()] * 100)


def test_descriptors_that_are_lost_on_the_way(pod):
    """Too many for us here; a security module of the node would take them away in the same manner."""
    mount = pod(hand_over=more_than_fit)
    mount.arguments = ["prlimit", "--nofile=64", "--", *mount.arguments]
    refuse(mount, 913, "the kernel did not let all descriptors of the message through")


def test_somebody_else_has_served_it(pod):
    """A driver that hands the same file system over again: FUSE_INIT comes once."""
    readers = []

    def again(connection, path):
        fd = open_mounted(path)
        answer_init(fd)
        readers.append(subprocess.Popen(["ls", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        assert select.select([fd], [], [], 10)[0]
        send(connection, PAYLOAD, [fd])
        os.close(fd)

    log = refuse(pod(hand_over=again), 914, "FUSE_INIT", "delete the pod")
    assert "connection_given_up" not in log
    assert readers[0].wait(20) != 0


# ---- what lies at the socket's path


def at_path(what: str, path: Path) -> None:
    kind = {"datagram": socket.SOCK_DGRAM, "packets": socket.SOCK_SEQPACKET}.get(what, socket.SOCK_STREAM)
    if what == "file":
        path.write_text("not a socket")
        os.chown(path, UID, UID)
    elif what == "folder":
        path.mkdir()
        os.chown(path, UID, UID)
    elif what == "link":
        path.symlink_to("nowhere")
    else:
        with socket.socket(socket.AF_UNIX, kind) as stale:      # closed: nobody listens
            stale.bind(str(path))
            if what != "stale":
                os.chown(path, UID, UID)


@pytest.mark.parametrize("what, words", [
    ("file", "Connection refused"), ("folder", "Connection refused"), ("link", "No such file"), ("stale", "Permission denied"),
    ("datagram", "Connection refused"), ("nothing", "No such file"),
])
def test_no_driver_at_the_path(pod, what, words):
    mount = pod(f"--fd-timeout={HAND_OVER_MS}ms")
    if what != "nothing":
        at_path(what, mount.driver.socket)
    mount.launch()
    assert mount.wait_exit(20) == 9
    mount.process = None
    assert "IRSAFS-E912" in mount.log() and words in mount.log(), mount.log()
    assert what in ("nothing", "link") or mount.driver.socket.exists(), "nothing was handed over: it is not ours"


def test_socket_of_another_type(pod):
    mount = pod("--fd-timeout=1h")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(mount.driver.socket))
        other.listen(1)
        os.chown(mount.driver.socket, UID, UID)
        mount.launch()
        assert mount.wait_exit(20) == 9
    mount.process = None
    assert "IRSAFS-E912" in mount.log() and "wrong type" in mount.log()


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_the_path_to_listen_on_is_taken(pod, what):
    mount = pod(connects=True)
    at_path(what, mount.driver.socket)
    mount.launch()
    assert mount.wait_exit(20) == 9
    mount.process = None
    assert "IRSAFS-E912" in mount.log() and "already in use" in mount.log()
    assert os.path.lexists(mount.driver.socket)


@pytest.mark.parametrize("connects", [False, True], ids=["connect", "listen"])
def test_stale_socket(pod, connects):
    mount = pod(connects=connects)
    at_path("stale", mount.driver.socket)
    mount.launch()
    if connects:
        wait_until(lambda: stat.S_IMODE(mount.driver.socket.stat().st_mode) == 0o600, "its own socket, its user's alone")
    else:
        wait_until(lambda: "mode_chosen" in mount.log(), "its start")
        mount.driver.socket.unlink()
    mount.driver.start()
    mount.wait_mounted()
    assert mount.read() == GOLDEN


@pytest.mark.parametrize("connects", [False, True], ids=["connect", "listen"])
def test_long_path(world, pod, connects):
    """A volume's path is longer than the name of a socket can be (108)."""
    mount = pod(connects=connects)
    comm = mount.driver.socket.parent
    deep = comm / ("d" * 200) / ("e" * 200)
    deep.parent.mkdir()
    deep.symlink_to(comm)
    mount.arguments = [a.replace(str(comm), str(deep)) if "--fd-socket" in a else a for a in mount.arguments]
    assert start(mount).read() == GOLDEN


@pytest.mark.parametrize("name", ["n" * 120, "/" * 5000 + "tmp/s"], ids=["name", "path"])
def test_path_too_long(pod, name):
    mount = pod()
    mount.arguments = [a + name if "--fd-socket" in a else a for a in mount.arguments]
    mount.launch()
    assert mount.wait_exit(20) == 9
    mount.process = None
    assert "IRSAFS-E912" in mount.log() and "too long" in mount.log()


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
