# SPDX-License-Identifier: Apache-2.0
"""Programs of every kind, as the first reader of a cold, touched or expired file, get its true bytes."""
from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from lib.program import environment, run_as_user
from lib.text import profiles
from standin.mapping import GOLDEN_ROLES, render, role

NEW_ROLES = [role("new"), *GOLDEN_ROLES]
NEW = render(NEW_ROLES).encode()


def python(code: str) -> list:
    return ["/usr/bin/python3", "-c", f"import os, shutil, mmap, select, sys, configparser\npath, tmp = sys.argv[1:]\n{code}"]


def shell(code: str) -> list:
    return ["sh", "-c", code, "sh"]


READ_NONBLOCKING = """
fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
poller = select.epoll()
poller.register(fd, select.EPOLLIN | select.EPOLLET | select.EPOLLRDHUP)
assert poller.poll(10) == [(fd, select.EPOLLIN)]
while part := os.read(fd, 512):
    sys.stdout.write(part.decode())
"""
READ_SIZED = """
size = os.stat(path).st_size
print(os.read(os.open(path, os.O_RDONLY), size).decode(), end='')
"""
SENDFILE = """
source, target = os.open(path, os.O_RDONLY), os.open(tmp, os.O_WRONLY | os.O_CREAT)
while os.sendfile(target, source, None, 65536):
    pass
print(open(tmp).read(), end='')
"""
# Asks for no size: only what the kernel knows by itself says where the file ends.
SENDFILE_AT_ONCE = """
source = os.open(path, os.O_RDONLY)
while os.sendfile(1, source, None, 65536):
    pass
"""
MMAP = """
with open(path, 'rb') as file:
    sys.stdout.buffer.write(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)[:])
"""
PARSE = """
parser = configparser.ConfigParser()
parser.read(path)
print('\\n'.join(parser.sections()))
"""
SECTIONS = "".join(f"profile {name}\n" for name in profiles(NEW.decode())).encode()

TOOLS = {
    "cat": (["cat"], NEW),
    "cp": (shell('cp "$1" "$2" && cat "$2"'), NEW),
    "cp -a": (shell('cp -a "$1" "$2" && cat "$2"'), NEW),
    "dd": (shell('dd if="$1" bs=100 status=none'), NEW),
    "tar": (shell('tar -C "${1%/*}" -cf - config | tar -xOf -'), NEW),
    "head": (shell('head -c 100000 "$1"'), NEW),
    "tail": (shell('tail -c 50 "$1"'), NEW[-50:]),
    "grep": (shell('grep -c role_arn "$1"'), b"8\n"),
    "sed": (shell('sed -n p "$1"'), NEW),
    "awk": (shell("awk 1 \"$1\""), NEW),
    "wc": (shell('wc -c < "$1"'), b"%d\n" % len(NEW)),
    "wc FILE": (shell('wc -c "$1" | cut -d" " -f1'), b"%d\n" % len(NEW)),
    "test -s": (shell('[ -s "$1" ] && cat "$1"'), NEW),
    "while read": (shell('while read -r line; do echo "$line"; done < "$1"'), NEW),
    "stat size": (shell('stat -c %s "$1"'), b"%d\n" % len(NEW)),
    "copyfile": (python("shutil.copyfile(path, tmp)\nprint(open(tmp).read(), end='')"), NEW),
    "sendfile": (python(SENDFILE), NEW),
    "mmap": (python(MMAP), NEW),
    "read(st_size)": (python(READ_SIZED), NEW),
    "getsize": (python("print(os.path.getsize(path))"), b"%d\n" % len(NEW)),
    "configparser": (python(PARSE), SECTIONS),
    "epoll": (python(READ_NONBLOCKING), NEW),
}


def cold(world):
    return world.mount()


def touched(world):
    mount = world.mount("--min-refresh=0s")
    mount.read()
    mount.touch()
    return mount


def expired(world):
    mount = world.mount("--ttl=500ms", "--stale-wait=20s")
    mount.read()
    mount.wait_status(lambda s: s["state"] not in ("fresh", "aging"), "the end of the TTL")
    return mount


@pytest.mark.parametrize("state", [cold, touched, expired], ids=lambda state: state.__name__)
@pytest.mark.parametrize("tool", TOOLS)
def test_first_reader(world, tool, state):
    argv, expected = TOOLS[tool]
    scratch = world.folder / "scratch"
    scratch.mkdir()
    scratch.chmod(0o777)
    if state is not cold:
        world.service.queue(body=render(GOLDEN_ROLES).encode())
    world.service.roles = NEW_ROLES
    world.service.behave(delay=0.1)    # the file stays pending while the tool looks at it
    mount = state(world)
    paths = [mount.config] if tool == "cat" else [mount.config, scratch / "copy"]
    ran = run_as_user([*argv, *paths])
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == expected


@pytest.mark.parametrize("drop", [False, True], ids=["timeouts", "dropped dentries"])
@pytest.mark.parametrize("tool", [shell('cat "$1"'), python(SENDFILE_AT_ONCE)], ids=["cat", "sendfile"])
def test_later_looks_do_not_empty_the_file_of_earlier_ones(world, tool, drop):
    """The kernel asks for the name of a pending file again: those who wait already lose nothing."""
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    readers = []

    def pause(seconds: float) -> None:
        mount.wait_status(lambda s, due=time.monotonic() + seconds: time.monotonic() > due, f"a pause of {seconds:g} s")

    for number in range(1, 13):
        readers.append(subprocess.Popen([*tool, mount.config, ""], stdout=subprocess.PIPE, env=environment()))
        mount.wait_waiters(number)
        pause(0.15)
        if drop:
            Path("/proc/sys/vm/drop_caches").write_text("2")
    pause(0.6)                         # the kernel trusts the name of a pending file for 0.5 s
    os.close(os.open(mount.config, os.O_PATH))  # asks for the name and for nothing else
    gate.release()
    expected = render(GOLDEN_ROLES).encode()
    assert [reader.communicate(timeout=20)[0] == expected for reader in readers] == [True] * 12
    assert world.service.count == 1
