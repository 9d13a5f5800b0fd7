# SPDX-License-Identifier: Apache-2.0
"""What glibc needs besides libraries to find a name, and the CAs that OpenSSL reads."""
from __future__ import annotations

import pytest

from lib.containers import bind
from lib.world import GOLDEN
from standin.dns import Dns
from standin.mapping import PATH

HOST = "irsa-svc.domino-field"


@pytest.fixture
def asked(pod, world):
    """What a reader sees when the service has a name, with these files in /etc."""

    def ask(hosts: str, resolv_conf: str) -> str:
        url = f"http://{HOST}:{world.service.port}{PATH}"
        world.service.aliases.add(url)
        mounts = []
        for name, text in (("hosts", hosts), ("resolv.conf", resolv_conf)):
            (world.folder / name).write_text(text)
            mounts.append(bind(world.folder / name, f"/etc/{name}", "ro"))
        pod.sidecar("--layout=subdir", f"--endpoint={url}", more=tuple(mounts)).start()
        return pod.reader().read()

    return ask


def test_a_name_in_hosts(asked):
    assert asked(f"127.0.0.1 localhost {HOST}\n", "") == GOLDEN


def test_hosts_comes_before_dns(asked):
    server = Dns()
    server.fault = "silence"
    try:
        assert asked(f"127.0.0.1 localhost {HOST}\n", server.resolv_conf()) == GOLDEN
        assert server.questions == 0
    finally:
        server.close()


def test_a_name_in_dns(asked):
    server = Dns()
    server.addresses = ["127.0.0.1"]
    try:
        assert asked("127.0.0.1 localhost\n", server.resolv_conf()) == GOLDEN
        assert server.questions > 0
    finally:
        server.close()


def test_the_public_cas(image):
    assert image.members["etc/ssl/certs/ca-certificates.crt"].data.count(b"BEGIN CERTIFICATE") > 100
