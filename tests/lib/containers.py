# SPDX-License-Identifier: Apache-2.0
"""Containers of a pod, run by runc as a Kubernetes runtime would: one configuration each, nothing else in between.

Kubernetes gives a pod's containers one network; here it is the machine's, where the stand-ins listen.
"""
from __future__ import annotations

import itertools
import json
import os
import platform
import re
import subprocess
from pathlib import Path
from typing import Iterable, Optional

from .mount import EXTRA_ARGS, Mount
from .pod import READER, Volume
from .procs import processes, status_fields
from .program import USER, Ran, environment, run

AWS = "/var/run/.aws"                  # where each container has the volume
PODINFO = "/etc/podinfo"
MOUNTING = ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_KILL")   # the least that mode mount works with
FSGROUP = USER
CAPABILITIES = Path("/usr/include/linux/capability.h")
PROFILE = Path("/usr/share/containers/seccomp.json")
ARCHES = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}
MASKED = ("/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
          "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi")
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_numbers = itertools.count(1)


def runtime_default(caps: tuple) -> dict:
    """The seccomp profile RuntimeDefault, as a runtime resolves it for a container with these capabilities."""
    profile = json.loads(PROFILE.read_text())
    arch, name = ARCHES[platform.machine()]

    def applies(rule: dict) -> bool:
        has, not_ = rule.get("includes") or {}, rule.get("excludes") or {}
        return (arch in has.get("arches", [arch]) and all(c in caps for c in has.get("caps", []))
                and arch not in not_.get("arches", []) and not any(c in caps for c in not_.get("caps", [])))

    rules = []
    for rule in filter(applies, profile["syscalls"]):
        rules.append({"names": rule["names"], "action": rule["action"], "args": rule.get("args") or []})
        if "errnoRet" in rule:
            rules[-1]["errnoRet"] = rule["errnoRet"]
    return {"defaultAction": profile["defaultAction"], "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": [name], "syscalls": rules}


def every_capability() -> tuple:
    """All that this machine may give."""
    mine = int(status_fields(os.getpid())["CapBnd"], 16)
    numbers = re.findall(r"^#define (CAP_[A-Z_]+)\s+(\d+)$", CAPABILITIES.read_text(), re.M)
    return tuple(name for name, number in numbers if mine >> int(number) & 1)


def bind(source, destination: str, *options: str) -> dict:
    return {"type": "bind", "source": str(source), "destination": destination, "options": ["rbind", *options]}


def tmpfs(destination: str, *options: str) -> dict:
    return {"type": "tmpfs", "source": "tmpfs", "destination": destination, "options": ["nosuid", "nodev", *options]}


def forget_pages(tree: Path) -> None:
    """Else programs and libraries are in memory already, on the account of whoever unpacked them."""
    for path in tree.rglob("*"):
        if path.is_file() and not path.is_symlink():
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


