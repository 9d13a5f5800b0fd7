# SPDX-License-Identifier: Apache-2.0
"""What docs/migrate.md says to people whose notebooks write to the file, or copy its folder."""
from __future__ import annotations

import os
import re
import subprocess

import pytest

from lib.endpoint import serve
from lib.files import Folder
from lib.program import IRSAFS, TESTS, public, run, run_as_user
from lib.world import GOLDEN

PAGE = (TESTS.parent / "docs" / "migrate.md").read_text()
WRITE = ["/usr/bin/python3", "-c", "import sys; open(sys.argv[1], 'w').write('[profile mine]\\n')"]


def told(row: str) -> str:
    """The second column of the copying table."""
    (command,) = re.findall(rf"^\| `{row}[^`]*` \| `([^`]+)` \|$", PAGE, re.M)
    return command


# ---- writing

@pytest.mark.parametrize("args", [(), ("--layout=subdir",)], ids=["root", "subdir"])
@pytest.mark.parametrize("who", [run_as_user, run], ids=["user", "root"])
def test_writing_fails_with_the_words_of_the_page(world, args, who):
    mount = world.mount(*args)
    assert mount.read() == GOLDEN
    ran = who([*WRITE, mount.config])
    last = ran.err.splitlines()[-1].replace(str(mount.path), "/var/run/.aws")
    assert ran.code == 1 and f"\n{last}\n" in PAGE
    assert ("PermissionError" in last) == (who is run_as_user)
    assert mount.read() == GOLDEN


def test_in_mode_file_the_next_refresh_replaces_it(world):
    world.kind = Folder
    folder = world.mount("--min-refresh=0s")
    folder.wait_text(lambda text: text == GOLDEN, "the text")
    mine = folder.path / "mine"
    ran = run_as_user([*WRITE, folder.config])
    assert ran.code != 0 and "PermissionError: [Errno 13]" in ran.err          # nobody can write into it
    mine.write_text("[profile mine]\n")
    mine.rename(folder.config)
    assert folder.read() == "[profile mine]\n"
    folder.touch()
    folder.wait_text(lambda text: text == GOLDEN, "the text again")


# ---- the three replacements

def test_touch(world):
    served = serve(world, "--min-refresh=0s")
    assert served.mount.read() == GOLDEN
    assert run_as_user(["touch", served.mount.refresh]).code == 0
    assert served.mount.read() == GOLDEN and world.service.count == 2


def test_calls_that_tell(world):
    served = serve(world, "--min-refresh=0s", "--layout=subdir")
    curl = ["curl", "-fsS", f"http://{served.control.address}/refresh"]
    wait = [public(IRSAFS), "refresh", "--wait", f"--control={served.control.address}", f"--mountpoint={served.mount.path}"]
    assert run_as_user(curl).code == run_as_user(wait).code == 0
    world.service.behave(status=500)
    assert run_as_user(curl).code != 0
    assert run_as_user(wait).code == 7


def test_a_copy_of_ones_own(world):
    mount = world.mount("--layout=subdir")
    copy = world.folder / "my-aws-config"
    assert "cp -L /var/run/.aws/config" in PAGE
    assert run(["cp", "-L", mount.config, copy]).code == 0
    assert copy.read_text() == GOLDEN and not copy.is_symlink()


# ---- copying

def test_folders_are_copied_as_the_table_says(world):
    mount = world.mount("--layout=subdir")
    assert mount.read() == GOLDEN
    target = world.folder / "x"

    def copied(*words) -> object:
        subprocess.run(["rm", "-rf", target], check=True)
        ran = run(words)
        assert ran.code == 0, ran.err
        return os.readlink(target / "config") if (target / "config").is_symlink() else (target / "config").read_text()

    def tar(flags: str) -> tuple:
        return "sh", "-ec", f'mkdir "{target}"; tar {flags} -C "{mount.path}" config | tar x -C "{target}"'

    assert copied("cp", "-r", mount.path, target) == ".live/config"
    assert copied(*told("cp -r").split(), mount.path, target) == GOLDEN
    assert copied(*tar("c")) == ".live/config"
    assert copied(*tar(told("tar c").split()[1])) == GOLDEN
