# SPDX-License-Identifier: Apache-2.0
"""--mode=auto: the best way that the container allows, one line that says why, and nothing left of the search."""
from __future__ import annotations

import re

import pytest

from lib.csi import Driver, FdMount, good
from lib.files import RESTRICTED, Folder
from lib.inside import SHELL
from lib.mount import mounts_at
from lib.program import IRSAFS, public, run_as_user, run_irsafs
from lib.world import GOLDEN

AUTO = "--mode=auto"
NO_SYS_ADMIN = ("setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin")
NO_DEVICE = (*SHELL, 'mount -t tmpfs none /dev\nmknod -m 666 /dev/null c 1 3\nexec "$@"', "sh")


def chosen(mount) -> str:
    (line,) = re.findall(r"mode_chosen (.*)", mount.log())
    return line


def test_mount_where_it_is_permitted(world):
    before = mounts_at(world.folder), mounts_at(world.folder.parent / "/")
    mount = world.mount(AUTO)
    assert mount.read() == GOLDEN
    assert (mount.status()["mode"], mount.status()["layout"]) == ("mount", "root")
    assert chosen(mount) == 'mode=mount layout=root missing="fd: no --fd-socket"'
    assert mounts_at(mount.path) == ["fuse.irsafs"]
    assert (mounts_at(world.folder), mounts_at(world.folder.parent / "/")) == before, "the try is still mounted"


def test_fd_where_a_driver_mounts(world):
    driver = Driver(world.folder, good, False)
    mount = FdMount(driver, [AUTO, f"--fd-socket=connect:{driver.socket}"], world.env(), world.secrets)
    world.mounts.append(mount)
    driver.start()
    mount.start()
    assert mount.read() == GOLDEN
    assert chosen(mount) == 'mode=fd layout=none missing=""'


def test_with_the_layout_that_was_asked_for(world):
    mount = world.mount(AUTO, "--layout=subdir")
    assert mount.read() == GOLDEN
    assert chosen(mount).startswith("mode=mount layout=subdir ")


@pytest.mark.parametrize("prefix, missing", [
    (RESTRICTED, "(open /dev/fuse: Permission denied|mount.2.: Operation not permitted)"),
    (NO_SYS_ADMIN, "mount.2.: Operation not permitted"),
    (NO_DEVICE, "open /dev/fuse: No such file or directory"),
], ids=["restricted", "root without SYS_ADMIN", "no device"])
def test_file_where_nothing_can_be_mounted(world, prefix, missing):
    world.kind = Folder
    folder = world.mount(AUTO, "--prefetch", env=world.env(IRSAFS_LAYOUT="subdir"), prefix=prefix)
    assert folder.wait_text(lambda text: GOLDEN in text, "the text") == GOLDEN
    assert (folder.status()["mode"], folder.status()["layout"]) == ("file", None)
    assert re.fullmatch(f'mode=file layout=none missing="fd: no --fd-socket; mount: {missing}"', chosen(folder))
    assert mounts_at(folder.path) == []


def test_what_is_asked_for_is_not_searched(world):
    """No mode but auto gives way: who asks for a mount and cannot have it is told."""
    assert chosen(world.mount("--mode=mount")) == 'mode=mount layout=root missing=""'
    ran = run_as_user([public(IRSAFS), "mount", world.folder, "--mode=mount"], env=world.env(IRSAFS_CONTROL="off"))
    assert ran.code == 9


def test_a_typo_is_named():
    ran = run_irsafs(["mount", "--mode=automatic"])
    assert ran.code == 2 and "mount, fd, file or auto" in ran.err
    for mode in ("mount", "file"):
        ran = run_irsafs(["mount", f"--mode={mode}", "--layout=sub"])
        assert ran.code == 2 and "root or subdir" in ran.err
    ran = run_irsafs(["mount", AUTO, "--once"])
    assert ran.code == 2 and "--once" in ran.err
