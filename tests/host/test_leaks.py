# SPDX-License-Identifier: Apache-2.0
"""Nothing of a token gets anywhere, and nothing grows: descriptors, threads, memory."""
from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from lib.procs import children, named
from lib.program import BUILD, environment, run
from lib.text import body, code
from lib.wait import wait_until
from lib.world import GOLDEN

RUN_BYTES = 12                         # so many bytes of a token in a row are a leak
LOOKS = 1_000_000
FETCHES = 10_000
REAL_FETCHES = 500


class Hunt:
    """Knows every run of bytes of the tokens that were issued, and looks for them."""

    def __init__(self, tokens) -> None:
        self._tokens = tokens          # grows while the test runs

    def leaks(self, data: bytes) -> bool:
        return any(
            token[i : i + RUN_BYTES].encode() in data for token in self._tokens for i in range(len(token) - RUN_BYTES + 1)
        )

    def check(self, what: str, data: bytes) -> None:
        leaked = self.leaks(data)      # the assertion must not print what it found
        assert not leaked, f"{RUN_BYTES} bytes of a token in {what}"


@pytest.fixture
def hunt(world):
    return Hunt(world.tokens.users)


def read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        return os.pread(fd, 8 << 20, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)


def look_at_process(hunt: Hunt, pid: int, name: str) -> int:
    """What the kernel shows of a process to root, memory excepted. The number of files that were read."""
    files = [f"/proc/{pid}/{part}" for part in ("cmdline", "environ", "comm", "maps", "status", "limits", "auxv")]
    for folder in ("fd", "map_files"):
        for entry in os.listdir(f"/proc/{pid}/{folder}"):
            path = f"/proc/{pid}/{folder}/{entry}"
            try:
                target = os.readlink(path)
            except OSError:
                continue
            if target.startswith("/") and not target.startswith("/dev/"):  # files and memfds
                files.append(path)
    for path in files:
        hunt.check(f"{name}: {path}", read(path))
    return len(files)


def core_of(pid: int, folder: Path) -> bytes:
    ran = run(["gcore", "-a", "-o", folder / "core", str(pid)], timeout=60)
    assert ran.code == 0, ran.err
    path = folder / f"core.{pid}"
    data = path.read_bytes()
    path.unlink()
    return data


def mounted_files(mount) -> bytes:
    return b"".join((mount.path / name).read_bytes() for name in ("config", "status", "refresh"))


def new_cores(since: float) -> list:
    """The cores in the working directory of a daemon, which a test that fails does not leave there."""
    names = [name for name in os.listdir("/") if name.startswith("core") and os.stat(f"/{name}").st_ctime >= since]
    for name in names:
        os.unlink(f"/{name}")
    return names


def start_reader(mount) -> subprocess.Popen:
    return subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())


def test_the_hunt_finds_what_is_there(world, hunt):
    token = world.tokens.issue().encode()
    assert hunt.leaks(b"x" * 99 + token[-RUN_BYTES:] + b"y") and hunt.leaks(token[5 : 5 + RUN_BYTES])
    assert not hunt.leaks(token[: RUN_BYTES - 1])


def test_while_the_client_holds_a_token(world, hunt):
    """Command lines, environments, files that are mapped or open, of all processes.

    An API key in the pod's environment stays in that of the daemon, which inherited it; the client wipes its copy.
    """
    key = "an-api-key-0123456789-of-the-test"
    gate = world.service.hold()
    mount = world.mount("--log-level=debug", "--wait=60s", env=world.env(DOMINO_USER_API_KEY=key))
    reader = start_reader(mount)
    gate.wait_arrived()                # the client has the token by now
    pid = mount.process.pid
    client, notifier = named(pid, "irsafs-client")[0], named(pid, "irsafs-notifier")[0]
    for name, number in {"first": pid, "daemon": mount.worker, "client": client, "notifier": notifier}.items():
        assert look_at_process(hunt, number, name) > 15
    look_at_process(Hunt([key]), client, "client")
    hunt.check("status", (mount.path / "status").read_bytes())
    gate.release()
    out, _ = reader.communicate(timeout=30)
    hunt.check("the text", out)
    hunt.check("the log", mount._raw_log().encode())


