# SPDX-License-Identifier: Apache-2.0
"""The verbs beside `mount`: render and check hand over to the client, --help and --version tell."""
from __future__ import annotations

import re

from lib.program import TESTS, environment, run_irsafs
from lib.world import GOLDEN


def test_render_fetches_once_and_prints(world):
    ran = run_irsafs(["render"], world.env())
    assert (ran.code, ran.out) == (0, GOLDEN.encode())
    assert (world.tokens.count, world.service.count) == (1, 1)


def test_render_takes_the_clients_flags_and_exit_codes(world):
    world.service.behave(status=500)
    ran = run_irsafs(["render", f"--endpoint={world.service.url}"], world.env(DOMINO_IRSA_ENDPOINT="http://127.0.0.1:1/"))
    assert (ran.code, ran.out) == (7, b"")
    assert "IRSAFS-E701" in ran.err


def test_check_accepts_a_good_file():
    ran = run_irsafs(["check", TESTS / "data" / "golden-config.ini"])
    assert ran.code == 0


def test_check_refuses_a_bad_file(tmp_path):
    bad = tmp_path / "config"
    bad.write_text(GOLDEN + "[profile evil]\ncredential_process = /bin/id\n")
    ran = run_irsafs(["check", bad])
    assert ran.code == 8
    assert "credential_process" in ran.out.decode() + ran.err


def test_check_of_a_missing_file(tmp_path):
    ran = run_irsafs(["check", tmp_path / "missing"])
    assert ran.code not in (0, 8) and "missing" in ran.err


def test_help_shows_every_flag_and_an_example():
    ran = run_irsafs(["--help"], environment())
    assert ran.code == 0 and ran.err == ""
    mount_help = run_irsafs(["mount", "--help"], environment()).out.decode()
    text = ran.out.decode() + mount_help
    for flag in ("--ttl", "--max-stale", "--wait", "--stale-wait", "--fetch-timeout", "--min-refresh", "--prefetch",
                 "--endpoint", "--token-url", "--token-file", "--api-key-file", "--labels", "--run-id", "--ca-file",
                 "--uid", "--gid", "--config-mode", "--refresh-mode", "--allow-nonempty", "--client", "--log-level",
                 "--layout", "--mode", "--fd-socket", "--fd-timeout"):
        assert flag in text, flag
    assert [line for line in text.splitlines() if len(line) > 80] == []
    for example in ("irsafs mount /", "cat /var/run/.aws/config", "touch /var/run/.aws/refresh"):
        assert example in text, example


def test_version_names_the_libraries():
    version = (TESTS.parent / "VERSION").read_text().strip()
    ran = run_irsafs(["--version"], environment())
    assert ran.code == 0
    text = ran.out.decode()
    assert text.startswith(f"irsafs {version}")
    assert re.search(r"fuse\S*3\.\d+", text) and "libevent" in text and "jansson" in text
