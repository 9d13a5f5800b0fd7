# SPDX-License-Identifier: Apache-2.0
"""The programs under test: where they are, the clean environment they get, what they must not say."""
from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

TESTS = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("IRSAFS_BUILD", TESTS.parent / "build" / "dev")).resolve()
IRSAFS = BUILD / "irsafs"
CLIENT = BUILD / "irsafs-client"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RUN_LENGTH = 12                        # so much of a token is a leak
USER = 12574                           # the uid of Domino's run containers

SUSPICIOUS = re.compile(
    r"Sanitizer|runtime error|SIGSEGV|Segmentation|Traceback|assert|leak|smashing|double free|corrupted|core dumped|cannot be preloaded",
    re.IGNORECASE,
)


def environment(**names: str) -> dict:
    """Only what is given, plus what the tools need; options of sanitizers go through."""
    kept = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "LLVM_PROFILE_FILE"}
    return {"PATH": PATH, "LANG": "C.UTF-8", **kept, **names}


def token_runs(text: str, secrets: list) -> int:
    """How many runs of twelve characters of a secret are in text; shorter secrets count as a whole."""
    runs = {text[i : i + RUN_LENGTH] for i in range(len(text) - RUN_LENGTH + 1)}
    return sum(
        secret[i : i + RUN_LENGTH] in runs if len(secret) >= RUN_LENGTH else secret in text
        for secret in secrets for i in range(max(1, len(secret) - RUN_LENGTH + 1))
    )


def check_output(text: str, secrets: list) -> None:
    """Fails on traces of a crash, or when a part of a secret was printed; never repeats the secret."""
    assert token_runs(text, secrets) == 0, "a token is in the output"
    found = SUSPICIOUS.search(text)
    assert not found, f"suspicious output: {text[max(0, found.start() - 300):found.end() + 1500]}"


@dataclass
class Ran:
    """How a program ended."""

    code: int
    out: bytes
    err: str
    report: Optional[dict] = None


def run(args: list, env: Optional[dict] = None, timeout: float = 30.0, **popen) -> Ran:
    """Runs a program to its end, in a clean environment."""
    done = subprocess.run(
        [str(arg) for arg in args], env=env or environment(), stdin=subprocess.DEVNULL,
        capture_output=True, timeout=timeout, cwd="/", **popen,
    )
    return Ran(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


def run_as_user(args: list, **options) -> Ran:
    """Runs a program as the user of a run container."""
    return run(args, user=USER, group=USER, extra_groups=[], **options)


def run_irsafs(args: list, env: Optional[dict] = None, **options) -> Ran:
    ran = run([IRSAFS, *args], env, **options)
    check_output(ran.err, [])
    return ran


@functools.cache
def public_folder() -> Path:
    """Copies of the programs where every user gets in: the clone may lie in a folder of root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="irsafs-test-bin-"))
    atexit.register(shutil.rmtree, folder)
    folder.chmod(0o755)
    for program in (IRSAFS, CLIENT):
        shutil.copy2(program, folder)
    return folder


def public(path: Path) -> Path:
    """The copy of a program (or another file) that every user can read and run."""
    copy = public_folder() / path.name
    return copy if copy.exists() else Path(shutil.copy2(path, copy))


def client_of(options: dict) -> Path:
    """The client that the user of these Popen options can start."""
    return public(CLIENT) if "user" in options else CLIENT


def run_client(args: list, env: Optional[dict] = None, report: bool = True, **options) -> Ran:
    """Runs irsafs-client; with `report` its JSON report is read as well."""
    if not report:
        ran = run([client_of(options), *args], env, **options)
        check_output(ran.err, [])
        return ran
    fd = os.memfd_create("report")
    try:
        ran = run([client_of(options), f"--report-fd={fd}", *args], env, pass_fds=(fd,), **options)
        check_output(ran.err, [])
        text = os.pread(fd, 1 << 20, 0)
        ran.report = json.loads(text) if text else None
        return ran
    finally:
        os.close(fd)