def test_daemon_and_notifier_never_see_a_token(world, hunt):
    """Neither in what the kernel shows of them nor in their memory; the memory shows the text, so it is the right one."""
    mount = world.mount("--log-level=debug", "--min-refresh=0s", "--wait=60s")
    for _ in range(5):
        assert mount.read() == GOLDEN
        mount.touch()
    world.service.behave(status=401)
    mount.touch()
    assert code(mount.read()) == 404
    world.service.normal()
    mount.touch()
    assert mount.read() == GOLDEN
    mount.wait_idle()
    daemon = mount.worker
    core = core_of(daemon, world.folder)
    assert GOLDEN.encode() in core
    hunt.check("the daemon's memory", core)
    look_at_process(hunt, daemon, "daemon")
    others = {mount.process.pid, *children(mount.process.pid)} - {daemon}
    assert any(other in others for other in named(mount.process.pid, "irsafs-notifier"))
    for other in others:
        hunt.check("another's memory", core_of(other, world.folder))
        look_at_process(hunt, other, "another")
    hunt.check("the files", mounted_files(mount))
    hunt.check("the log", mount._raw_log().encode())


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 429, 500, 503])
def test_a_peer_that_repeats_the_token(world, hunt, status):
    """In its body and in headers, whole and in words: nothing of it is repeated by us."""
    world.tokens.raw = "opaque-TOKEN-0123456789.abcdefghijklmnopqrstuvwxyz_ABCDEFGHIJ"
    token = world.tokens.raw
    page = f"<html>{token}</html>\n[profile {token[:40]}]\nrole_arn={token}\n# {token}\n".encode()
    world.service.behave(
        status=status, body=page,
        headers=(("Location", f"/{token}"), ("Content-Type", f"text/{token}"), ("WWW-Authenticate", token), ("Retry-After", token)),
    )
    mount = world.mount("--log-level=debug", "--min-refresh=0s", "--wait=60s")
    assert code(mount.read()) != 0
    hunt.check("the files", mounted_files(mount))
    hunt.check("the log", mount._raw_log().encode())


@pytest.mark.parametrize("text", ["half a token \u00e9 0123456789abcdef", "two\nlines-0123456789abcdef", "x" * 20000])
def test_a_token_that_is_refused_is_not_repeated(world, hunt, text):
    world.tokens.raw = text
    mount = world.mount("--log-level=debug", "--min-refresh=0s", "--wait=60s")
    assert code(mount.read()) == 403
    files = mounted_files(mount) + mount._raw_log().encode()
    for i in range(len(text) - RUN_BYTES if len(text) < 1000 else 1):
        assert text[i : i + RUN_BYTES].encode("latin-1") not in files


def test_a_crashed_client_leaves_no_core(world, hunt):
    """With the token in its memory, and where the host would write cores of any size."""
    begin = time.time() - 1
    gate = world.service.hold()
    mount = world.mount("--wait=60s", "--log-level=debug", prefix=("prlimit", "--core=unlimited"))
    reader = start_reader(mount)
    gate.wait_arrived()
    os.kill(named(mount.process.pid, "irsafs-client")[0], signal.SIGSEGV)
    text = reader.communicate(timeout=30)[0].decode()
    assert code(text) == 4 and "signal 11" in text
    assert new_cores(begin) == []
    hunt.check("the text", text.encode())
    gate.release()


def test_a_crashed_daemon_leaves_no_core(world):
    begin = time.time() - 1
    mount = world.mount(prefix=("prlimit", "--core=unlimited"))
    mount.read()
    mount.process.send_signal(signal.SIGSEGV)
    assert mount.wait_exit() == -signal.SIGSEGV
    mount.process = None
    assert new_cores(begin) == []


