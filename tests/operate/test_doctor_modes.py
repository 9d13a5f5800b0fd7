# SPDX-License-Identifier: Apache-2.0
"""`doctor` where there is no mount, or none that irsafs itself can see: modes file and fd."""
from __future__ import annotations

import os
import shutil
import signal

import pytest

from lib import endpoint
from lib.csi import Driver, FdMount, good
from lib.doctor import NAMES, inside
from lib.files import Folder
from lib.mount import Mount
from lib.procs import children
from lib.program import CLIENT, USER, public
from lib.wait import wait_until


@pytest.fixture
def file_pod(pod):
    pod.world.kind = Folder
    pod.env["IRSAFS_CONTROL"] = f"127.0.0.1:{endpoint.free_port()}"
    return pod


RUN_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
NO_DEVICE = inside("mount -t tmpfs none /dev; touch /dev/null; chmod 666 /dev/null")


def test_file_mode(file_pod):
    """In the container of the run: nothing says the mode but irsafs itself."""
    folder = file_pod.mount()
    folder.wait_state("fresh")
    found = file_pod.doctor(prefix=(*NO_DEVICE, *RUN_USER), program=public(CLIENT))
    assert {finding.level for finding in found.findings} == {"OK"}, found.text
    assert [finding.name for finding in found.findings] == NAMES
    for name in ("fuse", "mount", "propagation"):
        assert found.says("OK", name, "not needed: file mode"), found.text
    assert found.says("OK", "mount", f"{folder.config} is there")
    assert found.says("OK", "access", f"{USER}:{USER} can read config and touch refresh")
    folder.config.unlink()
    assert file_pod.doctor().says("FAIL", "mount", f"{folder.config}: No such file", "sidecar's volume")
    folder.config.symlink_to("status")
    assert file_pod.doctor().says("FAIL", "mount", "no regular file", "touch refresh")


def test_file_mode_in_the_sidecar(file_pod):
    """Also when irsafs is not there to say it: the folder may be why."""
    env = {"IRSAFS_MODE": "file"}
    file_pod.point.mkdir(mode=0o755)
    as_sidecar = (*NO_DEVICE, *RUN_USER)
    found = file_pod.doctor(prefix=as_sidecar, program=public(CLIENT), env=env)
    assert found.says("FAIL", "mount", "cannot be written", "Permission denied"), found.text
    assert found.says("FAIL", "daemon", "E103") and found.says("OK", "propagation", "not needed: file mode")
    assert found.says("OK", "rights", f"checked as {USER}:{USER}, as irsafs does it")
    file_pod.point.chmod(0o777)
    found = file_pod.doctor(prefix=as_sidecar, program=public(CLIENT), env=env)
    assert found.says("FAIL", "mount", "config: No such file"), found.text


def test_file_that_cannot_be_written(file_pod):
    folder = file_pod.mount()
    folder.wait_state("fresh")
    folder.config.unlink()
    (folder.config / "kept").mkdir(parents=True)
    folder.touch()
    wait_until(lambda: "file_not_written" in folder.log(), "the complaint")
    found = file_pod.doctor()
    assert found.says("WARN", "daemon", "not in its file", "Directory not empty", "may be written to"), found.text
    shutil.rmtree(folder.config)
    folder.wait_text(lambda text: "[profile" in text, "the file")


@pytest.mark.parametrize("variables", [{}, {"IRSAFS_FD_SOCKET": "connect:/fuse/socket"}])
def test_fd_mode(pod, variables):
    address = f"127.0.0.1:{endpoint.free_port()}"
    driver = Driver(pod.world.folder, good, False)
    env = {**pod.env, "IRSAFS_CONTROL": address}
    mount = FdMount(driver, [f"--fd-socket=connect:{driver.socket}"], env, pod.world.secrets)
    pod.world.mounts.append(mount)
    driver.start()
    mount.start().read()
    env = {"IRSAFS_CONTROL": address, "AWS_CONFIG_FILE": str(mount.config), **variables}
    found = pod.doctor(env=env, prefix=NO_DEVICE)      # where the mount is seen
    assert {finding.level for finding in found.findings} == {"OK"}, found.text
    assert found.says("OK", "fuse", "not needed: fd mode") and found.says("OK", "propagation", "not needed: fd mode")
    assert found.says("OK", "mount", "one irsafs, alive")
    found = pod.doctor(env=env, prefix=inside(f"umount -l {mount.path}"))      # in the sidecar it is not
    assert found.says("OK", "mount", "not needed: fd mode", "for the other containers"), found.text
    assert found.says("OK", "fuse", "not needed") and found.says("OK", "propagation", "not needed")
    assert found.says("--", "access", "the files are elsewhere") and found.code == 0
    mount.stop()


@pytest.mark.parametrize("kind", [Mount, Folder])
def test_where_no_sdk_runs(file_pod, kind):
    """The container of irsafs has neither the token of the programs nor their variables, and needs none."""
    file_pod.point.mkdir()
    file_pod.identity.unlink()
    sidecar = kind(file_pod.point, ["--prefetch"], file_pod.env, file_pod.world.secrets)
    sidecar.arguments = ["unshare", "--pid", "--fork", "--mount-proc", "--propagation=unchanged", *sidecar.arguments]
    sidecar.launch()
    control = f"--control={file_pod.env['IRSAFS_CONTROL']}"
    try:
        wait_until(lambda: '"fetched"' in sidecar.log() or " fetched " in sidecar.log(), "a text")
        wait_until(sidecar.config.exists, "config")
        first = children(sidecar.process.pid)[0]
        found = file_pod.doctor(
            control, f"--mountpoint={file_pod.point}", drop=("AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED"),
            prefix=("nsenter", f"--target={first}", "--pid", "--mount", "--"))
        assert found.code == 0, found.text
        assert {f.name for f in found.findings if f.level != "OK"} == {"web-identity", "aws-env"}, found.text
        assert found.says("--", "web-identity", "ask where SDKs run")
        assert file_pod.doctor(control).says("FAIL", "web-identity", "no projected token")
    finally:
        os.kill(children(sidecar.process.pid)[0], signal.SIGTERM)
        assert sidecar.wait_exit() == 0
        sidecar.process = None
