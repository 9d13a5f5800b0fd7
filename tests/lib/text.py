# SPDX-License-Identifier: Apache-2.0
"""What a reader sees in `config`, taken apart."""
from __future__ import annotations

import configparser
import re

CODE = re.compile(r"IRSAFS-E(\d{3})")


def comments(text: str) -> list:
    """The comment lines on top, after checking that they have the promised shape."""
    lines = text.splitlines()
    top = lines[: next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))]
    assert len(top) <= 6, f"{len(top)} comment lines"
    for line in top:
        assert re.fullmatch(r"# [\x20-\x7e]{0,198}", line), f"not a legal comment line: {line!r}"
    return top


def body(text: str) -> str:
    """The text without its comment lines."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))


def profiles(text: str) -> list:
    """The profile names, read by a strict parser."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return [section.removeprefix("profile ") for section in parser.sections()]


def code(text: str) -> int:
    """The number of the error that the comment lines name; 0 when they name none."""
    found = CODE.findall("\n".join(comments(text)))
    assert len(set(found)) <= 1, f"several codes: {found}"
    return int(found[0]) if found else 0
