# SPDX-License-Identifier: Apache-2.0
"""The failures that the reference documentation debugs by hand: what a person sees of each, and does about it."""
from __future__ import annotations

import re
import subprocess

import pytest

from lib.aws import BOTO_IDENTITY, RunContainer, session_arn
from lib.endpoint import serve
from lib.program import CLIENT, PATH, TESTS, USER, Ran, check_output, environment, public, run, run_as_user
from lib.text import body, code, comments
from lib.world import GOLDEN, RUN
from standin.mapping import GOLDEN_ROLES, TOKEN_PATH, MappingService, html_page
from standin.tls import Authority

ROLE = GOLDEN_ROLES[1]
GUIDE = TESTS.parent / "docs" / "user-guide.md"
UNPRIVILEGED = (
    "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs", "--bounding-set=-all",
    "--inh-caps=-all", "--ambient-caps=-all",
)


# --- (a) no sidecar, or no mutation -------------------------------------------------------------


def run_environment(world, url: str) -> dict:
    """What the mutation and Domino set in a run container, and nothing else."""
    port = world.tokens.origin.rsplit(":", 1)[1]
    return environment(
        AWS_CONFIG_FILE="/var/run/.aws/config", AWS_WEB_IDENTITY_TOKEN_FILE=TOKEN_PATH, AWS_REGION="us-west-2",
        AWS_DEFAULT_REGION="us-west-2", AWS_STS_REGIONAL_ENDPOINTS="regional",
        OIDC_PROVIDER="oidc.eks.us-west-2.amazonaws.com/id/0123", OIDC_PROVIDER_AUDIENCE="sts.amazonaws.com",
        DOMINO_IRSA_ENDPOINT=url, DOMINO_API_PROXY=f"http://localhost:{port}", DOMINO_API_PROXY_PORT=port,
        DOMINO_IRSA_PROXY="http://localhost:6003", POD_INFO_PATH=str(world.labels.path), LOG_LEVEL="DEBUG",
        DOMINO_RUN_ID=RUN, DOMINO_USER_API_KEY="no key of anybody", DOMINO_STARTING_USERNAME="jane",
        DOMINO_API_HOST="http://nucleus-frontend.domino-platform:80", HOME="/nonexistent",
    )


@pytest.fixture
def copied(world):
    """irsafs-client, alone in a folder of the run container, started by its user without a capability."""
    folder = world.folder / "copied"
    folder.mkdir()
    folder.chmod(0o777)
    copy = folder / "irsafs-client"
    run(["cp", public(CLIENT), copy], user=USER, group=USER, extra_groups=[])

    def start(*args, env) -> Ran:
        ran = run([*UNPRIVILEGED, copy, *args], env=env)
        check_output(ran.err + ran.out.decode(), world.secrets())
        return ran

    return start


def test_client_by_hand_prints_the_config(world, copied):
    ran = copied(env=run_environment(world, world.service.url))
    assert (ran.code, ran.out.decode()) == (0, GOLDEN), ran.err
    assert world.service.count == 1 and world.tokens.count == 1


def test_client_by_hand_with_the_ca_of_the_mutation(world, copied):
    authority = Authority(world.folder)
    server = MappingService(world.tokens, tls=authority.context())
    try:
        env = run_environment(world, f"https://127.0.0.1:{server.port}/map_iam_roles_to_pod_sa")
        refused = copied(env=env)
        assert refused.code == 5 and "IRSAFS-E505" in refused.err and "--ca-file" in refused.err
        assert server.count == 0
        ran = copied(env={**env, "DOMINO_IRSA_SSL_CERT": str(authority.bundle), "SSL_CERT_DIR": str(world.folder)})
        assert (ran.code, ran.out.decode()) == (0, GOLDEN), ran.err
    finally:
        server.close()


def test_text_made_by_hand_serves_the_aws_cli(world, copied):
    env = run_environment(world, world.service.url)
    ran = copied(env=env)
    by_hand = world.folder / "copied" / "config"
    by_hand.write_bytes(ran.out)
    listed = run_as_user(["/usr/bin/aws", "configure", "list-profiles"], env={**env, "AWS_CONFIG_FILE": str(by_hand)})
    assert listed.out.decode().split() == [name for r in GOLDEN_ROLES for name in (r.name, f"src_{r.name}")], listed.err


def test_without_the_mutation_the_client_says_what_is_missing(world, copied):
    ran = copied(env=environment())
    assert ran.code in (3, 4) and ran.out == b""
    assert re.search(r"IRSAFS-E30[15]", ran.err) and re.search(r"set (--endpoint|DOMINO_API_PROXY)", ran.err), ran.err


# --- (b) the role of the service lacks iam:UpdateAssumeRolePolicy ---------------------------------


