# SPDX-License-Identifier: Apache-2.0
"""The volume of layout subdir over time: other layouts before and after, full disks, and users who move what is in it."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lib.files import Folder
from lib.inside import SHELL
from lib.mount import Mount, mounts_at
from lib.pod import Volume
from lib.procs import children
from lib.program import IRSAFS, USER, public, run_as_user, run_irsafs
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import role

SUBDIR = "--layout=subdir"
MARK = "# irsafs: NOT RUNNING. "
LEAST = ("setpriv", "--bounding-set=-all,+sys_admin,+setuid,+setgid,+kill", "--inh-caps=-all", "--no-new-privs")


class Below:
    """The volume without what is mounted in it."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_name(path.name + ".below")
        self.config = self.path / ".live" / "config"

    def __enter__(self) -> "Below":
        self.path.mkdir()
        subprocess.run(["mount", "--bind", self.path.with_name(self.path.stem), self.path], check=True)
        subprocess.run(["mount", "--make-private", self.path], check=True)
        return self

    def __exit__(self, *_) -> None:
        subprocess.run(["umount", self.path], check=True)

    def text(self) -> str:
        return self.config.read_text() if self.config.exists() else ""

    def wait(self, word: str) -> str:
        return wait_until(lambda: self.text() if word in self.text() else "", f"{word} below the mount")


def elsewhere(path: Path, script: str) -> None:
    """In another container that has the volume, but not what is mounted in it."""
    setup = f'umount -l "{path}/.live" 2>/dev/null || :\ncd "{path}"\n'
    subprocess.run([*SHELL, setup + script], check=True, timeout=20)


def mounted_below(folder: Path) -> list:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if " - fuse.irsafs " in line and line.split()[4].startswith(f"{folder}/")]


# ---- one folder, several layouts

KINDS = {"root": (Mount, ()), "subdir": (Mount, (SUBDIR,)), "file": (Folder, ("--prefetch",))}


@pytest.mark.parametrize("end", ["stop", "kill"])
@pytest.mark.parametrize("first, second", [(a, b) for a in KINDS for b in KINDS if a != b])
def test_another_layout_after(world, first, second, end):
    path = world.folder / "aws0"
    mounts = {}
    for which in (first, second):
        world.kind, args = KINDS[which]
        mounts[which] = world.prepare(*args, path=path)
    for which in (first, second, first):
        mount = mounts[which].start()
        wait_until(lambda: mount.config.exists() and mount.read() == GOLDEN, f"the text of {which}")
        assert mounts_at(path) == (["fuse.irsafs"] if which == "root" else [])
        assert mounts_at(path / ".live") == (["fuse.irsafs"] if which == "subdir" else [])
        getattr(mount, end)()


@pytest.mark.parametrize("second", [(), ("--mode=file",), (SUBDIR,)], ids=["root", "file", "subdir"])
@pytest.mark.parametrize("first", [(), (SUBDIR,)], ids=["root", "subdir"])
def test_a_folder_that_is_served_in_another_way(world, first, second):
    mount = world.mount(*first)
    assert mount.read() == GOLDEN
    ran = run_irsafs(["mount", mount.path, *second], world.env(IRSAFS_CONTROL="off"), timeout=20)
    assert ran.code == 10 and "IRSAFS-E101" in ran.err, ran.err
    assert mount.read() == GOLDEN


def test_a_dead_mount_that_is_hidden(world):
    """A new volume stands over the old one, in which an irsafs was killed."""
    mount = world.mount(SUBDIR)
    assert mount.read() == GOLDEN
    mount.kill()
    subprocess.run(["mount", "-t", "tmpfs", "new", mount.path], check=True)
    try:
        mount.start()
        assert mount.read() == GOLDEN
        mount.process.terminate()
        assert mount.wait_exit() == 0
        mount.process = None
        assert mounts_at(mount.point) == ["fuse.irsafs"], "the dead one, which is none of ours here"
    finally:
        subprocess.run(["umount", "-R", mount.path], check=True)
    mount.start()
    assert mounts_at(mount.point) == ["fuse.irsafs"]


# ---- what others do in the volume


