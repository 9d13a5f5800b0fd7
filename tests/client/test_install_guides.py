# SPDX-License-Identifier: Apache-2.0
"""docs/install.md and docs/migrate.md: every name in them is one that the programs, the manifests and the tree have."""
from __future__ import annotations

import re

import pytest

from lib.program import CLIENT, IRSAFS, TESTS, run

ROOT = TESTS.parent
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("install.md", "migrate.md")}
OVERLAYS = sorted(path.name for path in (ROOT / "manifests" / "overlays").iterdir())
COMPONENTS = sorted(path.name for path in (ROOT / "manifests" / "components").iterdir())
MUTATION = (ROOT / "manifests" / "base" / "mutation.yaml").read_text()


def rows(page: str, heading: str) -> dict:
    """The two columns of the first table below a heading."""
    part = PAGES[page].split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return {first.strip(): second.strip() for first, second in re.findall(r"^\| (.*?) \| (.*) \|$", part, re.M)}


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page):
    named = set(re.findall(r"(?:\.\./)?((?:manifests|docker)(?:/[\w.-]+)+)", PAGES[page]))
    assert named and [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_named_flags_exist(page):
    """Ours, wherever they stand; those of other programs stand behind their name."""
    known = "".join(run([program, verb, "--help"]).out.decode() for program, verb in (
        (IRSAFS, "mount"), (IRSAFS, "probe"), (CLIENT, "fetch"), (CLIENT, "status"), (CLIENT, "refresh"), (CLIENT, "doctor")))
    text = re.sub(r"(?:kubectl|aws|curl|docker/build\.sh) [^\n`|]*", "", PAGES[page])
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert [flag for flag in sorted(flags) if flag not in known] == []


def test_all_overlays_are_told():
    """Each way in is in the page, and no other."""
    page = PAGES["install.md"]
    (listed,) = re.findall(r"overlays/mount\] +# or (.*)", page)
    assert sorted(["mount", *listed.split(", ")]) == OVERLAYS
    for name in ("compat", "ca"):
        assert name in COMPONENTS and f"`manifests/components/{name}`" in PAGES["migrate.md"]


def test_what_stays_is_in_the_manifests():
    stays = rows("migrate.md", "What stays")
    for variable in re.findall(r"[A-Z_]{5,}", stays["variables in `run`"]):
        assert f"name: {variable}," in MUTATION, variable
    volumes = re.findall(r"`([\w-]+)` at (/\S+?)(?:,|$)", stays["volumes"])
    manifests = MUTATION + "".join(path.read_text() for path in (ROOT / "manifests" / "overlays").rglob("*.yaml"))
    assert len(volumes) == 4
    for name, path in volumes:
        assert f"{{name: {name}, mountPath: {path}" in manifests, name
    assert f"name: {stays['the container'].strip('`')}\n" in MUTATION
    assert re.search(rf"kind: Mutation\nmetadata:\n  name: {stays['the Mutation'].split('`')[1]}\n", MUTATION)


def test_variables_that_irsafs_reads():
    known = run([CLIENT, "fetch", "--help"]).out.decode() + (ROOT / "README.md").read_text()
    names = re.findall(r"[A-Z_]{5,}", rows("migrate.md", "What stays")["variables that irsafs reads"])
    assert len(names) == 7 and [name for name in names if name not in known] == []


def test_what_is_dropped_is_dropped():
    settings = [line for line in MUTATION.splitlines() if not line.lstrip().startswith("#")]
    assert not any("AWS_WEB_IDENTITY_TOKEN_FILE" in line for line in settings)
    assert any("AWS_EC2_METADATA_DISABLED" in line for line in settings)


def test_figures_are_those_of_the_manifests():
    assert re.search(r"requests: \{cpu: 5m, memory: 16Mi\}\n +limits: \{memory: 64Mi\}", MUTATION)
    assert "Requests 5m CPU and 16Mi, limit 64Mi" in PAGES["install.md"]
    assert "emptyDir" in MUTATION and "defaultMode: 288" in MUTATION and f"0{288:o}" == "0440"
