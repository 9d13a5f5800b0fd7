# SPDX-License-Identifier: Apache-2.0
"""The run id comes from the labels as kubelet writes them, or from where it was given."""
from __future__ import annotations

import os
import socket
import subprocess

import pytest

from lib.labels import EXECUTION_ID, INSTANCE, NAME, WORKLOAD_TYPE, render
from lib.program import TESTS
from lib.world import GOLDEN, RUN

FOUND = {                              # labels -> the body of the POST
    "execution id": ({EXECUTION_ID: RUN}, {"run_id": RUN}),
    "execution id with prefix": ({EXECUTION_ID: f"run-{RUN}"}, {"run_id": RUN}),
    "name": ({NAME: f"run-{RUN}"}, {"run_id": RUN}),
    "instance": ({NAME: "ray", INSTANCE: f"run-{RUN}"}, {"run_id": RUN}),
    "execution id of a cluster": (
        {NAME: "ray", EXECUTION_ID: RUN, WORKLOAD_TYPE: "cluster-worker"},
        {"run_id": RUN, "irsa_workload_type": "cluster-worker"},
    ),
    "execution id first": ({NAME: "run-1", INSTANCE: "run-2", EXECUTION_ID: RUN}, {"run_id": RUN}),
    "name before instance": ({NAME: f"run-{RUN}", INSTANCE: "run-2"}, {"run_id": RUN}),
    "letters of the prefix stay": ({EXECUTION_ID: "run-nunurun"}, {"run_id": "nunurun"}),
    "unknown workload type": (
        {EXECUTION_ID: f"run-{RUN}", WORKLOAD_TYPE: "cluster-edge"}, {"run_id": RUN, "irsa_workload_type": "cluster-edge"}
    ),
    "escapes elsewhere": (
        {"a": 'q"b\\c\n\x01é', EXECUTION_ID: f"run-{RUN}", "z": "\u2028=\"run-x\""}, {"run_id": RUN},
    ),
}
NOT_FOUND = {
    "nothing": {"app": "x"},
    "other names": {NAME: "ray", INSTANCE: "ray"},
    "bad characters": {EXECUTION_ID: "run-a b"},
    "too long": {EXECUTION_ID: "run-" + "a" * 64},
    "prefix only": {EXECUTION_ID: "run-"},
    "prefix inside": {NAME: "my-run-1"},
}
BROKEN = {
    "cut": f'{EXECUTION_ID}="run-63d1',
    "no quotes": f"{EXECUTION_ID}=run-63d1",
    "bad escape": f'{EXECUTION_ID}="run-\\q"',
    "twice": f'{EXECUTION_ID}="run-1"\n{EXECUTION_ID}="run-2"',
    "cut in the key": EXECUTION_ID[:20],
    "cut behind the key": f"{EXECUTION_ID}=",
    "cut behind the quote": f'{EXECUTION_ID}="',
    "line of another": f'{EXECUTION_ID}="run-63d1"\napp="x',
    "quote in another": f'{EXECUTION_ID}="run-63d1"\napp="a"b"',
    "control byte in another": f'{EXECUTION_ID}="run-63d1"\napp="\x01"',
    "CR LF": f'{EXECUTION_ID}="run-63d1"\r\napp="x"\r\n',
    "byte order mark": f'\ufeff{EXECUTION_ID}="run-63d1"',
    "text behind the value": f'{EXECUTION_ID}="run-63d1" # x',
    "NUL in the value": f'{EXECUTION_ID}="run-63\0d1"',
    "escaped NUL": f'{EXECUTION_ID}="run-63\\x00d1"',
    "escaped line end": f'{EXECUTION_ID}="run-63\\nd1"',
    "escaped quote": f'{EXECUTION_ID}="run-63\\",\\"x\\":\\"d1"',
    "escaped umlaut": f'{EXECUTION_ID}="run-\\u00e4"',
    "binary": "\0\1\2",
    "too big": "a=\"" + "x" * 300_000 + '"',
    "line of 10 MiB": f'{EXECUTION_ID}="run-' + "1" * (10 << 20) + '"',
    "only a line end": "\n",
    "empty": "",
}


@pytest.mark.parametrize("name", FOUND)
def test_found_in_the_labels(world, fetch, name):
    labels, body = FOUND[name]
    world.service.runs = None
    world.labels.write(labels)
    assert fetch().out.decode() == GOLDEN
    assert world.service.bodies == [body]


