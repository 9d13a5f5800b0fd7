# SPDX-License-Identifier: Apache-2.0
"""`irsafs probe`: what kubelet is told, by whom, without a network, and in time whatever hangs."""
from __future__ import annotations

import json
import os
import signal
import threading
import time

import pytest

from lib.csi import Driver, FdMount, good
from lib.endpoint import Endpoint, free_port, listener, prepare, serve
from lib.files import Folder
from lib.program import IRSAFS, USER, check_output, public, run, run_irsafs
from lib.wait import wait_until
from lib.world import GOLDEN

WORDS = {"--startup": "started", "--ready": "ready", "--live": "alive"}


def probe(what: str, *args: str, env=None, **options) -> str:
    """The reason why not, "" for yes. One line in any case, and nothing on stderr."""
    ran = run_irsafs(["probe", what, *args], env, **options)
    line = ran.out.decode()
    check_output(line, [])
    assert ran.err == "" and line.count("\n") == 1 and line.endswith("\n"), (line, ran.err)
    word = WORDS[what]
    if ran.code == 0:
        assert line == word + "\n"
        return ""
    assert ran.code == 1 and line.startswith(f"not {word}: "), line
    return line.partition(": ")[2].strip()


def at(served) -> str:
    return f"--control={served.control.address}"


def files(mount) -> tuple:
    return "--control=off", f"--mountpoint={mount.path}"


# ---- a life

@pytest.mark.parametrize("args", [(), ("--layout=subdir",)], ids=["root", "subdir"])
@pytest.mark.parametrize("way", ["control", "files"])
def test_a_life(world, args, way):
    served = serve(world, *args)
    mount = served.mount
    ask = (at(served), f"--mountpoint={mount.path}") if way == "control" else files(mount)
    assert probe("--startup", *ask) == probe("--live", *ask) == ""
    assert probe("--ready", *ask) == "nobody has asked for a text yet"
    assert mount.read() == GOLDEN
    assert probe("--ready", *ask) == ""
    mount.stop()
    for what in WORDS:
        reason = probe(what, *ask)
        assert "no irsafs at" in reason and "(no mount)" in reason and str(mount.path) in reason
        assert ("nobody listens" if way == "control" else "(off)") in reason


def test_an_outage_does_not_keep_a_pod_from_starting(world):
    world.service.behave(status=500)
    served = serve(world, "--prefetch")
    served.mount.wait_status(lambda s: s["error"] is not None, "the failure")
    assert probe("--startup", at(served)) == probe("--live", at(served)) == ""
    assert probe("--ready", at(served)) == "IRSAFS-E701, see 'irsafs status'"
    assert world.service.count == 1


def test_it_causes_no_fetch(world):
    served = serve(world)
    for what in ("--startup", "--live"):
        for ask in ((at(served),), files(served.mount)):
            assert probe(what, *ask) == ""
    assert "first fetch" not in probe("--ready", at(served))
    assert (world.service.count, world.tokens.count) == (0, 0)


def test_the_first_fetch_is_waited_for(world):
    gate = world.service.hold()
    served = serve(world, "--prefetch")
    gate.wait_arrived()
    assert probe("--ready", at(served)) == "the first fetch is under way"
    assert probe("--startup", at(served)) == ""
    gate.release()
    wait_until(lambda: probe("--ready", at(served)) == "", "ready")


def test_the_mount_must_be_there(world):
    """The control endpoint is not believed in this: the mount is looked at, here in a namespace that lost it."""
    served = serve(world)
    path = served.mount.path
    lost = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'umount -l "{path}"; exec "$@"', "sh"]
    alive = run([*lost, IRSAFS, "probe", "--live", at(served)])
    started = run([*lost, IRSAFS, "probe", "--startup", at(served)])
    assert (alive.code, alive.out) == (0, b"alive\n")
    assert (started.code, started.out.decode()) == (1, f"not started: {path}: no mount\n")


# ---- who answers

def test_a_stranger_on_the_port_is_not_believed(world):
    served = prepare(world)
    mount, control = served.mount, served.control
    with listener(control.host, control.port) as sock:
        mount.start()
        stop = threading.Event()

        def answer() -> None:
            sock.settimeout(0.1)
            while not stop.is_set():
                try:
                    peer, _ = sock.accept()
                except TimeoutError:
                    continue
                with peer:
                    peer.recv(4096)
                    peer.sendall(b"HTTP/1.0 200 OK\r\n\r\nok\n")

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            assert probe("--live", at(served), f"--mountpoint={mount.path}") == ""
            assert "what answers is not irsafs" in probe("--live", at(served), f"--mountpoint={world.folder}")
        finally:
            stop.set()
            thread.join()


