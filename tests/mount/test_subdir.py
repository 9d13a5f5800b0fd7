# SPDX-License-Identifier: Apache-2.0
"""Layout subdir: FUSE on .live, links that lead there, files below the mount, and users who write to the volume."""
from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from lib.mount import mounts_at
from lib.program import run_client, run_irsafs
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import role

LINKS = ("config", "refresh", "status")
SUBDIR = "--layout=subdir"


def beside(folder: Path) -> dict:
    """Everything outside the volume that a lured irsafs could have changed."""
    return {str(p.relative_to(folder)): (p.lstat().st_mode, p.lstat().st_mtime_ns) for p in sorted(folder.rglob("*"))}


def refuse(world, path: Path, number: int, *words: str, args: tuple = ()) -> None:
    ran = run_irsafs(["mount", path, SUBDIR, *args], world.env(IRSAFS_CONTROL="off"), timeout=20)
    assert ran.code == 9 and f"IRSAFS-E{number}" in ran.err, ran.err
    for word in words:
        assert word in ran.err
    assert mounts_at(path / ".live") == [] and mounts_at(path) == []


def test_links_lead_into_the_mount(world):
    mount = world.mount(SUBDIR)
    assert mounts_at(mount.path) == [] and mounts_at(mount.point) == ["fuse.irsafs"]
    assert {name: os.readlink(mount.path / name) for name in LINKS} == {name: f".live/{name}" for name in LINKS}
    assert sorted(os.listdir(mount.path)) == [".live", *LINKS]
    assert mount.read() == GOLDEN
    status = mount.status()
    assert (status["mode"], status["layout"], status["mountpoint"]) == ("mount", "subdir", str(mount.path))
    assert "mode_chosen" in mount.log() and "subdir" in mount.log()


def test_a_touch_through_the_link(world):
    mount = world.mount(SUBDIR, "--min-refresh=0s")
    assert mount.read() == GOLDEN
    generation = mount.status()["generation"]
    subprocess.run(["touch", mount.refresh], check=True)
    assert mount.read() == GOLDEN
    assert mount.status()["generation"] > generation


def test_what_lies_below_the_mount(world):
    mount = world.mount(SUBDIR)
    assert mount.read() == GOLDEN
    mount.stop()
    status = json.loads((mount.path / "status").read_text())
    assert status["state"] == "unserved" and "no irsafs serves" in status["note"]
    assert (mount.path / "refresh").read_bytes() == b""
    assert stat.S_IMODE((mount.path / "refresh").stat().st_mode) == 0o666
    assert (mount.path / ".live").stat().st_mode & 0o777 == 0o755


def test_layout_is_root_by_default_and_a_typo_is_named(world):
    assert world.mount().status()["layout"] == "root"
    ran = run_irsafs(["mount", world.folder, "--layout=sub"], world.env())
    assert ran.code == 2 and "--layout" in ran.err and "root or subdir" in ran.err


def test_starts_again_after_a_clean_end_and_after_a_kill(world):
    mount = world.mount(SUBDIR)
    for end in (mount.stop, mount.kill, mount.kill, mount.stop):
        assert mount.read() == GOLDEN
        end()
        mount.start()
        assert mounts_at(mount.point) == ["fuse.irsafs"]
    assert mount.read() == GOLDEN


def test_a_second_irsafs_is_refused(world):
    mount = world.mount(SUBDIR)
    ran = run_irsafs(["mount", mount.path, SUBDIR], world.env(IRSAFS_CONTROL="off"), timeout=20)
    assert ran.code == 10 and "IRSAFS-E101" in ran.err
    assert mount.read() == GOLDEN and mounts_at(mount.point) == ["fuse.irsafs"]


def test_a_dead_mount_of_the_other_layout_is_removed(world):
    first = world.mount()
    first.kill()
    mount = world.mount(SUBDIR, path=first.path)
    assert mounts_at(first.path) == [] and mount.read() == GOLDEN
    mount.stop()


def test_not_empty(world):
    path = world.folder / "aws0"
    path.mkdir()
    (path / "credentials").write_text("mine")
    refuse(world, path, 905, "credentials", "--allow-nonempty")
    assert world.mount(SUBDIR, "--allow-nonempty", path=path).read() == GOLDEN
    assert (path / "credentials").read_text() == "mine"


# ---- what others have put at our names


def lure(kind: str, at: Path, target: Path) -> None:
    if kind == "link to a file":
        at.symlink_to(target / "file")
    elif kind == "link to a directory":
        at.symlink_to(target)
    elif kind == "dangling link":
        at.symlink_to(target / "new")
    elif kind == "loop":
        at.symlink_to(at.name)
    elif kind == "fifo":
        os.mkfifo(at)
    elif kind == "empty directory":
        at.mkdir()
    elif kind == "read-only file":
        at.write_text("[default]\n")
        at.chmod(0o444)
    else:
        at.write_text("written by hand")
        at.chmod(0o644)


