# SPDX-License-Identifier: Apache-2.0
"""A client that was taken over or is broken never gets its bytes to a reader."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib.mount import mounts_at
from lib.program import CLIENT, public
from lib.text import body, code, comments, profiles
from lib.world import GOLDEN, RUN
from standin.mapping import render, role

REPORT = {
    "schema": 1, "code": 0, "message": None, "retry_after_ms": None, "connect_refused": False,
    "identity": None, "run_id": RUN, "workload_type": None, "profiles": 6,
    "token": {"source": "url", "expires_at": None},
    "endpoint": {"scheme": "http", "host": "127.0.0.1", "tls": "none"}, "dropped": {"total": 0, "items": []},
}
TOKEN_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
SECTION = f"[profile x]\nweb_identity_token_file = {TOKEN_PATH}\nrole_arn=arn:aws:iam::123456789012:role/x\n"

TEXTS = {
    "credential_process": GOLDEN + "[profile x]\ncredential_process = /bin/id\n",
    "endpoint_url": SECTION + "endpoint_url = http://127.0.0.1/\n",
    "another token path": SECTION.replace(TOKEN_PATH, "/home/user/.ssh/id_rsa"),
    "key in default": "[default]\ncli_pager = id\n",
    "plugins": GOLDEN + "[plugins]\nevil = evil\n",
    "DEFAULT": "[DEFAULT]\nrole_arn=arn:aws:iam::123456789012:role/x\n",
    "html": "<!doctype html>\n<title>x</title>\n",
    "json": '{"a": 1}\n',
    "no final newline": GOLDEN[:-1],
    "cut in a line": GOLDEN[:300],
    "cut after the asset section": "".join(GOLDEN.splitlines(keepends=True)[:3]),
    "duplicate section": GOLDEN + GOLDEN,
    "duplicate key": SECTION + "role_arn=arn:aws:iam::123456789012:role/x\n",
    "carriage return": GOLDEN.replace("\n", "\r\n"),
    "byte order mark": "\ufeff" + GOLDEN,
    "not ASCII": GOLDEN.replace("acme", "äcme"),
    "NUL": GOLDEN.replace("acme-read", "acme\0read"),
    "indented": GOLDEN.replace("\nrole_arn", "\n role_arn"),
    "blank line": GOLDEN.replace("[profile acme-read", "\n[profile acme-read"),
    "comment inside": GOLDEN + "# x\n" + SECTION,
    "pair before sections": "role_arn=arn:aws:iam::123456789012:role/x\n" + GOLDEN,
    "unclosed header": GOLDEN + "[profile x\n",
    "dangling source_profile": GOLDEN.replace("src_acme-list-bucket-role]", "src_other]"),
    "long value": GOLDEN.replace("role/acme-list", "role/" + "a" * 1100 + "/acme-list"),
    "long name": GOLDEN.replace("acme-list", "a" * 129),
    "inline comment": GOLDEN.replace("/token\n", "/token # x\n"),
}

ACTS = {                               # what the client does instead -> codes that may be named
    "exit without a word": ("exit 0", {3, 4, 801, 807}),
    "killed": ("kill -9 $$", {4}),
    "crash code": ("exit 139", {4}),
    "report is not JSON": (f"echo nonsense > /dev/fd/$fd; cat <<'EOF'\n{GOLDEN}EOF", {4}),
    "report is huge": (f"head -c 300000 /dev/zero > /dev/fd/$fd; cat <<'EOF'\n{GOLDEN}EOF", {4}),
    "too much text": (f"cat \"$here/report\" > /dev/fd/$fd; echo '{SECTION}'; yes '# x' | head -c 5000000", {4, 802, 807}),
    "hangs": ("exec sleep 600", {504}),
}


@pytest.fixture
def switch(world):
    """The folder that says what the client does."""
    folder = world.folder / "client"
    folder.mkdir()
    template = Path(__file__).parent / "clients" / "switch.sh"
    program = folder / "switch.sh"
    program.write_text(template.read_text().replace("@HERE@", str(folder)))
    program.chmod(0o755)
    (folder / "real").write_text(str(public(CLIENT)))
    (folder / "report").write_text(json.dumps(REPORT))
    return folder


@pytest.fixture
def mount(world, switch):
    return world.mount(
        f"--client={switch / 'switch.sh'}", "--min-refresh=0s", "--fetch-timeout=2s", "--wait=60s", "--stale-wait=60s"
    )


def check_refused(mount, codes: set, kept: bool) -> None:
    text = mount.read()
    assert code(text) in codes
    assert body(text) == (GOLDEN if kept else "")
    assert profiles("\n".join(comments(text)) + "\n") == []


def cold_and_warm(mount, codes: set, set_up, take_away) -> None:
    set_up()
    check_refused(mount, codes, kept=False)
    take_away()
    mount.touch()
    assert mount.read() == GOLDEN
    set_up()
    mount.touch()
    check_refused(mount, codes, kept=True)
    take_away()
    mount.touch()
    assert mount.read() == GOLDEN


@pytest.mark.parametrize("name", TEXTS)
def test_text_that_is_not_canonical(mount, switch, name):
    text = switch / "text"
    cold_and_warm(mount, {807}, lambda: text.write_bytes(TEXTS[name].encode()), text.unlink)


def test_the_same_client_may_serve_a_canonical_text(mount, switch):
    (switch / "text").write_text("# by the test's client\n" + SECTION)
    assert mount.read() == "# by the test's client\n" + SECTION


@pytest.mark.parametrize("name", ACTS)
def test_client_that_misbehaves(mount, switch, name):
    script, codes = ACTS[name]
    act = switch / "act"
    cold_and_warm(mount, codes, lambda: act.write_text(script), act.unlink)


def test_any_program_that_prints_a_canonical_text_is_a_client(mount, switch):
    (switch / "act").write_text(f"cat <<'EOF'\n{SECTION}EOF")
    assert mount.read() == SECTION
    status = mount.wait_state("fresh", timeout=1)
    assert (status["run_id"], status["token"]["source"], status["error"]) == (None, None, None)


def test_client_that_cannot_be_started(world, switch):
    (switch / "switch.sh").chmod(0o644)
    mount = world.prepare(f"--client={switch / 'switch.sh'}")
    mount.launch()
    assert mount.wait_exit() == 2
    mount.process = None
    assert "IRSAFS-E202" in mount.log() and mounts_at(mount.path) == []


def test_client_that_cannot_be_started_any_more(mount, switch):
    program = switch / "switch.sh"
    assert mount.read() == GOLDEN
    program.chmod(0o644)
    mount.touch()
    check_refused(mount, {3}, kept=True)
    program.chmod(0o755)
    mount.touch()
    assert mount.read() == GOLDEN


def test_client_whose_name_is_gone(world, mount, switch):
    """Its name may be looked up for every fetch or once at the start: a refusal or the true text, and nothing between."""
    program, away = switch / "switch.sh", switch / "away"
    assert mount.read() == GOLDEN
    program.rename(away)
    world.service.roles = [role("new")]
    mount.touch()
    text = mount.read()
    assert text == render([role("new")]) or (code(text), body(text)) == (3, GOLDEN)
    away.rename(program)
    mount.touch()
    assert mount.read() == render([role("new")])
