# SPDX-License-Identifier: Apache-2.0
"""The log: its formats, levels and signals, a reader who does not read, and app.log where users can write."""
from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import re
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from lib import procs
from lib.program import IRSAFS, token_runs
from lib.wait import wait_until
from lib.world import GOLDEN

LEVELS = ("debug", "info", "warn", "error")
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
OLD_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - irsafs - (DEBUG|INFO|WARNING|ERROR) - [a-z_]+( [a-z_]+=\S.*)?")
QUICK = ("--min-refresh=0s", "--wait=10s")
TEN_MIB = 10 << 20


def json_events(text: str) -> list:
    """Every line, which must be an event."""
    events = [json.loads(line) for line in text.splitlines()]
    for event in events:
        assert STAMP.fullmatch(event["ts"]) and event["level"] in LEVELS and re.fullmatch("[a-z_]+", event["event"])
    return events


def await_log(mount, words: str) -> None:
    wait_until(lambda: words in mount.log(), f"'{words}' in the log")


def failing(world, mount) -> None:
    world.service.behave(status=500)
    mount.touch()
    assert mount.read() != GOLDEN


# ---- formats


@pytest.mark.parametrize("format", [{"IRSAFS_LOG_FORMAT": "json"}, {"IRSAFS_LOG_FORMAT": "auto"}, {}])
def test_json_when_stderr_is_no_terminal(world, format):
    env = world.env(**format)
    if not format:
        del env["IRSAFS_LOG_FORMAT"]
    mount = world.mount(*QUICK, env={**env, "LOG_LEVEL": "cha\"t\\ty\n"})
    mount.read()
    failing(world, mount)
    os.kill(mount.worker, signal.SIGKILL)
    await_log(mount, "process_died")
    mount.stop()
    events = {event["event"]: event for event in json_events(mount.log())}
    assert events["setting_ignored"]["value"] == 'cha"t\\ty?'
    assert events["mounted"]["level"] == "info" and events["mounted"]["mountpoint"] == str(mount.path)
    assert events["fetch_failed"]["code"].startswith("IRSAFS-E") and events["fetch_failed"]["failures"] == 1
    assert events["process_died"]["level"] == "warn" and events["process_died"]["signal"] == 9
    assert {"fetched", "stopping", "unmounted"} <= events.keys()


def test_a_line_that_is_cut_is_still_json(world):
    path = world.folder
    while len(str(path)) < 900:
        path = path / ('"' * 200)
        path.mkdir()
    (path / "aws").mkdir()
    mount = world.mount("--log-format=json", path=path / "aws")
    mount.stop()
    mounted = [event for event in json_events(mount.log()) if event["event"] == "mounted"]
    assert mounted[0]["mountpoint"].endswith("...") and len(mounted[0]["mountpoint"]) > 100


def test_text_on_a_terminal(world):
    ours, theirs = pty.openpty()
    mount = world.prepare(*QUICK)
    env = world.env()
    del env["IRSAFS_LOG_FORMAT"]
    mount.process = subprocess.Popen(mount.arguments, env=env, cwd="/", stdin=subprocess.DEVNULL, stderr=theirs)
    mount.wait_mounted()
    line = os.read(ours, 4096).decode()
    assert f" INFO mounted mountpoint={mount.path}" in line
    assert not fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_NONBLOCK, "the shell's terminal does not wait any more"
    mount.stop()
    os.close(ours)
    os.close(theirs)


def test_the_last_words_are_json_too(world):
    mount = world.prepare(env=world.env(IRSAFS_LOG_FORMAT="json"))
    (mount.path / "something").touch()
    mount.launch()
    assert mount.wait_exit() != 0
    mount.process = None
    last = json_events(mount.log())[-1]
    assert last["event"] == "ended" and last["code"] == "IRSAFS-E905" and last["remedy"]


def test_format_that_is_none(world):
    mount = world.prepare("--log-format=yaml")
    mount.launch()
    assert mount.wait_exit() == 2
    mount.process = None
    assert "yaml" in mount.log() and "auto, json or text" in mount.log()


# ---- what is said how often


def test_a_failure_is_said_once_and_the_recovery_counts(world):
    mount = world.mount(*QUICK)
    mount.read()
    world.service.behave(status=500)
    for _ in range(3):
        mount.touch()
        mount.read()
        mount.wait_idle()
    world.service.normal()
    mount.touch()
    assert mount.read() == GOLDEN
    await_log(mount, "after_failures=")
    log = mount.log()
    assert log.count("fetch_failed") == 1 and "WARN fetch_failed" in log
    assert int(re.search(r"INFO fetched .*after_failures=(\d+)", log)[1]) >= 3


