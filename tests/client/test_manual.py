# SPDX-License-Identifier: Apache-2.0
"""The manual pages: clean roff, and as complete as the programs' own help."""
from __future__ import annotations

import re

import pytest

from lib.program import BUILD, CLIENT, IRSAFS, TESTS, run

PAGES = ["irsafs.1", "irsafs-client.1", "irsafs-config.5"]
PROGRAMS = {"irsafs.1": IRSAFS, "irsafs-client.1": CLIENT}
DOCS = TESTS.parent / "docs"


def render(page: str):
    """The page as a terminal shows it, and what groff has to say of it."""
    ran = run(["groff", "-man", "-ww", "-P-c", "-P-u", "-P-b", "-rLL=78n", "-Tascii", BUILD / "man" / page])
    assert ran.code == 0
    return ran.out.decode(), ran.err


def helps(program) -> dict:
    """verb -> its --help"""
    screen = run([program, "help"]).out.decode()
    names = re.findall(r"^  ([a-z]+) (?:FILE|bash|\[[A-Z]+\])? {2,}\S", screen, re.M)
    assert len(names) >= 7
    return {name: run([program, name, "--help"]).out.decode() for name in names}


@pytest.mark.parametrize("page", PAGES)
def test_clean(page):
    text, complaints = render(page)
    assert complaints == ""
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "@" not in text.replace("user@", "") and text.count((TESTS.parent / "VERSION").read_text().strip()) == 1
    for section in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert re.search(rf"^{section}$", text, re.M), section


@pytest.mark.parametrize("page", PROGRAMS)
def test_every_verb_flag_and_default(page):
    text, _ = render(page)
    flat = " ".join(text.split())
    for verb, told in helps(PROGRAMS[page]).items():
        assert re.search(rf"^   {verb}\b", text, re.M), verb
        for flag, arg in re.findall(r"^  (?:-\w, )?(--[a-z-]+)(?: ([A-Z:]+))?", told, re.M):
            assert re.search(rf"^       (?:-\w, )?{flag}{' ' + arg if arg else ''}(?: |$)", text, re.M), (verb, flag)
        for default in re.findall(r"\[default: ([^\]\n]+)\]", told):
            assert f"Default: {default}." in flat, (verb, default)


@pytest.mark.parametrize("page", PROGRAMS)
def test_every_exit_status(page):
    text, _ = render(page)
    told = re.search(r"^EXIT STATUS\n(.*?)^[A-Z]", text, re.M | re.S)[1]
    in_page = [int(number) for number in re.findall(r"^       (\d+) ", told, re.M)]
    listed = re.search(r"^## Exit codes\n\n(.*?)Every error", (DOCS / "files.md").read_text(), re.M | re.S)[1]
    in_docs = [int(number) for number in re.findall(r"(?:^|· )(\d+) ", " ".join(listed.split()))]
    errors = re.findall(r"^X\(\w+, (\d+),", (TESTS.parent / "base" / "error.def").read_text(), re.M)
    of_errors = {{"0": 75, "1": 10}.get(number.zfill(3)[0], int(number) // 100) for number in errors}
    assert in_page == in_docs and of_errors | {0, 1, 11, 12, 13} == set(in_page)


def test_config_page_names_what_is_allowed():
    text, _ = render("irsafs-config.5")
    words = (TESTS.parent / "base" / "awsconfig" / "words.c").read_text() + (TESTS.parent / "base" / "awsconfig" / "canon.c").read_text()
    keys = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', text))
    assert keys == {"role_arn", "source_profile", "web_identity_token_file"} and all(key in words for key in keys)
    states = re.search(r"\bstate\b(.*?)\bprofiles,", text, re.S)[1]
    assert set(re.findall(r"\b(empty|pending|fresh|aging|stale|none)\b", states)) == {"empty", "pending", "fresh", "aging", "stale", "none"}


@pytest.mark.parametrize("page", PAGES)
def test_names_settings_that_exist(page):
    """Prose is written by hand: flags in it must be those of the tables."""
    prose = (DOCS / "man" / f"{page}.in").read_text().replace("\\-", "-")
    known = {flag for told in [*helps(IRSAFS).values(), *helps(CLIENT).values()] for flag in re.findall(r"--[a-z-]+", told)}
    assert set(re.findall(r"(?<!\S)--[a-z-]+", prose)) <= known
