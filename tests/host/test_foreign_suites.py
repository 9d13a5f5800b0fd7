# SPDX-License-Identifier: Apache-2.0
"""Other people's file system testers: fio reads through every engine, stress-ng tries everything else."""
from __future__ import annotations

import json
import os

import pytest

from lib.program import run
from lib.world import GOLDEN

ENGINES = ("sync", "psync", "pvsync2", "mmap", "libaio", "io_uring", "posixaio", "splice")
# Those that work on files in a folder they are given; the first thing they do is to make one of their own.
MUTATORS = (
    "access", "chattr", "chdir", "chmod", "chown", "copy-file", "dentry", "dir", "dirdeep", "dirmany", "fallocate",
    "fiemap", "file-ioctl", "filename", "flock", "fpunch", "fsize", "hdd", "inode-flags", "inotify", "iomix",
    "lease", "link", "locka", "lockf", "lockofd", "mknod", "rename", "symlink", "sync-file", "touch", "utime",
    "verity", "xattr",
)


@pytest.fixture
def mount(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    assert mount.read() == GOLDEN
    yield mount
    assert mount.read() == GOLDEN
    assert sorted(os.listdir(mount.path)) == ["config", "refresh", "status"]
    assert mount.status()["pid"] == mount.process.pid
    assert world.service.count == 1


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("direct", [0, 1])
def test_fio_reads_without_an_error(mount, engine, direct):
    ran = run([
        "fio", "--name=reads", f"--filename={mount.config}", "--readonly", "--rw=randread", "--bs=64-700", "--bs_unaligned=1",
        f"--size={len(GOLDEN)}", "--norandommap", "--loops=200", f"--ioengine={engine}", f"--direct={direct}",
        "--numjobs=2", "--thread", "--group_reporting", "--allow_file_create=0", "--output-format=json",
    ])
    if engine == "mmap" and direct:
        assert "minimum block size" in ran.err  # fio's own: its mapped blocks would have to be whole pages
        return
    assert ran.code == 0, ran.err
    job = json.loads(ran.out[ran.out.index(b"{"):])["jobs"][0]
    assert job["error"] == 0 and job["read"]["total_ios"] >= 200


def stress(mount, *args):
    ran = run(["stress-ng", "--temp-path", mount.path, "--timeout", "1", *args], timeout=120)
    assert ran.code >= 0, f"stress-ng was ended by signal {-ran.code}"
    return ran


@pytest.mark.parametrize("name", MUTATORS)
def test_stress_ng_finds_nothing_to_write_to(mount, name):
    ran = stress(mount, f"--{name}", "1")
    assert "errno=30" in ran.err, ran.err  # EROFS at its first attempt
    for number in (5, 38, 103, 107):   # EIO, ENOSYS, ECONNABORTED, ENOTCONN
        assert f"errno={number} " not in ran.err


@pytest.mark.parametrize("args", [["--fstat", "2", "--fstat-dir"], ["--handle", "2", "--temp-path"]], ids=lambda a: a[0][2:])
def test_stress_ng_reads_without_an_error(mount, args):
    ran = stress(mount, *args, mount.path)
    assert ran.code == 0 and "fail:" not in ran.err, ran.err