LURES = ("link to a file", "link to a directory", "dangling link", "loop", "fifo", "empty directory", "read-only file",
         "file")


@pytest.mark.parametrize("name", [*LINKS, ".live"])
@pytest.mark.parametrize("kind", LURES)
def test_lures_at_our_names(world, name, kind):
    outside, path = world.folder / "outside", world.folder / "aws0"
    outside.mkdir()
    (outside / "file").write_text("precious")
    path.mkdir()
    lure(kind, path / name, outside)
    before = beside(outside)
    mount = world.mount(SUBDIR, path=path)
    assert beside(outside) == before and mounts_at(outside) == []
    assert mounts_at(mount.point) == ["fuse.irsafs"] and not mount.point.is_symlink()
    assert mount.read() == GOLDEN
    kept = path / f"{name}.before-irsafs"
    assert (kept.read_text() == "written by hand") if kind == "file" else not kept.exists()
    mount.stop()
    mount.start()                      # what was kept does not count as foreign


@pytest.mark.parametrize("name", ["config", "refresh", "status"])
@pytest.mark.parametrize("kind", LURES)
def test_lures_below_the_mount(world, name, kind):
    """Who could write to the volume while nothing was mounted has prepared .live itself."""
    outside, path = world.folder / "outside", world.folder / "aws0"
    (path / ".live").mkdir(parents=True)
    outside.mkdir()
    (outside / "file").write_text("precious")
    lure(kind, path / ".live" / name, outside)
    before = beside(outside)
    mount = world.mount(SUBDIR, path=path)
    assert beside(outside) == before
    assert mount.read() == GOLDEN
    mount.stop()
    assert beside(outside) == before
    for each in ("refresh", "status"):
        assert stat.S_ISREG((path / ".live" / each).lstat().st_mode)


@pytest.mark.parametrize("name", LINKS)
def test_a_directory_with_content_is_refused(world, name):
    path = world.folder / "aws0"
    (path / name).mkdir(parents=True)
    (path / name / "mine").write_text("mine")
    refuse(world, path, 910, name)
    assert (path / name / "mine").read_text() == "mine"


def test_something_else_is_mounted_on_live(world):
    path = world.folder / "aws0"
    (path / ".live").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "other", path / ".live"], check=True)
    try:
        ran = run_irsafs(["mount", path, SUBDIR], world.env(IRSAFS_CONTROL="off"), timeout=20)
        assert ran.code == 9 and "IRSAFS-E910" in ran.err and ".live" in ran.err
        assert mounts_at(path / ".live") == ["tmpfs"]
    finally:
        subprocess.run(["umount", path / ".live"], check=True)


def test_live_of_another_user_is_made_anew(world):
    path = world.folder / "aws0"
    (path / ".live").mkdir(parents=True)
    (path / ".live" / "config").write_text("[default]\n")
    os.chown(path / ".live", 12574, 12574)
    mount = world.mount(SUBDIR, path=path)
    assert mount.read() == GOLDEN
    mount.stop()
    assert (path / ".live").stat().st_uid == 0
    os.chown(path / ".live", 12574, 12574)
    (path / ".live" / "more").write_text("mine")
    refuse(world, path, 910, ".live")


def test_a_parent_replaced_by_another_users_link(world):
    outside, volume = world.folder / "outside", world.folder / "volume"
    outside.mkdir()
    volume.mkdir()
    (volume / "aws").symlink_to(outside)
    os.chown(volume / "aws", 12574, 12574, follow_symlinks=False)
    before = beside(outside)
    refuse(world, volume / "aws", 910, "symlink")
    assert beside(outside) == before and mounts_at(outside / ".live") == []
    (volume / "aws").unlink()
    (volume / "aws").symlink_to("../outside")          # root's own way
    mount = world.prepare(SUBDIR, path=outside)
    mount.arguments[mount.arguments.index(str(outside))] = str(volume / "aws")
    assert mount.start().read() == GOLDEN
    assert mount.status()["mountpoint"] == str(outside)


# ---- the last good text

MARK = "# irsafs: NOT RUNNING. "


class Below:
    """The directory below the mount, seen through a bind of the volume that does not take mounts along."""

    def __init__(self, mount) -> None:
        self.path = mount.path.with_name(mount.path.name + ".below")
        self.path.mkdir()
        subprocess.run(["mount", "--bind", mount.path, self.path], check=True)
        subprocess.run(["mount", "--make-private", self.path], check=True)
        self.config = self.path / ".live" / "config"

    def __enter__(self) -> "Below":
        return self

    def __exit__(self, *_) -> None:
        subprocess.run(["umount", self.path], check=True)

    def wait(self, *words: str) -> str:
        def look():
            text = self.config.read_text() if self.config.exists() else ""
            return text if all(word in text for word in words) else ""

        return wait_until(look, f"{words} below the mount")


