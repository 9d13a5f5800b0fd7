# SPDX-License-Identifier: Apache-2.0
"""Mode file: no file system, an ordinary file that is replaced."""
from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import threading
from pathlib import Path

import pytest
from lib.aws import BOTO_IDENTITY, RunContainer, session_arn
from lib.endpoint import free_port, serve
from lib.files import RESTRICTED, Folder, read_only_root
from lib.mount import mounts_at
from lib.procs import children, name, named
from lib.program import run_as_user, run_irsafs
from lib.text import body, code, comments
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, render, role


@pytest.fixture(autouse=True)
def file_mode(world):
    world.kind = Folder


def is_golden(text: str) -> bool:
    return text == GOLDEN


def golden(folder) -> str:
    return folder.wait_text(is_golden, "the golden text")


def other_roles(world) -> str:
    """The service has another text from now on."""
    world.service.roles = [*GOLDEN_ROLES, role("one-more")]
    return render(world.service.roles)


def touch_as_user(folder) -> None:
    ran = run_as_user(["touch", folder.refresh])
    assert ran.code == 0, ran.err


def is_plain(path) -> bool:
    try:
        st = path.lstat()
    except FileNotFoundError:          # for a moment: a folder in its place goes before it comes
        return False
    return stat.S_ISREG(st.st_mode) and st.st_nlink == 1


def wait_worker(folder) -> int:
    (worker,) = wait_until(lambda: named(folder.process.pid, "irsafs-worker"), "a worker")
    return worker


def kill_worker(folder) -> int:
    worker = wait_worker(folder)
    os.kill(worker, signal.SIGKILL)
    return worker


def test_first_file_and_what_it_looks_like(world):
    gate = world.service.hold()
    folder = world.mount("--wait=50ms")
    gate.wait_arrived()
    wait_until(lambda: folder.status()["fetch"]["in_flight"], "the fetch in status")
    assert sorted(os.listdir(folder.path)) == ["refresh", "status"]      # nothing is said before it is known
    gate.release()
    golden(folder)
    assert mounts_at(folder.path) == []
    modes = {file: (folder.path / file).stat().st_mode & 0o7777 for file in ("config", "refresh", "status")}
    assert modes == {"config": 0o444, "refresh": 0o666, "status": 0o444}
    assert [name(pid) for pid in children(folder.process.pid)] == ["irsafs-worker"]
    status = folder.wait_state("fresh")
    assert (status["mode"], status["layout"], status["bytes"]) == ("file", None, len(GOLDEN))
    assert "mode_chosen mode=file" in folder.log()


def test_failure_writes_the_comment_and_repair_the_text(world):
    world.service.behave(status=500)
    folder = world.mount()
    text = folder.wait_text(lambda text: code(text) == 701, "the comment")
    assert body(text) == "" and str(folder.path) in text
    world.service.normal()
    golden(folder)                     # nobody has looked: it tries again by itself


@pytest.mark.parametrize("late, number", [("tokens", 401), ("service", 503)])
def test_containers_that_start_later(world, late, number):
    """As a native sidecar has it: the comment comes with the first refused connection, not when a wait is over."""
    server = getattr(world, late)
    server.refuse()
    folder = world.mount("--wait=60s")
    text = folder.wait_text(lambda text: code(text) == number, "the comment")
    assert body(text) == ""
    inode = folder.config.stat().st_ino
    folder.wait_status(lambda status: status["fetch"]["failed"] >= 6, "quick tries", timeout=9)    # 500 ms between two
    assert folder.config.stat().st_ino == inode        # the same words: the file stays
    server.accept()
    golden(folder)


def test_stale_text_has_the_reason_on_top(world):
    folder = world.mount("--ttl=300ms", "--stale-wait=100ms")
    golden(folder)
    world.service.behave(status=500)
    text = folder.wait_text(lambda text: code(text) == 701, "the comment")
    assert body(text) == GOLDEN and "STALE" in comments(text)[0]
    folder.wait_state("stale")
    world.service.normal()
    golden(folder)


def test_renews_without_being_asked(world):
    folder = world.mount("--ttl=300ms")
    golden(folder)
    inode = folder.config.stat().st_ino
    wait_until(lambda: world.service.count >= 4, "fetches")
    assert folder.config.stat().st_ino == inode        # the same text: no watcher reloads for nothing
    text = other_roles(world)
    folder.wait_text(lambda now: now == text, "the new text")
    assert folder.config.stat().st_ino != inode


