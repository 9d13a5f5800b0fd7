# SPDX-License-Identifier: Apache-2.0
"""The pages for people keep their form: each symptom has four parts, and names only settings and events that exist."""
from __future__ import annotations

import re

import pytest

from lib.program import CLIENT, IRSAFS, TESTS, run

DOCS = TESTS.parent / "docs"
TROUBLE = (DOCS / "troubleshooting.md").read_text()
SYMPTOMS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", TROUBLE, re.MULTILINE))
GUIDES = ("user-guide.md", "admin-guide.md", "troubleshooting.md", "errors.md", "operating.md")
PARTS = ["You see", "Why", "Do", "Verify"]


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_symptom_has_its_four_parts(symptom):
    assert re.findall(r"^- \*\*(.+?):\*\* \S", SYMPTOMS[symptom], re.MULTILINE) == PARTS


@pytest.mark.parametrize("page", GUIDES)
def test_named_settings_exist(page):
    """Flags behind irsafs or alone, and variables of ours; those of other programs are in blocks or named here."""
    known = run([IRSAFS, "mount", "--help"]).out.decode() + run([CLIENT, "--help"]).out.decode()
    for program, verb in ((CLIENT, "status"), (CLIENT, "refresh"), (CLIENT, "doctor"), (IRSAFS, "probe")):
        known += run([program, verb, "--help"]).out.decode()
    foreign = {"--profile",  "--since", "--keep-groups", "--format", "--library-path"}
    text = (DOCS / page).read_text()
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"`(?:kubectl|aws|curl)[^`]*`", "", text)))
    flags -= {"--reuid", "--regid", "--help", *foreign}
    assert [flag for flag in sorted(flags) if flag not in known] == []
    derived = {"IRSAFS_" + name.upper().replace("-", "_") for name in re.findall(r"--([a-z-]+)", known)}
    assert set(re.findall(r"IRSAFS_[A-Z_]+", text)) <= derived
