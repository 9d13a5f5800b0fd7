# SPDX-License-Identifier: Apache-2.0
"""What docs/admin-guide.md promises about endpoints and exit codes is what a daemon does."""
from __future__ import annotations

import re

from lib.endpoint import free_port, serve
from lib.program import IRSAFS, TESTS, environment, run

PAGE = (TESTS.parent / "docs" / "admin-guide.md").read_text()
PATHS = {path: star == " *" for path, star in re.findall(r"^\| `(/[a-z]+)`( \*)? \|", PAGE, re.MULTILINE)}
STATES = {
    state: {int(n) for n in re.findall(r"\d+", exits)}
    for exits, states in re.findall(r"^\| ([\d, ]+) \| (`.*?`) \|", PAGE, re.MULTILINE) for state in re.findall(r"`(\w+)`", states)
}


def test_paths_are_those_of_the_table(world):
    served = serve(world, metrics=True)
    served.mount.read()
    assert {path for path in PATHS if served.control.ask(path).status == 200} == set(PATHS)
    marked = {path for path in PATHS if served.metrics.ask(path).status == 200}
    assert marked == {path for path, star in PATHS.items() if star}
    assert served.metrics.ask("/status").status == 404


def test_exit_codes_of_status_are_those_of_the_table(world):
    served = serve(world, "--min-refresh=0s", "--wait=60s", "--stale-wait=60s")
    seen = {}

    def ask() -> None:
        state = served.mount.status()["state"]
        code = run([IRSAFS, "status", "-q", f"--control={served.control.address}"], env=environment()).code
        seen[state] = code
        assert code in STATES[state], (state, code)

    ask()
    world.service.behave(status=500)
    served.mount.read()
    ask()
    world.service.normal()
    served.mount.touch()
    served.mount.read()
    served.mount.wait_state("fresh")
    ask()
    world.service.behave(status=500)
    served.mount.touch()
    served.mount.read()
    served.mount.wait_state("stale")
    ask()
    assert {"empty", "none", "fresh", "stale"} <= set(seen)
    nobody = [f"--control=127.0.0.1:{free_port()}", f"--mountpoint={world.folder}"]
    assert run([IRSAFS, "status", "-q", *nobody], env=environment()).code == 13
    assert "| 13 |" in PAGE
