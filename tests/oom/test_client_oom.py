# SPDX-License-Identifier: Apache-2.0
"""Each allocation of the client fails once, and each with all that follow: an error or the good text.

A few libraries allocate before main and in places that cannot report anything; what counts is how the
process ends and what it has said until then.
"""
from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Callable

import pytest

from lib.failmalloc import Failmalloc
from lib.program import CLIENT, SUSPICIOUS
from lib.world import GOLDEN
from standin.mapping import PATH, MappingService
from standin.tls import Authority
from standin.token import make_jwt

ERRORS = {3, 4, 5, 6, 7, 8, 75}        # documented exit codes that a fetch may have
DEADLINE = "--fetch-timeout=5s"        # libcurl may lose an answer and wait on; the deadline ends that
WORKERS = 2
AROUND_16 = {"k" * length: 12345678901234567 for length in range(12, 18)}  # where a parser's buffer grows


class Sweep:
    """Runs of the client with one allocation, or that and all later ones, failing."""

    def __init__(self, world, *args: str) -> None:
        self.world = world
        self.args = args
        self.secrets: Callable[[], list] = world.secrets

    def run(self, n: int, following: bool = False) -> tuple:
        """How the client ended, its report, and the number of its allocations."""
        failmalloc = Failmalloc(self.world.folder / f"malloc-{n}-{following}", n, following)
        report = os.memfd_create("report")
        try:
            done = subprocess.run(
                [CLIENT, f"--report-fd={report}", DEADLINE, *self.args], stdin=subprocess.DEVNULL, capture_output=True, check=False,
                env=self.world.env(**failmalloc.env), pass_fds=(report,), timeout=20,
            )
            return done, os.pread(report, 1 << 20, 0), failmalloc.count
        finally:
            os.close(report)
            failmalloc.close()

    def judge(self, n: int, following: bool) -> str:
        """What is wrong with this run; "" when it is as promised."""
        which = f"{n}{'+' if following else ''}"
        try:
            done, report, _ = self.run(n, following)
        except subprocess.TimeoutExpired:
            return f"{which}: hangs"
        code = done.returncode
        try:
            told = json.loads(report) if report else None
        except ValueError:
            return f"{which}: exit {code} with the report {report!r}"
        if code not in ERRORS | {0}:
            return f"{which}: exit {code}: {done.stderr[-300:]!r}"
        if done.stdout != (GOLDEN.encode() if code == 0 else b""):
            return f"{which}: exit {code} with {len(done.stdout)} bytes of text"
        if (code == 0 and told is None) or (told is not None and told["code"] // 100 != code % 75):
            return f"{which}: exit {code} with the report {told and told['code']}"
        if SUSPICIOUS.search(done.stderr.decode(errors="replace")):
            return f"{which}: {done.stderr[-300:]!r}"
        said = done.stderr + report
        return f"{which}: a token was said" if any(token.encode() in said for token in self.secrets()) else ""

    def walk(self, numbers) -> None:
        runs = [(n, following) for n in numbers for following in (False, True)]
        with ThreadPoolExecutor(WORKERS) as pool:
            wrong = [text for text in pool.map(lambda run: self.judge(*run), runs) if text]
        assert not wrong, f"{len(wrong)} of {len(runs)} runs: " + "\n".join(wrong[:20])


@pytest.fixture
def quiet(world):
    """Stand-ins that forget: thousands of requests are coming."""
    world.tokens.raw = make_jwt({"sub": "jane", "exp": int(time.time()) + 86400, **AROUND_16})
    return world


def test_over_http(quiet):
    sweep = Sweep(quiet)
    done, _, total = sweep.run(0)
    assert done.stdout.decode() == GOLDEN and total > 100
    sweep.walk(range(1, total + 1))


def test_over_https(quiet):
    authority = Authority(quiet.folder)
    service = MappingService(quiet.tokens, tls=authority.context())
    try:
        endpoint = f"https://127.0.0.1:{service.port}{PATH}"
        sweep = Sweep(quiet, f"--ca-file={authority.bundle}", f"--endpoint={endpoint}")
        done, _, total = sweep.run(0)
        assert done.stdout.decode() == GOLDEN and total > 400
        sweep.walk([*range(1, 401), *range(401, total + 1, 97)])
    finally:
        service.close()
