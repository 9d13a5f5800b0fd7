# SPDX-License-Identifier: Apache-2.0
"""irsafs-client as a process: what it keeps to itself, where its output goes, and when it ends."""
from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time

import pytest

from lib.program import CLIENT, client_of
from lib.wait import wait_until
from lib.world import GOLDEN

KEY = "key-0123456789-secret"
RUN_BYTES = 12


def runs_of(world, content: bytes) -> list:
    """The runs of twelve bytes of a token that are in content."""
    secrets = [secret.encode() for secret in (KEY, *world.secrets())]
    runs = {secret[i : i + RUN_BYTES] for secret in secrets for i in range(max(1, len(secret) - RUN_BYTES + 1))}
    return [run for run in runs if run in content]


def links(folder: str) -> set:
    """Where descriptors lead, without numbers."""
    return {os.readlink(f"{folder}/{name}").split(":")[0] for name in os.listdir(folder)}


def mapped_files(maps: str) -> set:
    with open(maps, encoding="utf-8") as file:
        fields = [line.split(maxsplit=5) for line in file]
    return {field[5].strip() for field in fields if len(field) == 6 and field[5].startswith("/") and os.path.exists(field[5].strip())}


def start(world, *args, env=None, **popen) -> subprocess.Popen:
    return subprocess.Popen(
        [client_of(popen), *args], env={**world.env(), **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, cwd="/", **popen,
    )


def test_secrets_are_in_no_place_where_others_look(world):
    gate = world.service.hold()
    process = start(world, env={"DOMINO_USER_API_KEY": KEY})
    try:
        gate.wait_arrived()            # the token is in its memory now
        folder = f"/proc/{process.pid}"
        for name in ("environ", "cmdline", "auxv", "maps", "comm", "stat", "limits", "mountinfo"):
            with open(f"{folder}/{name}", "rb") as file:
                content = file.read()
            assert content and not runs_of(world, content), name
        assert links(f"{folder}/fd") <= {"/dev/null", "pipe", "socket", "anon_inode"}   # no file, temporary or not
        for path in mapped_files(f"{folder}/maps"):
            with open(path, "rb") as file:
                assert not runs_of(world, file.read()), path
        with open(f"{folder}/limits", encoding="ascii") as file:
            core = next(line for line in file if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"]
    finally:
        gate.release()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.decode(), err) == (0, GOLDEN, b"")


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT], ids=str)
def test_no_core(world, number):
    """Whatever the parent's limit was, and while the token is in memory."""
    gate = world.service.hold()
    folder = world.folder / "cwd"
    folder.mkdir()
    process = subprocess.Popen(
        [CLIENT], env=world.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (1 << 30, 1 << 30)),
    )
    gate.wait_arrived()
    process.send_signal(number)
    _, status = os.waitpid(process.pid, 0)
    gate.release()
    process.returncode = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    out, err = process.communicate(timeout=20)
    assert not os.WCOREDUMP(status) and not list(folder.iterdir())
    assert out == b"" and not runs_of(world, err)


@pytest.mark.parametrize("fault", [{}, {"status": 401}, {"status": 500}, {"hang": "headers"}, {"raw": b"garbage"}, "echo"], ids=str)
@pytest.mark.parametrize("report", [True, False])
def test_no_part_of_a_token_is_said(world, fetch, fault, report):
    """At debug level too, and when the service sends the token back."""
    world.tokens.raw = "".join(f"{i:03d}abcdefghi" for i in range(40))
    if fault == "echo":
        token = world.tokens.raw
        fault = {"raw": f"HTTP/1.1 500 {token}\r\n{token}: {token}\r\nLocation: /{token}\r\nContent-Length: 0\r\n\r\n".encode()}
    world.service.behave(**fault)
    ran = fetch("--log-level=debug", "--fetch-timeout=500ms", report=report, env={"DOMINO_USER_API_KEY": KEY})
    assert not runs_of(world, ran.out + ran.err.encode() + str(ran.report).encode())


@pytest.mark.parametrize("where", ["{0}", "[profile {0}]", "[profile x]\n{0} = 1", "[profile x]\nrole_arn = {0}", "# {0}", "role_arn=arn:aws:iam::123456789012:role/{0}"])
@pytest.mark.parametrize("part", [slice(None), slice(100, 112)], ids=["all", "twelve bytes"])
def test_token_in_the_answer(world, fetch, where, part):
    """The service knows it; the readers of the file do not."""
    world.tokens.raw = "".join(f"{i:03d}abcdefghi" for i in range(40))
    world.service.behave(body=f"{GOLDEN}{where.format(world.tokens.raw[part])}\n".encode())
    ran = fetch()
    assert (ran.code, ran.report["code"], ran.report["message"]) == (8, 801, "the answer repeats the token")
    world.service.behave(body=f"{GOLDEN}# {world.tokens.raw[100:111]}\n".encode())
    assert fetch().out.decode() == GOLDEN


def test_malformed_tokens_are_not_repeated(world, fetch):
    for raw in ("secret-0123456789 with a blank", "secret-0123456789\r\nX-Injected: 1", '{"token":"secret-0123456789"}'):
        world.tokens.behave(body=raw.encode())
        ran = fetch(report=False)
        assert ran.code == 4 and "0123456" not in ran.err


def test_not_dumpable(world):
    """Another process of the same user may not look into it: its files in /proc belong to root."""
    gate = world.service.hold()
    process = start(world, user=12574, group=12574, extra_groups=[])
    try:
        gate.wait_arrived()
        assert os.stat(f"/proc/{process.pid}/environ").st_uid == 0
    finally:
        gate.release()
        process.communicate(timeout=20)