class Bundle:
    """A container's configuration. `propagation` of its root: rshared as soon as a volume is, which is Bidirectional."""

    def __init__(self, folder: Path, rootfs: Path, args: list, env: dict, *, user: int, caps: tuple = (),
                 propagation: str = "rslave", mounts: Iterable = (),
                 fuse: bool = False, memory: Optional[int] = None, privileged: bool = False) -> None:
        self.id = f"irsafs-test-{os.getpid()}-{next(_numbers)}"
        self._runc = ["runc", "--root", str(folder / "runc")]
        self.cgroup = f"/{self.id}"
        path = folder / self.id
        path.mkdir()
        resources: dict = {"devices": [{"allow": False, "access": "rwm"}]}
        devices = []
        if fuse:
            number = os.stat("/dev/fuse").st_rdev
            node = {"type": "c", "major": os.major(number), "minor": os.minor(number)}
            devices.append({**node, "path": "/dev/fuse", "fileMode": 0o666, "uid": 0, "gid": 0})
            resources["devices"].append({**node, "allow": True, "access": "rwm"})
        if memory:
            resources["memory"] = {"limit": memory}
        if privileged:
            caps, resources["devices"] = every_capability(), [{"allow": True, "access": "rwm"}]
        config = {
            "ociVersion": "1.0.2",
            "root": {"path": str(rootfs), "readonly": True},
            "process": {
                "user": {"uid": user, "gid": user, "additionalGids": [FSGROUP]},
                "args": args, "env": [f"{name}={value}" for name, value in env.items()], "cwd": "/",
                "noNewPrivileges": not privileged,
                "capabilities": {kind: list(caps) for kind in ("bounding", "effective", "permitted")},
            },
            "mounts": [
                {"type": "proc", "source": "proc", "destination": "/proc", "options": ["nosuid", "noexec", "nodev"]},
                {"type": "tmpfs", "source": "tmpfs", "destination": "/dev", "options": ["nosuid", "mode=755"]},
                tmpfs("/dev/shm", "mode=1777"),
                {"type": "sysfs", "source": "sysfs", "destination": "/sys", "options": ["nosuid", "noexec", "nodev", "ro"]},
                *mounts,
            ],
            "linux": {
                "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")],
                "rootfsPropagation": propagation, "cgroupsPath": self.cgroup, "resources": resources, "devices": devices,
                "seccomp": runtime_default(caps), "maskedPaths": MASKED, "readonlyPaths": READ_ONLY,
            },
        }
        if privileged:                 # no profile, nothing masked, the machine's devices
            for name in ("seccomp", "maskedPaths", "readonlyPaths"):
                del config["linux"][name]
            config["mounts"][1] = bind("/dev", "/dev", "rprivate")
        (path / "config.json").write_text(json.dumps(config, indent=1))
        self.command = [*self._runc, "run", "--bundle", str(path), self.id]

    def runc(self, *args, **options) -> Ran:
        return run([*self._runc, *args], timeout=60, **options)

    def exec(self, *args, env: Optional[dict] = None) -> Ran:
        """kubectl exec."""
        names = [word for name, value in (env or {}).items() for word in ("--env", f"{name}={value}")]
        return self.runc("exec", *names, self.id, *args)

    def pid(self) -> int:
        """Of its process 1, seen from outside."""
        return json.loads(self.runc("state", self.id).out)["pid"]

    def running(self) -> bool:
        return self.runc("state", self.id).code == 0

    def kill(self) -> None:
        """SIGKILL to all of it."""
        ran = self.runc("kill", self.id, "KILL")
        assert ran.code == 0, ran.err

    def remove(self) -> None:
        self.runc("delete", "--force", self.id)

    def memory(self) -> tuple:
        """Bytes at the most, and how many processes were killed for want of them."""
        old, new = Path(f"/sys/fs/cgroup/memory{self.cgroup}"), Path(f"/sys/fs/cgroup{self.cgroup}")
        if old.exists():
            peak, events = old / "memory.max_usage_in_bytes", old / "memory.oom_control"
        else:
            peak, events = new / "memory.peak", new / "memory.events"
        kills = dict(line.split() for line in events.read_text().splitlines())["oom_kill"]
        return int(peak.read_text()), int(kills)

    def limit(self) -> int:
        old, new = Path(f"/sys/fs/cgroup/memory{self.cgroup}"), Path(f"/sys/fs/cgroup{self.cgroup}")
        return int((old / "memory.limit_in_bytes" if old.exists() else new / "memory.max").read_text())


class Sidecar(Mount):
    """irsafs in a container of the image; `path` is the volume as the node sees it."""

    def __init__(self, path: Path, bundle: Bundle, args: list, env: dict, secrets) -> None:
        super().__init__(path, args, env, secrets)
        self.bundle = bundle
        self.arguments = bundle.command
        self._env = environment()

    def _answers(self) -> bool:
        try:
            return self.status()["pid"] == 1
        except (OSError, KeyError):    # nothing yet, or the status that says that nobody serves
            return False

    def kill(self) -> None:
        self.bundle.kill()
        self.process.wait(20)
        self.process = None

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.bundle.remove()

    @property
    def supervisor(self) -> int:
        return self.bundle.pid()

    def processes(self) -> list:
        """All of the container, as numbers of the machine."""
        inside = os.readlink(f"/proc/{self.supervisor}/ns/pid")
        return [pid for pid in processes() if _link(f"/proc/{pid}/ns/pid") == inside]


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return ""


