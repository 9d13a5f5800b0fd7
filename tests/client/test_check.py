# SPDX-License-Identifier: Apache-2.0
"""`irsafs-client check FILE` and the other verbs that ask nobody."""
from __future__ import annotations

import re

import pytest

from lib.program import TESTS, environment, run_client

DATA = TESTS / "data"
GOOD = """# made by hand
[profile direct]
web_identity_token_file = /var/run/secrets/eks.amazonaws.com/serviceaccount/token
role_arn = arn:aws:iam::123456789012:role/direct

[profile a]
role_arn = arn:aws:iam::123456789012:role/a
source_profile = s

[profile s]
web_identity_token_file = /var/run/secrets/eks.amazonaws.com/serviceaccount/token
role_arn = arn:aws:iam::123456789012:role/s
"""


@pytest.fixture
def check(tmp_path):
    def run(content, *args):
        path = tmp_path / "config"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return run_client(["check", *args, path], report=False)

    return run


def test_golden_is_ok():
    ran = run_client(["check", DATA / "golden-config.ini"], report=False)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode().endswith("golden-config.ini: ok, 6 profile(s)\n")


def test_own_layout_is_ok(check):
    assert check(GOOD).code == 0
    assert check("").out.endswith(b"ok, 0 profile(s)\n")


def test_own_token_path_is_ok_when_it_is_given(check):
    text = GOOD.replace("/var/run/secrets/eks.amazonaws.com/serviceaccount/token", "/own/token")
    assert check(text).code == 8
    assert check(text, "--web-identity-token-file=/own/token").code == 0


FINDINGS = {
    "credential_process = /bin/x\n": "[s] credential_process: key not allowed\n",
    "[services x]\n": "[services x]: not a profile\n",
    "  indented = 1\n": "[s]: indented line",
    "role_arn = again\n": "[s] role_arn: ",
    "[profile a]\nsource_profile = s\nrole_arn = arn:aws:iam::999999999999:role/a\n": "1 profile name(s)",
    "[profile a,b]\nsource_profile = s\nrole_arn = arn:aws:iam::123456789012:role/b\n": "1 profile name(s)",
    "[profile gone]\nsource_profile = x\nrole_arn = arn:aws:iam::123456789012:role/b\n": "[gone]: source_profile names no",
    "x = 1\n" * 40: "... and 8 more of this kind\n",
}


@pytest.mark.parametrize("more", FINDINGS)
def test_findings(check, more):
    ran = check(GOOD + more)
    assert ran.code == 8 and ran.err == ""
    assert FINDINGS[more] in ran.out.decode()
    assert re.search(r": \d+ finding\(s\)\n\Z", ran.out.decode())


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode()], ids=["bom", "crlf"])
def test_what_some_parsers_do_not_read_is_a_finding(check, content):
    assert check(content).code == 8


@pytest.mark.parametrize("content, code", [("<html>\n", 801), ("[profile x]\n", 806), ("#" * (1 << 20) + "\n", 802)], ids=["html", "nothing valid", "too big"])
def test_files_that_are_no_config(check, content, code):
    ran = check(content)
    assert ran.code == 8 and f"IRSAFS-E{code}" in ran.err
    remedy = ran.err.splitlines()[-1]                  # of a file, not of a mapping service
    assert "correct the file" in remedy or "at most 1 MiB" in remedy


@pytest.mark.parametrize("path", ["/nonexistent/config", "/", "/dev/null"])
def test_unreadable_files(path):
    ran = run_client(["check", path], report=False)
    assert (ran.code, ran.out) == (3, b"") and path in ran.err
    assert "-> give a regular file" in ran.err


@pytest.mark.parametrize("args", [["check"], ["check", "a", "b"], ["check", "--nonsense", "a"], ["version", "x"], ["--report-fd=9x"], ["--report-fd=2"], ["--report-fd=77"], ["fetch", "x"], ["x"]], ids=str)
def test_usage(args):
    ran = run_client(args, report=False)
    assert (ran.code, ran.out) == (2, b"") and "IRSAFS-E20" in ran.err


@pytest.mark.parametrize("args", [["help", "fetch"], ["fetch", "--help"], ["fetch", "-h"], ["--report-fd=9", "fetch", "--help"]], ids=str)
def test_help(args):
    ran = run_client(args, report=False)
    text = ran.out.decode()
    assert (ran.code, ran.err) == (0, "")
    assert "irsafs-client fetch >my.config" in text and all(len(line) <= 80 for line in text.splitlines())
    for flag in ("--endpoint", "--ca-file", "--report-fd", "--log-level", "--fetch-timeout"):
        assert flag in text


@pytest.mark.parametrize("args", [["version"], ["--version"], ["fetch", "--version"]], ids=str)
def test_version(args):
    ran = run_client(args, report=False)
    wanted = (TESTS.parent / "VERSION").read_text().strip()
    lines = ran.out.decode().splitlines()
    assert (ran.code, lines[0]) == (0, f"irsafs-client {wanted}")
    assert [line.split(" ")[0] for line in lines[1:]] == ["libcurl", "OpenSSL", "jansson", "libjwt"]
    assert all(re.fullmatch(r"\w+ \d+\.\d+(\.\w+)?", line) for line in lines[1:])


def test_log_level_of_others_is_warned_about_and_ours_is_not_taken(tmp_path):
    path = tmp_path / "empty"
    path.write_bytes(b"")
    ran = run_client(["check", path], environment(LOG_LEVEL="chatty"), report=False)
    assert ran.code == 0 and "setting_ignored" in ran.err
    ran = run_client(["check", path], environment(IRSAFS_LOG_LEVEL="chatty"), report=False)
    assert ran.code == 3 and "IRSAFS_LOG_LEVEL" in ran.err