def test_drip_ends_at_the_deadline(world):
    world.service.behave(drip=0.05)
    began = time.monotonic()
    process = start(world, "--fetch-timeout=1s")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 5 and b"IRSAFS-E504" in err
    assert 0.9 < time.monotonic() - began < 3


def test_one_deadline_for_token_and_service(world):
    world.tokens.behave(delay=0.7)
    world.service.behave(delay=0.7)
    began = time.monotonic()
    process = start(world, "--fetch-timeout=1s")
    process.communicate(timeout=20)
    assert process.returncode == 5 and time.monotonic() - began < 1.3


def test_closed_stdout_is_a_failure(world, fetch):
    read_end, write_end = os.pipe()
    os.close(read_end)
    process = subprocess.run(
        [CLIENT], env=world.env(), stdin=subprocess.DEVNULL, stdout=write_end, stderr=subprocess.PIPE, timeout=20, check=False
    )
    os.close(write_end)
    assert process.returncode == 75 and b"IRSAFS-E002" in process.stderr


def test_full_stdout_is_reported(world):
    """The daemon limits the file sizes of its children; the report must say what happened."""
    out, report = os.memfd_create("out"), os.memfd_create("report")
    try:
        done = subprocess.run(
            ["/usr/bin/prlimit", "--fsize=900", CLIENT, f"--report-fd={report}"], env=world.env(),
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE, pass_fds=(report,), timeout=20, check=False,
        )
        told = json.loads(os.pread(report, 1 << 16, 0))
    finally:
        os.close(out)
        os.close(report)
    assert (done.returncode, done.stderr) == (75, b"")
    assert told["code"] == 2 and told["profiles"] == 0


def test_report_also_when_the_settings_are_wrong(world, fetch):
    for args, env, code in (
        (["--nonsense"], {}, 201),
        (["--fetch-timeout=x"], {}, 202),
        (["--endpoint=ftp://h/"], {}, 202),
        ([], {"IRSAFS_FETCH_TIMEOUT": "x"}, 302),
        ([], {"DOMINO_IRSA_ENDPOINT": "http://user:password@h/"}, 302),
        ([], {"DOMINO_API_PROXY": "localhost:8899"}, 302),
        ([], {"DOMINO_USER_API_KEY": "x" * 20_000}, 403),
    ):
        ran = fetch(*args, env={**env, "LOG_LEVEL": "chatty"})
        assert (ran.code, ran.report["code"], ran.out, ran.err) == (code // 100, code, b"", "")
        assert ran.report["identity"] is None and "password" not in ran.report["message"]


def test_opaque_tokens_belong_to_the_run(world, fetch):
    """An opaque token names no user and changes with each rotation: the run alone stands for the text."""
    world.tokens.raw = "opaque-1"
    first = fetch().report
    assert first["code"] == 0 and first["token"]["expires_at"] is None
    world.tokens.raw = "opaque-2"
    assert fetch().report["identity"] == first["identity"]
    world.service.runs["abc"] = "jane"
    assert fetch("--run-id=abc").report["identity"] != first["identity"]


def test_api_keys_belong_to_themselves(world, fetch):
    world.service.api_keys.update({"key-0123456789": "jane", "key-9876543210": "jane"})
    first, second, third = (
        fetch(env={"DOMINO_API_PROXY": None, "DOMINO_USER_API_KEY": key}).report["identity"]
        for key in ("key-0123456789", "key-9876543210", "key-0123456789")
    )
    assert first == third != second


def test_expired_token_is_read_once_more_and_then_tried(world, fetch):
    world.tokens.exp_in = -60
    ran = fetch()
    assert ran.code == 0 and (world.tokens.count, world.service.count) == (2, 1)


def test_interrupted_by_a_signal(world):
    gate = world.service.hold()
    process = start(world)
    try:
        gate.wait_arrived()
        process.terminate()
        wait_until(lambda: process.poll() is not None, "the end of the client")
    finally:
        gate.release()
        out, _ = process.communicate(timeout=20)
    assert process.returncode == -15 and out == b""


def test_no_file_is_ever_written(world, fetch):
    """Neither a read-only root nor a missing /tmp can matter: with a limit of zero bytes all is well."""
    ran = fetch(report=False, env={"TMPDIR": "/nonexistent"}, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert (ran.code, ran.out.decode(), ran.err) == (0, GOLDEN, "")


@pytest.mark.parametrize("number", range(4, 16))
def test_few_descriptors(world, fetch, number):
    """The good text or an error, with a report where its descriptor is among the few."""
    ran = fetch(report=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (number, number)))
    assert ran.out.decode() == (GOLDEN if ran.code == 0 else "")
    assert ran.code in (0, 3, 4, 5, 75) and ("IRSAFS-E" in ran.err) == (ran.code != 0)


@pytest.mark.parametrize("closed, code", [("<&-", 0), ("2>&-", 0), ("<&- 2>&-", 0), (">&-", 2), ("<&- >&- 2>&-", 2)])
def test_closed_standard_descriptors(world, closed, code):
    """What is opened later must not get their numbers: no log line in a socket, no text in the report. Text that
    nobody takes is a failure."""
    report = os.memfd_create("report")
    try:
        done = subprocess.run(
            ["sh", "-c", f'exec "$0" --report-fd={report} {closed}', CLIENT], env=world.env(), stdin=subprocess.DEVNULL,
            capture_output=True, pass_fds=(report,), timeout=20, check=False,
        )
        told = json.loads(os.pread(report, 1 << 16, 0))
    finally:
        os.close(report)
    assert (done.returncode, done.stderr, told["code"]) == (75 if code else 0, b"", code)
    assert done.stdout.decode() == ("" if code else GOLDEN)
