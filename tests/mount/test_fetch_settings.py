# SPDX-License-Identifier: Apache-2.0
"""Every setting of a fetch reaches the client through the daemon, as a flag or from the environment."""
from __future__ import annotations

import shutil

import pytest

from lib.labels import EXECUTION_ID, render
from lib.program import environment
from lib.text import body, code
from lib.world import GOLDEN, RUN
from standin.mapping import MappingService
from standin.tls import Authority


def test_flags_alone_are_enough(world):
    mount = world.mount(
        f"--endpoint={world.service.url}", f"--token-url={world.tokens.url}", f"--labels={world.labels.path}",
        "--fetch-timeout=5s", env=environment(),
    )
    assert mount.read() == GOLDEN


def test_flags_beat_the_environment(world):
    (world.folder / "labels").write_text(render({EXECUTION_ID: "other"}))
    env = environment(
        DOMINO_IRSA_ENDPOINT="http://127.0.0.1:1/", DOMINO_API_PROXY="http://127.0.0.1:1",
        POD_INFO_PATH=str(world.folder / "labels"),
        IRSAFS_WEB_IDENTITY_TOKEN_FILE="/run/env",
    )
    mount = world.mount(
        f"--endpoint={world.service.url}", f"--token-url={world.tokens.url}", f"--run-id={RUN}",
        "--web-identity-token-file=/run/flag", env=env,
    )
    assert mount.read() == GOLDEN.replace("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "/run/flag")
    assert world.service.bodies == [{"run_id": RUN}]


def test_token_file(world):
    path = world.folder / "token"
    path.write_text(world.tokens.issue())
    mount = world.mount(f"--token-file={path}", env={k: v for k, v in world.env().items() if k != "DOMINO_API_PROXY"})
    assert mount.read() == GOLDEN
    assert mount.status()["token"]["source"] == "file"
    assert world.tokens.connections == 0


@pytest.mark.parametrize("given", ["file", "environment"])
def test_api_key(world, given):
    key = "key-0123456789-secret"
    world.service.api_keys[key] = "jane"
    path = world.folder / "key"
    path.write_text(key)
    env = {k: v for k, v in world.env().items() if k != "DOMINO_API_PROXY"}
    if given == "environment":
        mount = world.mount(env={**env, "DOMINO_USER_API_KEY": key})
    else:
        mount = world.mount(f"--api-key-file={path}", env=env)
    assert mount.read() == GOLDEN
    assert mount.status()["token"]["source"] == "api_key"
    clean = key not in mount.log() + (mount.path / "status").read_text()
    assert clean


@pytest.fixture
def secure(world):
    """A mapping service with TLS, and the authority that it is certified by."""
    authority = Authority(world.folder)
    service = MappingService(world.tokens, runs={RUN: "jane"}, tls=authority.context())
    yield service, authority
    service.close()
    assert service.violations == []


def test_tls_with_its_own_authority(world, secure):
    service, authority = secure
    mount = world.mount(f"--ca-file={authority.bundle}", env=world.env(DOMINO_IRSA_ENDPOINT=service.url))
    assert mount.read() == GOLDEN
    endpoint = mount.status()["endpoint"]
    assert (endpoint["scheme"], endpoint["tls"]) == ("https", "verified")


def test_replaced_authority_counts_at_the_next_fetch(world, secure):
    service, authority = secure
    bundle = world.folder / "bundle.pem"
    shutil.copy(authority.bundle, bundle)
    other = Authority(world.folder, "another CA")
    mount = world.mount(
        f"--ca-file={bundle}", "--min-refresh=0s", "--wait=60s", env=world.env(DOMINO_IRSA_ENDPOINT=service.url)
    )
    assert mount.read() == GOLDEN
    service.tls = other.context()
    mount.touch()
    text = mount.read()
    assert code(text) == 505 and body(text) == GOLDEN
    shutil.copy(other.bundle, bundle)
    mount.touch()
    assert mount.read() == GOLDEN


def test_unverified_tls_is_said_aloud(world, secure):
    service, _ = secure
    env = world.env(DOMINO_IRSA_ENDPOINT=service.url)
    mount = world.mount("--stale-wait=5s", env=env)
    assert code(mount.read()) == 505
    mount = world.mount("--insecure-skip-tls-verify", env=env)
    assert mount.read() == GOLDEN
    assert mount.status()["endpoint"]["tls"] == "insecure"
    warnings = [line for line in mount.log().splitlines() if " WARN " in line and "tls" in line.lower()]
    assert warnings, "nothing in the log says that TLS is not verified"
