# SPDX-License-Identifier: Apache-2.0
"""What every test around a mount needs."""
from lib.machine import needs_fuse  # noqa: F401: a fixture of all tests of this folder