def test_service_without_rights_is_named_and_a_touch_is_enough(world):
    world.service.behave(status=500, body=html_page(500))
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    text = mount.read()
    top = "\n".join(comments(text))
    assert body(text) == "" and code(text) == 701
    assert "Cause: the mapping service failed (status 500)" in top
    assert "administrator" in top and "log" in top
    world.service.normal()
    assert run_as_user(["touch", mount.refresh]).code == 0
    assert run_as_user(["cat", mount.config]).out.decode() == GOLDEN


def test_service_loses_its_rights_while_a_run_works(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s", "--stale-wait=60s")
    assert mount.read() == GOLDEN
    world.service.behave(status=500, body=html_page(500))
    mount.touch()
    text = mount.read()
    assert body(text) == GOLDEN and code(text) == 701 and "administrator" in text
    world.service.normal()
    mount.touch()
    assert mount.read() == GOLDEN


def test_service_without_rights_and_refresh_is_enough(world):
    world.service.behave(status=500, body=html_page(500))
    served = serve(world, "--min-refresh=0s")
    failed = served.control.refresh("GET")
    assert failed.status == 502 and failed.json()["error"]["code"] == "IRSAFS-E701"
    world.service.normal()
    done = served.control.refresh("GET")
    assert done.status == 200 and done.json()["changed"] is True
    assert run_as_user(["cat", served.mount.config]).out.decode() == GOLDEN


# --- (c), (d) AccessDenied from STS, proxy role -> asset role -------------------------------------


@pytest.fixture
def container(world):
    here = RunContainer(world)
    yield here
    here.close()
    assert here.sts.violations == []


def sentence(err: str) -> str:
    """The sentence of the SDK, with the two roles that it names in the words of the guide."""
    found = re.search(r"An error occurred \(AccessDenied\).*", err)
    assert found, err
    return re.sub(r"arn:aws:iam::\S+", "ROLE", re.sub(r"arn:aws:sts::\S+", "PROXY", found[0])).strip()


def explanation(said: str) -> str:
    """What the user guide says beside this sentence of an SDK."""
    rows = [line for line in GUIDE.read_text().splitlines() if line.startswith("|") and said in line.replace("`", "")]
    assert len(rows) == 1, f"not in one row of docs/user-guide.md: {said}"
    return rows[0]


def ask(container, who: str) -> Ran:
    if who == "boto3":
        return container.boto(BOTO_IDENTITY, ROLE.name)
    return container.cli("sts", "get-caller-identity", "--profile", ROLE.name)


@pytest.mark.parametrize("cause", ["not_permitted", "not_trusting"])
@pytest.mark.parametrize("who", ["boto3", "aws"])
def test_access_denied_is_in_the_guide_with_both_causes(container, who, cause):
    getattr(container.sts, cause).add(ROLE.asset_arn)
    ran = ask(container, who)
    assert ran.code != 0 and ROLE.asset_arn in ran.err and f"assumed-role/{ROLE.name}" in ran.err
    told = explanation(sentence(ran.err))
    assert "lacks `sts:AssumeRole`" in told and "does not trust" in told and "not irsafs" in told
    assert code(container.mount.read()) == 0          # nothing is wrong on our side, and nothing says so
    getattr(container.sts, cause).clear()
    assert session_arn(ROLE) in ask(container, who).out.decode()


@pytest.mark.parametrize("who", ["boto3", "aws"])
def test_access_denied_right_after_the_start_is_in_the_guide(container, who):
    container.sts.proxy_roles.clear()                 # IAM has not heard of the new trust policy yet
    ran = ask(container, who)
    assert ran.code != 0
    assert "minutes" in explanation(sentence(ran.err))
    container.sts.know(GOLDEN_ROLES)
    assert session_arn(ROLE) in ask(container, who).out.decode()


# --- the true reason, behind "profile not found" --------------------------------------------------


@pytest.mark.parametrize("who", ["boto3", "aws"])
def test_missing_profile_leads_to_the_reason(world, container, who):
    world.service.behave(status=500)
    ran = ask(container, who)
    assert ran.code != 0
    said = f"The config profile ({ROLE.name}) could not be found"
    assert said in ran.err
    told = explanation(said.replace(ROLE.name, "NAME"))
    commands = re.findall(r"`((?:cat|head)[^`]+)`", told)
    assert commands, "the guide names no command"
    shown = ""
    for command in commands:
        done = subprocess.run(
            command.replace("/var/run/.aws", str(container.mount.path)), shell=True, user=USER, group=USER,
            extra_groups=[], capture_output=True, text=True, check=True, env={"PATH": PATH},
        )
        shown += done.stdout
    assert "IRSAFS-E701" in shown and "administrator" in shown
