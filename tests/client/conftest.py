# SPDX-License-Identifier: Apache-2.0
"""What the tests of irsafs-client share: a fetch in the world's environment."""
from __future__ import annotations

import pytest

from lib.memory import SANITIZED
from lib.program import Ran, check_output, run_client

# Sanitizers need more than the walls leave: such builds have none by default.
collect_ignore = ["test_sandbox.py"] if SANITIZED else []


@pytest.fixture
def fetch(world):
    """Runs one fetch; flags and changes of the environment are given, None takes a name away."""

    def run(*args, env=None, **options) -> Ran:
        names = {**world.env(), **(env or {})}
        clean = {name: value for name, value in names.items() if value is not None}
        ran = run_client(["fetch", *args], clean, **options)
        check_output(ran.err + ran.out.decode("latin-1") + str(ran.report), world.secrets())
        return ran

    return run
