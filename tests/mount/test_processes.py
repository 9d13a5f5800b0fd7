# SPDX-License-Identifier: Apache-2.0
"""The processes of a daemon: their names, their ends, and what the client gets from outside."""
from __future__ import annotations

import os
import signal

from lib.procs import children, name, named
from lib.program import IRSAFS, run
from lib.text import code
from lib.wait import wait_until
from lib.world import GOLDEN
from standin.mapping import render, role


def helpers(mount) -> list:
    """The names of all processes below the first but the one that answers the kernel."""
    return sorted(name(pid) for pid in children(mount.process.pid) if pid != mount.worker)


def test_names(world):
    gate = world.service.hold()
    mount = world.mount("--prefetch")
    gate.wait_arrived()
    assert name(mount.process.pid) == "irsafs"
    assert helpers(mount) == ["irsafs-client", "irsafs-notifier"]
    gate.release()


def test_one_fetch_is_one_process_and_leaves_none(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    for _ in range(20):
        mount.touch()
        assert mount.read() == GOLDEN
    mount.wait_idle()
    assert helpers(mount) == ["irsafs-notifier"]


def test_client_shows_no_secret_on_its_command_line(world):
    gate = world.service.hold()
    mount = world.mount("--prefetch")
    gate.wait_arrived()                # the client has its token by now
    (client,) = named(mount.process.pid, "irsafs-client")
    secrets = [secret.encode() for secret in world.secrets()]
    assert secrets
    for file in ("cmdline", "environ"):
        with open(f"/proc/{client}/{file}", "rb") as shown:
            text = shown.read()
        clean = not any(secret in text for secret in secrets)
        assert clean, file
    gate.release()


def test_killed_client_is_a_failed_fetch(world):
    gate = world.service.hold()
    mount = world.mount("--wait=60s", "--prefetch")
    gate.wait_arrived()
    (client,) = named(mount.process.pid, "irsafs-client")
    os.kill(client, signal.SIGKILL)
    assert code(mount.read()) == 4
    world.service.normal()
    wait_until(lambda: mount.read() == GOLDEN, "the next try")
    gate.release()


def test_killed_notifier_is_replaced(world):
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    assert mount.read() == GOLDEN
    for number in range(5):
        (notifier,) = named(mount.process.pid, "irsafs-notifier")
        os.kill(notifier, signal.SIGKILL)
        world.service.roles = [role(f"new-{number}")]
        assert run(["touch", mount.refresh], timeout=10).code == 0
        assert mount.read() == render(world.service.roles)
        wait_until(lambda: named(mount.process.pid, "irsafs-notifier") not in ([], [notifier]), "another notifier")


def test_surplus_descriptors_do_not_reach_the_client(world):
    gate = world.service.hold()
    secret = world.folder / "of-somebody-else"
    secret.touch()
    mount = world.prepare("--prefetch", prefix=("sh", "-c", f'exec "$@" 7< {secret}', "sh"))
    mount.start()
    gate.wait_arrived()
    (client,) = named(mount.process.pid, "irsafs-client")
    held = [os.readlink(f"/proc/{client}/fd/{fd}") for fd in os.listdir(f"/proc/{client}/fd")]
    assert str(secret) not in held and "/dev/fuse" not in held
    gate.release()


def test_relative_client_beside_the_daemon_is_found_through_a_link(world):
    link = world.folder / "irsafs"
    link.symlink_to(IRSAFS)
    mount = world.prepare()
    mount.arguments[mount.arguments.index(str(IRSAFS))] = str(link)
    assert mount.start().read() == GOLDEN
