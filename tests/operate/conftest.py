# SPDX-License-Identifier: Apache-2.0
"""What every test around a mount needs, and the pods of `doctor`."""
import os
import subprocess
from pathlib import Path

import pytest

from lib.machine import needs_fuse  # noqa: F401: a fixture of all tests of this folder
from lib.mount import unmount_all
from lib.run_pod import Pod


@pytest.fixture
def shared():
    """A folder on a mount that is shared, as a volume with mountPropagation is."""
    folder = Path("/tmp") / f"irsafs-shared-{os.getpid()}"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], check=True)
    subprocess.run(["mount", "--make-shared", folder], check=True)
    yield folder
    unmount_all(folder)
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


@pytest.fixture
def pod(shared, world):
    here = Pod(world, shared)
    yield here
    here.service.close()
