# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal meets: help, suggestions, completion."""
from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from lib.program import BUILD, CLIENT, IRSAFS, environment, run

PROGRAMS = {"irsafs": IRSAFS, "irsafs-client": CLIENT}


def ask(program: str, *words: str):
    return run([PROGRAMS[program], *words])


def verbs(program: str) -> list:
    """As the first screen lists them."""
    text = ask(program, "help").out.decode()
    return re.findall(r"^  ([a-z]+) (?:FILE|bash|\[[A-Z]+\])? {2,}\S", text, re.M)


def flags(program: str, verb: str) -> set:
    return set(re.findall(r"^  (?:-\w, )?--([a-z-]+)", ask(program, verb, "--help").out.decode(), re.M))


@pytest.mark.parametrize("program, least", [
    ("irsafs", {"mount", "status", "refresh", "render", "check", "completion", "version", "help"}),
    ("irsafs-client", {"fetch", "status", "refresh", "check", "completion", "version", "help"}),
])
def test_first_screen(program, least):
    ran = ask(program, "help")
    text = ran.out.decode()
    assert (ran.code, ran.err) == (0, "") and set(verbs(program)) >= least
    assert len(text.splitlines()) <= 22, "does not fit a terminal with the prompts around it"
    assert f"  {program} status" in text and f"  {program} refresh --wait" in text
    assert ask(program, "--help").out == ask(program, "-h").out == ran.out


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_of_every_verb_fits_a_terminal(program):
    for verb in [None, *verbs(program)]:
        words = ["help", verb] if verb else ["help"]
        ran = ask(program, *words)
        text = ran.out.decode()
        assert (ran.code, ran.err) == (0, ""), words
        assert text.startswith("Usage: " if verb else f"{program} ") and f"Usage: {program} " in text
        assert [line for line in text.splitlines() if len(line) > 80 or line != line.rstrip()] == []
        assert not verb or ask(program, verb, "--help").out == ran.out


def test_without_a_verb():
    ran = ask("irsafs")
    assert (ran.code, ran.out) == (2, b"")
    assert all(hint in ran.err for hint in ("irsafs mount", "irsafs status", "irsafs help", "IRSAFS-E201"))


@pytest.mark.parametrize("program, words, wanted", [
    ("irsafs", ["stauts"], "status"),
    ("irsafs", ["mout"], "mount"),
    ("irsafs", ["rfresh"], "refresh"),
    ("irsafs", ["ref"], "refresh"),
    ("irsafs", ["help", "chekc"], "check"),
    ("irsafs", ["--versoin"], "--version"),
    ("irsafs", ["mount", "--tll=5m"], "--ttl"),
    ("irsafs", ["mount", "--max-stal", "5m"], "--max-stale"),
    ("irsafs", ["mount", "--insecure"], "--insecure-skip-tls-verify"),
    ("irsafs", ["status", "--jsn"], "--json"),
    ("irsafs-client", ["statsu"], "status"),
    ("irsafs-client", ["--endpont=http://h/"], "--endpoint"),
    ("irsafs-client", ["refresh", "--wiat"], "--wait"),
], ids=str)
def test_nearest_is_suggested(program, words, wanted):
    ran = ask(program, *words)
    assert (ran.code, ran.out) == (2, b"")
    assert f"did you mean {wanted}?" in ran.err and words[-1].split("=")[0] in ran.err or "5m" in words


@pytest.mark.parametrize("words", [["zzz"], ["mount", "--zzzzzz"], ["mount", "--x"], ["worke"], ["manua"]], ids=str)
def test_nothing_is_suggested_when_nothing_is_near(words):
    ran = ask("irsafs", *words)
    assert ran.code == 2 and "did you mean" not in ran.err


def test_values_of_unknown_flags_are_not_repeated():
    ran = ask("irsafs-client", "--api-key=secret-0123456789")
    assert ran.code == 2 and "secret" not in ran.err and "'--api-key'" in ran.err


@pytest.mark.parametrize("verb, words", [("status", ["x"]), ("refresh", ["x", "y"]), ("completion", []), ("completion", ["zsh"]), ("help", ["status", "x"])], ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_wrong_words(program, verb, words):
    ran = ask(program, verb, *words)
    assert (ran.code, ran.out) == (2, b"") and "IRSAFS-E201" in ran.err and verb in ran.err or "zsh" in ran.err


@pytest.mark.parametrize("value", ["5", "1ms", "61m", "-1s"])
def test_the_range_of_a_time_is_named(value):
    form = "is not a time with a unit (ms, s, m, h) from 10ms to 1h (IRSAFS-E"
    assert f"--fetch-timeout: '{value}' {form}202)" in ask("irsafs-client", "fetch", f"--fetch-timeout={value}").err
    ran = run([PROGRAMS["irsafs-client"], "fetch"], environment(IRSAFS_FETCH_TIMEOUT=value))
    assert f"IRSAFS_FETCH_TIMEOUT={value} {form}302)" in ran.err


def test_an_empty_value_is_called_empty():
    ran = ask("irsafs-client", "fetch", "--run-id=")
    assert ran.code == 2 and ran.err.startswith("irsafs-client: --run-id: the value is empty (IRSAFS-E202)")


# --- completion ------------------------------------------------------------------------------------

SCRIPT = r"""
source <("$1" completion bash) || exit 9
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
function=$(complete -p "$1"); function=${function#*-F }; function=${function%% *}
"$function" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit 8
if ((${#COMPREPLY[@]})); then printf '%s\n' "${COMPREPLY[@]}"; fi
"""


def complete(program: str, *words: str, cwd="/") -> list:
    """What bash offers for the last word."""
    done = subprocess.run(
        ["bash", "--norc", "-uc", SCRIPT, "bash", PROGRAMS[program], program, *words], env=environment(), cwd=cwd,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("program", PROGRAMS)
def test_completion_of_verbs_and_flags(program):
    assert complete(program, "") == [*verbs(program), "--help", "--version"]
    assert complete(program, "sta") == ["status"]
    assert complete(program, "help", "sta") == ["status"]
    for verb in verbs(program):
        assert {f"--{flag}" for flag in flags(program, verb)} | {"--help"} == set(complete(program, verb, "--"))


def test_completion_of_values(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file 1").write_text("")
    levels = ["debug", "info", "warn", "error"]
    assert complete("irsafs", "mount", "--log-level", "") == levels
    assert complete("irsafs", "mount", "--log-level", "=") == levels
    assert complete("irsafs", "mount", "--log-level", "=", "de") == ["debug"]
    assert complete("irsafs", "mount", "--sandbox", "b") == ["best-effort"]
    assert complete("irsafs", "mount", "--ttl", "") == []
    assert complete("irsafs", "completion", "") == ["bash"]
    assert sorted(complete("irsafs", "mount", "--token-file", "", cwd=tmp_path)) == ["file 1", "folder"]
    assert complete("irsafs", "mount", "f", cwd=tmp_path) == ["folder"]
    assert complete("irsafs", "check", "fi", cwd=tmp_path) == ["file 1"]
    assert complete("irsafs", "status", "--mountpoint", "", cwd=tmp_path) == ["folder"]
    assert complete("irsafs-client", "--lab") == ["--labels"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_completion_script_is_clean(program, tmp_path):
    script = tmp_path / "script"
    script.write_bytes(ask(program, "completion", "bash").out)
    assert run(["shellcheck", script]).out == b""
