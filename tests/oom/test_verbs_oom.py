# SPDX-License-Identifier: Apache-2.0
"""Each allocation of `status` and `refresh` fails once, and each with all that follow: an error or the truth."""
from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.failmalloc import Failmalloc
from lib.program import CLIENT, SUSPICIOUS, environment
from standin.control import Control

WORKERS = 2
VERBS = {
    "status": ("irsafs works: 3 profiles, fetched 4m 12s ago\n", {13, 75}),
    "refresh --wait": ("refreshed: 3 profiles, changed\n", {5, 8, 13, 75}),
}


@pytest.fixture
def control():
    server = Control()
    yield server
    server.close()


@pytest.mark.parametrize("verb", VERBS)
def test_verb(control, tmp_path, verb):
    wanted, errors = VERBS[verb]
    args = [CLIENT, *verb.split(), f"--control={control.address}"]

    def run(n: int, following: bool = False) -> tuple:
        failmalloc = Failmalloc(tmp_path / f"malloc-{n}-{following}", n, following)
        try:
            done = subprocess.run(
                args, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20,
                env=environment(AWS_CONFIG_FILE="/nonexistent/c", **failmalloc.env),
            )
            return done, failmalloc.count
        finally:
            failmalloc.close()

    def judge(n: int, following: bool) -> str:
        done, _ = run(n, following)
        which = f"{n}{'+' if following else ''}: exit {done.returncode}: {done.stderr[-300:]}"
        good = done.stdout.startswith(wanted) if done.returncode == 0 else done.returncode in errors
        return "" if good and not SUSPICIOUS.search(done.stderr) else which

    done, total = run(0)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith(wanted) and total > 50
    with ThreadPoolExecutor(WORKERS) as pool:
        runs = [(n, following) for n in range(1, total + 1) for following in (False, True)]
        wrong = [text for text in pool.map(lambda each: judge(*each), runs) if text]
    assert not wrong, f"{len(wrong)} of {len(runs)} runs: " + "\n".join(wrong[:20])
