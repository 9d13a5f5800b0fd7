# SPDX-License-Identifier: Apache-2.0
"""The crowd sees what it is there to see; no daemon needed."""
from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest

from lib.trouble import Repeat
from lib.wait import wait_until
from mount.test_consistency import InPlace
from standin.stamped import stamped_text
from takeover.storm import FAULTS, Crowd


def look(folder: Path, changes) -> dict:
    """What the crowd counts in two seconds in which changes() happens again and again."""
    (folder / "refresh").touch()
    (folder / "status").write_text("{}\n\n{}\n")
    end = time.monotonic() + 2.0
    with Crowd(folder) as crowd, Repeat(changes, 0.001):
        wait_until(lambda: time.monotonic() > end, "two seconds of looks")
    return crowd.counted


@pytest.fixture
def folder(world):
    folder = world.folder / "plain"
    folder.mkdir()
    return folder


def test_a_file_rewritten_in_place(folder):
    counted = look(folder, InPlace(folder).rewrite)
    missed = [fault for fault in ("torn", "empty", "stale", "back", "changed") if counted[fault] == 0]
    assert missed == []


def test_a_file_replaced_by_rename(folder):
    numbers = itertools.count(1)

    def replace() -> None:
        new = folder.with_name("new")  # elsewhere: the crowd counts the names
        new.write_bytes(stamped_text(next(numbers), time.monotonic_ns()))
        new.rename(folder / "config")

    replace()
    counted = look(folder, replace)
    # stale is what an old file is after a touch that nobody obeys; stat and open may meet two files
    assert {fault: counted[fault] for fault in FAULTS if fault != "stale"} == dict.fromkeys(FAULTS[:2] + FAULTS[3:], 0)
    assert 0 not in counted["looks_of"].values() and counted["newest"] >= 30


def test_errors_and_names(folder):
    def spoil() -> None:
        (folder / "one name more").touch()
        (folder / "another one").touch()
        (folder / "status").unlink(missing_ok=True)

    (folder / "config").write_bytes(stamped_text(1, time.monotonic_ns()))
    counted = look(folder, spoil)
    assert counted["error"] > 0 and counted["torn"] > 0 and counted["changed"] == 0


def test_a_look_that_never_ends(folder):
    (folder / "config").write_bytes(stamped_text(1, time.monotonic_ns()))

    def block() -> None:
        if not (folder / "status").is_fifo():
            (folder / "status").unlink()
            os.mkfifo(folder / "status")

    assert look(folder, block)["hang"] == 1  # of one lister
