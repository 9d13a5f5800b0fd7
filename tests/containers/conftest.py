# SPDX-License-Identifier: Apache-2.0
"""The image, built once, and a pod for each test.

IRSAFS_IMAGE=FILE, an archive of docker/build.sh with its SBOM beside it, saves the build while one writes tests.
"""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from lib.containers import Pod
from lib.image import Builder, Image
from standin.mapping import GOLDEN_ROLES
from standin.sts import StsStandIn


@pytest.fixture(scope="session")
def builder():
    it = Builder(Path(tempfile.mkdtemp(prefix="irsafs-image-")))
    yield it
    it.close()


@pytest.fixture(scope="session")
def image(request):
    given = os.environ.get("IRSAFS_IMAGE")
    if given:
        return Image(Path(given), Path(given).with_suffix(".spdx.json"), "")
    return request.getfixturevalue("builder").build("image")


@pytest.fixture(scope="session")
def rootfs(image):
    folder = Path(tempfile.mkdtemp(prefix="irsafs-rootfs-"))
    folder.chmod(0o755)
    yield image.unpack(folder / "rootfs")
    shutil.rmtree(folder)


@pytest.fixture
def pod(world, rootfs):
    it = Pod(world, rootfs)
    yield it
    it.close()


@pytest.fixture
def sts(world):
    """An STS that lets who has the token of the pod assume the roles of the golden text."""
    token = world.folder / "web-token"
    token.write_text("web identity of the pod")
    it = StsStandIn(world.folder, token)
    it.know(GOLDEN_ROLES)
    yield it
    it.close()
