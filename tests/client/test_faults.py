# SPDX-License-Identifier: Apache-2.0
"""Whatever service and token endpoint do: the documented exit code, a report, and no text."""
from __future__ import annotations

import pytest

from lib.faults import SERVICE, TOKEN
from lib.world import GOLDEN


def check(ran, codes: set) -> None:
    assert ran.report["code"] in codes
    assert ran.code == ran.report["code"] // 100
    assert (ran.out, ran.err) == (b"", "")
    assert ran.report["message"] and ran.report["message"].isascii()


@pytest.mark.parametrize("name", SERVICE)
def test_failing_service(world, fetch, name):
    fault, codes = SERVICE[name]
    world.service.behave(**fault)
    check(fetch("--fetch-timeout=700ms"), codes)


@pytest.mark.parametrize("name", TOKEN)
def test_failing_token_endpoint(world, fetch, name):
    fault, codes = TOKEN[name]
    world.tokens.behave(**fault)
    check(fetch("--fetch-timeout=700ms"), codes)
    assert world.service.connections == 0


def test_service_that_is_not_there(world, fetch):
    check(fetch(env={"DOMINO_IRSA_ENDPOINT": "http://irsa-svc.invalid/x"}), {502})


def test_slow_but_good_service(world, fetch):
    world.service.behave(delay=0.5)
    assert fetch("--fetch-timeout=20s").out.decode() == GOLDEN


def test_chunked_answer(world, fetch):
    world.service.behave(framing="chunked")
    assert fetch().out.decode() == GOLDEN


def test_no_second_request_after_a_redirect(world, fetch):
    for status in (301, 302, 303, 307, 308):
        world.service.behave(status=status, headers=(("Location", world.tokens.origin + "/stolen"),))
        assert fetch().report["code"] == 805
    assert [request.target for request in world.tokens.requests] == ["/access-token"] * 5


@pytest.mark.parametrize("status", [401, 403])
def test_refused_token_is_read_again_once(world, fetch, status):
    world.service.queue(status=status)
    assert fetch().out.decode() == GOLDEN
    assert (world.tokens.count, world.service.count) == (2, 2)
    world.service.behave(status=status)
    assert fetch().code == {401: 4, 403: 6}[status]
    assert (world.tokens.count, world.service.count) == (4, 4)
