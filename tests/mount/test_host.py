# SPDX-License-Identifier: Apache-2.0
"""What the machine may lack: /dev/fuse, the right to mount; and the user namespace that gives it."""
from __future__ import annotations

import os
import re
from pathlib import Path

from lib.mount import EXTRA_ARGS, POSSIBLE_ARGS, mounts_at
from lib.program import IRSAFS, USER, check_output, public, run
from lib.world import GOLDEN


def refused(world, prefix: list, *args: str) -> str:
    """The words of a daemon that, started by prefix, cannot mount."""
    path = world.folder / "aws"
    path.mkdir(exist_ok=True)
    ran = run([*prefix, public(IRSAFS), "mount", path, *EXTRA_ARGS, *args], env=world.env())
    check_output(ran.err, world.secrets())
    assert ran.code == 9, ran.err
    assert mounts_at(path) == []
    return ran.err


def test_no_device(world):
    hide = f"mount -t tmpfs none /dev && exec \"$@\""
    err = refused(world, ["unshare", "-m", "sh", "-c", hide, "sh"])
    assert "IRSAFS-E901" in err and "/dev/fuse" in err


def test_another_device_in_its_place(world):
    """As a container tool leaves it that hides a device by /dev/null."""
    err = refused(world, ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null /dev/fuse && exec "$@"', "sh"])
    assert "IRSAFS-E901" in err and "/dev/fuse: No such device" in err


def test_device_that_may_not_be_opened(world):
    world.folder.joinpath("aws").mkdir()
    err = refused(world, ["setpriv", "--reuid=12574", "--regid=12574", "--clear-groups"])
    assert "IRSAFS-E901" in err or "IRSAFS-E902" in err
    assert "/dev/fuse" in err


def test_mounting_is_not_permitted(world):
    err = refused(world, ["setpriv", "--bounding-set=-sys_admin"])
    assert "IRSAFS-E902" in err


def test_user_namespace(world):
    """Without other users there: everything but the change of user."""
    path = world.folder / "aws"
    path.mkdir()
    script = (
        f"'{IRSAFS}' mount '{path}' {' '.join(POSSIBLE_ARGS)} & daemon=$!\n"
        f"until [ -e '{path}/config' ]; do kill -0 $daemon || exit 90; sleep 0.02; done\n"
        f"cat '{path}/config' && touch '{path}/refresh' && cat '{path}/status' > /dev/null || exit 91\n"
        "kill $daemon; wait $daemon || exit 92\n"
        f"[ ! -e '{path}/config' ]\n"
    )
    ran = run(["unshare", "-Urm", "sh", "-c", script], env=world.env())
    check_output(ran.err, world.secrets())
    assert (ran.code, ran.out) == (0, GOLDEN.encode()), ran.err
    assert mounts_at(path) == []


def test_walls_that_a_user_namespace_has_not(world):
    world.folder.joinpath("aws").mkdir()
    err = refused(world, ["unshare", "-Urm"], "--sandbox=required")
    assert "IRSAFS-E908" in err and "65534" in err


def test_others_of_the_same_user_cannot_look_into_the_daemon(world):
    """Its environment may hold an API key: the kernel gives /proc/PID to root when it may not be dumped."""
    caps = "+sys_admin,+dac_override"
    user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", f"--inh-caps={caps}", f"--ambient-caps={caps}")
    mount = world.mount(*POSSIBLE_ARGS, prefix=user)
    proc = Path(f"/proc/{mount.process.pid}")
    assert f"\nUid:\t{USER}\t" in (proc / "status").read_text()
    assert (proc / "environ").stat().st_uid == 0
    assert re.search(r"^Max core file size +0 +0 ", (proc / "limits").read_text(), re.M)


def test_ignored_deaths_of_children_are_not_inherited(world):
    """As of a shell with `trap '' CHLD`."""
    mount = world.mount("--min-refresh=0s", prefix=("sh", "-c", "trap '' CHLD; exec \"$@\"", "sh"))
    assert mount.read() == GOLDEN
    mount.touch()
    assert mount.read() == GOLDEN


def test_folder_that_only_its_owner_can_enter(world):
    """The daemon gives up root's right to walk there, and still takes its mount away."""
    folder = world.folder / "home"
    folder.mkdir()
    path = folder / ".aws"
    path.mkdir()
    os.chown(folder, USER, USER)
    folder.chmod(0o700)
    mount = world.mount(path=path)
    assert mount.read() == GOLDEN
    mount.stop()


def test_named_message_can_be_chosen(world):
    """--kernel-features=-epoch forces the notification that older kernels have."""
    mount = world.mount("--kernel-features=-epoch", "--min-refresh=0s", "--wait=60s")
    assert mount.read() == GOLDEN
    mount.touch()
    assert mount.read() == GOLDEN
    assert world.service.count == 2
