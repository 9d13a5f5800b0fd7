# SPDX-License-Identifier: Apache-2.0
"""One run of irsafs-client is one answer: text on stdout, report on its descriptor, exit code."""
from __future__ import annotations

import hashlib

import pytest

from lib.program import TESTS, run_client
from lib.world import GOLDEN, RUN

GOLDEN_SHA256 = "e353dc0cba11157ea1b336d4a77f0f2475263e172049bf875cbfbc0bb1f663ba"


def test_golden_vector(world, fetch):
    ran = fetch()
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out) == 961 and hashlib.sha256(ran.out).hexdigest() == GOLDEN_SHA256
    assert ran.out == (TESTS / "data" / "golden-config.ini").read_bytes()
    assert (world.tokens.connections, world.service.connections) == (1, 1)
    assert world.service.bodies == [{"run_id": RUN}]


def test_report_of_a_good_answer(world, fetch):
    report = fetch().report
    assert report["schema"] == 1 and report["code"] == 0 and report["message"] is None
    assert len(report["identity"]) == 64 and report["run_id"] == RUN and report["workload_type"] is None
    assert report["profiles"] == 6 and report["dropped"] == {"total": 0, "items": []}
    assert report["token"]["source"] == "url" and report["token"]["expires_at"].endswith("Z")
    assert report["endpoint"]["scheme"] == "http" and report["endpoint"]["tls"] == "none"
    assert report["retry_after_ms"] is None and report["connect_refused"] is False


def test_identity_names_user_and_run_without_the_token(world, fetch):
    first = fetch().report["identity"]
    assert fetch().report["identity"] == first
    world.service.runs["abc"] = "jane"
    assert fetch("--run-id=abc").report["identity"] != first
    world.tokens.sub = "eve"
    world.service.runs["abc"] = "eve"
    assert fetch().report["identity"] != first


def test_with_a_report_nothing_is_said_on_stderr(world, fetch):
    world.service.behave(status=500)
    ran = fetch()
    assert (ran.code, ran.out, ran.err) == (7, b"", "")
    assert ran.report["code"] == 701 and ran.report["message"]


def test_without_a_report_stderr_tells(world, fetch):
    world.service.behave(status=500)
    ran = fetch(report=False)
    assert (ran.code, ran.out) == (7, b"")
    assert "IRSAFS-E701" in ran.err and ran.err.count("\n") <= 3


def test_on_a_shell_it_prints_the_config(fetch):
    ran = fetch(report=False)
    assert (ran.code, ran.out.decode(), ran.err) == (0, GOLDEN, "")


def test_own_token_path_replaces_that_of_the_service(fetch):
    ran = fetch("--web-identity-token-file=/run/own/token")
    own = GOLDEN.replace("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "/run/own/token")
    assert ran.out.decode() == own
    ran = fetch(env={"AWS_WEB_IDENTITY_TOKEN_FILE": "/run/own/token"})
    assert ran.out.decode() == own


def test_empty_answer(world, fetch):
    world.service.roles = []
    ran = fetch()
    assert ran.code == 0 and ran.report["profiles"] == 0
    assert ran.out.startswith(b"# ") and ran.out.count(b"\n") == 1
    assert b"the mapping service maps no role to you" in ran.out


def test_retry_after_is_reported(world, fetch):
    world.service.behave(status=429, headers=(("Retry-After", "7"),))
    ran = fetch()
    assert (ran.code, ran.report["code"], ran.report["retry_after_ms"]) == (7, 702, 7000)


@pytest.mark.parametrize("value", ["soon", "-1", "1e9", "", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_senseless_retry_after_does_no_harm(world, fetch, value):
    world.service.behave(status=429, headers=(("Retry-After", value),))
    ran = fetch()
    assert ran.code == 7 and ran.report["retry_after_ms"] in (None, 0, 1000)


def test_refused_connection_is_told_apart(world, fetch):
    world.service.refuse()
    ran = fetch()
    assert (ran.code, ran.report["code"], ran.report["connect_refused"]) == (5, 503, True)
    assert ran.report["message"] == f"connection to 127.0.0.1 port {world.service.port}: Connection refused"
    world.service.accept()
    world.service.behave(reset="headers")
    assert fetch().report["connect_refused"] is False


@pytest.mark.parametrize("args", [["nonsense"], ["fetch", "--nonsense"], ["fetch", "--fetch-timeout=5"], ["fetch", "x"]], ids=str)
def test_usage(world, args):
    ran = run_client(args, world.env(), report=False)
    assert ran.code == 2 and "IRSAFS-E2" in ran.err and ran.out == b""
    assert world.tokens.connections == 0
