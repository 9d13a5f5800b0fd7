# SPDX-License-Identifier: Apache-2.0
"""The one way to change bytes of `config`: root's shared writable mapping (docs/security.md).

Pinned so that the page is right: what root can do, that nobody else can, and what ends it.
"""
from __future__ import annotations

import errno
import mmap
import os

import pytest

from lib.program import run, run_as_user
from lib.world import GOLDEN

STORE = """
import mmap, os, sys
with open(sys.argv[1], "r+b", buffering=0) as file, mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED) as text:
    text[0:1] = b"X"
    {then}
"""


@pytest.fixture
def mount(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    assert mount.read() == GOLDEN
    return mount


def store(mount, then: str = "pass", prefix: tuple = ()):
    return run([*prefix, "/usr/bin/python3", "-c", STORE.format(then=then), mount.config])


def test_root_can_store_until_the_next_generation(mount):
    assert store(mount).code == 0
    assert run_as_user(["cat", mount.config]).out == b"X" + GOLDEN.encode()[1:]
    mount.touch()
    assert mount.read() == GOLDEN


def test_what_root_stored_is_not_taken_over_by_the_daemon(mount):
    """A touch gives the bytes of the service again although the text is equal: the store was the kernel's alone."""
    store(mount)
    with mount.config.open() as held:
        mount.touch()
        assert mount.read() == GOLDEN
        assert held.read(1) == "X"     # the old generation, which is his who holds it


def test_writing_back_what_was_stored_is_refused(mount):
    ran = store(mount, then="text.flush()")
    assert f"[Errno {errno.EROFS}]" in ran.err


def test_a_user_cannot_map_it_for_writing(mount):
    assert run_as_user(["/usr/bin/python3", "-c", STORE.format(then="pass"), mount.config]).code != 0
    fd = os.open(mount.config, os.O_RDONLY)
    with pytest.raises(PermissionError):
        mmap.mmap(fd, 0, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    os.close(fd)
    assert mount.read() == GOLDEN


def test_root_without_the_override_of_modes_cannot_either(mount):
    assert store(mount, prefix=("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")).code != 0
    assert mount.read() == GOLDEN