# ---- signals


def test_usr1_switches_the_level_of_all(world):
    mount = world.mount(*QUICK)
    mount.read()
    os.kill(mount.process.pid, signal.SIGUSR1)
    await_log(mount, "log_level_changed to=debug")

    def fetch_is_logged() -> bool:
        mount.touch()
        mount.read()
        return "DEBUG fetched" in mount.log()

    wait_until(fetch_is_logged, "the worker's debug lines")
    worker = mount.worker
    os.kill(worker, signal.SIGKILL)
    await_log(mount, "DEBUG worker_took_over")  # a new worker has the level from the start
    os.kill(mount.process.pid, signal.SIGUSR1)
    await_log(mount, "log_level_changed to=info")

    def fetch_is_not_logged() -> bool:
        before = mount.log().count("DEBUG fetched")
        mount.touch()
        mount.read()
        mount.wait_idle()
        return mount.log().count("DEBUG fetched") == before

    wait_until(fetch_is_not_logged, "no debug lines")


def test_levels_leave_out_what_is_below(world):
    mount = world.mount(*QUICK, "--log-level=error")
    mount.read()
    failing(world, mount)
    mount.stop()
    assert mount.log() == ""


def test_usr1_in_quiet(world):
    """The change is said, whatever the level was."""
    mount = world.mount(*QUICK, "--log-level=error")
    for to in ("debug", "error"):
        os.kill(mount.process.pid, signal.SIGUSR1)
        await_log(mount, f"log_level_changed to={to}")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2])
def test_signals_to_the_servants_are_ignored(world, number):
    mount = world.mount(*QUICK)
    mount.read()
    mount.touch()  # answered when the notifier has done its part: all are up
    for pid in procs.children(mount.process.pid):
        os.kill(pid, number)
    assert mount.read() == GOLDEN
    mount.stop()
    assert "process_died" not in mount.log() and "log_" not in mount.log()


def test_hangup_of_a_program_that_was_told_to_ignore_it(world):
    mount = world.mount(*QUICK, prefix=("nohup",))
    os.kill(mount.process.pid, signal.SIGHUP)
    await_log(mount, "log_reopened")
    assert mount.read() == GOLDEN


# ---- a reader who does not read


def flags_of(pid: int) -> int:
    return int(re.search(r"flags:\s+(\d+)", Path(f"/proc/{pid}/fdinfo/2").read_text())[1], 8)


def drain(fd: int) -> bytes:
    os.set_blocking(fd, False)
    data = b""
    try:
        while True:
            data += os.read(fd, 65536)
    except BlockingIOError:
        return data


def test_a_full_pipe_holds_nobody_up(world):
    """Ours alone does not wait: the description that we were given stays as it is, since others have it too."""
    read_end, write_end = os.pipe()
    mount = world.prepare(*QUICK, "--log-level=debug")
    mount.process = subprocess.Popen(
        mount.arguments, env=world.env(), cwd="/", stdin=subprocess.DEVNULL, stderr=write_end
    )
    mount.wait_mounted()
    assert mount.read() == GOLDEN
    for pid in (mount.process.pid, mount.worker):
        assert flags_of(pid) & os.O_NONBLOCK
    assert not fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK
    own = os.open(f"/proc/self/fd/{write_end}", os.O_WRONLY | os.O_NONBLOCK)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(own, b".")
    for _ in range(20):
        mount.touch()
        assert mount.read() == GOLDEN
    os.kill(mount.process.pid, signal.SIGUSR1)  # the supervisor's line is lost as well
    drain(read_end)
    failing(world, mount)
    log = wait_until(lambda: (text := drain(read_end)) and text, "a line")
    assert re.search(rb"WARN log_lines_lost lines=\d+\n.* WARN fetch_failed ", log)
    mount.stop()
    for fd in (own, read_end, write_end):
        os.close(fd)


def test_a_full_socket_holds_nobody_up(world):
    import socket

    ours, theirs = socket.socketpair()
    mount = world.prepare(*QUICK, "--log-level=debug")
    mount.process = subprocess.Popen(
        mount.arguments, env=world.env(), cwd="/", stdin=subprocess.DEVNULL, stderr=theirs.fileno()
    )
    mount.wait_mounted()
    assert mount.read() == GOLDEN
    with pytest.raises(BlockingIOError):
        while True:
            theirs.send(b"." * 64 + b"\n", socket.MSG_DONTWAIT)
    for _ in range(10):
        mount.touch()
        assert mount.read() == GOLDEN
    drain(ours.fileno())
    failing(world, mount)
    log = wait_until(lambda: (text := drain(ours.fileno())) and text, "a line")
    assert b"log_lines_lost" in log and b"fetch_failed" in log
    mount.stop()
    ours.close()
    theirs.close()


