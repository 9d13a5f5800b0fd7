# SPDX-License-Identifier: Apache-2.0
"""`irsafs refresh`: asks for a new text, and says what came of it."""
from __future__ import annotations

import subprocess

import pytest

from lib.endpoint import free_port, serve
from lib.program import CLIENT, IRSAFS, check_output, environment, public, run, run_as_user
from standin.control import Control
from standin.mapping import role

NOWHERE = "--mountpoint=/nonexistent/aws"
WAYS = ["endpoint", "files"]


def where(served, way: str) -> list:
    """The flags with which the verb sees only the port, or only the mount."""
    if way == "endpoint":
        return [f"--control={served.control.address}"]
    return ["--control=off", f"--mountpoint={served.mount.path}"]


def refresh(*args: str):
    """The verb; its environment names a mount point that does not exist."""
    ran = run([IRSAFS, "refresh", *args], environment(AWS_CONFIG_FILE="/nonexistent/aws/config"))
    check_output(ran.err + ran.out.decode(), [])
    ran.text = ran.out.decode()
    return ran


def start(*args: str) -> subprocess.Popen:
    return subprocess.Popen(
        [IRSAFS, "refresh", *args], env=environment(AWS_CONFIG_FILE="/nonexistent/aws/config"), cwd="/",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )


@pytest.mark.parametrize("way", WAYS)
def test_result(world, way):
    served = serve(world, "--min-refresh=0s")
    served.mount.read()
    ran = refresh("--wait", *where(served, way))
    assert (ran.code, ran.text, ran.err) == (0, "refreshed: 6 profiles, the same as before\n", "")
    world.service.roles.append(role("new-role"))
    ran = refresh("--wait", *where(served, way))
    assert (ran.code, ran.text) == (0, "refreshed: 8 profiles, changed\n")
    assert world.service.count == 3 and "[profile new-role]" in served.mount.read()
    world.service.roles[0] = role("other-role")
    assert refresh("--wait", *where(served, way)).text == "refreshed: 8 profiles, changed\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault, exit_code, number", [
    ({"status": 500}, 7, "E701"), ({"status": 403}, 6, "E601"), ({"body": b"<html>"}, 8, "E801"), ({"reset": "headers"}, 5, "E506"),
], ids=str)
def test_error(world, way, fault, exit_code, number):
    served = serve(world, "--min-refresh=0s", "--wait=5s")
    served.mount.read()
    world.service.behave(**fault)
    ran = refresh("--wait", *where(served, way))
    assert (ran.code, ran.out) == (exit_code, b"")
    assert f"(IRSAFS-{number})\n  -> " in ran.err and served.mount.status()["error"]["message"] in ran.err
    world.service.normal()
    assert refresh("--wait", *where(served, way)).code == 0


@pytest.mark.parametrize("way", WAYS)
def test_first_text(world, way):
    """Before anybody has looked."""
    served = serve(world)
    ran = refresh("--wait", *where(served, way))
    assert ran.code == 0 and ran.text.startswith("refreshed: 6 profiles")


def test_result_after_readers_have_given_up(world):
    """irsafs lets readers wait for less time than a fetch may take; who asked for the result gets it."""
    mount = world.mount("--wait=50ms", "--min-refresh=0s")
    mount.read()
    gate = world.service.hold()
    waiting = start("--wait", "--control=off", f"--mountpoint={mount.path}")
    gate.wait_arrived()
    mount.wait_status(lambda s: s["state"] != "pending", "the end of the readers' patience")
    assert mount.status()["fetch"]["in_flight"] and waiting.poll() is None
    gate.release()
    out, err = waiting.communicate(timeout=20)
    assert (waiting.returncode, out, err) == (0, "refreshed: 6 profiles, the same as before\n", "")


@pytest.mark.parametrize("way", WAYS)
def test_timeout(world, way):
    served = serve(world, "--wait=50ms", "--min-refresh=0s")
    served.mount.read()
    gate = world.service.hold()
    ran = refresh("--wait", "--timeout=300ms", *where(served, way))
    gate.release()
    assert ran.code == 5 and "IRSAFS-E501" in ran.err and "--timeout" in ran.err


