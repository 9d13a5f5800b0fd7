# SPDX-License-Identifier: Apache-2.0
"""The endpoint within the walls: it works, and what listens can do no more than before."""
from __future__ import annotations

import errno

import pytest

from lib.endpoint import free_port, serve
from lib.world import GOLDEN
from takeover.places import FORBIDDEN, UNTRIED, Place


@pytest.mark.parametrize("mode", ["required", "best-effort", "off"])
def test_endpoint_in_every_sandbox(world, mode):
    served = serve(world, f"--sandbox={mode}", metrics=True)
    assert served.control.refresh().status == 200
    assert served.mount.read() == GOLDEN
    for path in ("/healthz", "/status", "/metrics", "/readyz?verbose"):
        assert served.control.ask(path).status == 200


@pytest.mark.parametrize("action", FORBIDDEN, ids=lambda action: action.name.lower())
def test_forbidden_call_of_a_worker_that_listens(start, action):
    """It accepts what comes, and cannot make a socket of its own."""
    daemon = start("--sandbox=required", f"--control=127.0.0.1:{free_port()}")
    daemon.wait_status(lambda s: s["control"]["state"] == "listening", "the endpoint")
    worker = daemon.worker()
    daemon.places.arm(Place.READ, action=action)
    daemon.ask()
    refused = daemon.places.result in (errno.EPERM, errno.EACCES, errno.ENOSYS)
    killed = daemon.places.result == UNTRIED and daemon.worker() != worker
    assert refused or killed, f"result {daemon.places.result}"
    assert daemon.read() == GOLDEN
