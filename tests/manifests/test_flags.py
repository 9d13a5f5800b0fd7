# SPDX-License-Identifier: Apache-2.0
"""What manifests/ says to irsafs, irsafs understands."""
from __future__ import annotations

import re

import pytest

from lib.cluster import MANIFESTS
from lib.program import IRSAFS, run

FOLDERS = [f"{kind}/{folder.name}" for kind in ("overlays", "examples")
           for folder in sorted((MANIFESTS / kind).iterdir())]
ON_TOP = ["components/ca", "components/compat", "components/monitoring"]


def flags(verb: str) -> dict:
    """Each with what it takes: nothing, WORD, or one of some|words."""
    text = run([IRSAFS, verb, "--help"]).out.decode()
    return dict(re.findall(r"^  (?:-\w, )?--([a-z-]+)(?:[ =](\S+))?(?:$|  )", text, re.M))


def sidecars(objects: list):
    for thing in objects:
        if thing["kind"] == "Mutation":
            yield from (rule["insertContainer"]["spec"] for rule in thing["rules"] if "insertContainer" in rule)
        if thing["kind"] == "Pod":
            containers = thing["spec"].get("initContainers", []) + thing["spec"]["containers"]
            yield from (c for c in containers if c.get("command") == ["irsafs"])


def commands(container: dict):
    yield container["args"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in container:
            program, *words = container[probe]["exec"]["command"]
            assert program == "irsafs"
            yield words


def understood(words: list) -> None:
    verb = words[0]
    known = flags(verb)
    for word in words[1:]:
        if not word.startswith("-"):
            continue
        name, _, value = word.removeprefix("--").partition("=")
        assert name in known, f"irsafs {verb} --help does not know --{name}"
        takes = known[name]
        assert bool(takes) == bool(value), f"--{name} takes {takes or 'nothing'}, not {value or 'nothing'}"
        assert "|" not in takes or value in takes.split("|"), f"--{name} takes {takes}, not {value}"


@pytest.mark.parametrize("component", [None, *ON_TOP])
@pytest.mark.parametrize("folder", FOLDERS)
def test_flags_are_known(render, folder, component):
    if component and folder.startswith("examples/"):
        folder = folder.removesuffix("-app") # app-sidecar comes last
    found = list(sidecars(render(folder, *([component] if component else []))))
    assert found
    for container in found:
        for words in commands(container):
            understood(words)


def test_variables_are_known(render):
    """IRSAFS_NAME is --name in the environment: wherever one is set, in a container or by a rule."""
    for folder in FOLDERS:
        for name in set(re.findall(r"\bIRSAFS_([A-Z_]+)\b", str(render(folder)))):
            assert name.lower().replace("_", "-") in flags("mount"), f"{folder}: IRSAFS_{name}"


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if "/fd" in folder])
def test_the_error_comes_before_the_kubelet(render, folder):
    """A sidecar whose driver never comes says why, before the startup probe's patience ends it without a word."""
    text = run([IRSAFS, "mount", "--help"]).out.decode()
    number, unit = re.search(r"--fd-timeout TIME.*?\[default: (\d+)([sm])\]", text, re.S).groups()
    seconds = int(number) * {"s": 1, "m": 60}[unit]
    found = list(sidecars(render(folder)))
    assert found
    for container in found:
        assert not any(word.startswith("--fd-timeout") for word in container["args"])
        if "startupProbe" in container:
            probe = container["startupProbe"]
            assert seconds + 10 <= probe["periodSeconds"] * probe["failureThreshold"]


def test_misspelling_is_seen():
    for words in (["mount", "--prefetsch"], ["mount", "--layout=subdirectory"], ["mount", "--prefetch=on"],
                  ["mount", "--ca-file"], ["probe", "--startups"]):
        with pytest.raises(AssertionError):
            understood(words)
