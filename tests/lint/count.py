#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Prints "PASSED FAILED" of one tier of test.sh: count.py EXIT_STATUS REPORT.xml...

Skipped tests count as failed: a test that did not run has shown nothing. So does a tier that ended
badly although its reports look good.
"""
from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path


def main() -> None:
    status, reports = int(sys.argv[1]), [Path(name) for name in sys.argv[2:] if Path(name).exists()]
    passed = failed = 0
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            bad = [kind for kind in ("failure", "error", "skipped") if case.find(kind) is not None]
            failed += bool(bad)
            passed += not bad
    if not reports:
        passed = int(status == 0)
    if status != 0 or passed == 0:
        failed = max(failed, 1)
    print(passed, failed)


if __name__ == "__main__":
    main()
