# SPDX-License-Identifier: Apache-2.0
"""boto3 and the AWS CLI of Debian work from the mount, all the way to STS."""
from __future__ import annotations

import json

import pytest

from lib.aws import BOTO_IDENTITY as IDENTITY, RunContainer, session_arn
from lib.program import run_as_user
from standin.mapping import GOLDEN_ROLES, role

UPDATE, READ, LIST = GOLDEN_ROLES
ADDED = role("added")

PROFILES = "import boto3, json; print(json.dumps(boto3.Session().available_profiles))"
LONG_LIVED = """
import boto3, json, subprocess, sys
def state(session):
    print(json.dumps(session.available_profiles), flush=True)
session = boto3.Session()
state(session)
sys.stdin.readline()
state(session)
state(boto3.Session())
"""


@pytest.fixture
def aws(world):
    """A mount, an STS and the environment of a run container."""
    here = RunContainer(world, roles=(ADDED,))
    yield here.mount, here.sts, here.env
    here.close()
    assert here.sts.violations == [] and here.sts.refusals == []


def boto(env: dict, code: str, *args: str):
    ran = run_as_user(["/usr/bin/python3", "-c", code, *args], env=env, timeout=60)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def cli(env: dict, *args: str) -> str:
    ran = run_as_user(["/usr/bin/aws", *args], env=env, timeout=60)
    assert ran.code == 0, ran.err
    return ran.out.decode()


def names(*roles) -> list:
    return [name for r in roles for name in (r.name, f"src_{r.name}")]


def chain(r) -> list:
    return [
        ("AssumeRoleWithWebIdentity", r.proxy_arn), ("AssumeRole", r.asset_arn), ("GetCallerIdentity", None),
    ]


def test_boto3_lists_the_profiles_in_order(world, aws):
    _, _, env = aws
    assert boto(env, PROFILES) == names(UPDATE, READ, LIST)
    assert world.service.count == 1


def test_boto3_gets_credentials_through_the_chain(world, aws):
    _, sts, env = aws
    for r in (READ, LIST):
        assert boto(env, IDENTITY, r.name) == session_arn(r)
    assert sts.calls == chain(READ) + chain(LIST)
    assert world.service.count == 1


def test_cli_lists_and_assumes(aws):
    _, sts, env = aws
    assert cli(env, "configure", "list-profiles").split() == names(UPDATE, READ, LIST)
    answer = json.loads(cli(env, "sts", "get-caller-identity", "--profile", UPDATE.name, "--output", "json"))
    assert answer["Arn"] == session_arn(UPDATE)
    assert sts.calls == chain(UPDATE)


def test_new_session_after_a_touch_sees_added_and_removed_roles(world, aws):
    mount, sts, env = aws
    assert boto(env, PROFILES) == names(UPDATE, READ, LIST)
    world.service.roles = [ADDED, READ]
    assert run_as_user(["touch", mount.refresh]).code == 0
    assert boto(env, PROFILES) == names(ADDED, READ)
    assert cli(env, "configure", "list-profiles").split() == names(ADDED, READ)
    assert boto(env, IDENTITY, ADDED.name) == session_arn(ADDED)
    gone = run_as_user(["/usr/bin/python3", "-c", IDENTITY, UPDATE.name], env=env)
    assert gone.code != 0 and "ProfileNotFound" in gone.err
    assert sts.calls == chain(ADDED)


def test_an_outage_leaves_the_profiles_usable(world, aws):
    mount, _, env = aws
    assert boto(env, IDENTITY, READ.name) == session_arn(READ)
    world.service.behave(status=500)
    mount.touch()
    assert boto(env, PROFILES) == names(UPDATE, READ, LIST)
    assert boto(env, IDENTITY, READ.name) == session_arn(READ)


def test_programs_that_need_no_profile_run_without_a_service(world, aws):
    _, _, env = aws
    world.service.behave(status=500)
    assert boto(env, PROFILES) == []
    assert cli(env, "--version").startswith("aws-cli/")
