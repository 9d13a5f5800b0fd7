# SPDX-License-Identifier: Apache-2.0
"""irsafs-client taken into a container that has nothing of what it needs, as docs/operating.md says."""
from __future__ import annotations

import os
import re

from lib.program import CLIENT, TESTS, USER, run
from lib.world import GOLDEN, RUN

PAGE = (TESTS.parent / "docs" / "operating.md").read_text()
PACK = re.search(r"```\n(mkdir irsafs-tools.*?)```", PAGE, re.S)[1]


def test_client_brings_its_libraries_along(world, tmp_path):
    bare = tmp_path / "bare"
    bare.mkdir()
    tools = bare / "irsafs-tools"
    path = f"{CLIENT.parent}:{os.environ['PATH']}"
    packed = run(["sh", "-ec", f'cd "{bare}"\n{PACK}'], env={"PATH": path})
    assert (packed.code, packed.err) == (0, "")
    loader = next(tools.glob("ld-linux-*.so.*")).name
    inside = ("chroot", f"--userspec={USER}:{USER}", bare, f"/irsafs-tools/{loader}", "--library-path", "/irsafs-tools")
    ran = run([*inside, "/irsafs-tools/irsafs-client", f"--run-id={RUN}"], env=world.env(POD_INFO_PATH=""))
    assert (ran.code, ran.out.decode()) == (0, GOLDEN), ran.err
