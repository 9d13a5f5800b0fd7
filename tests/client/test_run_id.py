# SPDX-License-Identifier: Apache-2.0
"""The run id comes from the labels as kubelet writes them, or from where it was given."""
from __future__ import annotations

import os
import threading

import pytest

from lib.labels import EXECUTION_ID, INSTANCE, NAME, WORKLOAD_TYPE, render
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
    "binary": "\0\1\2",
    "too big": "a=\"" + "x" * 300_000 + '"',
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


@pytest.mark.parametrize("name", BROKEN)
def test_broken_labels(world, fetch, name):
    path = world.folder / "labels"
    path.write_text(BROKEN[name])
    ran = fetch(f"--labels={path}")
    assert ran.code == 3 and ran.report["code"] in (303, 304)
    assert world.service.connections == 0


@pytest.mark.parametrize(
    "make", [os.mkfifo, os.mkdir, lambda path: os.symlink("loop", path)], ids=["fifo", "directory", "dangling"]
)
def test_labels_that_are_no_file(world, fetch, make):
    path = world.folder / "labels"
    make(path)
    ran = fetch(f"--labels={path}")
    assert (ran.code, ran.report["code"]) == (3, 304)


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


def test_swaps_while_reading(world, fetch):
    """kubelet replaces the labels again and again; each fetch sees one whole version."""
    end = threading.Event()
    others = {f"label-{i}": "x" * 60 for i in range(200)}
    world.service.runs = None

    def swap() -> None:
        while not end.is_set():
            world.labels.write({EXECUTION_ID: "run-aaaa", **others})
            world.labels.write({EXECUTION_ID: "run-bbbb", WORKLOAD_TYPE: "t"})

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        assert all(fetch().code == 0 for _ in range(30))
    finally:
        end.set()
        thread.join()
    versions = [{"run_id": "aaaa"}, {"run_id": "bbbb", "irsa_workload_type": "t"}]
    assert all(body in versions for body in world.service.bodies)