def test_no_file_is_made(world, hunt):
    """Neither daemon nor notifier nor client opens anything to write to, but /dev/null, their memfds and the kernel."""
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    trace = world.folder / "trace"
    calls = "open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,truncate"
    pids = [mount.process.pid, *children(mount.process.pid)]
    attach = [arg for pid in pids for arg in ("-p", str(pid))]
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-e", f"trace={calls},execve,execveat", "-s", "4096", "-o", trace, *attach],
        stderr=subprocess.PIPE, env=environment(),
    )
    for pid in pids:
        wait_until(lambda p=pid: "TracerPid:\t0\n" not in Path(f"/proc/{p}/status").read_text(), "strace")
    for _ in range(3):
        mount.touch()
        assert mount.read() == GOLDEN
    tracer.send_signal(signal.SIGINT)
    tracer.communicate(timeout=30)
    lines = trace.read_text().splitlines()
    assert sum(re.search(r"execve(at)?\(.*irsafs-client", line) is not None for line in lines) >= 3
    made = [
        line for line in lines
        if re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE|creat\(|mkdir|mknod|rename|link|truncate", line) and "/dev/null" not in line
    ]
    assert made == []
    hunt.check("the trace", trace.read_bytes())


# ---- nothing grows

class Figures:
    """What a process has: descriptors, threads, resident memory."""

    def __init__(self, pid: int) -> None:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        self.fds = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
        self.threads = int(status["Threads"])
        self.rss_kib = int(status["VmRSS"].split()[0])

    def __str__(self) -> str:
        return f"{len(self.fds)} descriptors, {self.threads} threads, {self.rss_kib} KiB"


def family(mount) -> dict:
    notifier = named(mount.process.pid, "irsafs-notifier")[0]
    return {"first": Figures(mount.process.pid), "daemon": Figures(mount.worker), "notifier": Figures(notifier)}


def check_flat(before: dict, after: dict, what: str) -> None:
    print(f"{what}: " + "; ".join(f"{name}: {before[name]} -> {after[name]}" for name in before))
    for name, first in before.items():
        last = after[name]
        assert (len(last.fds), last.threads) == (len(first.fds), first.threads), f"{name}: {first.fds} -> {last.fds}"
        assert last.rss_kib - first.rss_kib < 256, f"{name}: {first} -> {last}"


@pytest.fixture
def mount(world):
    """Served by the quickest client."""
    folder = world.folder / "client"
    folder.mkdir()
    shutil.copy(BUILD / "tests" / "fixed-client", folder / "client")
    (folder / "text").write_text(GOLDEN)
    return world.mount(f"--client={folder / 'client'}", "--min-refresh=0s", "--wait=60s", "--stale-wait=60s")


LOOKER = """
import os, sys
config, status, looks = sys.argv[1], sys.argv[2], int(sys.argv[3])
for _ in range(looks // 2):
    fd = os.open(config, os.O_RDONLY)
    os.read(fd, 4096)
    os.close(fd)
    os.stat(status)
"""


def test_a_million_looks(mount):
    """Half of them reads that the kernel answers, half of them LOOKUPs of `status` that the daemon answers."""
    looker = ["/usr/bin/python3", "-c", LOOKER, mount.config, mount.path / "status"]
    assert run([*looker, "20000"], timeout=60).code == 0
    before = family(mount)
    begin = time.monotonic()
    lookers = [subprocess.Popen([*looker, str(LOOKS // 2)], env=environment()) for _ in range(2)]
    assert [each.wait(240) for each in lookers] == [0, 0]
    check_flat(before, family(mount), f"{LOOKS} looks in {time.monotonic() - begin:.0f} s")


def fetch(mount, folder: Path, count: int) -> None:
    """Touches and reads; every tenth fetch fails."""
    text, away = folder / "text", folder / "away"
    for number in range(count):
        fails = number % 10 == 9
        if fails:
            text.rename(away)
        mount.touch()
        seen = mount.config.read_text()
        assert body(seen) == GOLDEN and (code(seen) != 0) == fails
        if fails:
            away.rename(text)


def test_ten_thousand_fetches(world, mount):
    folder = world.folder / "client"
    fetch(mount, folder, 500)
    before = family(mount)
    begin = time.monotonic()
    fetch(mount, folder, FETCHES)
    check_flat(before, family(mount), f"{FETCHES} fetches in {time.monotonic() - begin:.0f} s")
    assert mount.status()["fetch"]["total"] >= FETCHES
    below = [pid for pid in children(mount.process.pid) if pid != mount.worker]
    assert below == named(mount.process.pid, "irsafs-notifier") != []  # no zombies


def test_fetches_of_the_real_client(world):
    world.tokens.raw = "an-opaque-token-of-the-test"  # the stand-ins shall not remember thousands
    mount = world.mount("--min-refresh=0s", "--wait=60s")

    def fetch_real(count: int) -> None:
        for _ in range(count):
            mount.touch()
            assert mount.config.read_text() == GOLDEN

    fetch_real(50)
    before = family(mount)
    fetch_real(REAL_FETCHES)
    check_flat(before, family(mount), f"{REAL_FETCHES} fetches of the real client")
