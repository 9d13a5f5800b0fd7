# SPDX-License-Identifier: Apache-2.0
"""A pod's labels file, written the way kubelet writes a downward API volume.

The volume holds `labels` -> `..data/labels` and `..data` -> `..<timestamp>`; an update writes a new
timestamped folder and swaps `..data` by rename. Values are quoted like Go's strconv.Quote, lines
are sorted, the last one has no newline.
"""
from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

EXECUTION_ID = "dominodatalab.com/execution-id"
WORKLOAD_TYPE = "dominodatalab.com/irsa-workload-type"
NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"

SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\v": "\\v"}


def go_quote(value: str) -> str:
    """The value as strconv.Quote writes it."""
    return '"' + "".join(_go_char(char) for char in value) + '"'


def _go_char(char: str) -> str:
    if char in SHORT:
        return SHORT[char]
    if char.isprintable():
        return char
    if ord(char) < 0x80:
        return f"\\x{ord(char):02x}"
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def render(labels: dict) -> str:
    return "\n".join(f"{key}={go_quote(value)}" for key, value in sorted(labels.items()))


class Labels:
    """The volume; `path` is what POD_INFO_PATH names."""

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder = folder
        self._versions = itertools.count(1)
        self.path = folder / "labels"
        folder.mkdir(mode=0o755)
        self.run(run_id)
        self.path.symlink_to("..data/labels")

    def write(self, labels: dict) -> None:
        """Publishes new labels in one step."""
        version = self._folder / f"..2026_01_01_00_00_00.{next(self._versions):010d}"
        version.mkdir(mode=0o755)
        (version / "labels").write_text(render(labels))
        data, new = self._folder / "..data", self._folder / "..data_tmp"
        old = self._folder / os.readlink(data) if data.is_symlink() else None
        new.symlink_to(version.name)
        new.rename(data)
        if old:
            shutil.rmtree(old)

    def run(self, run_id: str, **others: str) -> None:
        """Labels of a run pod with this run id."""
        self.write({EXECUTION_ID: run_id, NAME: f"run-{run_id}", **others})
