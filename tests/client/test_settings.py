# SPDX-License-Identifier: Apache-2.0
"""Settings that meet: what one of them does to another, and what the environment cannot do."""
from __future__ import annotations

import time

import pytest

from lib.labels import EXECUTION_ID, NAME, WORKLOAD_TYPE
from lib.world import GOLDEN, RUN

INNER = "http://irsa-svc.domino-field/map_iam_roles_to_pod_sa"


def test_missing_labels_do_not_matter_when_the_run_is_known(world, fetch):
    missing = str(world.folder / "nowhere")
    assert fetch(f"--labels={missing}", env={"DOMINO_RUN_ID": RUN}).out.decode() == GOLDEN
    assert fetch(f"--labels={missing}", f"--run-id={RUN}").out.decode() == GOLDEN
    assert fetch(f"--labels={missing}").report["code"] == 304


def test_broken_labels_matter_unless_the_run_is_given(world, fetch):
    broken = world.folder / "broken"
    broken.write_text("nonsense")
    assert fetch(f"--labels={broken}", env={"DOMINO_RUN_ID": RUN}).report["code"] == 304
    assert fetch(f"--labels={broken}", f"--run-id={RUN}").out.decode() == GOLDEN


def test_workload_type_is_sent_with_a_given_run_too(world, fetch):
    world.labels.write({NAME: "ray", WORKLOAD_TYPE: "cluster-worker"})
    assert fetch(f"--run-id={RUN}").code == 0
    assert world.service.bodies == [{"run_id": RUN, "irsa_workload_type": "cluster-worker"}]


@pytest.mark.parametrize("value", ["a b", 'a","x":"', "-", "a" * 64])
def test_workload_type_is_checked(world, fetch, value):
    world.labels.write({EXECUTION_ID: RUN, WORKLOAD_TYPE: value})
    assert fetch().report["code"] == 304 and world.service.connections == 0


def test_body_of_the_post_to_the_byte(world, fetch):
    world.labels.write({EXECUTION_ID: RUN, WORKLOAD_TYPE: "edge-workload"})
    fetch()
    assert world.service.requests[0].body == b'{"run_id":"%s","irsa_workload_type":"edge-workload"}' % RUN.encode()


def test_bad_domino_run_id(fetch):
    ran = fetch(env={"POD_INFO_PATH": None, "DOMINO_RUN_ID": "a b"})
    assert (ran.code, ran.report["code"]) == (3, 302)


def test_no_proxy_of_the_environment_does_not_count(world, fetch):
    world.service.aliases.add(INNER)
    ran = fetch(f"--proxy={world.service.origin}", f"--endpoint={INNER}", env={"no_proxy": "*", "NO_PROXY": "*"})
    assert ran.out.decode() == GOLDEN


def test_refused_proxy(fetch):
    ran = fetch("--proxy=http://127.0.0.1:1", f"--endpoint={INNER}")
    assert (ran.report["code"], ran.out) == (503, b"")


def test_both_failing_token_sources_are_named(world, fetch):
    world.tokens.refuse()
    ran = fetch("--token-file=/nonexistent/token")
    assert (ran.report["code"], ran.report["connect_refused"]) == (402, True)
    assert "/nonexistent/token" in ran.report["message"] and "token URL" in ran.report["message"]
    assert ran.report["token"] == {"source": None, "expires_at": None}


def test_token_file_leaves_time_for_the_service(world, fetch):
    """The token URL may use five seconds of a long deadline, not more."""
    path = world.folder / "token"
    path.write_text(world.tokens.issue())
    world.tokens.behave(drip_headers=0.2)
    began = time.monotonic()
    assert fetch(f"--token-file={path}", "--fetch-timeout=60s").out.decode() == GOLDEN
    assert 4.5 < time.monotonic() - began < 8


@pytest.mark.parametrize("name", ["--api-key-file", "IRSAFS_API_KEY_FILE"])
def test_api_key_file_goes_before_the_variable(world, fetch, name):
    world.service.api_keys["good-key-1"] = "jane"
    path = world.folder / "key"
    path.write_text(" good-key-1\n")
    args = [f"{name}={path}"] if name.startswith("--") else []
    env = {"DOMINO_API_PROXY": None, "DOMINO_USER_API_KEY": "bad-key-1", **({} if args else {name: str(path)})}
    assert fetch(*args, env=env).out.decode() == GOLDEN
