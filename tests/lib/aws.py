# SPDX-License-Identifier: Apache-2.0
"""A run container: a mount, an STS, and the environment in which AWS SDKs meet both."""
from __future__ import annotations

import json

from standin.mapping import GOLDEN_ROLES
from standin.sts import StsStandIn

from .program import Ran, environment, run_as_user

BOTO_IDENTITY = """
import boto3, json, sys
session = boto3.Session(profile_name=sys.argv[1])
print(json.dumps(session.client("sts").get_caller_identity()["Arn"]))
"""


def session_arn(r) -> str:
    """Whom STS names when the role r has been assumed."""
    return f"arn:aws:sts::{r.asset_arn.split(':')[4]}:assumed-role/{r.name}/session"


def check_identities(container, sts: StsStandIn) -> None:
    """boto3 and the CLI, run in the container, reach the roles of the golden text."""
    one, two, _ = GOLDEN_ROLES
    env = sts.environment()
    said = container.run("/usr/bin/python3", "-c", BOTO_IDENTITY, one.name, env=env)
    assert json.loads(said) == session_arn(one)
    said = container.run("/usr/bin/aws", "sts", "get-caller-identity", "--profile", two.name, "--output", "json", env=env)
    assert json.loads(said)["Arn"] == session_arn(two)
    assert sts.violations == [] and sts.refusals == []


class RunContainer:
    """Programs run as the user of a run container, and see the mount only through AWS_CONFIG_FILE."""

    def __init__(self, world, *args: str, roles: tuple = ()) -> None:
        token = world.folder / "web-token"
        token.write_text("web identity of the pod")
        self.home = world.folder / "home"
        self.home.mkdir()
        self.home.chmod(0o777)
        self.mount = world.mount("--min-refresh=0s", f"--web-identity-token-file={token}", "--wait=60s", *args)
        self.sts = StsStandIn(world.folder, token)
        self.sts.know([*GOLDEN_ROLES, *roles])
        self.env = environment(
            AWS_CONFIG_FILE=str(self.mount.config), AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true",
            HOME=str(self.home), **self.sts.environment(),
        )

    def boto(self, code: str, *args: str) -> Ran:
        return run_as_user(["/usr/bin/python3", "-c", code, *args], env=self.env, timeout=60)

    def cli(self, *args: str) -> Ran:
        return run_as_user(["/usr/bin/aws", *args], env=self.env, timeout=60)

    def close(self) -> None:
        self.sts.close()