def test_what_others_leave_does_not_keep_it_from_starting_again(world):
    mount = world.mount(SUBDIR)
    for name in ("notes", "cli"):
        (mount.path / name).write_text("mine")
    for end in (mount.kill, mount.stop):
        end()
        mount.start()
        assert mount.read() == GOLDEN
    assert (mount.path / "notes").read_text() == "mine"


def test_files_written_by_hand_are_kept_each_time(world):
    mount = world.mount(SUBDIR)
    for i in range(4):
        mount.stop()
        (mount.path / "config").unlink()
        (mount.path / "config").write_text(f"by hand {i}")
        mount.start()
        assert mount.read() == GOLDEN
    kept = [path.read_text() for path in mount.path.glob("config.before-irsafs*")]
    assert sorted(kept) == [f"by hand {i}" for i in range(4)]


def test_live_is_moved_away_under_the_mount(world):
    """The mount goes with it, and must not stay for ever."""
    mount = world.mount(SUBDIR)
    assert mount.read() == GOLDEN
    elsewhere(mount.path, "mv .live moved\nmkdir .live")
    assert mounted_below(mount.path) == [f"{mount.path}/moved"]
    mount.stop()
    assert mounted_below(mount.path) == []
    mount.start()
    assert mount.read() == GOLDEN


def test_a_mount_over_ours_stays(world):
    mount = world.mount(SUBDIR)
    subprocess.run(["mount", "-t", "tmpfs", "over", mount.point], check=True)
    try:
        mount.process.terminate()
        assert mount.wait_exit() == 0
        mount.process = None
        assert mounts_at(mount.point) == ["fuse.irsafs", "tmpfs"]
    finally:
        subprocess.run(["umount", mount.point], check=True)


SWAPPER = """
import ctypes, os, sys
path, outside = sys.argv[1:]
os.chdir(path)
os.makedirs(".other", exist_ok=True)
rename = ctypes.CDLL(None).renameat2
print("ready", flush=True)
while True:
    for other in (b".other", b".link", b".other", b".mine"):
        rename(-100, b".live", -100, other, 2)                  # RENAME_EXCHANGE
        rename(-100, b".irsafs.config.link", -100, other, 2)
    for make in (lambda: os.symlink(outside, ".link"), lambda: os.mkdir(".mine"), lambda: os.rmdir(".live"),
                 lambda: os.unlink("refresh"), lambda: os.symlink(outside + "/file", ".irsafs.status.link")):
        try:
            make()
        except OSError:
            pass
"""


def test_a_user_who_swaps_directories_all_the_time(world):
    """Started again and again in a volume where nothing stays what it was: it serves or refuses, and that is all."""
    outside, path = world.folder / "outside", world.folder / "aws0"
    for folder in (outside, path):
        folder.mkdir()
    path.chmod(0o777)
    (outside / "file").write_text("precious")
    before = outside.stat(), (outside / "file").stat()
    swapper = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", "setpriv", f"--reuid={USER}", "--clear-groups", "/usr/bin/python3",
         "-c", SWAPPER, path, outside], stdout=subprocess.PIPE, text=True)
    try:
        assert swapper.stdout.readline() == "ready\n"
        for _ in range(25):
            mount = world.prepare(SUBDIR, "--allow-nonempty", path=path)
            world.mounts.remove(mount)
            said = mount.log().count(" mode_chosen ")
            mount.launch()
            wait_until(lambda: mount.log().count(" mode_chosen ") > said or mount.process.poll() is not None, "a start")
            mount.process.terminate()
            assert mount.process.wait(10) in (0, 9), mount.log()
            assert mounted_below(world.folder) == [], mount.log()
    finally:
        swapper.kill()
        swapper.wait(10)
        swapper.stdout.close()
    assert (outside.stat(), (outside / "file").stat()) == before
    assert os.listdir(outside) == ["file"] and (outside / "file").read_text() == "precious"


def test_who_serves_has_no_descriptor_of_the_volume(world):
    gate = world.service.hold()
    mount = world.mount(SUBDIR, "--prefetch")
    gate.wait_arrived()
    below = children(mount.process.pid)
    assert len(below) == 3, "worker, notifier and client"
    for pid in below:
        links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        assert not [link for link in links if Path(link).is_relative_to(mount.path)]
    gate.release()


