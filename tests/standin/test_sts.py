# SPDX-License-Identifier: Apache-2.0
"""The STS stand-in refuses every call that is not the next true hop of a chain."""
from __future__ import annotations

import os
from unittest import mock

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from standin.mapping import role
from standin.sts import StsStandIn

READ = role("read")


@pytest.fixture
def sts(tmp_path):
    token = tmp_path / "token"
    token.write_text("the web identity")
    server = StsStandIn(tmp_path, token)
    server.know([READ])
    yield server
    server.close()


def client(sts, keys=None, secret=None, token=None):
    """A client with given keys; without, with keys that nobody handed out."""
    keys = keys or {"AccessKeyId": "ASIA0", "SecretAccessKey": "x", "SessionToken": "y"}
    session = boto3.session.Session(
        keys["AccessKeyId"], secret or keys["SecretAccessKey"], token or keys["SessionToken"], "us-east-1"
    )
    config = Config(proxies={"https": sts.origin}, retries={"max_attempts": 0})
    return session.client("sts", config=config, verify=str(sts.ca_bundle))


@pytest.fixture(autouse=True)
def no_environment(tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.upper().startswith(("AWS_", "HTTP", "NO_PROXY"))}
    with mock.patch.dict(os.environ, {**clean, "HOME": str(tmp_path)}, clear=True):
        yield


def web(sts, arn=READ.proxy_arn, text="the web identity") -> dict:
    call = client(sts).assume_role_with_web_identity
    return call(RoleArn=arn, RoleSessionName="test", WebIdentityToken=text)["Credentials"]


def chain(sts, keys, arn=READ.asset_arn) -> dict:
    return client(sts, keys).assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]


def refused(code: str):
    return pytest.raises(ClientError, match=code)


def test_the_true_chain_works(sts):
    identity = client(sts, chain(sts, web(sts))).get_caller_identity()
    assert identity["Account"] == "524112250363"
    assert identity["Arn"] == "arn:aws:sts::524112250363:assumed-role/read/session"
    assert [action for action, _ in sts.calls] == ["AssumeRoleWithWebIdentity", "AssumeRole", "GetCallerIdentity"]
    assert sts.violations == [] and sts.refusals == []


def test_first_hop_checks_token_and_role(sts):
    with refused("InvalidIdentityToken"):
        web(sts, text="another")
    with refused("AccessDenied"):
        web(sts, arn=READ.asset_arn)
    assert len(sts.refusals) == 2


def test_second_hop_checks_who_signed(sts):
    keys = web(sts)
    with refused("InvalidClientTokenId"):
        chain(sts, None)
    with refused("SignatureDoesNotMatch"):
        client(sts, keys, secret="x" * 40).assume_role(RoleArn=READ.asset_arn, RoleSessionName="test")
    with refused("InvalidClientTokenId"):
        client(sts, keys, token="another").assume_role(RoleArn=READ.asset_arn, RoleSessionName="test")
    with refused("AccessDenied"):
        chain(sts, keys, arn=READ.proxy_arn)
    with refused("AccessDenied"):
        chain(sts, chain(sts, keys))


def test_identity_needs_the_second_hop(sts):
    with refused("AccessDenied"):
        client(sts, web(sts)).get_caller_identity()


def test_other_actions_are_refused(sts):
    with refused("InvalidAction"):
        client(sts, chain(sts, web(sts))).get_session_token()
