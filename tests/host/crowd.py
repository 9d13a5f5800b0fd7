# SPDX-License-Identifier: Apache-2.0
"""`crowd.py FILE N`: N threads read FILE at once; prints [[text or errno, how many], ...] as JSON."""
from __future__ import annotations

import collections
import errno
import json
import sys
import threading

threading.stack_size(128 * 1024)
seen: collections.Counter = collections.Counter()
lock = threading.Lock()


def read() -> None:
    try:
        with open(sys.argv[1]) as file:
            text = file.read()
    except OSError as error:
        text = errno.errorcode[error.errno]
    with lock:
        seen[text] += 1


threads = [threading.Thread(target=read) for _ in range(int(sys.argv[2]))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(json.dumps(list(seen.items())))
