# SPDX-License-Identifier: Apache-2.0
"""Everybody reads and touches, nobody changes anything: not even root."""
from __future__ import annotations

import errno
import fcntl
import os
import stat

import pytest

from lib.program import USER, run, run_as_user
from lib.world import GOLDEN
from standin.mapping import render, role


@pytest.fixture
def mount(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    assert mount.read() == GOLDEN
    return mount


def error_of(call, *args) -> str:
    """The name of the errno a call fails with."""
    try:
        call(*args)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "success"


def write_into(path: str, flags: int) -> None:
    fd = os.open(path, os.O_WRONLY | flags)
    try:
        os.write(fd, b"x")
    finally:
        os.close(fd)


def copy_range_into(path: str, source_path: str) -> None:
    source, target = os.open(source_path, os.O_RDONLY), os.open(path, os.O_RDWR)
    try:
        os.copy_file_range(source, target, 4)
    finally:
        os.close(source)
        os.close(target)


def allocate(path: str) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.posix_fallocate(fd, 0, 100)
    finally:
        os.close(fd)


MUTATIONS = {
    "write": lambda d: write_into(f"{d}/config", 0),
    "append": lambda d: write_into(f"{d}/config", os.O_APPEND),
    "open with O_TRUNC": lambda d: os.open(f"{d}/config", os.O_WRONLY | os.O_TRUNC),
    "read with O_TRUNC": lambda d: os.open(f"{d}/config", os.O_RDONLY | os.O_TRUNC),
    "copy_file_range": lambda d: copy_range_into(f"{d}/config", f"{d}/status"),
    "fallocate": lambda d: allocate(f"{d}/config"),
    "truncate": lambda d: os.truncate(f"{d}/config", 10),
    "chmod": lambda d: os.chmod(f"{d}/config", 0o600),
    "chown": lambda d: os.chown(f"{d}/config", 1, 1),
    "utime": lambda d: os.utime(f"{d}/config"),
    "unlink": lambda d: os.unlink(f"{d}/config"),
    "rename": lambda d: os.rename(f"{d}/config", f"{d}/other"),
    "rename onto": lambda d: os.rename(f"{d}/status", f"{d}/config"),
    "link": lambda d: os.link(f"{d}/config", f"{d}/other"),
    "create": lambda d: os.open(f"{d}/other", os.O_CREAT | os.O_WRONLY, 0o600),
    "mkdir": lambda d: os.mkdir(f"{d}/other"),
    "mknod": lambda d: os.mknod(f"{d}/other", 0o600 | stat.S_IFIFO),
    "symlink": lambda d: os.symlink("x", f"{d}/other"),
    "status write": lambda d: write_into(f"{d}/status", 0),
    "status truncate": lambda d: os.truncate(f"{d}/status", 0),
    "status unlink": lambda d: os.unlink(f"{d}/status"),
    "refresh unlink": lambda d: os.unlink(f"{d}/refresh"),
    "refresh rename": lambda d: os.rename(f"{d}/refresh", f"{d}/other"),
    "refresh chmod": lambda d: os.chmod(f"{d}/refresh", 0o600),
    "refresh chown": lambda d: os.chown(f"{d}/refresh", 1, 1),
    "root chmod": lambda d: os.chmod(d, 0o777),
    "root chown": lambda d: os.chown(d, 1, 1),
    "root utime": lambda d: os.utime(d),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations_are_refused_for_root(world, mount, name):
    before = mount.config.stat()
    assert error_of(MUTATIONS[name], str(mount.path)) == "EROFS"
    after = mount.config.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_mode) == (before.st_size, before.st_mtime_ns, before.st_mode)
    assert mount.read() == GOLDEN
    assert sorted(os.listdir(mount.path)) == ["config", "refresh", "status"]
    assert world.service.count == 1


def test_extended_attributes_and_ioctl_speak_the_kernels_words(mount):
    config = str(mount.config)
    assert error_of(os.setxattr, config, "user.x", b"1") == "ENOTSUP"
    assert error_of(os.removexattr, config, "user.x") == "ENOTSUP"
    assert error_of(os.getxattr, config, "user.x") == "ENOTSUP"
    assert error_of(os.listxattr, config) == "ENOTSUP"
    with mount.config.open() as file:
        assert error_of(fcntl.ioctl, file, 0x5401) == "ENOTTY"


def test_other_names_do_not_exist(mount):
    for name in ("other", ".live", "config ", "CONFIG", "x" * 255, "\udcff", "a\nb"):
        assert error_of(os.stat, f"{mount.path}/{name}") == "ENOENT", repr(name)
    assert error_of(os.stat, f"{mount.path}/{'x' * 256}") == "ENAMETOOLONG"
    assert error_of(os.stat, f"{mount.path}/config/x") == "ENOTDIR"


def test_user_reads_everything(world, mount):
    assert run_as_user(["cat", mount.config]).out == GOLDEN.encode()
    assert b'"schema"' in run_as_user(["cat", mount.path / "status"]).out
    assert run_as_user(["cat", mount.refresh]).out == b""
    assert run_as_user(["ls", mount.path]).out == b"config\nrefresh\nstatus\n"
    assert run_as_user(["test", "-r", mount.config]).code == 0
    assert run_as_user(["test", "-w", mount.config]).code == 1
    assert run_as_user(["test", "-w", mount.refresh]).code == 0


def test_user_as_first_reader_and_toucher(world):
    mount = world.mount("--min-refresh=0s")
    assert run_as_user(["cat", mount.config]).out == GOLDEN.encode()
    world.service.roles = [role("new")]
    assert run_as_user(["touch", mount.refresh]).code == 0
    assert run_as_user(["cat", mount.config]).out == render([role("new")]).encode()


@pytest.mark.parametrize("command", ["echo x > config", "rm -f config", "mv config other", "touch other", "chmod 666 config"])
def test_user_changes_nothing(mount, command):
    ran = run_as_user(["sh", "-c", f"cd {mount.path} && {command}"])
    assert ran.code != 0
    assert mount.read() == GOLDEN


def test_default_owner_and_modes(mount):
    modes = {name: oct(stat.S_IMODE((mount.path / name).stat().st_mode)) for name in ("config", "refresh", "status")}
    assert modes == {"config": "0o444", "refresh": "0o666", "status": "0o444"}
    assert all((mount.path / name).stat().st_uid == 0 for name in modes)
    assert stat.S_ISREG(mount.config.stat().st_mode)


def test_owner_and_modes_can_be_set(world):
    mount = world.mount(f"--uid={USER}", f"--gid={USER}", "--config-mode=0440", "--refresh-mode=0600")
    for name, mode in (("config", 0o440), ("refresh", 0o600)):
        found = (mount.path / name).stat()
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (USER, USER, mode)
    assert run_as_user(["cat", mount.config]).out == GOLDEN.encode()
    other = {"user": 1, "group": 1, "extra_groups": []}
    assert run(["cat", mount.config], **other).code == 1
    assert run(["touch", mount.refresh], **other).code == 1


def test_mount_options(mount):
    line = next(l for l in open("/proc/self/mountinfo") if f" {mount.path} " in l)
    left, right = line.split(" - ")
    assert {"nosuid", "nodev", "noexec", "rw"} <= set(left.split()[5].split(","))
    fstype, source, super_options = right.split()
    assert (fstype, source) == ("fuse.irsafs", "irsafs")
    assert {"allow_other", "default_permissions"} <= set(super_options.split(","))
