# SPDX-License-Identifier: Apache-2.0
"""Mode file in containers: no device, no capability, no root, and a volume that both may write to."""
from __future__ import annotations

import errno

import pytest

from lib.aws import check_identities
from lib.containers import AWS
from lib.mount import mounts_at
from lib.procs import status_fields
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import GOLDEN_ROLES, render, role

NOBODY = 65534


@pytest.fixture
def restricted(pod):
    """Prepares a sidecar as Pod Security "restricted" has it."""

    def prepare(*args: str, **options):
        return pod.sidecar("--mode=file", "--min-refresh=0s", "--sandbox=required", *args, user=NOBODY, caps=(), fuse=False,
                           propagation="rprivate", **options)

    return prepare


def wait_text(reader, text: str) -> None:
    wait_until(lambda: reader.ask("read", "config") == (0, text), "the text")


def one_role_more(world) -> str:
    world.service.roles = [*GOLDEN_ROLES, role("one-more")]
    return render(world.service.roles)


def test_run_started_before_and_after(pod, world, restricted):
    before = pod.reader(read_only=False)
    assert before.ask("read", "config")[0] == errno.ENOENT
    sidecar = restricted().start()
    wait_text(before, GOLDEN)
    after = pod.reader(read_only=False)
    assert after.read() == GOLDEN
    text = one_role_more(world)
    after.run("touch", f"{AWS}/refresh")
    for reader in (before, after):
        wait_text(reader, text)
    assert sidecar.status()["mode"] == "file" and mounts_at(pod.volume) == ["tmpfs"]
    assert pod.reader(read_only=True).ask("touch", "refresh")[0] == errno.EROFS, "documented: readOnly: false"


def test_nothing_is_privileged(pod, restricted):
    sidecar = restricted().start()
    wait_text(pod.reader(read_only=False), GOLDEN)
    for pid in sidecar.processes():
        fields = status_fields(pid)
        assert set(fields["Uid"].split()) == {str(NOBODY)} and fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
        assert {int(fields[kind], 16) for kind in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}


def test_boto3_and_the_cli_reach_their_roles(pod, restricted, sts):
    restricted(f"--web-identity-token-file={sts.web_token_file}").start()
    reader = pod.reader(read_only=False)
    wait_until(lambda: reader.ask("read", "config")[0] == 0, "the file")
    check_identities(reader, sts)


def test_killed_and_started_again(pod, world, restricted):
    sidecar = restricted().start()
    reader = pod.reader(read_only=False)
    wait_text(reader, GOLDEN)
    reader.run("touch", f"{AWS}/credentials")          # what lies in the volume is no reason not to start again
    sidecar.kill()
    assert reader.read() == GOLDEN, "the file stays"
    text = one_role_more(world)
    sidecar.start()
    wait_text(reader, text)


def test_once_as_an_init_container(pod, restricted):
    sidecar = restricted("--once")
    sidecar.launch()
    assert sidecar.wait_exit(20) == 0
    sidecar.process = None
    assert pod.reader().read() == GOLDEN
