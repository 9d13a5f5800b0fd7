# SPDX-License-Identifier: Apache-2.0
"""The pages for people keep their form: each symptom has its four parts."""
from __future__ import annotations

import re

import pytest

from lib.program import TESTS

DOCS = TESTS.parent / "docs"
TROUBLE = (DOCS / "troubleshooting.md").read_text()
SYMPTOMS = dict(re.findall(r"^## (.+)\n((?:(?!^## ).*\n?)*)", TROUBLE, re.MULTILINE))
PARTS = ["You see", "Why", "Do", "Verify"]


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_symptom_has_its_four_parts(symptom):
    assert re.findall(r"^- \*\*(.+?):\*\* \S", SYMPTOMS[symptom], re.MULTILINE) == PARTS