def test_last_good_text_below_the_mount(world):
    mount = world.mount(SUBDIR, "--min-refresh=10ms", "--config-mode=0440", "--gid=12574")
    with Below(mount) as below:
        assert not below.config.exists()
        assert mount.read() == GOLDEN
        text = below.wait(MARK)
        assert text.startswith(MARK) and text.endswith("\n" + GOLDEN) and text.count(MARK) == 1
        st = below.config.stat()
        assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (0o440, 0, 12574)
        world.service.roles = [role("another-role")]
        mount.touch()
        new = mount.read()
        assert "another-role" in new and new in below.wait("another-role")
        world.service.behave(status=500)
        mount.touch()
        assert "IRSAFS-E701" in mount.read()
        mount.stop()
        assert below.config.read_text().endswith(new)
    assert mount.read().endswith(new)


def test_what_readers_must_not_see_is_not_below_the_mount_either(world):
    mount = world.mount(SUBDIR, "--min-refresh=10ms")
    with Below(mount) as below:
        assert mount.read() == GOLDEN
        below.wait(GOLDEN)
        mount.stop()
        mount.start()
        assert below.config.read_text().endswith(GOLDEN)    # of the one before us
        world.service.behave(status=403)
        assert "IRSAFS-E601" in mount.read()
        assert "role_arn" not in below.wait("NO PROFILES")


def test_a_worker_that_takes_over_keeps_it(world):
    mount = world.mount(SUBDIR, "--min-refresh=10ms")
    with Below(mount) as below:
        assert mount.read() == GOLDEN
        below.wait(GOLDEN)
        inode = below.config.stat().st_ino
        worker = mount.worker
        os.kill(worker, signal.SIGKILL)
        assert mount.read() == GOLDEN and mount.worker != worker
        assert below.config.stat().st_ino == inode          # the same text is not written again
        below.config.unlink()

        def fetch_again() -> bool:                           # with another time in the comment line
            mount.touch()
            return mount.read() == GOLDEN and below.config.exists()

        wait_until(fetch_again, "the file again", pause=0.2)
        assert below.config.read_text().endswith(GOLDEN)
    mount.stop()


# ---- another container


def test_a_reader_stays_while_the_sidecar_is_killed_and_restarted(world, volume):
    before = volume.container()
    mount = world.mount(SUBDIR, "--min-refresh=0s", path=volume.path)
    after = volume.container()
    for reader in (before, after):
        assert reader.read() == GOLDEN
    for cleared in (False, True):
        mount.kill()
        if cleared:                                 # what a start does first; the moment after it is long here
            subprocess.run(["umount", "-l", mount.point], check=True)
            for reader in (before, after):
                assert reader.read().startswith(MARK) and reader.read().endswith(GOLDEN)
        mount.start()
        for reader in (before, after):
            assert reader.read() == GOLDEN
            assert json.loads(reader.read("status"))["pid"] == mount.process.pid
            assert reader.ask("touch", "refresh") == (0, None)         # through a read-only volume
            assert reader.ask("write", "other")[0] == errno.EROFS
            assert reader.read() == GOLDEN
    mount.stop()
    for reader in (before, after):
        assert reader.read().startswith(MARK) and reader.read().endswith(GOLDEN)
        assert json.loads(reader.read("status"))["state"] == "unserved"


def test_on_root_a_container_that_runs_does_not_see_the_new_mount(world, volume):
    """Why pods use subdir."""
    mount = world.mount(path=volume.path)
    reader = volume.container()
    assert reader.read() == GOLDEN
    mount.kill()
    mount.start()
    assert mount.read() == GOLDEN
    assert reader.ask("read", "config")[0] == errno.ENOTCONN


# ---- the verbs


def test_verbs_find_the_mount(world):
    mount = world.mount(SUBDIR, "--min-refresh=0s")
    which = ("--control=off", f"--mountpoint={mount.path}")
    assert mount.read() == GOLDEN
    status = run_client(["status", "--json", *which], report=False)
    assert status.code == 0 and json.loads(status.out)["layout"] == "subdir"
    generation = mount.status()["generation"]
    assert run_client(["refresh", "--wait", *which], report=False).code == 0
    assert mount.status()["generation"] > generation
    doctor = run_client(["doctor", *which], report=False).out.decode()
    assert f"{mount.path}: one irsafs, alive" in doctor and "can read config and touch refresh" in doctor, doctor
    mount.kill()
    wait_until(lambda: "dead mount" in run_client(["status", *which], report=False).err, "the worker's end")
    assert f"the irsafs of {mount.point} was killed" in run_client(["doctor", *which], report=False).out.decode()
    mount.start()
    mount.stop()
    assert "its config is the last good text" in run_client(["doctor", *which], report=False).out.decode()
    ran = run_client(["status", *which], report=False)
    assert ran.code == 13 and "no mount" in ran.err
