# SPDX-License-Identifier: Apache-2.0
"""What each process may still do under its profile, tried from inside (try.c) and seen from outside.

Every try that a profile refuses is also made without walls, where it must go differently.
"""
from __future__ import annotations

import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from lib.program import BUILD, environment, public
from lib.wait import wait_until

NOBODY = 65534
FOUR = (1 << 21) | (1 << 7) | (1 << 6) | (1 << 5)   # SYS_ADMIN, SETUID, SETGID, KILL
KILLED = "killed"
NEEDS_TARGET = {
    "read_file": "file", "write_file": "file", "truncate": "file", "chmod": "file", "unlink": "file", "chown": "file",
    "create_file": "new", "create_reading": "new", "mkdir": "new", "mount": "folder", "umount": "folder",
    "list_folder": "folder",
}

# Refused to the supervisor and so to all.
FOREIGN = (
    "ptrace", "read_memory", "write_memory", "bpf", "keyctl", "add_key", "userfaultfd", "perf", "io_uring",
    "open_by_handle", "init_module", "kexec", "reboot", "swapon", "settime", "acct", "pivot_root", "chroot", "unshare",
    "unshare_mount", "setns", "fsopen",
)
WAYS_OUT = (
    "execve", "execveat", "fork", "clone_newuser", "clone_newns", "clone3", "thread", "socketpair", "connect", "bind",
    "listen", "mount", "umount", "become_root",
)
SOCKETS = ("socket", "socket6", "socket_udp", "socket_raw", "socket_unix", "socket_packet", "netlink_route")
FILES = ("read_file", "write_file", "create_file", "create_reading", "truncate", "list_folder", "openat2", "unlink", "mkdir", "chmod", "chown")
MEMORY = ("map_executable", "make_executable")

SUPERVISOR = {
    **{name: "EPERM" for name in (*FOREIGN, "clone_newuser", "clone_newns", "socket_raw", "socket_packet", "chown")},
    "clone3": "ENOSYS",
    **{name: "ok" for name in ("fork", "fork_execve", "fork_execveat", "thread", "mount", "become_other", "kill_parent", "read_file",
                               "write_file", "create_file", "socket", "socketpair", "memory", "pipe_of_messages",
                               "descriptor_by_message", "wait", "timers", "signals", "stderr")},
}
CONFINED = {
    **{name: KILLED for name in (*FOREIGN, *WAYS_OUT, "i386")},
    **{name: "EPERM" for name in (*SOCKETS, *FILES, *MEMORY, "other_ioctl", "map_file_executable", "kill_parent", "prctl_dumpable")},
    "much_memory": "ENOMEM",
    **{name: "ok" for name in ("memory", "pipe_of_messages", "signals", "stderr")},
}
WORKER = {**CONFINED, **{name: "ok" for name in ("descriptor_by_message", "wait", "timers", "serve")}}
NOTIFIER = {**CONFINED, **{name: "EPERM" for name in ("wait", "timers", "serve")}}
CLIENT = {
    **{name: "EPERM" for name in (*FOREIGN, *FILES, *MEMORY, "execve", "execveat", "fork", "clone_newuser", "clone_newns",
                                  "socket_raw", "socket_unix", "socket_packet", "netlink_audit", "listen", "mount", "umount",
                                  "become_root", "kill_parent", "prctl_dumpable")},
    "clone3": "ENOSYS", "openat2": "ENOSYS",
    "read_file": "EACCES", "list_folder": "EACCES", "bind_tcp": "EACCES",   # Landlock's word
    **{name: "ok" for name in ("thread", "socket", "socket6", "socket_udp", "netlink_route", "socketpair", "memory",
                               "pipe_of_messages", "map_file_executable", "signals", "stderr")},
}
PROFILES = {"supervisor": SUPERVISOR, "worker": WORKER, "notifier": NOTIFIER, "client": CLIENT}
ALL = [(profile, name) for profile, table in PROFILES.items() for name in table]
ROOT = ("supervisor", "free")


@pytest.fixture
def program():
    return public(BUILD / "tests" / "confine-try")


