# SPDX-License-Identifier: Apache-2.0
"""`irsafs-client doctor`, run and read as a person would."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from .program import Ran, check_output, client_of, run

NAMES = ["settings", "fuse", "mount", "daemon", "propagation", "access", "rights", "labels", "token", "endpoint", "dns",
         "tcp", "tls", "mapping", "clock", "web-identity", "aws-env"]
LINE = re.compile(r"(OK  |WARN|FAIL|--  )  ([a-z-]+) +(\S.*)")


@dataclass(frozen=True)
class Finding:
    """One line, with the remedy below it."""

    level: str
    name: str
    text: str
    remedy: str = ""


class Diagnosis:
    """All that one run said."""

    def __init__(self, ran: Ran, secrets: list) -> None:
        self.code, self.text = ran.code, ran.out.decode("latin-1")
        check_output(self.text + ran.err, secrets)
        assert re.fullmatch(r"[\n -~]*", self.text), f"not printable: {self.text!r}"
        assert ran.err == "", ran.err
        self.findings: list = []
        body, _, self.summary = self.text.rstrip("\n").rpartition("\n\n")
        for line in body.splitlines():
            if found := LINE.fullmatch(line):
                self.findings.append(Finding(found[1].strip(), found[2], found[3]))
                continue
            assert line.startswith("        -> ") or line.startswith("           "), line
            last = self.findings.pop()
            self.findings.append(Finding(last.level, last.name, last.text, f"{last.remedy} {line[11:]}".strip()))
        for finding in self.findings:
            assert bool(finding.remedy) == (finding.level in ("WARN", "FAIL")), finding
        failed = any(finding.level == "FAIL" for finding in self.findings)
        assert self.code == (1 if failed else 0), self.text

    def of(self, name: str) -> list:
        return [finding for finding in self.findings if finding.name == name]

    def level(self, name: str) -> str:
        """The worst level of this check."""
        levels = [finding.level for finding in self.of(name)]
        return next(level for level in ("FAIL", "WARN", "--", "OK") if level in levels)

    def says(self, level: str, name: str, *words: str) -> bool:
        """Whether a line of this check and level has all these words, or its remedy has."""
        return any(
            finding.level == level and all(word in f"{finding.text}\n{finding.remedy}" for word in words)
            for finding in self.of(name)
        )


def diagnose(
    *args, env: dict, secrets: list, prefix: tuple = (), timeout: float = 90.0, program: Optional[str] = None, **options
) -> Diagnosis:
    """The contract is 30 s; the rest is for slow machines."""
    ran = run([*prefix, program or client_of(options), "doctor", *args], env, timeout=timeout, **options)
    return Diagnosis(ran, secrets)


def inside(setup: str) -> tuple:
    """A mount namespace of its own, arranged by a shell script."""
    return ("unshare", "-m", "--propagation", "private", "sh", "-ec", f'{setup}\nexec "$@"', "sh")


