# SPDX-License-Identifier: Apache-2.0
"""A volume that two containers share, as kubelet and runtime arrange it, and a reader that stays in the other one."""
from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .program import USER, environment

# In the namespace of the reader: a bind of the volume that receives mounts (HostToContainer).
_RUN = """
mount --rbind "$1" "$2"
mount --make-rslave "$2"
if [ "$3" = ro ]; then mount -o remount,bind,ro "$2"; fi
shift 3
exec "$@"
"""

# Answers orders, one per line, for as long as it lives: a process of a workspace that nobody restarts.
READER = """
import json, os, sys
for line in sys.stdin:
    verb, path = json.loads(line)
    try:
        if verb == "read":
            answer = open(path).read()
        elif verb == "touch":
            answer = os.utime(path)
        elif verb == "write":
            answer = open(path, "w").close()
        else:
            answer = sorted(os.listdir(path))
        print(json.dumps([0, answer]), flush=True)
    except OSError as error:
        print(json.dumps([error.errno, None]), flush=True)
"""


class Volume:
    """An emptyDir: a file system of its own, shared with other namespaces. `path` is the sidecar's view."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "aws0"
        self.inside = folder / "run"           # the run container's view, in its namespace only
        self.path.mkdir()
        self.inside.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "volume", self.path], check=True)
        subprocess.run(["mount", "--make-shared", self.path], check=True)
        self._containers: list = []

    def container(self, read_only: bool = True) -> "Container":
        """A run container that starts now."""
        container = Container(self, read_only)
        self._containers.append(container)
        return container

    def __enter__(self) -> "Volume":
        return self

    def __exit__(self, *_) -> None:
        for container in self._containers:
            container.close()
        subprocess.run(["umount", "-R", "-l", self.path], check=True)


class Container:
    def __init__(self, volume: Volume, read_only: bool) -> None:
        self._root = volume.inside
        self._process = subprocess.Popen(
            ["unshare", "-m", "--propagation", "unchanged", "sh", "-ec", _RUN, "sh", volume.path, volume.inside,
             "ro" if read_only else "rw", "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
             "--bounding-set=-all", "--no-new-privs", "/usr/bin/python3", "-c", READER],
            env=environment(), cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.ask("list")                       # it is there

    def ask(self, verb: str, name: str = "") -> tuple:
        """errno, answer."""
        print(json.dumps([verb, str(self._root / name)]), file=self._process.stdin, flush=True)
        errnum, answer = json.loads(self._process.stdout.readline())
        return errnum, answer

    def read(self, name: str = "config") -> str:
        errnum, text = self.ask("read", name)
        assert errnum == 0, f"errno {errnum}"
        return text

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.kill()
        self._process.wait(10)
