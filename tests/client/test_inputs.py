# SPDX-License-Identifier: Apache-2.0
"""Where endpoint, token and API key come from, and in which order."""
from __future__ import annotations

import os

import pytest

from lib.world import GOLDEN

DEAD = "http://127.0.0.1:1/map"
NO_TOKEN_URL = {"DOMINO_API_PROXY": None}


@pytest.mark.parametrize("winner", range(4))
def test_endpoint_names_in_their_order(world, fetch, winner):
    names = ["--endpoint", "IRSAFS_ENDPOINT", "DOMINO_IRSA_ENDPOINT", "IAM_SA_MAPPING_ENDPOINT"]
    env = {name: None for name in names[1:]}
    env.update({name: DEAD for name in names[winner + 1 :]})
    args = []
    if winner == 0:
        args = [f"--endpoint={world.service.url}"]
    else:
        env[names[winner]] = world.service.url
    assert fetch(*args, env=env).out.decode() == GOLDEN


def test_empty_variables_do_not_count(world, fetch):
    env = {"IRSAFS_ENDPOINT": "", "DOMINO_IRSA_ENDPOINT": "", "IAM_SA_MAPPING_ENDPOINT": world.service.url}
    assert fetch(env=env).out.decode() == GOLDEN


@pytest.mark.parametrize("winner", range(3))
def test_token_url_names_in_their_order(world, fetch, winner):
    env = {"DOMINO_API_PROXY": "http://127.0.0.1:1"}
    args = []
    if winner == 0:
        args, env["IRSAFS_TOKEN_URL"] = [f"--token-url={world.tokens.url}"], DEAD
    elif winner == 1:
        env["IRSAFS_TOKEN_URL"] = world.tokens.url
    else:
        env["DOMINO_API_PROXY"] = world.tokens.origin + "/"
    ran = fetch(*args, env=env)
    assert ran.out.decode() == GOLDEN and ran.report["token"]["source"] == "url"


@pytest.fixture
def token_file(world):
    path = world.folder / "token"
    path.write_text(world.tokens.issue() + "\n")
    return path


@pytest.mark.parametrize("name", ["--token-file", "IRSAFS_TOKEN_FILE", "DOMINO_TOKEN_FILE"])
def test_token_file(world, fetch, token_file, name):
    args = [f"{name}={token_file}"] if name.startswith("--") else []
    env = {} if args else {name: str(token_file)}
    ran = fetch(*args, env={**NO_TOKEN_URL, **env})
    assert ran.out.decode() == GOLDEN and ran.report["token"]["source"] == "file"
    assert world.tokens.connections == 0


def test_file_when_the_url_fails(world, fetch, token_file):
    world.tokens.behave(status=500)
    ran = fetch(f"--token-file={token_file}")
    assert ran.out.decode() == GOLDEN and ran.report["token"]["source"] == "file"
    assert world.tokens.count == 1


def test_file_when_the_url_is_silent(world, fetch, token_file):
    world.tokens.behave(hang="headers")
    ran = fetch(f"--token-file={token_file}", "--fetch-timeout=60s", timeout=40)
    assert ran.out.decode() == GOLDEN and ran.report["token"]["source"] == "file"


def test_url_goes_before_the_file(world, fetch, token_file):
    ran = fetch(f"--token-file={token_file}")
    assert ran.report["token"]["source"] == "url" and world.tokens.count == 1


def test_api_key_from_the_environment(world, fetch):
    world.service.api_keys["key-0123456789"] = "jane"
    ran = fetch(env={**NO_TOKEN_URL, "DOMINO_USER_API_KEY": "key-0123456789"})
    assert ran.out.decode() == GOLDEN and ran.report["token"]["source"] == "api_key"


def test_api_key_from_a_file(world, fetch):
    world.service.api_keys["key-0123456789"] = "jane"
    path = world.folder / "key"
    path.write_text("key-0123456789\n")
    ran = fetch(f"--api-key-file={path}", env=NO_TOKEN_URL)
    assert ran.out.decode() == GOLDEN and ran.report["token"]["source"] == "api_key"


def test_api_key_is_no_fallback_for_a_failing_token(world, fetch):
    world.service.api_keys["key-0123456789"] = "jane"
    world.tokens.behave(status=500)
    ran = fetch(env={"DOMINO_USER_API_KEY": "key-0123456789"})
    assert ran.code == 4 and world.service.connections == 0


def make_fifo(path) -> None:
    os.mkfifo(path)


def make_directory(path) -> None:
    path.mkdir()


def make_huge(path) -> None:
    path.write_text("a" * 17_000)


def make_empty(path) -> None:
    path.write_text("\n")


def make_two_lines(path) -> None:
    path.write_text("abc\ndef\n")


def make_nothing(path) -> None:
    assert not path.exists()


@pytest.mark.parametrize(
    "make", [make_fifo, make_directory, make_huge, make_empty, make_two_lines, make_nothing], ids=lambda m: m.__name__
)
def test_token_files_that_are_refused(world, fetch, make):
    path = world.folder / "token"
    make(path)
    ran = fetch(f"--token-file={path}", env=NO_TOKEN_URL)
    assert ran.code == 4 and ran.report["code"] in (402, 403) and ran.out == b""
    assert world.service.connections == 0


def test_proxies_of_the_environment_do_not_count(world, fetch):
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy")
    assert fetch(env={name: "http://127.0.0.1:1" for name in names}).out.decode() == GOLDEN


def test_given_proxy_is_used(world, fetch):
    world.service.aliases.add("http://irsa-svc.domino-field/map_iam_roles_to_pod_sa")
    ran = fetch(
        f"--proxy={world.service.origin}", env={"DOMINO_IRSA_ENDPOINT": "http://irsa-svc.domino-field/map_iam_roles_to_pod_sa"}
    )
    assert ran.out.decode() == GOLDEN
    assert world.tokens.count == 1     # the token endpoint is in the pod: no proxy leads there


def test_netrc_is_not_read(world, fetch):
    home = world.folder / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    assert fetch(env={"HOME": str(home)}).out.decode() == GOLDEN


@pytest.mark.parametrize("missing, code", [("DOMINO_IRSA_ENDPOINT", 301), ("DOMINO_API_PROXY", 305), ("POD_INFO_PATH", 303)])
def test_missing_settings(world, fetch, missing, code):
    ran = fetch(env={missing: None})
    assert (ran.code, ran.report["code"]) == (3, code)
    assert world.tokens.connections == world.service.connections == 0
