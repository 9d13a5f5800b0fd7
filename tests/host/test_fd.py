# SPDX-License-Identifier: Apache-2.0
"""Mode fd when no worker can be started: the connection, which nobody can make again, is kept for a minute."""
from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time

import pytest

from lib import procs
from lib.csi import FdMount, prepare, start
from lib.wait import wait_until
from lib.world import GOLDEN


def sabotage(mount: FdMount) -> subprocess.Popen:
    """From now on the supervisor cannot fork. The reader that is returned asks a worker that does not live."""
    procs.set_soft_limit(mount.process.pid, "nproc", "0")
    os.kill(mount.worker, signal.SIGKILL)
    wait_until(lambda: "process_not_started" in mount.log(), "a worker that cannot be started")
    return subprocess.Popen(["cat", mount.path / "status"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


@pytest.mark.slow
def test_no_worker_can_start(world):
    """One is repaired after 45 s, one is not: the whole of the minute is waited for once, with both."""
    repaired, lost = (start(prepare(world, "--min-refresh=10ms", folder=world.folder / name)) for name in ("a", "b"))
    assert repaired.read() == lost.read() == GOLDEN
    begin = time.monotonic()
    readers = {mount: sabotage(mount) for mount in (repaired, lost)}
    with pytest.raises(subprocess.TimeoutExpired):
        lost.process.wait(begin + 45 - time.monotonic())
    assert repaired.process.poll() is None
    assert [reader.poll() for reader in readers.values()] == [None, None], "a wait, not an error"

    procs.set_soft_limit(repaired.process.pid, "nproc", str(resource.getrlimit(resource.RLIMIT_NPROC)[0]))
    said, _ = readers[repaired].communicate(timeout=30)
    assert readers[repaired].returncode == 0 and json.loads(said)["mode"] == "fd"
    repaired.touch()
    assert repaired.read() == GOLDEN
    assert "connection_given_up" not in repaired.log()

    with pytest.raises(subprocess.TimeoutExpired):
        lost.process.wait(begin + 58 - time.monotonic())
    assert lost.wait_exit(60) == 9
    lost.process = None
    assert readers[lost].wait(30) != 0
    assert "connection_given_up" in lost.log()
    assert "IRSAFS-E914" in lost.log() and "delete the pod" in lost.log()
