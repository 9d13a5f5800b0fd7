# SPDX-License-Identifier: Apache-2.0
"""Every relative link of the documentation leads to a file and a heading that exist."""
from __future__ import annotations

import re
from pathlib import Path

import pytest

from lib.program import TESTS

ROOT = TESTS.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(([^()\s]+)\)")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set:
    """The names that GitHub gives to the headings."""
    found: list = []
    for heading in re.findall(r"^#{1,6} (.+)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def broken(page: Path, link: str) -> bool:
    if re.match(r"[a-z]+:", link):     # another site: not asked, tests talk to loopback only
        return False
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and anchor not in anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    assert [link for link in LINK.findall(text) if broken(page, link)] == []


def test_links_were_found():
    assert sum(len(LINK.findall(prose(page))) for page in PAGES) > 50


def test_every_page_can_be_reached_from_the_readme():
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        for link in LINK.findall(prose(page)):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.is_dir():
                todo.extend(target.glob("*.md"))
            elif target.is_file():
                todo.append(target)
    assert sorted(set(PAGES) - seen) == []
