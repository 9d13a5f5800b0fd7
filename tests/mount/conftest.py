# SPDX-License-Identifier: Apache-2.0
"""What every mount test needs."""
import pytest

from lib.machine import needs_fuse  # noqa: F401: a fixture of all tests of this folder
from lib.pod import Volume


@pytest.fixture
def volume(world):
    with Volume(world.folder) as it:
        yield it
        for mount in world.mounts:
            mount.close()
        world.mounts.clear()
