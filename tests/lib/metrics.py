# SPDX-License-Identifier: Apache-2.0
"""Scrapes of /metrics, and promtool, which judges them and the rules made of them."""
from __future__ import annotations

import re
import shutil
import subprocess
from typing import Callable

from .endpoint import Endpoint
from .program import TESTS, environment
from .wait import LONG, wait_until

_SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Scrape:
    """One answer of /metrics."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
        self.helps = dict(re.findall(r"^# HELP (\S+) (.+)$", text, re.M))
        self.samples: dict = {}        # (name, sorted pairs of labels) -> value
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = _SAMPLE.fullmatch(line).groups()
                key = (name, tuple(sorted(_LABEL.findall(labels or ""))))
                assert key not in self.samples, f"twice: {line}"
                self.samples[key] = float(value)

    def get(self, name: str, **labels: str):
        """The value of this series; None when it has no sample."""
        return self.samples.get((name, tuple(sorted(labels.items()))))

    def __call__(self, name: str, **labels: str) -> float:
        value = self.get(name, **labels)
        assert value is not None, f"no {name} {labels}"
        return value

    def series(self, name: str) -> dict:
        """All series of this name: values of their labels -> value."""
        return {tuple(v for _, v in labels): value for (n, labels), value in self.samples.items() if n == name}


def scrape(endpoint: Endpoint) -> Scrape:
    reply = endpoint.ask("/metrics")
    assert (reply.status, reply.type) == (200, TYPE)
    return Scrape(reply.text)


def wait_scrape(endpoint: Endpoint, test: Callable[[Scrape], bool], what: str, timeout: float = LONG) -> Scrape:
    """Scrapes until test agrees, and gives that scrape."""

    def look():
        seen = scrape(endpoint)
        return seen if test(seen) else None

    return wait_until(look, what, timeout)


def promtool(*args, text: str = "") -> str:
    """What it says, "" when it has nothing to criticise; its exit code must agree."""
    found = shutil.which("promtool") or TESTS.parent / "build/tools/promtool"
    ran = subprocess.run(
        [found, *args], input=text, env=environment(), capture_output=True, text=True, timeout=60, cwd="/"
    )
    return f"exit {ran.returncode}: {ran.stdout}{ran.stderr}" if ran.returncode != 0 or ran.stderr else ""