def test_an_irsafs_of_another_mount_point_does_not_count(world):
    served = serve(world)
    other = world.folder / "other"
    other.mkdir()
    reason = probe("--live", at(served), f"--mountpoint={other}")
    assert "it serves another mount point" in reason and "no mount" in reason


def test_dead_mount(world):
    mount = world.mount()
    mount.kill()
    wait_until(lambda: "its irsafs was killed" in probe("--startup", *files(mount)), "a dead mount")


# ---- mode file

@pytest.fixture
def folder(world):
    world.kind = Folder
    return world.mount("--prefetch")


def test_files_of_mode_file(world, folder):
    ask = files(folder)
    assert probe("--startup", *ask) == probe("--live", *ask) == ""
    wait_until(lambda: probe("--ready", *ask) == "", "ready")
    folder.stop()
    assert "(no mount)" in probe("--live", *ask)


def test_what_a_killed_one_left_in_mode_file(world, folder):
    ask = files(folder)
    folder.kill()
    assert (folder.path / "status").exists()
    assert "its irsafs has ended" in probe("--live", *ask)
    left = json.loads((folder.path / "status").read_text())
    for pid in (1, 0, -1, os.getpid()):
        (folder.path / "status").unlink()
        (folder.path / "status").write_text(json.dumps({**left, "pid": pid}))
        past = time.time() - 10 * 365 * 86400
        os.utime(folder.path / "status", (past, past))         # before that process was
        assert "its irsafs has ended" in probe("--live", *ask), pid


@pytest.mark.parametrize("kind", ["fifo", "link", "folder", "text"])
def test_tricks_with_the_status_of_mode_file(world, folder, kind):
    status = folder.path / "status"
    folder.kill()
    status.unlink()
    if kind == "fifo":
        os.mkfifo(status)
    elif kind == "link":
        status.symlink_to("/proc/self/mem")
    elif kind == "folder":
        status.mkdir()
    else:
        status.write_text("{" * 10_000)
    assert "(no mount)" in probe("--live", *files(folder))
    status.rmdir() if kind == "folder" else status.unlink()


# ---- mode fd

def test_mode_fd_starts_when_the_kernel_has_said_hello(world):
    control = Endpoint("127.0.0.1", free_port())
    driver = Driver(world.folder, good, False)
    mount = FdMount(driver, [f"--fd-socket=connect:{driver.socket}", f"--control={control.address}"], world.env(),
                    world.secrets)
    world.mounts.append(mount)
    mount.launch()
    wait_until(lambda: "mode_chosen" in mount.log(), "its start")
    assert "nobody listens" in probe("--startup", f"--control={control.address}")
    driver.start()
    wait_until(lambda: probe("--startup", f"--control={control.address}") == "", "the descriptor")
    assert mount.read() == GOLDEN
    assert probe("--ready", f"--control={control.address}") == ""


# ---- in time

def test_who_does_not_answer_is_given_up(world):
    served = serve(world)
    ask = at(served), f"--mountpoint={served.mount.path}"
    with listener("127.0.0.1", free_port()) as deaf:
        silent = f"--control=127.0.0.1:{deaf.getsockname()[1]}"
        assert probe("--live", silent, f"--mountpoint={served.mount.path}") == ""
    os.kill(served.mount.worker, signal.SIGSTOP)
    reason = probe("--live", *ask)
    assert "no answer in time" in reason and "the mount does not answer" in reason
    wait_until(lambda: probe("--live", *ask) == "", "a new worker")


def test_settings_come_from_the_environment(world):
    served = serve(world)
    env = world.env(IRSAFS_CONTROL=served.control.address, AWS_CONFIG_FILE=str(served.mount.config))
    assert probe("--startup", env=env) == ""
    assert probe("--startup", env={**env, "IRSAFS_CONTROL": "off"}) == ""


def test_it_needs_no_privilege(world):
    served = serve(world)
    ask = at(served), f"--mountpoint={served.mount.path}"
    ran = run([public(IRSAFS), "probe", "--startup", *ask], user=USER, group=USER, extra_groups=[])
    assert (ran.code, ran.out) == (0, b"started\n")


@pytest.mark.parametrize("args, words", [
    ([], "one of --startup, --ready and --live"),
    (["--live", "--ready"], "one of --startup, --ready and --live"),
    (["--live", "--control=192.0.2.1:80"], "loopback"),
    (["--live", "--control=localhost"], "loopback"),
    (["--live", "--timeout=2h"], "--timeout"),
    (["--live", "now"], "now"),
], ids=str)
def test_usage(args, words):
    ran = run_irsafs(["probe", *args])
    assert (ran.code, ran.out) == (2, b"") and words in ran.err


def test_bad_value_of_the_environment():
    ran = run_irsafs(["probe", "--live"], {"IRSAFS_CONTROL": "192.0.2.1:80"})
    assert (ran.code, ran.out) == (3, b"") and "IRSAFS_CONTROL" in ran.err
