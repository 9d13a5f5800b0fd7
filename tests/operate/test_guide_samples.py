# SPDX-License-Identifier: Apache-2.0
"""Each sample of docs/user-guide.md runs as it is printed, and each sentence it quotes is what Debian's SDKs say."""
from __future__ import annotations

import re
import threading

import pytest

from lib.aws import RunContainer, session_arn
from lib.program import TESTS, Ran, run_as_user
from standin.mapping import GOLDEN_ROLES, role

PAGE = (TESTS.parent / "docs" / "user-guide.md").read_text()
ROLE = GOLDEN_ROLES[1]
ADDED = role("added-role")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SAMPLES = {f"line {PAGE.count(chr(10), 0, m.start()) + 1}, {m[1]}": (m[1], m[2]) for m in BLOCK.finditer(PAGE)}
SHELLS = {"sh": ["/bin/bash", "-euc"], "python": ["/usr/bin/python3", "-c"]}
SAYS_WHO = r"get.caller.identity"


@pytest.fixture
def container(world):
    """As in a Domino pod: the pod's token is in the environment, a role for it is not."""
    here = RunContainer(world, roles=(ADDED,))
    here.env["AWS_WEB_IDENTITY_TOKEN_FILE"] = str(here.sts.web_token_file)
    here.mount.read()
    yield here
    here.close()
    assert here.sts.violations == []


def start(container, language: str, text: str) -> Ran:
    text = text.replace("/var/run/.aws", str(container.mount.path))
    return run_as_user([*SHELLS[language], text], env=container.env, timeout=60)


def test_samples_were_found():
    languages = [language for language, _ in SAMPLES.values()]
    assert set(languages) == set(SHELLS) and min(map(languages.count, SHELLS)) >= 4


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_runs(world, container, name):
    language, text = SAMPLES[name]
    container.sts.one_account = "AWS_ROLE_ARN" in text
    world.service.roles = [*GOLDEN_ROLES, ADDED]       # since the mount was looked at
    ran = start(container, language, text)
    assert ran.code == 0, ran.err
    out = ran.out.decode()
    assert "Traceback" not in out + ran.err and container.sts.refusals == []
    if re.search(SAYS_WHO, text):
        assert session_arn(ROLE) in out or f"{ROLE.proxy_arn.split(':')[4]}:assumed-role/{ROLE.name}" in out
    if re.search("available_profiles|list-profiles", text):
        assert f"src_{ROLE.name}" in out, "no list of profiles"
    if "refresh" in text:
        assert ADDED.name in out, "the new role is not in the list"
    secrets = [s for session in container.sts.sessions.values() for s in (session.secret, session.token)]
    assert not any(secret in out + ran.err for secret in secrets), "keys were printed"


def test_sample_that_waits_for_iam_outlasts_it(container):
    language, text = next(sample for sample in SAMPLES.values() if "sleep" in sample[1])
    container.sts.proxy_roles.clear()                  # IAM has not heard of the new trust policy yet
    done = threading.Event()

    def spread() -> None:
        while len(container.sts.refusals) < 3 and not done.wait(0.01):
            pass
        container.sts.know(GOLDEN_ROLES)

    waiter = threading.Thread(target=spread)
    waiter.start()
    try:
        ran = start(container, language, text.replace("sleep(15)", "sleep(0.2)"))
    finally:
        done.set()
        waiter.join()
    assert ran.code == 0 and session_arn(ROLE) in ran.out.decode(), ran.err
    assert len(container.sts.refusals) >= 3


# What a person does -> the words of the SDK, as the first column of the table has them.
SENTENCES = {
    "no profile, the pod's token": ("aws sts get-caller-identity", {}),
    "no profile, no token": ("aws sts get-caller-identity", {"AWS_WEB_IDENTITY_TOKEN_FILE": None}),
    "no region": (f"aws sqs list-queues --profile {ROLE.name}", {"AWS_DEFAULT_REGION": None}),
    "writes to config": ("aws configure set region us-west-2 --profile x", {}),
    "unknown profile": ("aws sts get-caller-identity --profile NAME", {}),
    "a file of somebody else": ("echo nonsense >~/config; AWS_CONFIG_FILE=~/config aws --profile x sts get-caller-identity", {}),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_quoted_sentence_is_what_the_sdk_says(container, name):
    command, changes = SENTENCES[name]
    for variable, value in changes.items():
        container.env.pop(variable) if value is None else container.env.update({variable: value})
    ran = start(container, "sh", command)
    assert ran.code != 0
    quoted = [q for row in re.findall(r"^\| (.+?) \| .+? \| .+? \|$", PAGE, re.MULTILINE) for q in re.findall("`([^`]{12,})`", row)]
    assert [q for q in quoted if q in ran.err], f"the guide has no row for: {ran.err}"


@pytest.mark.parametrize("language", SHELLS)
def test_who_am_i_with_a_role_in_the_environment(container, language):
    """boto3 and the CLI take the profile before AWS_ROLE_ARN, and never another identity for a missing one."""
    ask = {
        "sh": "aws sts get-caller-identity",
        "python": "import boto3; print(boto3.client('sts').get_caller_identity()['Arn'])",
    }[language]
    container.sts.one_account = True                   # the role of AWS_ROLE_ARN would be let in
    container.env.update(AWS_ROLE_ARN=GOLDEN_ROLES[0].proxy_arn, AWS_PROFILE=ROLE.name)
    ran = start(container, language, ask)
    assert ran.code == 0 and session_arn(ROLE) in ran.out.decode(), ran.err
    container.env.update(AWS_PROFILE="missing")
    calls = len(container.sts.calls)
    ran = start(container, language, ask)
    assert ran.code != 0 and "The config profile (missing) could not be found" in ran.err
    assert len(container.sts.calls) == calls, "another identity was used"