class Reader:
    """A run container that stays: uid 12574, no capability. The machine's own files are its image, read-only."""

    def __init__(self, folder: Path, rootfs: Path, volume: Path, read_only: bool) -> None:
        run_ = tmpfs("/run", "mode=755")
        env = environment(HOME="/run/home", AWS_CONFIG_FILE=f"{AWS}/config", AWS_DEFAULT_REGION="us-east-1",
                          AWS_EC2_METADATA_DISABLED="true")
        aws = bind(volume, AWS, "rslave", *(["ro"] if read_only else []))
        self.bundle = Bundle(folder, rootfs, ["/usr/bin/python3", "-c", READER], env, user=USER,
                             mounts=(run_, tmpfs("/run/home", "mode=777"), aws))
        self._log = (folder / f"{self.bundle.id}.log").open("w+")
        self.process = subprocess.Popen(self.bundle.command, env=environment(), cwd="/", stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self._log, text=True)
        assert self.ask("list")[0] == 0

    def ask(self, verb: str, name: str = "") -> tuple:
        """errno, answer."""
        print(json.dumps([verb, f"{AWS}/{name}"]), file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        assert line, f"the reader ended: {Path(self._log.name).read_text()}"
        return tuple(json.loads(line))

    def read(self, name: str = "config") -> str:
        errnum, text = self.ask("read", name)
        assert errnum == 0, os.strerror(errnum)
        return text

    def run(self, *args, env: Optional[dict] = None) -> str:
        """A program beside the reader, as its user."""
        ran = self.bundle.exec(*args, env=env)
        assert ran.code == 0, f"{args}: exit {ran.code}: {ran.err}"
        return ran.out.decode()

    def close(self) -> None:
        self.process.stdin.close()     # the reader ends, and runc with it
        self.process.stdout.close()
        try:
            self.process.wait(20)
        finally:
            self.bundle.remove()
            self._log.close()


class Pod:
    """One volume, the image's files, and the containers on them."""

    def __init__(self, world, image: Path) -> None:
        self._world = world
        self._folder = world.folder / "containers"
        self._folder.mkdir(mode=0o755)
        self._image = image
        self._machine = self._folder / "machine"     # this machine's root, without what is mounted in it
        self._machine.mkdir()
        subprocess.run(["mount", "--bind", "/", self._machine], check=True)
        subprocess.run(["mount", "--make-private", self._machine], check=True)
        self._volume = Volume(world.folder)
        self.volume = self._volume.path
        self._readers: list = []

    def sidecar(self, *args: str, env: Optional[dict] = None, user: int = 0, caps: tuple = MOUNTING, fuse: bool = True,
                propagation: str = "rshared", mounts: Optional[tuple] = None, path: Optional[Path] = None,
                more: tuple = (), memory: Optional[int] = None, privileged: bool = False) -> Sidecar:
        """Prepared, not started; by default mode mount with the least privileges. `mounts`: instead of the volume."""
        names = {"PATH": "/usr/bin", "IRSAFS_CONTROL": "off", **self._world.env(), **(env or {})}
        labels = Path(names["POD_INFO_PATH"])
        names.update(PATH="/usr/bin", POD_INFO_PATH=f"{PODINFO}/{labels.name}")
        command = ["irsafs", "mount", AWS, *EXTRA_ARGS, *args]
        if mounts is None:
            mounts = (bind(self.volume, AWS, propagation),)
        bundle = Bundle(self._folder, self._image, command, names, user=user, caps=caps, propagation=propagation, fuse=fuse,
                        memory=memory, privileged=privileged, mounts=(bind(labels.parent, PODINFO, "ro"), *mounts, *more))
        sidecar = Sidecar(path or self.volume, bundle, list(args), names, self._world.secrets)
        self._world.mounts.append(sidecar)
        return sidecar

    def reader(self, read_only: bool = True, volume: Optional[Path] = None) -> Reader:
        reader = Reader(self._folder, self._machine, volume or self.volume, read_only)
        self._readers.append(reader)
        return reader

    def end(self) -> None:
        """Ends the containers, readers first."""
        while self._readers:
            self._readers.pop().close()
        while self._world.mounts:
            self._world.mounts.pop().close()

    def close(self) -> None:
        try:
            self.end()
        finally:
            self._volume.__exit__()
            subprocess.run(["umount", self._machine], check=True)