class Tries:
    """One run of the program in a mount namespace and a folder of its own."""

    def __init__(self, program: Path, folder: Path) -> None:
        self._program = program
        self._paths = {"file": folder / "file", "new": folder / "new", "folder": folder / "folder"}
        self._token = folder / "tokens" / "token"
        folder.chmod(0o777)
        self._token.parent.mkdir()
        self._token.write_text("token")
        self._paths["file"].write_text("x")
        self._paths["file"].chmod(0o666)
        self._paths["folder"].mkdir()
        for path in (self._paths["file"], self._paths["folder"]):
            os.chown(path, NOBODY, NOBODY)

    @property
    def token(self) -> Path:
        return self._token

    def word(self, name: str) -> str:
        return f"{name}={self._paths[NEEDS_TARGET[name]]}" if name in NEEDS_TARGET else name

    def run(self, profile: str, *words: str, mode: str = "required", root: bool = False) -> tuple:
        """Exit status and lines."""
        user = {} if root or profile in ROOT else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        args = ["unshare", "-m", self._program] if not user else [self._program]
        done = subprocess.run(
            [*args, profile, mode, self._token, "--", *words], env=environment(), stdin=subprocess.DEVNULL,
            capture_output=True, cwd="/", timeout=30, check=False, text=True, **user,
        )
        return done.returncode, done.stdout.splitlines()

    def one(self, profile: str, name: str, **options) -> str:
        """What became of one try: "ok", the name of an error, "killed"."""
        status, lines = self.run(profile, self.word(name), **options)
        assert lines[0].startswith("report"), lines
        if len(lines) == 1:
            return KILLED if status == -signal.SIGSYS else f"ended with {status}"
        assert status == 0 and lines[1].startswith(f"{name} ")
        return lines[1].split()[1]


@pytest.fixture
def tries(program, tmp_path):
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    return Tries(program, tmp_path)


@pytest.mark.parametrize("profile, name", ALL, ids=lambda value: value)
def test_try(tries, profile, name):
    assert tries.one(profile, name) == PROFILES[profile][name]


@pytest.mark.parametrize("name", sorted({name for profile, name in ALL if PROFILES[profile][name] != "ok"}))
def test_without_walls_it_goes_differently(tries, name):
    refused = {PROFILES[profile][name] for profile, other in ALL if other == name} - {"ok"}
    assert tries.one("free", name, mode="off") not in refused - ({"ENOSYS"} if name in ("init_module", "kexec") else set())


def test_abort_is_an_abort(tries):
    for profile in PROFILES:
        assert tries.one(profile, "abort") == f"ended with {-signal.SIGABRT}"


def test_client_reads_beside_its_token(tries):
    other = tries.token.with_name("..data")
    other.write_text("x")
    for path in (tries.token, other, "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt", "/dev/urandom"):
        assert tries.run("client", f"read_file={path}")[1][1] == "read_file ok", path
    for path in ("/etc/shadow", "/etc/passwd", "/proc/self/environ", "/root/.profile"):
        assert tries.run("client", f"read_file={path}", root=True)[1][1] == "read_file EACCES", path
        assert tries.run("client", f"read_file={path}", root=True, mode="off")[1][1] in ("read_file ok", "read_file ENOENT")


