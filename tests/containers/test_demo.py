# SPDX-License-Identifier: Apache-2.0
"""The demo in containers ends well and shows what it announces."""
from __future__ import annotations

from lib.image import REPOSITORY
from lib.program import environment, run


def test_demo(image):
    ran = run([REPOSITORY / "demo.sh", "--containers"], environment(IRSAFS_IMAGE=str(image.archive.resolve())), timeout=300)
    out = ran.out.decode()
    assert ran.code == 0, out[-3000:] + ran.err
    steps = ("Mode mount", "'added', 'src_added'", "NOT RUNNING", "Mode file", "Mode fd", "Everything is gone again")
    places = [out.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), out
