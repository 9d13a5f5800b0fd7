# SPDX-License-Identifier: Apache-2.0
"""Built once per go.sum, started once per run."""
from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import pytest
import yaml

from lib.cluster import LEVELS, Cluster, Renderer, add_namespace

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def tools() -> Path:
    built = subprocess.run([HERE / "build"], capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.exit(built.stderr.strip(), returncode=1)
    return Path(built.stdout.strip())


@pytest.fixture(scope="session")
def cluster(tools):
    with tempfile.TemporaryDirectory(prefix="irsafs-cluster.") as folder:
        here = Cluster(tools, Path(folder))
        try:
            for name in ("mutation-crd.yaml", "monitoring-crds.yaml"):
                here.create(*yaml.safe_load_all((HERE / name).read_text()))
            established = here.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
            assert established.ok, established
            for level in LEVELS:
                add_namespace(here, level, level)
            for name in ("domino-platform", "domino-compute"):
                add_namespace(here, name, "privileged")
            yield here
        finally:
            here.stop()


@pytest.fixture(scope="session")
def render(tools) -> Renderer:
    return Renderer(tools)


@pytest.fixture
def domino_pods() -> dict:
    pods = yaml.safe_load((HERE / "pods.yaml").read_text())["items"]
    return {"run": pods[0], "cluster": pods[1]}
