# SPDX-License-Identifier: Apache-2.0
"""Without a Go that is new enough nothing is tested, and that is a failure that nobody overlooks."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent

# All Go of the machine is hidden, and what has been built is elsewhere.
WITHOUT = """
for place in /usr/local/go /usr/lib/go-1.* /snap/bin; do
    ! [ -d "$place" ] || mount -t tmpfs none "$place"
done
exec "$@"
"""


def tier(folder: Path, go: str = "") -> tuple:
    """What test.sh does: exit status, output, passed and failed."""
    report = folder / "manifests.xml"
    if go:
        (folder / "go").write_text(f"#!/bin/sh\necho {go}\n")
        (folder / "go").chmod(0o755)
    env = {**os.environ, "PATH": f"{folder}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "XDG_CACHE_HOME": str(folder)}
    ran = subprocess.run(["unshare", "-m", "sh", "-c", WITHOUT, "sh", sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                          f"--junitxml={report}", "manifests/test_manifests.py"], cwd=HERE.parent, env=env, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False)
    counted = subprocess.run([HERE.parent / "lint/count.py", str(ran.returncode), report], stdout=subprocess.PIPE, text=True,
                             check=True)
    return ran.returncode, ran.stdout, counted.stdout.split()


def test_without_go(tmp_path):
    status, said, (_, failed) = tier(tmp_path)
    assert status != 0 and int(failed) > 0
    assert "THE MANIFESTS ARE NOT TESTED: no Go here." in said


def test_with_an_old_go(tmp_path):
    status, said, (_, failed) = tier(tmp_path, "go1.19.8")
    assert status != 0 and int(failed) > 0
    assert f"THE MANIFESTS ARE NOT TESTED: {tmp_path}/go is go1.19.8." in said