def test_token_file_in_the_root_folder_does_not_open_all(program):
    for token in ("/token", "/./token", "//token"):
        done = subprocess.run([program, "client", "required", token, "--", "read_file=/etc/passwd", "read_file=/etc/hosts"],
                              env=environment(), capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout.splitlines()[1:] == ["read_file EACCES", "read_file ok"]


REPORTS = {
    "supervisor": "report uid capabilities no_new_privs seccomp",
    "worker": "report uid capabilities no_new_privs seccomp landlock",
    "notifier": "report uid capabilities no_new_privs seccomp landlock",
    "client": "report uid capabilities no_new_privs seccomp landlock",
}


@pytest.mark.parametrize("profile", REPORTS)
def test_report(tries, profile):
    assert tries.run(profile) == (0, [REPORTS[profile]])
    assert tries.run(profile, mode="off") == (0, ["report"])


@pytest.mark.parametrize("profile", ["worker", "notifier", "client"])
def test_landlock_by_itself(tries, program, profile):
    """What seccomp hides: files, TCP ports, and (ABI 6) signals are refused by Landlock too."""
    def one(name: str) -> str:
        done = subprocess.run(
            [program, "without", "off", "seccomp", program, profile, "best-effort", tries.token, "--", tries.word(name)],
            env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False, text=True,
        )
        report, line = done.stdout.splitlines()
        assert report == "report capabilities no_new_privs landlock"
        return line

    for name in ("read_file", "write_file", "create_file", "truncate", "list_folder", "unlink", "mkdir", "bind_tcp"):
        assert one(name) == f"{name} EACCES"
    assert one("kill_parent") == "kill_parent EPERM"


def test_off_changes_nothing(tries):
    for profile in PROFILES:
        assert tries.one(profile, "unshare", mode="off", root=True) == "ok"


def test_worker_as_root(tries):
    """Where ids could not be changed: required fails and says what, best-effort says what is missing."""
    for profile in ("worker", "notifier"):
        status, lines = tries.run(profile, root=True)
        assert status == 9 and lines == ["error 908 user and group id: Operation not permitted"]
        assert tries.run(profile, mode="best-effort", root=True)[1] == ["report capabilities no_new_privs seccomp landlock"]
        assert tries.one(profile, "read_file", mode="best-effort", root=True) == "EPERM"


def status_of(pid: int) -> dict:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


@pytest.mark.parametrize("profile", ["supervisor", "worker", "notifier"])
def test_from_outside(program, tmp_path, profile):
    """A real family: the supervisor's profile, the child's ids, the child's profile on top."""
    args = [program, "family", "required", str(NOBODY), program, profile, "required", "-", "--", "pause"]
    if profile == "supervisor":
        args = [program, profile, "required", "-", "--", "pause"]
    process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True,
                               extra_groups=[0, 5, 4711])
    try:
        assert process.stdout.readline().split() == REPORTS[profile].split()
        pid = process.pid
        if profile != "supervisor":
            (pid,) = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        seen = status_of(pid)
        limits = Path(f"/proc/{pid}/limits").read_text()
        owner = os.stat(f"/proc/{pid}/environ").st_uid
    finally:
        process.communicate("x", timeout=20)
    caps = {name: int(seen[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
    kept = FOUR if profile == "supervisor" else 0
    assert caps == {"CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapBnd": 0, "CapAmb": 0}
    assert (seen["NoNewPrivs"], seen["Seccomp"], owner) == ("1", "2", 0)   # root's: not dumpable
    if profile == "supervisor":
        assert seen["Seccomp_filters"] == "1"
    else:
        assert seen["Seccomp_filters"] == "2"
        assert seen["Uid"].split() == seen["Gid"].split() == [str(NOBODY)] * 4
        assert seen["Groups"].split() == ["5", "4711"]
        rows = {line[:25].strip(): line[26:].split()[:2] for line in limits.splitlines()}
        assert rows["Max core file size"] == rows["Max processes"] == ["0", "0"]
        assert rows["Max open files"] == ["128", "128"]


def test_child_whose_ids_cannot_be_changed(program):
    def ran(mode: str, *prefix: str) -> list:
        return subprocess.run(
            [*prefix, program, "child", mode, str(NOBODY), "/usr/bin/grep", "-E", "^(Uid|Gid|CapPrm|NoNewPrivs)", "/proc/self/status"],
            env=environment(), capture_output=True, text=True, timeout=20, check=False,
        ).stdout.split()

    stayed = "Uid: 0 0 0 0 Gid: 0 0 0 0 CapPrm: 0000000000000000 NoNewPrivs: 1".split()
    for prefix in (("unshare", "-r"), ("setpriv", "--bounding-set=-kill"), ("setpriv", "--bounding-set=-setgid")):
        assert ran("required", *prefix) == ["refused", "EPERM"], prefix
        assert ran("best-effort", *prefix) == stayed, prefix
    other = f"Uid: {' '.join(['65534'] * 4)} Gid: {' '.join(['65534'] * 4)} CapPrm: 0000000000000000 NoNewPrivs: 1".split()
    assert ran("required") == ran("best-effort") == other
    assert ran("required", "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups") == other   # already there
    assert ran("off")[-1] == "0"


def test_ids_change_all_or_not_at_all(program):
    """A user namespace that maps the group id and not the user id: the group id goes back."""
    script = 'read x; exec "$@"'
    grep = ["/usr/bin/grep", "-E", "^(Uid|Gid|Groups)", "/proc/self/status"]
    process = subprocess.Popen(
        ["unshare", "-U", "sh", "-c", script, "sh", program, "child", "best-effort", str(NOBODY), *grep], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=environment(), text=True, extra_groups=[5, 4711],
    )
    own = os.readlink("/proc/self/ns/user")
    wait_until(lambda: os.readlink(f"/proc/{process.pid}/ns/user") != own, "the namespace")
    Path(f"/proc/{process.pid}/uid_map").write_text("0 0 1\n")
    Path(f"/proc/{process.pid}/gid_map").write_text("0 0 65535\n")
    out, _ = process.communicate("x\n", timeout=20)
    assert out.split() == "Uid: 0 0 0 0 Gid: 0 0 0 0 Groups: 5 4711".split()


def test_supervisor_without_its_capabilities(program):
    done = subprocess.run(["setpriv", "--bounding-set=-setuid", program, "supervisor", "required", "-", "--"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 9 and done.stdout.startswith("error 908 CAP_SYS_ADMIN, SETUID, SETGID and KILL: ")
    done = subprocess.run(["setpriv", "--bounding-set=-setuid", program, "supervisor", "best-effort", "-", "--"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout.split() == "report capabilities no_new_privs seccomp".split()


def test_child_dies_with_its_parent(program):
    """The death signal is set after the change of ids, which would clear it."""
    process = subprocess.Popen([program, "child", "required", str(NOBODY), "/usr/bin/sleep", "60"], env=environment())
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    pid = wait_until(lambda: children.read_text().split() or None, "the child")[0]
    wait_until(lambda: Path(f"/proc/{pid}/comm").read_text() == "sleep\n", "its exec")
    fd = os.pidfd_open(int(pid))
    process.kill()
    process.wait(timeout=20)
    assert select.select([fd], [], [], 6)[0]
    os.close(fd)


def test_child_whose_parent_is_gone(program):
    done = subprocess.run([program, "orphan", "off", "-"], capture_output=True, text=True, timeout=20, check=False)
    assert done.stdout == "refused ESRCH\n"