# ---- the last good text and the disk


def fill(volume: Volume) -> Path:
    filler = volume.path / "full"
    subprocess.run(["mount", "-o", "remount,size=256k", volume.path], check=True)
    with filler.open("wb", buffering=0) as file, pytest.raises(OSError):
        while True:
            file.write(b"x" * 4096)
    return filler


def test_a_full_disk_keeps_the_last_good_text_until_there_is_room(world, volume):
    mount = world.mount(SUBDIR, "--min-refresh=10ms", path=volume.path)
    with Below(volume.path) as below:
        assert mount.read() == GOLDEN
        below.wait(MARK)
        filler = fill(volume)
        world.service.roles = [role("another-role")]
        mount.touch()
        assert "another-role" in mount.read()
        wait_until(lambda: "file_not_written" in mount.log(), "a word in the log")
        assert below.text().endswith(GOLDEN)
        filler.unlink()
        below.wait("another-role")                     # by itself, nobody looks
        assert "file_written_again" in mount.log()


def test_a_full_disk_does_not_keep_what_was_denied(world, volume):
    mount = world.mount(SUBDIR, "--min-refresh=10ms", path=volume.path)
    with Below(volume.path) as below:
        assert mount.read() == GOLDEN
        below.wait(MARK)
        fill(volume)
        world.service.behave(status=403)
        mount.touch()
        assert "IRSAFS-E601" in mount.read()
        wait_until(lambda: "role_arn" not in below.text(), "the end of the profiles")


def test_a_restart_on_a_full_disk(world, volume):
    mount = world.mount(SUBDIR, path=volume.path)
    for end in (mount.stop, mount.kill):
        fill(volume)
        end()
        mount.start()
        assert mount.read() == GOLDEN


def test_what_is_too_old_goes_while_nobody_looks(world):
    mount = world.mount(SUBDIR, "--ttl=100ms", "--max-stale=1500ms")
    assert mount.read() == GOLDEN
    with Below(mount.path) as below:
        below.wait(MARK)
        assert "role_arn" not in below.wait("NO PROFILES")


@pytest.mark.parametrize("age, kept", [(3500, True), (3700, False)])
def test_a_text_of_an_irsafs_before_is_not_older_than_max_stale(world, age, kept):
    mount = world.mount(SUBDIR, "--max-stale=1h")
    assert mount.read() == GOLDEN
    mount.stop()
    copy = mount.path / ".live" / "config"
    now = copy.stat().st_mtime
    os.utime(copy, (now - age, now - age))
    mount.start()
    with Below(mount.path) as below:
        assert below.config.exists() == kept
        os.utime(below.path / ".live" / "refresh")
        if kept:
            os.utime(below.config, (now - 3700, now - 3700))
        mount.stop()
        assert not below.config.exists()


# ---- rights


def test_in_a_user_namespace(world):
    """Where root is nobody: its links are those of whoever owns /, and as good."""
    path, link = world.folder / "aws0", world.folder / "link"
    (path / "config" / "in the way").mkdir(parents=True)
    link.symlink_to(path)
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    ran = run_as_user([*own, public(IRSAFS), "mount", link, SUBDIR], env=world.env(IRSAFS_CONTROL="off"))
    assert ran.code == 9 and "symlink" not in ran.err, ran.err
    os.chown(link, 12574 + 1, 0, follow_symlinks=False)
    ran = run_irsafs(["mount", link, SUBDIR], world.env(IRSAFS_CONTROL="off"), timeout=20)
    assert ran.code == 9 and "symlink" in ran.err, ran.err


def test_the_least_privileges(world):
    path = world.folder / "aws0"
    path.mkdir()
    path.chmod(0o777)
    mount = world.mount(SUBDIR, path=path, prefix=LEAST)
    for end in (mount.kill, mount.stop):
        assert mount.read() == GOLDEN
        end()
        mount.start()
    assert mount.read() == GOLDEN
    mount.stop()
    assert mount.config.read_text().startswith(MARK) and mount.config.read_text().endswith(GOLDEN)
