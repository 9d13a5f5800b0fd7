#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The layer table of docs/architecture.md as a check: who may include whom, who owns which library.

Also: every header guard spells its path, every file has its SPDX line, no file is too long.
"""
from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]

# A file belongs to the first layer whose prefix it has; it may include what starts with one of these.
LAYERS = {
    "base/awsconfig/": ("base/",),
    "base/": ("base/",),
    "fs/core/": ("base/", "fs/core/"),
    "fs/fuse/": ("base/", "fs/core/", "fs/fuse/"),
    "fs/shared/": ("base/", "fs/core/", "fs/fuse/journal.h", "fs/shared/"),
    "fs/super/": ("base/", "fs/core/place.h", "fs/shared/", "fs/super/"),
    "fs/worker/": ("base/", "fs/core/", "fs/fuse/session.h", "fs/shared/", "fs/worker/", "version.h"),
    "fs/notifier/": ("base/", "fs/core/place.h", "fs/shared/", "fs/notifier/"),
    "fs/": ("base/", "fs/", "version.h"),
    "client/": ("base/", "client/", "version.h"),
}
# Headers of a library (the start of the name between <>) and the only files that may include them.
OWNERS = {
    "fuse": ("fs/fuse/",),
    "linux/fuse.h": ("fs/fuse/journal.h", "fs/notifier/notifier.c", "fs/super/connection.c"),
    "linux/landlock.h": ("base/landlock.c",),
    "linux/capability.h": ("fs/shared/confine.c", "client/sandbox.c"),   # libcap allocates: not between fork and exec
    "sys/capability.h": ("base/privileges.c",),
    "seccomp.h": ("base/seccomp.c",),
    "event2/": ("fs/worker/worker.c", "fs/worker/loop.c", "fs/worker/endpoint.c", "fs/worker/host.c", "fs/shared/address.c", "fs/main.c"),
    "curl/": ("client/http.c", "client/version.c"),
    "openssl/": ("client/",),
    "jwt.h": ("client/jwt_hint.c", "client/version.c"),
    "jansson.h": ("fs/main.c", "fs/probe.c", "fs/worker/", "client/"),
    "sys/socket.h": ("base/log.c", "fs/super/post.c", "fs/super/receive.c", "fs/worker/control.c", "fs/worker/connections.c",
                     "fs/shared/address.h", "fs/loopback.c", "client/"),
    "pthread.h": (),
}
LINES_MAX = 640
INCLUDE = re.compile(r'^#\s*include\s+(["<])([^">]+)[">]', re.M)


def layer_of(path: str) -> str:
    return next((prefix for prefix in LAYERS if path.startswith(prefix)), "")


def faults_of(path: str, text: str) -> list:
    faults = []
    for kind, name in INCLUDE.findall(text):
        if kind == '"' and not name.startswith(LAYERS[layer_of(path)]):
            faults.append(f"{path}: includes {name}, which its layer must not know")
        for library, owners in OWNERS.items():
            if kind == "<" and name.startswith(library) and not path.startswith(owners or ("-",)):
                faults.append(f"{path}: includes <{name}>, which belongs to {owners or 'nobody'}")
    if "SPDX-License-Identifier: Apache-2.0" not in text[:200]:
        faults.append(f"{path}: no SPDX line")
    if text.count("\n") > LINES_MAX:
        faults.append(f"{path}: more than {LINES_MAX} lines")
    guard = "IRSAFS_" + re.sub(r"[/.]", "_", path).upper()
    if path.endswith(".h") and f"#ifndef {guard}\n#define {guard}\n" not in text:
        faults.append(f"{path}: guard is not {guard}")
    return faults


def main() -> int:
    faults, count = [], 0
    for path in sorted(ROOT.glob("*/**/*.[ch]")):
        name = path.relative_to(ROOT).as_posix()
        if layer_of(name):
            count += 1
            faults += faults_of(name, path.read_text())
    print("\n".join(faults) or f"{count} files, layers kept")
    return 1 if faults or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