def test_touch_by_the_user_of_the_run(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    text = other_roles(world)
    touch_as_user(folder)
    folder.wait_text(lambda now: now == text, "the new text")
    fetches = world.service.count
    assert fetches == 2                                # touch(1) is several events, and one refresh
    world.service.roles = list(GOLDEN_ROLES)
    assert run_as_user(["sh", "-c", 'echo now > "$1"', "sh", folder.refresh]).code == 0
    golden(folder)


def test_refresh_that_brings_the_same_text_leaves_the_file_alone(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    before = folder.config.stat()
    touch_as_user(folder)
    folder.wait_status(lambda status: status["fetch"]["total"] == 2 and status["state"] == "fresh", "a second fetch")
    assert folder.config.stat().st_ino == before.st_ino and folder.config.stat().st_mtime_ns == before.st_mtime_ns


def test_touch_through_another_mount_of_the_volume(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    text = other_roles(world)
    seen = world.folder / "run"
    seen.mkdir()
    script = 'mount --bind "$1" "$2" && exec setpriv --reuid=12574 --regid=12574 --clear-groups touch "$2/refresh"'
    subprocess.run(["unshare", "-m", "sh", "-c", script, "sh", folder.path, seen], check=True)
    folder.wait_text(lambda now: now == text, "the new text")


def test_refresh_is_made_again(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    text = other_roles(world)
    folder.refresh.unlink()
    wait_until(folder.refresh.exists, "refresh")
    assert folder.refresh.stat().st_mode & 0o7777 == 0o666
    touch_as_user(folder)
    folder.wait_text(lambda now: now == text, "the new text")


def test_what_a_user_wrote_is_replaced_by_the_next_refresh(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    assert run_as_user(["sh", "-c", 'rm -f "$1"; echo mine > "$1"', "sh", folder.config]).code == 0
    assert folder.config.read_text() == "mine\n"
    touch_as_user(folder)
    golden(folder)                     # although the service's text is the same as before
    folder.config.unlink()
    touch_as_user(folder)
    golden(folder)


def test_tricks_in_the_folder(world):
    """A user replaces our names: nothing is followed, nothing blocks, and the files come back."""
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    secret = world.folder / "secret"
    secret.write_text("root's")
    secret.chmod(0o644)
    for make in ("ln -s ../secret {0}", "mkfifo {0}", "ln ../secret {0}", "mkdir {0}"):
        for file in ("config", "refresh", "status", ".irsafs.config.0", ".irsafs.refresh.0"):
            # May fail: `refresh` can be back before the trick is done.
            subprocess.run(["sh", "-c", f"cd {folder.path}; rm -rf {file}; " + make.format(file)], stderr=subprocess.DEVNULL)
        wait_until(lambda: is_plain(folder.refresh), f"refresh after {make}")
        text = other_roles(world) if len(world.service.roles) == 3 else GOLDEN
        world.service.roles = [*GOLDEN_ROLES] if text == GOLDEN else world.service.roles
        touch_as_user(folder)
        wait_until(lambda: folder.config.is_file() and not folder.config.is_symlink(), f"config after {make}")
        folder.wait_text(lambda now: now == text, f"the text after {make}")
        assert secret.read_text() == "root's" and secret.stat().st_mode & 0o7777 == 0o644
        wait_until(lambda: (folder.path / "status").is_file(), "status")


def tells_of_the_full_disk(env: dict) -> bool:
    """The file `status` cannot be written either."""
    probe, status = run_irsafs(["probe", "--ready"], env), run_irsafs(["status"], env)
    return probe.code == 1 and b"No space left" in probe.out and re.search(rb"NOT WRITTEN +No space left", status.out)


def test_full_disk(world):
    disk = world.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=777", "tiny", disk], check=True)
    try:
        address = f"127.0.0.1:{free_port()}"
        folder = world.mount("--min-refresh=0s", f"--control={address}", path=disk)
        golden(folder)
        filler = disk / ".irsafs.filler"
        with open(filler, "wb", buffering=0) as full:
            with pytest.raises(OSError):
                while True:
                    full.write(b"x" * 4096)
        text = other_roles(world)
        touch_as_user(folder)
        wait_until(lambda: "file_not_written file=config" in folder.log(), "the complaint")
        assert folder.read() == GOLDEN                 # not torn, not empty
        wait_until(lambda: tells_of_the_full_disk(world.env(IRSAFS_CONTROL=address)), "what probe says")
        filler.unlink()
        folder.wait_text(lambda now: now == text, "the text when there is room")
        assert folder.log().count("file_not_written file=config") == 1
        folder.stop()
        assert sorted(os.listdir(disk)) == ["config"]
    finally:
        if world.mounts[0].process:
            world.mounts[0].stop()
        subprocess.run(["umount", disk], check=True)


def test_killed_worker(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    inode = folder.config.stat().st_ino
    worker = kill_worker(folder)
    text = other_roles(world)
    wait_until(lambda: wait_worker(folder) != worker, "the next worker")
    folder.wait_state("fresh")
    assert folder.read() == GOLDEN and folder.config.stat().st_ino == inode
    for _ in range(4):
        kill_worker(folder)
        touch_as_user(folder)          # nobody may be there to hear it
        folder.wait_text(lambda now: now == text, "the text after a take-over")
        text = GOLDEN if text != GOLDEN else other_roles(world)
        world.service.roles = world.service.roles if text != GOLDEN else list(GOLDEN_ROLES)
    assert "worker_failed" not in folder.log()


def test_worker_killed_while_it_waits_for_a_fetch(world):
    gate = world.service.hold()
    folder = world.mount()
    gate.wait_arrived()
    kill_worker(folder)
    gate.release()
    golden(folder)
    assert world.service.count == 1


def test_end_leaves_the_last_text_and_nothing_else(world):
    folder = world.mount()
    golden(folder)
    folder.stop()                      # demands exit 0
    assert os.listdir(folder.path) == ["config"]
    assert folder.config.read_text() == GOLDEN


def test_end_while_a_fetch_runs(world):
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    gate = world.service.hold()
    touch_as_user(folder)
    gate.wait_arrived()
    folder.stop()
    assert folder.config.read_text() == GOLDEN         # no word of a touch that nobody answers any more
    gate.release()


def test_container_starts_again_over_its_own_files(world):
    folder = world.mount()
    golden(folder)
    folder.kill()                      # SIGKILL leaves everything
    (folder.path / ".irsafs.config.0").write_text("torn")
    text = other_roles(world)
    folder.start()
    folder.wait_text(lambda now: now == text, "the new text")
    assert sorted(os.listdir(folder.path)) == ["config", "refresh", "status"]


def test_container_starts_again_beside_files_of_the_user(world):
    """The volume is writable for `run`: what lies there must not keep the sidecar from starting again."""
    folder = world.mount()
    golden(folder)
    assert run_as_user(["sh", "-c", 'echo keys > "$1/credentials"', "sh", folder.path]).code == 0
    for end in (folder.kill, folder.stop):
        end()
        folder.start()
        golden(folder)
    assert sorted(os.listdir(folder.path)) == ["config", "credentials", "refresh", "status"]
    assert run_as_user(["sh", "-c", 'rm -f "$1/config"; echo mine > "$1/config"', "sh", folder.path]).code == 0
    folder.kill()
    folder.start()
    golden(folder)
    assert (folder.path / "config.before-irsafs").read_text() == "mine\n"
    assert (folder.path / "credentials").read_text() == "keys\n"
    assert "file_moved_aside from=config to=config.before-irsafs" in folder.log()


def test_folder_of_a_person_is_refused(world):
    path = world.folder / "home"
    path.mkdir()
    for file in ("config", "credentials"):
        (path / file).write_text("mine\n")
    folder = world.prepare(path=path)
    folder.launch()
    assert folder.wait_exit() == 9
    folder.process = None
    assert "IRSAFS-E905" in folder.log() and "credentials" in folder.log() and "--allow-nonempty" in folder.log()
    assert {file.name: file.read_text() for file in path.iterdir()} == {"config": "mine\n", "credentials": "mine\n"}
    folder = world.mount("--allow-nonempty", path=path)
    golden(folder)
    assert (path / "config.before-irsafs").read_text() == (path / "credentials").read_text() == "mine\n"


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o400])
def test_files_of_a_person_at_our_names_move_aside(world, mode):
    path = world.folder / "home"
    path.mkdir()
    mine = {"config": "mine", "refresh": "mine", "status": "{}"}
    for file, text in mine.items():
        (path / file).write_text(text)
        (path / file).chmod(mode)
    folder = world.mount(path=path)
    golden(folder)
    folder.stop()
    assert sorted(os.listdir(path)) == ["config", *(f"{file}.before-irsafs" for file in mine)]
    for file, text in mine.items():
        kept = path / f"{file}.before-irsafs"
        assert kept.read_text() == text and kept.stat().st_mode & 0o7777 == mode
    folder.start()                     # its own config is no reason
    golden(folder)
    assert sorted(os.listdir(path)) == sorted([*mine, *(f"{file}.before-irsafs" for file in mine)])


def test_refused_start_takes_nothing_away(world):
    """There is no name left to move `config` to."""
    path = world.folder / "home"
    path.mkdir()
    names = ["config", "refresh", "status", "config.before-irsafs", *(f"config.before-irsafs.{i}" for i in range(2, 110))]
    for name in names:
        (path / name).write_text("mine\n")
    folder = world.prepare(path=path)
    folder.launch()
    assert folder.wait_exit() == 9
    folder.process = None
    assert "IRSAFS-E910" in folder.log()
    assert sorted(os.listdir(path)) == sorted(names)


def test_readers_never_see_a_torn_or_empty_file(world):
    texts = {GOLDEN, render([*GOLDEN_ROLES, role("one-more")])}
    folder = world.mount("--min-refresh=0s")
    golden(folder)
    bad, looks, over = [], [0], threading.Event()

    def read() -> None:
        while not over.is_set():
            text = folder.config.read_text()           # raises when the name is missing for a moment
            looks[0] += 1
            if text not in texts:
                bad.append(text)

    def guarded() -> None:
        try:
            read()
        except OSError as error:
            bad.append(error)

    readers = [threading.Thread(target=guarded) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(200):
            text = other_roles(world) if number % 2 == 0 else GOLDEN
            world.service.roles = world.service.roles if number % 2 == 0 else list(GOLDEN_ROLES)
            os.utime(folder.refresh)
            folder.wait_text(lambda now: now == text, "the text after a touch")
    finally:
        over.set()
        for reader in readers:
            reader.join()
    assert bad == [] and looks[0] > 200


# --- without any privilege ---------------------------------------------------------------------------


def test_restricted_pod(world):
    """An arbitrary user, no capability, no /dev/fuse, a read-only root: all walls that are left stand."""
    prefix = (*read_only_root(world.folder), *RESTRICTED)
    folder = world.mount("--min-refresh=0s", "--sandbox=required", prefix=prefix)
    golden(folder)
    walls = folder.wait_state("fresh")["sandbox"]
    assert walls["worker"] == walls["client"] == "uid capabilities no_new_privs seccomp landlock"
    gate = world.service.hold()
    touch_as_user(folder)
    gate.wait_arrived()
    pids = {name(pid): pid for pid in [folder.process.pid, *children(folder.process.pid)]}
    assert sorted(pids) == ["irsafs", "irsafs-client", "irsafs-worker"]
    for process, pid in pids.items():
        facts = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        assert facts["Uid"].split() == ["12574"] * 4, process
        assert int(facts["CapPrm"], 16) == int(facts["CapBnd"], 16) == 0, process
        assert facts["NoNewPrivs"] == "1" and facts["Seccomp"] == "2", process
        assert Path(f"/proc/{pid}/environ").stat().st_uid == 0, f"{process} is dumpable"
    gate.release()
    os.kill(pids["irsafs-worker"], signal.SIGKILL)
    text = other_roles(world)
    touch_as_user(folder)
    folder.wait_text(lambda now: now == text, "the text of the next worker")


def test_owner_and_group(world):
    """A group of its own it can give a file to, and another user it cannot."""
    as_member = ("setpriv", "--reuid=65534", "--regid=65534", "--groups=12574", "--bounding-set=-all", "--inh-caps=-all")
    folder = world.mount("--uid=12574", "--gid=12574", prefix=as_member)
    golden(folder)
    for path in (folder.path / "config", folder.refresh):
        assert (path.stat().st_uid, path.stat().st_gid) == (65534, 12574), path


def test_folder_that_cannot_be_written(world):
    folder = world.prepare("--sandbox=required", prefix=RESTRICTED)
    folder.path.chmod(0o755)
    folder.launch()
    assert folder.wait_exit() == 9
    folder.process = None
    assert "IRSAFS-E911" in folder.log()


def test_boto3(world):
    run = RunContainer(world)
    try:
        run.mount.wait_text(lambda text: "[profile" in text, "profiles")
        ran = run.boto(BOTO_IDENTITY, GOLDEN_ROLES[0].name)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out) == session_arn(GOLDEN_ROLES[0])
    finally:
        run.close()


def test_endpoint(world):
    gate = world.service.hold()
    served = serve(world)
    gate.wait_arrived()
    verbose = served.control.ask("/readyz?verbose")
    assert verbose.status == 503
    assert {"[+]worker ok", "[-]file failed: it has not been written yet"} <= set(verbose.text.splitlines())
    assert served.control.ask("/status").json()["file"] == {"written": False, "error": "it has not been written yet"}
    gate.release()
    golden(served.mount)
    wait_until(lambda: served.control.ask("/readyz").status == 200, "readiness")
    verbose = served.control.ask("/readyz?verbose").text.splitlines()
    assert sorted(verbose) == ["[+]file ok", "[+]text ok", "[+]worker ok", "readyz check passed"]
    assert served.control.ask("/status").json()["file"] == {"written": True, "error": None}
    text = other_roles(world)
    assert served.control.refresh().status == 200
    served.mount.wait_text(lambda now: now == text, "the new text")
    assert served.control.ask("/status").json()["mode"] == "file"
    assert 'irsafs_refreshes_total{' in served.control.ask("/metrics").text


# --- once --------------------------------------------------------------------------------------------


def once(world, *args: str):
    folder = world.prepare("--once", *args)
    folder.launch()
    status = folder.wait_exit(15)
    folder.process = None
    return folder, status


def test_once(world):
    folder, status = once(world)
    assert status == 0, folder.log()
    assert folder.read() == GOLDEN and os.listdir(folder.path) == ["config"]
    assert world.service.count == 1


def test_once_waits_for_a_late_container(world):
    world.tokens.refuse()
    folder = world.prepare("--once", "--wait=60s")
    folder.launch()
    wait_until(lambda: "fetch_failed" in folder.log(), "the first try")
    assert folder.process.poll() is None and os.listdir(folder.path) == []
    world.tokens.accept()
    assert folder.wait_exit(15) == 0, folder.log()
    folder.process = None
    assert folder.read() == GOLDEN


@pytest.mark.parametrize("late, status, number", [("tokens", 4, 401), ("service", 5, 503)])
def test_once_gives_up_after_the_wait(world, late, status, number):
    getattr(world, late).refuse()
    folder, got = once(world, "--wait=1200ms")
    assert (got, code(folder.read()), body(folder.read())) == (status, number, ""), folder.log()


def test_once_keeps_what_a_person_wrote(world):
    path = world.folder / "home"
    path.mkdir()
    (path / "config").write_text("mine")
    folder = world.prepare("--once", path=path)
    folder.launch()
    assert folder.wait_exit(15) == 0, folder.log()
    folder.process = None
    assert folder.read() == GOLDEN and (path / "config.before-irsafs").read_text() == "mine"


@pytest.mark.parametrize("break_it, status, number", [
    (lambda world: world.service.behave(status=500), 7, 701),
    (lambda world: world.service.behave(status=403), 6, None),
    (lambda world: world.tokens.behave(status=500), 4, 401),
    (lambda world: world.service.behave(body=b"no config\n"), 8, None),
])
def test_once_exits_with_the_class_of_the_error(world, break_it, status, number):
    break_it(world)
    folder, got = once(world)
    assert got == status, folder.log()
    assert os.listdir(folder.path) == ["config"]
    assert body(folder.read()) == "" and code(folder.read()) in ((number,) if number else range(status * 100, status * 100 + 99))


def test_once_in_a_folder_that_is_full(world):
    disk = world.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,mode=777", "tiny", disk], check=True)
    try:
        (disk / ".irsafs.filler").write_bytes(b"x" * 4096)
        folder = world.prepare("--once", path=disk)
        folder.launch()
        assert folder.wait_exit(15) == 75
        folder.process = None
    finally:
        subprocess.run(["umount", disk], check=True)


def test_once_is_for_mode_file(world):
    ran = run_irsafs(["mount", "--once", world.folder], world.env())
    assert ran.code == 2 and "--mode=file" in ran.err
    ran = run_irsafs(["mount", "--mode=files", world.folder], world.env())
    assert ran.code == 2 and "mount, fd, file or auto" in ran.err
