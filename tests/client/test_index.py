# SPDX-License-Identifier: Apache-2.0
"""docs/faults.md names tests that exist, and rows of the tables of lib.faults."""
from __future__ import annotations

import re

from lib.faults import SERVICE, TOKEN
from lib.program import TESTS

PAGE = (TESTS.parent / "docs" / "faults.md").read_text()


def test_named_tests_exist():
    names = re.findall(r"`([a-z]+/test_\w+\.(?:py|c))(?:::(test_\w+))?`", PAGE)
    assert len(names) > 50
    missing = [
        f"{file}::{name}" for file, name in names
        if not (TESTS / file).exists() or (name and not re.search(rf"\b{name}\(", (TESTS / file).read_text()))
    ]
    assert missing == []


def test_named_rows_exist():
    rows = {*SERVICE, *TOKEN}
    named = [name for text in re.findall(r"rows? ((?:\"[^\"]+\"(?:, |; )?)+)", PAGE) for name in re.findall(r'"([^"]+)"', text)]
    assert len(named) > 20
    for name in named:
        assert any(row.startswith(name[:-1]) if name.endswith("…") else row == name for row in rows), name