def test_without_wait_nobody_waits(world):
    served = serve(world, "--min-refresh=0s")
    served.mount.read()
    gate = world.service.hold()
    for flags in (where(served, "files"), [f"--control={served.control.address}", f"--mountpoint={served.mount.path}"]):
        ran = refresh(*flags)
        assert ran.code == 0 and " ".join(ran.text.split()) == f"asked for a new text: the next look at {served.mount.path}/config gets it"
    world.service.roles.append(role("new-role"))
    gate.wait_arrived()
    gate.release()
    assert "[profile new-role]" in served.mount.read()


def test_only_the_port_is_in_reach(world):
    """The endpoint answers after the result: without --wait too."""
    served = serve(world)
    ran = run_as_user([public(CLIENT), "refresh"], env=environment(IRSAFS_CONTROL=served.control.address, AWS_CONFIG_FILE="/nonexistent/c"))
    assert (ran.code, ran.out) == (0, b"refreshed: 6 profiles, changed\n")


def test_only_the_mount_is_in_reach(world):
    mount = world.mount("--min-refresh=0s")
    env = environment(AWS_CONFIG_FILE=str(mount.config), IRSAFS_CONTROL=f"127.0.0.1:{free_port()}")
    ran = run_as_user([public(CLIENT), "refresh", "--wait"], env=env)
    assert ran.code == 0 and ran.out.startswith(b"refreshed: 6 profiles")
    assert run_as_user([public(CLIENT), "refresh"], env=env).code == 0


def test_refresh_that_is_not_for_everybody(world):
    mount = world.mount("--refresh-mode=0600")
    for words in (["refresh"], ["refresh", "--wait"]):
        ran = run_as_user([public(CLIENT), *words], env=environment(IRSAFS_CONTROL="off", AWS_CONFIG_FILE=str(mount.config)))
        assert (ran.code, ran.out) == (75, b"") and "Permission denied" in ran.err and "--refresh-mode" in ran.err


def test_nobody_there():
    for words in ([], ["--wait"]):
        ran = refresh(*words, f"--control=127.0.0.1:{free_port()}")
        assert (ran.code, ran.out) == (13, b"") and "IRSAFS-E103" in ran.err and "irsafs mount" in ran.err


# --- a stranger on the port --------------------------------------------------------------------------


@pytest.fixture
def control():
    server = Control()
    yield server
    server.close()


@pytest.mark.parametrize("words", [[], ["--wait"]], ids=str)
def test_strangers_are_not_asked_to_refresh(control, words):
    control.behave(body=b'{"status": "UP"}')
    assert refresh(*words, f"--control={control.address}").code == 13
    assert control.targets == ["/status"]


@pytest.mark.parametrize("result, exit_code, number", [
    ((200, {"generation": 5, "profiles": 3, "changed": False}), 0, ""),
    ((502, {"error": {"code": "IRSAFS-E602", "class": "no_run", "message": "no such run"}, "generation": 4, "stale": True}), 6, "E602"),
    ((504, {"error": {"code": "IRSAFS-E504", "class": "unreachable", "message": "late"}, "generation": 4, "stale": True}), 5, "E504"),
    ((502, {"error": {"code": "IRSAFS-E999", "class": "new", "message": "of a later version"}, "generation": 4, "stale": True}), 75, "E004"),
    ((200, {"generation": 5}), 8, "E804"), ((200, []), 8, "E804"), ((200, {"profiles": "3", "changed": 1}), 8, "E804"),
    ((502, {"error": "x"}), 8, "E804"), ((403, {}), 8, "E804"), ((302, {}), 8, "E804"), ((503, {}), 5, "E501"),
], ids=str)
def test_answers(control, result, exit_code, number):
    control.result = result
    ran = refresh("--wait", f"--control={control.address}")
    assert ran.code == exit_code and number in ran.err
    assert ran.text == ("refreshed: 3 profiles, the same as before\n" if exit_code == 0 else "")


@pytest.mark.parametrize("changes", [{"hang": "headers"}, {"hang": "mid"}, {"drip": 0.2}], ids=str)
def test_answers_that_do_not_end(control, changes):
    control.queue(1)
    control.behave(**changes)
    ran = refresh("--wait", "--timeout=500ms", f"--control={control.address}")
    assert ran.code == 5 and "IRSAFS-E501" in ran.err


def test_endless_answer(control):
    control.queue(1)
    control.behave(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", endless=b"5\r\n{\"a\":\r\n")
    ran = refresh("--wait", f"--control={control.address}")
    assert ran.code == 8 and "IRSAFS-E802" in ran.err
