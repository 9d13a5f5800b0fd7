# SPDX-License-Identifier: Apache-2.0
"""How much memory of its own a client may have, and how to see that."""
from __future__ import annotations

import re
import resource
import subprocess
import time
from pathlib import Path

from .program import CLIENT

ANONYMOUS = re.compile(r"^RssAnon:\s+(\d+) kB$", re.M)
CEILING = 8 << 20
SANITIZED = b"__asan_init" in CLIENT.read_bytes()   # a sanitizer's shadow is larger than any ceiling


def small() -> None:
    """For preexec_fn: private writable memory, heap and mappings together, stays under the ceiling."""
    if not SANITIZED:
        resource.setrlimit(resource.RLIMIT_DATA, (CEILING, CEILING))


def peak_anonymous(process: subprocess.Popen) -> int:
    """The most anonymous memory that a process is seen with until it ends, in bytes."""
    peak = 0
    while process.poll() is None:
        found = ANONYMOUS.search(Path(f"/proc/{process.pid}/status").read_text())
        peak = max(peak, int(found[1]) * 1024 if found else 0)
        time.sleep(0.001)
    return peak
