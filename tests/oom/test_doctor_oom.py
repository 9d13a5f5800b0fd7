# SPDX-License-Identifier: Apache-2.0
"""`doctor` while memory runs out: every check ends with a line, none crashes or hangs, nothing secret is said."""
from __future__ import annotations

import subprocess
import time

from lib.failmalloc import Failmalloc
from lib.program import CLIENT, check_output
from standin.token import make_jwt

NAMES = 17                             # checks: each has a line at least
STEPS = 150


def test_each_check_ends_with_a_line(world):
    world.tokens.raw = make_jwt({"sub": "jane", "exp": int(time.time()) + 86_400})

    def run(n: int, following: bool) -> tuple:
        failmalloc = Failmalloc(world.folder / "malloc", n, following)
        try:
            done = subprocess.run(
                [CLIENT, "doctor", "--control=off", f"--mountpoint={world.folder}"], stdin=subprocess.DEVNULL,
                capture_output=True, check=False, env=world.env(**failmalloc.env), timeout=90,
            )
            return done, failmalloc.count
        finally:
            failmalloc.close()

    _, total = run(0, False)
    assert total > 1000
    wrong = []
    for n in [*range(1, STEPS), *range(STEPS, total + 1, total // STEPS)]:
        for following in (False, True):
            done, _ = run(n, following)
            text = done.stdout.decode()
            check_output(text, world.secrets())
            names = {line.split()[1] for line in text.splitlines() if line[:4].strip() in ("OK", "WARN", "FAIL", "--")}
            if done.returncode in (3, 75) and not text:
                continue               # before the first check
            if done.returncode not in (0, 1) or len(names) != NAMES or "the check crashed" in text or "no end of this" in text:
                wrong.append(f"{n}{'+' if following else ''}: exit {done.returncode}: {text[-300:]} {done.stderr[-300:]!r}")
    assert not wrong, f"{len(wrong)} runs: " + "\n".join(wrong[:10])
