# SPDX-License-Identifier: Apache-2.0
"""Names: whatever a name server does, the fetch ends at its deadline with a reason."""
from __future__ import annotations

import time

import pytest

from lib.program import CLIENT, Ran, run
from lib.world import GOLDEN
from standin.dns import Dns
from standin.mapping import PATH


@pytest.fixture
def dns(world):
    """A name server that only the fetches of this test ask; gives `ask`, which runs one."""
    server = Dns()
    conf = world.folder / "resolv.conf"
    conf.write_text(server.resolv_conf())
    name = f"http://irsa-svc.domino-field:{world.service.port}{PATH}"
    world.service.aliases.add(name)

    def ask(*args) -> Ran:
        script = f'mount --bind {conf} /etc/resolv.conf && exec "$@"'
        return run(["unshare", "--mount", "sh", "-c", script, "sh", CLIENT, f"--endpoint={name}", *args], world.env())

    server.ask = ask
    yield server
    server.close()


def test_name_that_is_known(dns):
    dns.addresses = ["127.0.0.1"]
    assert dns.ask().out.decode() == GOLDEN and dns.questions > 0


@pytest.mark.parametrize("fault", ["nxdomain", "servfail", "refused", ""])
def test_name_that_nobody_knows(world, dns, fault):
    dns.fault = fault                  # "": the name exists and has no address
    ran = dns.ask()
    assert (ran.code, ran.out) == (5, b"") and "IRSAFS-E502" in ran.err and "irsa-svc.domino-field" in ran.err
    assert dns.questions > 0 and world.service.connections == 0


def test_silent_name_server(dns):
    """The resolver of the C library would wait for ten seconds; the deadline ends it."""
    dns.fault = "silence"
    began = time.monotonic()
    ran = dns.ask("--fetch-timeout=1s")
    assert ran.code == 5 and ("IRSAFS-E502" in ran.err or "IRSAFS-E504" in ran.err)
    assert dns.questions > 0 and time.monotonic() - began < 3


def test_dead_addresses_before_a_good_one(world, dns):
    dns.addresses = ["::1", "127.0.0.9", "127.0.0.1"]
    assert dns.ask("--fetch-timeout=20s").out.decode() == GOLDEN


def test_only_dead_addresses(dns):
    dns.addresses = ["::1"]
    ran = dns.ask("--fetch-timeout=2s")
    assert ran.code == 5 and "IRSAFS-E50" in ran.err
