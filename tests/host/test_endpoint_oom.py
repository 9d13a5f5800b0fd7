# SPDX-License-Identifier: Apache-2.0
"""Each allocation of the worker while its endpoint answers a request fails once."""
from __future__ import annotations

import http.client

import pytest

from lib.endpoint import Endpoint, free_port
from lib.failmalloc import Failmalloc
from lib.procs import connections
from lib.text import body
from lib.wait import wait_until
from lib.world import GOLDEN
from takeover.daemon import Daemon


@pytest.mark.parametrize("target, method", [("/status", "GET"), ("/refresh", "POST")])
def test_every_allocation_of_a_request(world, target, method):
    """The caller may be left without an answer (libevent 2.1 crashes where it has no memory to accept him);
    readers and the next caller have theirs."""
    failmalloc = Failmalloc(world.folder / "malloc", 0, role="worker")
    control = Endpoint("127.0.0.1", free_port(), world.secrets)
    daemon = Daemon(world, "--min-refresh=0s", f"--control={control.address}", env=world.env(**failmalloc.env)).start()
    assert daemon.read() == GOLDEN
    control.wait_serving()

    def ask() -> int:
        """The status; 0 without an answer."""
        try:
            return control.ask(target, method).status
        except (OSError, http.client.HTTPException):
            return 0

    def count() -> int:
        """Allocations of a request, to the end of its connection."""
        before = failmalloc.count
        assert ask() == 200
        wait_until(lambda: connections(daemon.worker()) == 0, "the end of the connection")
        return failmalloc.count - before

    count()                            # the first one also makes what stays
    total = count()
    assert total > 10
    for number in range(1, total + 1):
        failmalloc.fail_next(number)
        ask()
        failmalloc.fail_none()
        assert body(daemon.read()) == GOLDEN, number
        wait_until(lambda: ask() == 200, f"an answer after the failure of allocation {number}")
    assert failmalloc.failed >= 1
    daemon.check_connection()
    failmalloc.close()
