# SPDX-License-Identifier: Apache-2.0
"""The canonical form of a config, written a second time from its definition, as an oracle.

It shares nothing with the C checker: a regular expression per line and the rules between sections.
"""
from __future__ import annotations

import re

COMMENT = re.compile(r"# [\x20-\x7e]{0,198}")
SECTION = re.compile(r"\[(default|profile ([A-Za-z0-9_./%@:+-]{1,128}))\]")
VALUE = r"[!$%&()*+,./0-9:<=>?@A-Z^_`a-z{|}~-]{1,1024}"
PAIR = re.compile(rf"(role_arn=|source_profile = |web_identity_token_file = )({VALUE})")
ROLE_ARN = re.compile(
    r"arn:(aws|aws-cn|aws-us-gov|aws-iso(-[bef])?|aws-eusc):iam::[0-9]{12}:role/([\x21-\x7e]*/)?[\w+=,.@-]{1,64}",
    re.ASCII,
)


def parse(text: str) -> dict:
    """Sections by name; an AssertionError when the text is not canonical."""
    assert text.endswith("\n") and "\r" not in text and text.isascii()
    sections: dict = {}
    current = None
    for line in text[:-1].split("\n"):
        if line.startswith("#"):
            assert not sections, "a comment below a section"
            assert COMMENT.fullmatch(line), f"comment {line!r}"
        elif line.startswith("["):
            match = SECTION.fullmatch(line)
            assert match, f"header {line!r}"
            name = match[2] or "default"
            assert name not in sections and name != "__proto__", f"section {name}"
            assert line == "[default]" or name != "default"
            current = sections.setdefault(name, {})
        else:
            match = PAIR.fullmatch(line)
            assert match and current is not None, f"line {line!r}"
            key = match[1].rstrip("= ")
            assert key not in current, f"{key} twice"
            current[key] = match[2]
    _check_sections(sections)
    return sections


def _check_sections(sections: dict) -> None:
    for name, pairs in sections.items():
        assert ROLE_ARN.fullmatch(pairs.get("role_arn", "")), f"{name}: role_arn"
        assert ("source_profile" in pairs) != ("web_identity_token_file" in pairs), f"{name}: one credential type"
        if "source_profile" in pairs:
            source = sections.get(pairs["source_profile"])
            assert source is not None, f"{name}: dangling source_profile"
            assert "web_identity_token_file" in source, f"{name}: a chain that is too long or a cycle"
