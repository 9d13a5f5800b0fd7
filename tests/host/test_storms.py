# SPDX-License-Identifier: Apache-2.0
"""Many at once: touches for seconds, thousands of cold readers, hundreds of killed ones, full tables."""
from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import time

import pytest

from lib.endpoint import serve
from lib.metrics import scrape
from lib.program import TESTS, environment, run
from lib.world import GOLDEN
from standin.mapping import render, role

TOUCHERS = 8
STORM_SECONDS = 5.0
TOUCH_SECONDS = 2.0                    # generous: what is meant is "does not wait for a fetch"

TOUCHER = """
import os, sys, time
worst, n, end = 0.0, 0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    begin = time.monotonic()
    os.utime(sys.argv[1])
    worst, n = max(worst, time.monotonic() - begin), n + 1
print(worst, n)
"""


def start(script: str, *args) -> subprocess.Popen:
    return subprocess.Popen(
        ["/usr/bin/python3", "-B", "-c", script, *map(str, args)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), text=True,
    )


def words(process) -> list:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.split()


@pytest.mark.parametrize("min_refresh", [0.5, 2.0])
def test_touch_storm(world, min_refresh):
    """At most one POST per min-refresh, one at a time; no touch waits; the last one is honoured."""
    world.service.behave(delay=0.05)
    mount = world.mount(f"--min-refresh={int(min_refresh * 1000)}ms", "--wait=60s")
    mount.read()
    begin = time.monotonic()
    touchers = [start(TOUCHER, mount.refresh, STORM_SECONDS) for _ in range(TOUCHERS)]
    results = [words(toucher) for toucher in touchers]
    took = time.monotonic() - begin
    posts = [request.began for request in world.service.requests]
    assert sum(int(n) for _, n in results) > 10 * len(posts), "that was no storm"
    assert max(float(worst) for worst, _ in results) < TOUCH_SECONDS
    assert 1 < len(posts) <= took / min_refresh + 2  # the first look's, and one that was due
    # Seen at the service: one client takes longer to start than the next.
    assert min(b - a for a, b in zip(posts, posts[1:])) > min_refresh / 2
    assert world.service.most_active == 1
    roles = [role("after-the-storm")]
    world.service.roles = roles
    mount.touch()
    begin = time.monotonic()
    assert mount.read() == render(roles)
    assert time.monotonic() - begin < 3 * (min_refresh + 0.5)
    # Nothing is left over: once more at most, for touches that came during the last fetch.
    mount.wait_idle()
    assert world.service.most_active == 1


# ---- cold readers

CROWD = TESTS / "host" / "crowd.py"


def start_crowd(mount, threads: int) -> subprocess.Popen:
    return subprocess.Popen(
        ["/usr/bin/python3", "-B", CROWD, mount.config, str(threads)], stdout=subprocess.PIPE, env=environment()
    )


def answers(crowds: list) -> dict:
    """What the readers got, with how many got it."""
    total: dict = {}
    for crowd in crowds:
        out, _ = crowd.communicate(timeout=120)
        for text, count in json.loads(out):
            total[text] = total.get(text, 0) + count
    return total


def rss_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def test_two_thousand_cold_readers_make_one_post(world):
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    before = rss_kib(mount.worker)
    crowds = [start_crowd(mount, 500) for _ in range(4)]
    mount.wait_status(lambda s: s["waiters"] == 2000, "2,000 waiting readers", timeout=60)
    grown = rss_kib(mount.worker) - before
    assert run(["ls", mount.path]).code == 0
    gate.release()
    assert answers(crowds) == {GOLDEN: 2000}
    assert (world.tokens.connections, world.service.connections) == (1, 1)
    assert mount.status()["waiters"] == 0
    assert grown < 8 * 1024, f"{grown} KiB for 2,000 waiters"


def test_readers_beyond_the_limit_are_told_to_come_again(world):
    """4,000 wait; the others get EAGAIN at once, and everything is as before afterwards."""
    gate = world.service.hold()
    served = serve(world, "--wait=60s")
    mount = served.mount
    crowds = [start_crowd(mount, 1000) for _ in range(4)]
    mount.wait_status(lambda s: s["waiters"] == 4000, "4,000 waiting readers", timeout=60)
    assert answers([start_crowd(mount, 50)]) == {"EAGAIN": 50}
    assert mount.status()["waiters"] == 4000
    seen = scrape(served.control)
    assert (seen("irsafs_waiters"), seen("irsafs_waiters_refused_total")) == (4000, 50)
    gate.release()
    assert answers(crowds) == {GOLDEN: 4000}
    assert mount.read() == GOLDEN
    assert world.service.count == 1


def test_five_hundred_killed_readers(world):
    """Half of 500 are interrupted or killed, the first of all too: gone at once, the rest gets the text."""
    gate = world.service.hold()
    mount = world.mount("--wait=60s")
    first = subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, env=environment())
    gate.wait_arrived()
    rest = [subprocess.Popen(["cat", mount.config], stdout=subprocess.PIPE, env=environment()) for _ in range(499)]
    mount.wait_waiters(500)
    victims = [first, *rest[::2]]
    for i, victim in enumerate(victims):
        victim.send_signal(signal.SIGKILL if i % 2 == 0 else signal.SIGINT)
    begin = time.monotonic()
    for victim in victims:
        assert victim.wait(timeout=10) in (-signal.SIGKILL, -signal.SIGINT)
        victim.stdout.close()
    assert time.monotonic() - begin < 3, "the promise is 1 s"
    mount.wait_status(lambda s: s["waiters"] == 500 - len(victims), "nobody waits for the dead")
    assert world.service.count == 1 and mount.status()["fetch"]["in_flight"]
    gate.release()
    assert {reader.communicate(timeout=30)[0] for reader in rest[1::2]} == {GOLDEN.encode()}
    assert mount.status()["waiters"] == 0
    assert world.service.count == 1


