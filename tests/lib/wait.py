# SPDX-License-Identifier: Apache-2.0
"""Bounded waiting, for states that nothing announces."""
from __future__ import annotations

import time
from typing import Callable, TypeVar

T = TypeVar("T")
LONG = 15.0                            # a bound for what normally takes milliseconds


def wait_until(probe: Callable[[], T], what: str, timeout: float = LONG, pause: float = 0.01) -> T:
    """Calls probe until it gives something true, which is returned."""
    end = time.monotonic() + timeout
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        time.sleep(pause)
