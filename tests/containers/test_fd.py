# SPDX-License-Identifier: Apache-2.0
"""Mode fd in containers: a driver on the node mounts, and the sidecar has nothing but the driver's socket."""
from __future__ import annotations

import errno
import subprocess

import pytest

from lib.aws import check_identities
from lib.containers import AWS, bind
from lib.csi import UID, Driver
from lib.mount import mounts_at
from lib.procs import status_fields
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, role

PASS = "/fdpass"
ADDED = role("added")


@pytest.fixture
def driver(world, pod):
    """On a node: kubelet's folders are on a shared mount."""
    node = world.folder / "node"
    node.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "node", node], check=True)
    subprocess.run(["mount", "--make-shared", node], check=True)
    it = Driver(node)
    yield it
    pod.end()
    it.close()
    subprocess.run(["umount", node], check=True)


@pytest.fixture
def restricted(pod, driver):
    """Prepares a sidecar as Pod Security "restricted" has it: no device, no volume but the socket's."""

    def prepare(*args: str):
        return pod.sidecar("--mode=fd", f"--fd-socket=connect:{PASS}/{driver.socket.name}", "--min-refresh=0s", *args, user=UID,
                           caps=(), fuse=False, propagation="rprivate", path=driver.path,
                           mounts=(bind(driver.socket.parent, PASS, "rprivate"),))

    return prepare


@pytest.fixture
def sidecar(driver, restricted):
    driver.start()
    return restricted("--sandbox=required").start()


def test_reads_and_touches(pod, world, driver, sidecar):
    reader = pod.reader(read_only=False, volume=driver.path)
    assert reader.read() == GOLDEN
    world.service.roles = [*GOLDEN_ROLES, ADDED]
    reader.run("touch", f"{AWS}/refresh")
    assert f"[profile {ADDED.name}]" in reader.read()
    assert reader.ask("write", "config")[0] in (errno.EACCES, errno.EROFS)
    assert reader.ask("write", "new")[0] in (errno.EACCES, errno.EROFS, errno.EPERM)
    assert pod.reader(read_only=True, volume=driver.path).ask("touch", "refresh")[0] == errno.EROFS
    assert sidecar.status()["mode"] == "fd" and len(mounts_at(driver.path)) == 1


def test_nothing_is_privileged(pod, driver, sidecar):
    assert pod.reader(volume=driver.path).read() == GOLDEN
    for pid in sidecar.processes():
        fields = status_fields(pid)
        assert set(fields["Uid"].split()) == {str(UID)} and fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
        assert {int(fields[kind], 16) for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


def test_run_waits_for_the_first_text(pod, world, driver, sidecar):
    """`run` starts when nothing has been fetched yet: its first look is what starts the fetch."""
    assert world.service.count == 0
    assert pod.reader(volume=driver.path).read() == GOLDEN
    assert world.service.count == 1


def test_run_started_before_the_sidecar(pod, world, driver, restricted):
    """Plan B: `run` is there first, on a volume where nothing is mounted, and the mount reaches it."""
    driver.start()
    reader = pod.reader(read_only=False, volume=driver.path)
    assert reader.ask("list") == (0, [])
    restricted().start()
    wait_until(lambda: reader.ask("list")[1], "the mount in run")
    assert reader.read() == GOLDEN
    world.service.roles = [*GOLDEN_ROLES, ADDED]
    reader.run("touch", f"{AWS}/refresh")
    assert f"[profile {ADDED.name}]" in reader.read()


def test_boto3_and_the_cli_reach_their_roles(pod, driver, restricted, sts):
    driver.start()
    restricted(f"--web-identity-token-file={sts.web_token_file}").start()
    check_identities(pod.reader(read_only=False, volume=driver.path), sts)


def test_killed_as_a_whole(pod, driver, sidecar, restricted):
    """The one thing that no restart repairs: the descriptor was handed over once."""
    reader = pod.reader(volume=driver.path)
    assert reader.read() == GOLDEN
    sidecar.kill()
    wait_until(lambda: reader.ask("read", "config")[0] == errno.ENOTCONN, "the end of the connection")
    again = restricted("--fd-timeout=1s")
    again.launch()
    assert again.wait_exit(20) == 9
    again.process = None
    assert "IRSAFS-E912" in again.log() and "delete the pod" in again.log()
