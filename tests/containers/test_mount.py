# SPDX-License-Identifier: Apache-2.0
"""Mode mount in containers: what one mounts on the shared volume, the other reads."""
from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from lib import procs
from lib.aws import check_identities
from lib.containers import AWS, MOUNTING, forget_pages
from lib.endpoint import free_port
from lib.mount import mounts_at
from lib.program import USER
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, role

SUBDIR = ("--layout=subdir", "--min-refresh=0s")
ADDED = role("added")
LIMIT = 48 << 20
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
PROFILES = "import boto3, json; print(json.dumps(boto3.Session().available_profiles))"


def is_dead(folder: Path) -> bool:
    try:
        folder.stat()
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def without_heading(text: str) -> list:
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_run_started_before_and_after_the_mount(pod):
    before = pod.reader()
    assert before.ask("read", "config")[0] == errno.ENOENT
    sidecar = pod.sidecar(*SUBDIR).start()
    after = pod.reader()
    for reader in (before, after):
        assert reader.read() == GOLDEN
        assert reader.ask("list") == (0, [".live", "config", "refresh", "status"])
    assert mounts_at(sidecar.point) == ["fuse.irsafs"]
    sidecar.stop()
    for reader in (before, after):
        assert without_heading(reader.read()) == without_heading(GOLDEN), "the last good copy"
        assert json.loads(reader.read("status"))["state"] == "unserved"


def test_touch_through_a_read_only_volume(pod, world):
    sidecar = pod.sidecar(*SUBDIR).start()
    reader = pod.reader(read_only=True)
    assert reader.read() == GOLDEN and world.service.count == 1
    world.service.roles = [*GOLDEN_ROLES, ADDED]
    reader.run("touch", f"{AWS}/refresh")
    assert f"[profile {ADDED.name}]" in reader.read()
    assert world.service.count == 2
    assert reader.ask("touch", "config")[0] in (errno.EROFS, errno.EACCES)
    assert reader.ask("write", "new")[0] == errno.EROFS
    assert sidecar.status()["layout"] == "subdir"


def test_boto3_and_the_cli_reach_their_roles(pod, sts):
    pod.sidecar(*SUBDIR, f"--web-identity-token-file={sts.web_token_file}").start()
    reader = pod.reader()
    assert len(json.loads(reader.run("/usr/bin/python3", "-c", PROFILES))) == 2 * len(GOLDEN_ROLES)
    check_identities(reader, sts)


def test_sidecar_killed_and_started_again(pod, world):
    sidecar = pod.sidecar(*SUBDIR).start()
    reader = pod.reader()
    assert reader.read() == GOLDEN
    for _ in range(2):
        sidecar.kill()
        assert reader.ask("list")[0] == 0, "the volume itself lives"
        sidecar.start()
        assert reader.read() == GOLDEN
        assert json.loads(reader.read("status"))["state"] == "fresh"
    assert mounts_at(sidecar.point) == ["fuse.irsafs"], "the dead mount was taken away"
    assert "dead_mount_removed" in sidecar.log()


def test_layout_root(pod):
    """For hosts; in a pod a kill leaves a dead mount on which the runtime starts nothing: hence subdir."""
    sidecar = pod.sidecar("--min-refresh=0s").start()
    reader = pod.reader(read_only=False)
    assert reader.read() == GOLDEN
    assert sidecar.status()["layout"] == "root"
    reader.run("touch", f"{AWS}/refresh")
    assert reader.read() == GOLDEN
    sidecar.stop()
    sidecar.start()
    assert pod.reader().read() == GOLDEN
    sidecar.kill()
    wait_until(lambda: reader.ask("read", "config")[0] in (errno.ENOTCONN, errno.ENOENT) and is_dead(pod.volume), "the end")
    sidecar.launch()
    assert sidecar.wait_exit(20) != 0
    sidecar.process = None
    assert "transport endpoint is not connected" in sidecar.log(), "the runtime cannot bind a dead mount: docs/modes.md"


def test_privileges_in_the_container(pod):
    sidecar = pod.sidecar(*SUBDIR, "--sandbox=required").start()
    reader = pod.reader()
    assert reader.read() == GOLDEN
    assert sidecar.processes() and sidecar.supervisor in sidecar.processes()
    worker = procs.worker(sidecar.supervisor)
    fields = {pid: procs.status_fields(pid) for pid in sidecar.processes()}
    for pid, status in fields.items():
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        if pid != sidecar.supervisor:
            assert set(status["Uid"].split()) == {"65534"} and int(status["CapEff"], 16) == 0
    allowed = sum(1 << bit for bit in (21, 7, 6, 5))           # SYS_ADMIN, SETUID, SETGID, KILL
    for kind in ("CapPrm", "CapBnd"):
        assert int(fields[sidecar.supervisor][kind], 16) & ~allowed == 0
    assert worker in fields
    mine = procs.status_fields(reader.bundle.pid())
    assert set(mine["Uid"].split()) == {str(USER)} and int(mine["CapBnd"], 16) == 0
    assert os.access("/dev/fuse", os.R_OK) and reader.bundle.exec("test", "-e", "/dev/fuse").code != 0