@pytest.mark.parametrize("name", NOT_FOUND)
def test_not_found_in_the_labels(world, fetch, name):
    world.labels.write(NOT_FOUND[name])
    ran = fetch()
    assert ran.code == 3 and ran.report["code"] in (303, 304)
    assert world.service.connections == 0


def test_labels_without_a_run_are_named(world, fetch):
    world.labels.write(NOT_FOUND["nothing"])
    ran = fetch()
    assert ran.report["code"] == 303
    assert f"/labels has no {EXECUTION_ID}" in ran.report["message"]


@pytest.mark.parametrize("name", BROKEN)
def test_broken_labels(world, fetch, name):
    path = world.folder / "labels"
    path.write_text(BROKEN[name])
    ran = fetch(f"--labels={path}")
    assert ran.code == 3 and ran.report["code"] in (303, 304)
    assert world.service.connections == 0


def make_socket(path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))


NO_FILES = {
    "FIFO": os.mkfifo,
    "directory": os.mkdir,
    "dangling": lambda path: os.symlink("nowhere", path),
    "loop": lambda path: os.symlink(path, path),
    "device": lambda path: os.symlink("/dev/zero", path),
    "terminal": lambda path: os.symlink("/dev/tty", path),
    "socket": make_socket,
}


@pytest.mark.parametrize("name", NO_FILES)
def test_labels_that_are_no_file(world, fetch, name):
    path = world.folder / "labels"
    NO_FILES[name](path)
    ran = fetch(f"--labels={path}", timeout=5)
    assert (ran.code, ran.report["code"]) == (3, 304)
    assert world.service.connections == 0


def test_dangling_volume(world, fetch):
    """What an update that stopped half-way leaves behind."""
    world.labels.path.with_name("..data").unlink()
    assert fetch().report["code"] == 304
    world.labels.run(RUN)
    assert fetch().out.decode() == GOLDEN


def test_given_run_id_goes_first(world, fetch):
    world.service.runs = None
    for args, env, want in (
        (["--run-id=flag"], {"IRSAFS_RUN_ID": "env"}, "flag"),
        ([], {"IRSAFS_RUN_ID": "env", "DOMINO_RUN_ID": "domino"}, "env"),
        ([], {"DOMINO_RUN_ID": "domino"}, RUN),
        ([], {"POD_INFO_PATH": None, "DOMINO_RUN_ID": "domino"}, "domino"),
    ):
        fetch(*args, env=env)
        assert world.service.bodies[-1] == {"run_id": want}


@pytest.mark.parametrize("name", ["IRSAFS_LABELS", "POD_INFO_PATH"])
def test_names_of_the_labels_file(world, fetch, name):
    path = world.folder / "labels"
    path.write_text(render({EXECUTION_ID: f"run-{RUN}"}))
    assert fetch(env={"POD_INFO_PATH": None, name: str(path)}).out.decode() == GOLDEN


@pytest.mark.parametrize("value", ["", "-a", "a b", "a/b", "a" * 64, "é", "a\n"])
def test_bad_run_ids_are_refused(world, fetch, value):
    ran = fetch(f"--run-id={value}")
    assert ran.code == 2
    assert world.service.connections == 0


SWAP = """
import itertools, sys, time
from pathlib import Path
from lib.labels import EXECUTION_ID, WORKLOAD_TYPE, Labels
labels = Labels(Path(sys.argv[1]), "aaaa")
versions = [{EXECUTION_ID: "run-aaaa", **{f"label-{i}": "x" * 60 for i in range(200)}}, {EXECUTION_ID: "run-bbbb", WORKLOAD_TYPE: "t"}]
print("ready", flush=True)
for version in itertools.islice(itertools.cycle(versions), 3000):
    labels.write(version)
    time.sleep(0.0005)
"""


def test_swaps_while_reading(world, fetch):
    """kubelet replaces the labels 3,000 times, hundreds a second; each fetch sees one whole version."""
    folder = world.folder / "swapped"
    world.service.runs = None
    swapper = subprocess.Popen(
        ["/usr/bin/python3", "-c", SWAP, folder], env={"PYTHONPATH": str(TESTS), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
    )
    try:
        assert swapper.stdout.readline() == b"ready\n"
        while swapper.poll() is None:
            assert fetch(f"--labels={folder / 'labels'}").code == 0
    finally:
        swapper.kill()
        swapper.communicate()
    assert swapper.returncode == 0
    versions = [{"run_id": "aaaa"}, {"run_id": "bbbb", "irsa_workload_type": "t"}]
    assert all(body in versions for body in world.service.bodies)
    assert all(version in world.service.bodies for version in versions) and len(world.service.bodies) > 50