# ---- holders

@pytest.fixture
def many_files():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(12000, before[1]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_ten_thousand_handles(world, many_files):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    before = rss_kib(mount.worker)
    held = [os.open(mount.config, os.O_RDONLY) for _ in range(10_000)]
    try:
        assert rss_kib(mount.worker) - before < 1024
        world.service.roles = [role("new")]
        mount.touch()
        assert mount.read() == render([role("new")])
        assert all(os.pread(fd, 4096, 0) == GOLDEN.encode() for fd in held[::100])
    finally:
        for fd in held:
            os.close(fd)


def test_holders_of_many_generations_do_not_stop_new_ones(world):
    """64 generations are kept for those who hold them; the holder of an older one gets ESTALE, never other bytes."""
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    world.service.stamped = True       # each text is another one, of 90 KB
    held = []
    for _ in range(80):
        mount.touch()
        file = mount.config.open("rb")
        held.append((file, file.read(1 << 20)))
    with open("/proc/sys/vm/drop_caches", "w") as drop:
        drop.write("1")                # so that the kernel has to ask for what is held
    outcomes = []
    for file, text in held:
        try:
            outcomes.append(os.pread(file.fileno(), 1 << 20, 0) == text)
        except OSError as error:
            outcomes.append(error.errno)
        file.close()
    assert outcomes[-1] is True and set(outcomes) == {True, errno.ESTALE}
    assert outcomes.count(True) >= 60
    assert rss_kib(mount.worker) < 40 * 1024
    assert mount.read().count("[") > 80


def test_a_reader_of_one_byte_at_a_time_holds_nobody_up(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    fd, slow = os.open(mount.config, os.O_RDONLY), b""
    for number in range(50):
        world.service.roles = [role(f"r{number}")]
        mount.touch()
        assert mount.read() == render([role(f"r{number}")])
        slow += os.read(fd, 1)
    os.close(fd)
    assert slow == GOLDEN.encode()[:50]


def test_forgetting_under_load(world):
    """The kernel drops its caches all the time while others read and touch: nothing is lost, nothing is left."""
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    toucher = start(TOUCHER, mount.refresh, 3)
    crowds = [start_crowd(mount, 20) for _ in range(2)]
    while toucher.poll() is None:
        with open("/proc/sys/vm/drop_caches", "w") as drop:
            drop.write("2")
        assert mount.read() == GOLDEN
    words(toucher)
    assert set(answers(crowds)) == {GOLDEN}
    mount.wait_idle()
    assert mount.status()["waiters"] == 0


# ---- those who read everything

def test_indexers_and_backups_make_one_post(world):
    mount = world.mount()
    folder = mount.path
    for command in (
        f"find {folder} -type f -exec cat {{}} +", f"grep -r role_arn {folder}", f"tar c {folder}", f"du -a {folder}",
        f"find {folder} -type f -print0 | xargs -0 sha256sum", f"cp -r {folder} {world.folder}/copy",
        f"ls -lR {folder}",
    ):
        ran = run(["sh", "-c", command])
        assert ran.code == 0, f"{command}: {ran.err}"
    assert (world.folder / "copy" / "config").read_text() == GOLDEN
    assert world.service.count == 1    # the copies of `refresh` and its reads are no touches


# ---- watchers

WATCHER = """
import ctypes, os, select, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
for name in sys.argv[1:]:
    assert libc.inotify_add_watch(fd, name.encode(), 0x2 | 0x4 | 0x400 | 0x800 | 0x100 | 0x200) > 0
print("ready", flush=True)
for line in sys.stdin:
    seen = []
    while select.select([fd], [], [], 0)[0]:
        data = os.read(fd, 65536)
        while data:
            wd, mask, _, size = struct.unpack_from("iIII", data)
            seen.append(f"{wd}:{mask:x}")
            data = data[16 + size:]
    print(",".join(seen), flush=True)
"""


def test_a_watch_stays_on_its_generation(world):
    """As documented: a watch on config says nothing about a new text; one on refresh tells of the touch; stat tells."""
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    mount.read()
    before = mount.config.stat()
    watcher = subprocess.Popen(
        ["/usr/bin/python3", "-B", "-c", WATCHER, mount.config, mount.refresh, mount.path],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True,
    )
    assert watcher.stdout.readline() == "ready\n"
    world.service.roles = [role("new")]
    mount.touch()
    assert mount.read() == render([role("new")])
    watcher.stdin.write("look\n")
    watcher.stdin.flush()
    events = watcher.stdout.readline().strip().split(",")
    watcher.stdin.close()
    watcher.wait(10)
    watcher.stdout.close()
    assert "2:4" in events             # refresh: attributes changed
    assert not [event for event in events if event.startswith("1:")]
    after = mount.config.stat()
    assert after.st_ino != before.st_ino and after.st_mtime_ns > before.st_mtime_ns
