# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md has each code of base/error.def once, with its exit code, its class and its remedy."""
from __future__ import annotations

import re

import pytest

from lib.program import TESTS

ROOT = TESTS.parent
PAGE = (ROOT / "docs" / "errors.md").read_text()
ENTRY = re.compile(r'^X\((\w+), (\d+), (\w+), "((?:[^"\\]|\\.)*)"\)', re.MULTILINE)
CATALOGUE = {
    int(number): (name, class_.lower(), remedy.replace('\\"', '"'))
    for name, number, class_, remedy in ENTRY.findall((ROOT / "base" / "error.def").read_text().replace("\\\n", ""))
}
PARTS = ("What happened", "Why", "What to do")
SECTIONS = {
    int(number): body for number, body in re.findall(r"^## IRSAFS-E(\d{3}) .+\n((?:(?!^## ).*\n?)*)", PAGE, re.MULTILINE)
}


def plain(text: str) -> str:
    """Words only: without marks of Markdown, line ends and the case of letters."""
    return " ".join(text.replace("`", "").split()).lower()


def parts(number: int) -> dict:
    """The parts of a section by their names, in order."""
    return dict(re.findall(r"^- \*\*(.+?):\*\* ((?:(?!^- ).*\n?)*)", SECTIONS[number], re.MULTILINE))


def exit_code(number: int) -> int:
    return 13 if number == 103 else {0: 75, 1: 10}.get(number // 100, number // 100)


def test_all_entries_are_read():
    lines = (ROOT / "base" / "error.def").read_text().splitlines()
    assert len(CATALOGUE) == sum(line.startswith("X(") for line in lines)


def test_the_codes_are_those_of_the_catalogue():
    headings = [int(n) for n in re.findall(r"^## IRSAFS-E(\d{3})", PAGE, re.MULTILINE)]
    assert headings == sorted(CATALOGUE)
    assert len(re.findall("^## ", PAGE, re.MULTILINE)) == len(headings), "a section that is no code"


@pytest.mark.parametrize("number", CATALOGUE)
def test_section_says_what_why_and_what_to_do(number):
    found = parts(number)
    assert tuple(found) == PARTS
    for name in PARTS:
        assert found[name].rstrip().endswith("."), name
    remedy = plain(CATALOGUE[number][2])
    assert plain(found["What to do"]).startswith(remedy), f"not the remedy of the program: {remedy}"


def test_table_has_exit_codes_and_classes():
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (.+?) \|", PAGE, re.MULTILINE)
    listed = {}
    for exit_, classes, codes in rows:
        for code in re.findall(r"\[E(\d{3})\]", codes):
            special = dict((int(n), c) for c, n in re.findall(r"(\w+) \(E(\d{3})\)", classes))
            listed[int(code)] = (int(exit_), special.get(int(code), classes.split(",")[0]))
    assert listed == {n: (exit_code(n), class_) for n, (_, class_, _) in CATALOGUE.items()}
