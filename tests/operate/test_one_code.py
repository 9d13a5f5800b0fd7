# SPDX-License-Identifier: Apache-2.0
"""A failure has one code, wherever a person looks: text, status, log, /refresh and the command line."""
from __future__ import annotations

import json
import re

import pytest

from lib.endpoint import serve
from lib.faults import SERVICE, TOKEN
from lib.program import IRSAFS, TESTS, check_output, environment, run, run_client
from lib.text import code, comments

DOC = (TESTS.parent / "docs" / "errors.md").read_text()
# name -> server, what it does, exit code
FAULTS = {
    "service 500": ("service", SERVICE["500"][0], 7),
    "service 401": ("service", SERVICE["401"][0], 4),
    "service 403": ("service", SERVICE["403"][0], 6),
    "service 404": ("service", SERVICE["404"][0], 6),
    "service redirects": ("service", SERVICE["307"][0], 8),
    "service answers with a page": ("service", SERVICE["html 200"][0], 8),
    "token endpoint 500": ("tokens", TOKEN["500"][0], 4),
    "no connection": ("service", None, 5),
}


def the_code(text: str) -> str:
    """The one code in a text."""
    found = set(re.findall(r"IRSAFS-E\d{3}", text))
    assert len(found) == 1, f"{found or 'no code'} in: {text}"
    return found.pop()


@pytest.mark.parametrize("name", FAULTS)
def test_one_code_everywhere(world, name):
    server, fault, exit_code = FAULTS[name]
    if fault is None:
        getattr(world, server).refuse()
    else:
        getattr(world, server).behave(**fault)
    served = serve(world, "--min-refresh=0s", "--wait=1s")
    mount = served.mount
    try:
        refreshed = served.control.refresh()
        error = refreshed.json()["error"]
        number = error["code"]
        assert refreshed.status == 502 and error["message"] in mount.read()
        assert the_code("\n".join(comments(mount.read()))) == number
        status = mount.status()["error"]
        assert (status["code"], status["class"], status["message"]) == (number, error["class"], error["message"])
        assert the_code("\n".join(line for line in mount.log().splitlines() if "fetch_failed" in line)) == number

        by_hand = run_client(["fetch"], world.env(), report=False)
        assert (by_hand.code, the_code(by_hand.err)) == (exit_code, number)
        for verb, codes in (("refresh --wait", {exit_code}), ("status", {12})):
            ran = run([IRSAFS, *verb.split(), f"--control={served.control.address}"], env=environment())
            check_output(ran.err + ran.out.decode(), world.secrets())
            assert ran.code in codes and the_code(ran.out.decode() + ran.err) == number, (verb, ran)

        section = re.search(rf"^## {number} .*\n((?:(?!^## ).*\n?)*)", DOC, re.MULTILINE)
        assert section, f"no section for {number} in docs/errors.md"
        remedy = next(line for line in comments(mount.read()) if "What to do: " in line).split("What to do: ")[1]
        assert "".join(remedy.split()).rstrip(".").lower() in "".join(section[1].replace("`", "").split()).lower()
    finally:
        world.service.accept() if fault is None else getattr(world, server).normal()
    ran = run([IRSAFS, "refresh", "--wait", f"--control={served.control.address}"], env=environment())
    assert ran.code == 0, ran.err
    assert code(mount.read()) == 0
    assert json.loads(served.control.ask("/status").body)["error"] is None
