# SPDX-License-Identifier: Apache-2.0
"""What docs/admin-guide.md promises about endpoints is what a daemon does."""
from __future__ import annotations

import re

from lib.endpoint import serve
from lib.program import TESTS

PAGE = (TESTS.parent / "docs" / "admin-guide.md").read_text()
PATHS = {path: star == " *" for path, star in re.findall(r"^\| `(/[a-z]+)`( \*)? \|", PAGE, re.MULTILINE)}


def test_paths_are_those_of_the_table(world):
    served = serve(world, metrics=True)
    served.mount.read()
    assert {path for path in PATHS if served.control.ask(path).status == 200} == set(PATHS)
    marked = {path for path in PATHS if served.metrics.ask(path).status == 200}
    assert marked == {path for path, star in PATHS.items() if star}
    assert served.metrics.ask("/status").status == 404