def test_privileged_as_in_a_cluster(pod):
    """`privileged: true`, which mountPropagation takes: all is given, and what is kept is what docs/privileges.md says."""
    sidecar = pod.sidecar(*SUBDIR, "--sandbox=required", privileged=True).start()
    reader = pod.reader()
    assert reader.read() == GOLDEN
    reader.run("touch", f"{AWS}/refresh")
    assert reader.read() == GOLDEN
    inside = json.loads(sidecar.bundle.exec("irsafs", "status", "--json", f"--mountpoint={AWS}").out)
    assert inside["state"] == "fresh"
    kept = sum(1 << bit for bit in (21, 7, 6, 5))              # SYS_ADMIN, SETUID, SETGID, KILL
    fields = {pid: procs.status_fields(pid) for pid in sidecar.processes()}
    ours = fields.pop(sidecar.supervisor)
    assert {kind: int(ours[kind], 16) for kind in CAPABILITY_SETS} == {
        "CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapBnd": 0, "CapAmb": 0}
    assert len(fields) >= 2, "worker and notifier"
    for status in fields.values():
        assert set(status["Uid"].split()) == {"65534"}
        assert {int(status[kind], 16) for kind in CAPABILITY_SETS} == {0}
    assert all(status["NoNewPrivs"] == "1" and status["Seccomp"] == "2" for status in (ours, *fields.values()))
    mounted = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines() if " fuse.irsafs " in line]
    (here,) = [words for words in mounted if words[4] == str(pod.volume / ".live")]
    assert {"nosuid", "nodev", "noexec"} <= set(here[5].split(",")), "what of it is on the node"


@pytest.mark.parametrize("missing", MOUNTING)
def test_each_capability_is_needed(pod, missing):
    """Without one of them nothing is mounted (SYS_ADMIN), or a wall is missing (the others)."""
    caps = tuple(c for c in MOUNTING if c != missing)
    sidecar = pod.sidecar(*SUBDIR, "--sandbox=required", caps=caps)
    sidecar.launch()
    assert sidecar.wait_exit(20) == 9
    sidecar.process = None
    assert ("IRSAFS-E902" if missing == "CAP_SYS_ADMIN" else "IRSAFS-E908") in sidecar.log()
    assert mounts_at(sidecar.point) == []


def test_without_the_device(pod):
    sidecar = pod.sidecar(*SUBDIR, fuse=False)
    sidecar.launch()
    assert sidecar.wait_exit(20) == 9
    sidecar.process = None
    assert "IRSAFS-E901" in sidecar.log()


def test_in_48_mib(pod, world, rootfs):
    """Supervisor, worker, notifier and each fetch's client, within one limit: many roles, endpoint and metrics."""
    forget_pages(rootfs)
    world.service.roles = [role(f"team-{number}") for number in range(1000)]
    control, metrics = free_port(), free_port()
    sidecar = pod.sidecar(*SUBDIR, f"--control=127.0.0.1:{control}", f"--metrics=127.0.0.1:{metrics}", memory=LIMIT).start()
    assert sidecar.bundle.limit() == LIMIT
    reader = pod.reader()
    assert "[profile team-999]" in reader.read()
    for number in range(20):
        world.service.roles[-1] = role(f"last-{number}")
        reader.run("touch", f"{AWS}/refresh")
        assert f"[profile last-{number}]" in reader.read()
        assert "irsafs_build_info" in reader.run("curl", "-fsS", f"http://127.0.0.1:{metrics}/metrics")
    for words in (("probe", "--ready"), ("status",)):
        ran = sidecar.bundle.exec("irsafs", *words, f"--control=127.0.0.1:{control}")
        assert ran.code == 0, ran.err
    peak, killed = sidecar.bundle.memory()
    print(f"peak {peak >> 10} KiB of {LIMIT >> 10} KiB")
    assert world.service.count == 21 and killed == 0 and sidecar.status()["state"] == "fresh"


def test_a_worker_dies_in_the_container(pod):
    sidecar = pod.sidecar(*SUBDIR).start()
    reader = pod.reader()
    assert reader.read() == GOLDEN
    old = procs.worker(sidecar.supervisor)
    os.kill(old, 9)
    reader.run("touch", f"{AWS}/refresh")
    assert reader.read() == GOLDEN
    assert wait_until(lambda: procs.worker(sidecar.supervisor), "another worker") != old


def test_exec_finds_the_programs(pod):
    """kubectl exec POD -c aws-config-file-generator -- irsafs status"""
    sidecar = pod.sidecar(*SUBDIR).start()
    assert pod.reader().read() == GOLDEN
    ran = sidecar.bundle.exec("irsafs", "--version")
    assert ran.code == 0 and b"libfuse" in ran.out, ran.err
    ran = sidecar.bundle.exec("irsafs-client", "--version")
    assert ran.code == 0 and b"libcurl" in ran.out, ran.err
    for way in ("--startup", "--ready", "--live"):
        ran = sidecar.bundle.exec("irsafs", "probe", way)
        assert ran.code == 0, ran.err
    ran = sidecar.bundle.exec("irsafs", "doctor")
    assert ran.code == 0, ran.out.decode()             # docs/install.md: no FAIL in a container where all is well
    assert sidecar.bundle.exec("sh", "-c", "true").code != 0