# ---- app.log


@pytest.fixture
def folder(world):
    """Where every user can write."""
    path = world.folder / "irsa"
    path.mkdir()
    path.chmod(0o777)
    return path


def logged(file: Path) -> str:
    return file.read_text() if file.is_file() and not file.is_symlink() else ""


def await_file(file: Path, words: str) -> str:
    wait_until(lambda: words in logged(file), f"'{words}' in {file.name}")
    return logged(file)


def test_events_go_to_the_file_in_the_old_form(world, folder):
    mount = world.mount(*QUICK, f"--log-dir={folder}", "--log-level=debug")
    mount.read()
    failing(world, mount)
    os.kill(mount.worker, signal.SIGKILL)
    await_file(folder / "app.log", "worker_took_over")
    mount.stop()
    lines = (folder / "app.log").read_text().splitlines()
    assert all(OLD_LINE.fullmatch(line) for line in lines)
    text = "\n".join(lines)
    for part in (" - INFO - mounted ", " - INFO - fetched ", " - WARNING - fetch_failed ", " - WARNING - process_died ",
                 " - DEBUG - worker_took_over ", " - INFO - unmounted "):
        assert part in text
    assert stat.S_IMODE((folder / "app.log").stat().st_mode) == 0o644
    assert token_runs(text, world.secrets()) == 0


def test_last_words_are_in_the_file(world, folder):
    mount = world.prepare(f"--log-dir={folder}")
    (mount.path / "something").touch()
    mount.launch()
    assert mount.wait_exit() != 0
    mount.process = None
    assert " - ERROR - ended code=IRSAFS-E905 " in logged(folder / "app.log")


def test_without_the_folder_nothing_is_made(world):
    mount = world.mount(f"--log-dir={world.folder / 'none'}")
    mount.read()
    mount.stop()
    assert not (world.folder / "none").exists() and "log_file" not in mount.log()


def put_symlink(file: Path, elsewhere: Path) -> None:
    elsewhere.write_text("precious")
    file.symlink_to(elsewhere)


def put_hard_link(file: Path, elsewhere: Path) -> None:
    elsewhere.write_text("precious")
    os.link(elsewhere, file)


def put_fifo(file: Path, elsewhere: Path) -> None:
    elsewhere.write_text("precious")
    os.mkfifo(file)


def put_directory(file: Path, elsewhere: Path) -> None:
    elsewhere.write_text("precious")
    file.mkdir()


@pytest.mark.slow
@pytest.mark.parametrize("put", [put_symlink, put_hard_link, put_fifo, put_directory])
def test_what_is_no_plain_file_is_not_written_to(world, folder, put):
    """It is said once; when it is gone, the file is made."""
    elsewhere = world.folder / "elsewhere"
    put(folder / "app.log", elsewhere)
    mount = world.mount(*QUICK, f"--log-dir={folder}")
    assert mount.read() == GOLDEN
    assert mount.log().count("log_file_failed") == 1 and "regular file with one link" in mount.log()
    assert elsewhere.read_text() == "precious"
    if put is put_directory:
        (folder / "app.log").rmdir()
    else:
        (folder / "app.log").unlink()
    await_file(folder / "app.log", "log_file_opened")
    failing(world, mount)
    await_file(folder / "app.log", "fetch_failed")
    mount.stop()
    assert elsewhere.read_text() == "precious" and mount.log().count("log_file_failed") == 1


@pytest.mark.parametrize("put", [put_symlink, put_hard_link, put_fifo, put_directory])
def test_a_file_that_is_replaced_while_we_write(world, folder, put):
    elsewhere = world.folder / "elsewhere"
    mount = world.mount(*QUICK, f"--log-dir={folder}")
    assert mount.read() == GOLDEN
    (folder / "app.log").rename(folder / "moved")
    put(folder / "app.log", elsewhere)
    await_log(mount, "log_file_failed")
    failing(world, mount)
    assert elsewhere.read_text() == "precious" and "fetch_failed" not in logged(folder / "moved")


