# SPDX-License-Identifier: Apache-2.0
"""What is built for users: hardened, small in its needs, and complete after cmake --install."""
from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ["IRSAFS_BUILD"])
PROGRAMS = ("irsafs", "irsafs-client")


def run(*words: object) -> str:
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, text=True).stdout


def readelf(program: str, *flags: str) -> str:
    return run("readelf", "-W", *flags, BUILD / program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_position_independent(program):
    assert "DYN (Position-Independent Executable file)" in readelf(program, "-h")


@pytest.mark.parametrize("program", PROGRAMS)
def test_relocations_are_read_only_from_the_start(program):
    assert "GNU_RELRO" in readelf(program, "-l")
    dynamic = readelf(program, "-d")
    assert "BIND_NOW" in dynamic or " NOW" in dynamic


@pytest.mark.parametrize("program", PROGRAMS)
def test_stack_is_not_executable(program):
    (stack,) = [line for line in readelf(program, "-l").splitlines() if "GNU_STACK" in line]
    assert " RW " in stack and "RWE" not in stack


@pytest.mark.parametrize("program", PROGRAMS)
def test_canaries_and_fortified_calls(program):
    symbols = readelf(program, "--dyn-syms")
    assert "__stack_chk_fail" in symbols
    assert "__vsnprintf_chk" in symbols or "__snprintf_chk" in symbols


def test_daemon_links_no_network():
    needed = [line for line in readelf("irsafs", "-d").splitlines() if "NEEDED" in line]
    assert any("libfuse3" in line for line in needed)
    for library in ("libcurl", "libssl", "libcrypto", "libjwt", "libnss"):
        assert not any(library in line for line in needed), library


def test_install(tmp_path):
    run("cmake", "--install", BUILD, "--prefix", tmp_path)
    assert sorted(p.name for p in (tmp_path / "bin").iterdir()) == sorted(PROGRAMS)
    version = Path(__file__).parents[2].joinpath("VERSION").read_text().strip()
    for program in PROGRAMS:
        assert run(tmp_path / "bin" / program, "--version").split()[:2] == [program, version]
    shared = tmp_path / "share"
    pages = sorted(page.name for page in shared.glob("man/man?/*"))
    assert pages == ["irsafs-client.1", "irsafs-config.5", "irsafs.1"]
    for program in PROGRAMS:
        script = shared / "bash-completion" / "completions" / program
        assert f"complete -F _{program.replace('-', '_')} {program}\n" in script.read_text()
    # The verbs of the client are found beside the daemon.
    token = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
    text = f"[profile a]\nweb_identity_token_file = {token}\nrole_arn=arn:aws:iam::123456789012:role/a\n"
    (tmp_path / "file").write_text(text)
    assert run(tmp_path / "bin" / "irsafs", "check", tmp_path / "file")
