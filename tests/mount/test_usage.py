# SPDX-License-Identifier: Apache-2.0
"""Wrong commands, flags and settings: one clear error, the documented exit code, nothing mounted."""
from __future__ import annotations

import pytest

from lib.mount import refuse
from lib.program import environment, run_irsafs
from lib.world import GOLDEN

BAD_DURATIONS = ["", "5", "-1s", "+1s", "1.5s", "10x", "1 s", "s", "1s2", "ms", "0x1s", "99999999999999999999h"]
DURATION_FLAGS = ["ttl", "max-stale", "wait", "stale-wait", "fetch-timeout", "min-refresh"]


@pytest.mark.parametrize("args", [["nonsense"], ["--nonsense"], ["-x"], []], ids=str)
def test_unknown_verbs(args):
    ran = run_irsafs(args, environment())
    assert ran.code == 2
    assert "IRSAFS-E201" in ran.err and "--help" in ran.err
    assert all(arg.lstrip("-") in ran.err for arg in args)


@pytest.mark.parametrize("verb", ["worker", "notifier"])
def test_processes_of_a_daemon_by_hand(verb):
    ran = run_irsafs([verb], environment())
    assert ran.code == 2
    assert "IRSAFS-E201" in ran.err and "irsafs mount" in ran.err


@pytest.mark.parametrize("flag", ["--nonsense", "--ttl-x=1s", "-q"])
def test_unknown_flags(world, flag):
    refuse(world, [flag], 2, flag.split("=")[0].lstrip("-"))


@pytest.mark.parametrize("args", [["--ttl"], ["--prefetch=maybe"], ["one", "two"]], ids=str)
def test_malformed_commands(world, args):
    refuse(world, args, 2)


@pytest.mark.parametrize("flag", DURATION_FLAGS)
@pytest.mark.parametrize("value", BAD_DURATIONS)
def test_bad_durations_as_flags(world, flag, value):
    refuse(world, [f"--{flag}={value}"], 2, flag)


@pytest.mark.parametrize("flag", DURATION_FLAGS)
def test_bad_durations_in_the_environment(world, flag):
    name = f"IRSAFS_{flag.upper().replace('-', '_')}"
    refuse(world, [], 3, name, "soon", env=world.env(**{name: "soon"}))


@pytest.mark.parametrize(
    "arg",
    [
        "--uid=x", "--gid=-1", "--config-mode=999", "--refresh-mode=rw", "--kernel-features=-x", "--log-level=loud",
        "--worker-uid=nobody", "--sandbox=maybe",
    ],
)
def test_bad_values_of_other_flags(world, arg):
    refuse(world, [arg], 2, arg[2:].split("=")[0])


def test_flags_beat_the_environment(world):
    mount = world.mount("--ttl=100s", env=world.env(IRSAFS_TTL="15m"))
    mount.read()
    assert 90_000 <= mount.status()["ttl_ms"] <= 110_000


def test_environment_beats_the_defaults(world):
    mount = world.mount(env=world.env(IRSAFS_TTL="100s"))
    mount.read()
    assert 90_000 <= mount.status()["ttl_ms"] <= 110_000


def test_missing_endpoint(world):
    env = world.env()
    del env["DOMINO_IRSA_ENDPOINT"]
    refuse(world, [], 3, "IRSAFS-E301", "DOMINO_IRSA_ENDPOINT", env=env)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "127.0.0.1/x", "file:///etc/passwd", "http://", "nonsense"])
def test_endpoint_that_is_no_http_url(world, url):
    err = refuse(world, [], 3, env=world.env(DOMINO_IRSA_ENDPOINT=url))
    assert "endpoint" in err.lower()


def test_missing_token_source(world):
    env = world.env()
    del env["DOMINO_API_PROXY"]
    refuse(world, [], 3, "IRSAFS-E305", "DOMINO_API_PROXY", env=env)


def test_foreign_log_level_is_only_warned_about(world):
    mount = world.mount(env=world.env(LOG_LEVEL="chatty"))
    assert mount.read() == GOLDEN
    assert "chatty" in mount.log()


def test_own_log_level_must_be_right(world):
    refuse(world, [], 3, "IRSAFS_LOG_LEVEL", "chatty", env=world.env(IRSAFS_LOG_LEVEL="chatty"))


@pytest.mark.parametrize("level", ["DEBUG", "debug", "Info"])
def test_log_level_in_any_case(world, level):
    assert world.mount(env=world.env(LOG_LEVEL=level)).read() == GOLDEN