def test_a_second_name_for_the_file(world, folder):
    mount = world.mount(*QUICK, f"--log-dir={folder}")
    assert mount.read() == GOLDEN
    os.link(folder / "app.log", folder / "second")
    await_log(mount, "log_file_failed")
    failing(world, mount)
    assert "fetch_failed" not in logged(folder / "second")


def test_hangup_opens_the_file_anew(world, folder):
    mount = world.mount(*QUICK, f"--log-dir={folder}")
    mount.read()
    (folder / "app.log").rename(folder / "kept")
    os.kill(mount.process.pid, signal.SIGHUP)
    await_log(mount, "log_reopened")
    wait_until((folder / "app.log").exists, "a new file")
    failing(world, mount)
    await_file(folder / "app.log", "fetch_failed")
    assert "fetch_failed" not in logged(folder / "kept") and " mounted " in logged(folder / "kept")


def fill(file: Path) -> None:
    os.truncate(file, TEN_MIB)


@pytest.mark.parametrize("hostile", ["nothing", "file", "symlink", "directory", "full directory"])
def test_rotation(world, folder, hostile):
    elsewhere, old = world.folder / "elsewhere", folder / "app.log.1"
    elsewhere.write_text("precious")
    if hostile == "file":
        old.write_text("the one before")
    elif hostile == "symlink":
        old.symlink_to(elsewhere)
    elif hostile != "nothing":
        old.mkdir()
        if hostile == "full directory":
            (old / "precious").touch()
    mount = world.mount(*QUICK, f"--log-dir={folder}")
    mount.read()
    await_file(folder / "app.log", "mounted")
    fill(folder / "app.log")
    wait_until(lambda: (folder / "app.log").exists() and (folder / "app.log").stat().st_size < TEN_MIB, "a small file")
    failing(world, mount)
    await_file(folder / "app.log", "fetch_failed")
    assert elsewhere.read_text() == "precious"
    if "directory" in hostile:
        assert old.is_dir() and "log_file_truncated" in mount.log()
    else:
        assert not old.is_symlink() and old.stat().st_size >= TEN_MIB
        assert old.read_bytes()[:4].isdigit() and "log_file_rotated" in mount.log()
    assert "log_file_failed" not in mount.log()


@pytest.mark.slow
def test_a_folder_that_is_removed_and_comes_back(world, folder):
    mount = world.mount(*QUICK, f"--log-dir={folder}")
    mount.read()
    (folder / "app.log").unlink()
    folder.rmdir()
    await_log(mount, "log_file_failed")
    mount.touch()
    assert mount.read() == GOLDEN
    folder.mkdir(mode=0o777)
    await_file(folder / "app.log", "log_file_opened")
    failing(world, mount)
    await_file(folder / "app.log", "fetch_failed")


@pytest.mark.slow
def test_a_full_disk_is_not_our_readers_business(world, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k,mode=777", "none", folder], check=True)
    try:
        mount = world.mount(*QUICK, f"--log-dir={folder}", "--log-level=debug")
        fd = os.open(folder / "filler", os.O_CREAT | os.O_WRONLY)
        with pytest.raises(OSError) as full:
            while True:
                os.write(fd, b"." * 512)
        assert full.value.errno == errno.ENOSPC
        os.close(fd)
        for _ in range(40):  # a page is left to the file that is there
            mount.touch()
            assert mount.read() == GOLDEN
        (folder / "filler").unlink()
        mount.touch()
        assert mount.read() == GOLDEN
        text = await_file(folder / "app.log", "log_lines_lost")
        mount.stop()
        assert all(OLD_LINE.fullmatch(line) for line in text.splitlines())
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_folder_in_our_own_mount_is_not_looked_at(world):
    path = world.folder / "own"
    path.mkdir()
    (path / "log").mkdir()
    mount = world.mount(*QUICK, "--allow-nonempty", f"--log-dir={path / 'log'}", path=path)
    assert mount.read() == GOLDEN
    mount.stop()
    assert list((path / "log").iterdir()) == []


# ---- what is documented


def test_every_event_is_documented():
    root = Path(__file__).resolve().parents[2]
    source = "\n".join(path.read_text() for part in ("base", "fs") for path in (root / part).glob("**/*.c"))
    calls = re.findall(r'irsafs_log\(\s*[^"]*?"([a-z_]+)"', source) + re.findall(r'\.name = "([a-z_]+)", \.at', source)
    page = (root / "docs/operating.md").read_text().split("\n## The log\n")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    documented = [name for row in rows for name in re.findall(r"`([a-z_]+)`", row)]
    assert len(documented) == len(set(documented))
    assert set(documented) == set(calls)
    assert IRSAFS.exists()
