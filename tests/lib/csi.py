# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a CSI driver that hands over /dev/fuse, after the wire description of meta-fuse-csi-plugin.

It listens on an AF_UNIX stream socket that belongs to the sidecar's user. When somebody has connected it opens
/dev/fuse, mounts it on the volume, and sends one message: JSON, and the descriptor by SCM_RIGHTS. It accepts once and
keeps nothing open.
"""
from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from typing import Optional

from .mount import Mount
from .wait import wait_until

UID = 65534                            # of the sidecar
MS_NOSUID, MS_NODEV = 2, 4
MNT_DETACH = 2
FUSE_INIT = 26
PAYLOAD = json.dumps({"volumeName": "aws-config-file"}).encode()

_libc = ctypes.CDLL(None, use_errno=True)


def open_mounted(path: Path, flags: int = os.O_RDWR) -> int:
    """A descriptor of /dev/fuse that is mounted on path."""
    fd = os.open("/dev/fuse", flags | os.O_CLOEXEC)
    options = f"fd={fd},rootmode=40000,user_id={UID},group_id={UID},allow_other,default_permissions"
    if _libc.mount(b"standin", bytes(path), b"fuse", MS_NOSUID | MS_NODEV, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "mount")
    return fd


def unmount(path: Path) -> None:
    """umount(8) would look at it first, and wait for an answer."""
    if _libc.umount2(bytes(path), MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "umount2")


def send(connection: socket.socket, payload: bytes, fds: list) -> None:
    """One sendmsg(2)."""
    socket.send_fds(connection, [payload], fds)


def good(connection: socket.socket, path: Path) -> None:
    fd = open_mounted(path)
    send(connection, PAYLOAD, [fd])
    os.close(fd)


def answer_init(fd: int) -> None:
    """What a file system says first; whoever has the descriptor then is not asked again."""
    request = os.read(fd, 1 << 17)
    _, opcode, unique, _, _, _, _, _ = struct.unpack("<IIQQIIII", request[:40])
    major, minor, readahead = struct.unpack("<III", request[40:52])
    assert opcode == FUSE_INIT, opcode
    said = struct.pack("<IIIIHHIIHHI28x", major, minor, readahead, 0, 12, 9, 1 << 17, 1, 0, 0, 0)
    os.write(fd, struct.pack("<IiQ", 16 + len(said), 0, unique) + said)


class Driver:
    """`hand_over` is called with the connection and the volume's path, once, in a thread."""

    def __init__(self, folder: Path, hand_over=good, connects: bool = False) -> None:
        self.path = folder / "target"                  # what the run container has as its volume
        self.path.mkdir(parents=True)
        comm = folder / "comm"                         # an emptyDir of its own
        comm.mkdir()
        os.chown(comm, UID, UID)
        self.socket = comm / "fuse.sock"
        self._hand_over = hand_over
        self._connects = connects
        self._listener: Optional[socket.socket] = None
        self.error: Optional[BaseException] = None
        self.served = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> "Driver":
        if not self._connects:
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._listener.bind(str(self.socket))
            self._listener.listen(1)
            os.chown(self.socket, UID, UID)
        self._thread.start()
        return self

    def _connection(self) -> socket.socket:
        if self._listener:
            self._listener.settimeout(60)
            connection, _ = self._listener.accept()
            self._listener.close()
            return connection
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

        def connect() -> bool:
            try:
                connection.connect(str(self.socket))
                return True
            except (FileNotFoundError, ConnectionRefusedError):
                return False

        wait_until(connect, "the sidecar's socket")
        return connection

    def _run(self) -> None:
        try:
            with self._connection() as connection:
                self._hand_over(connection, self.path)
        except BaseException as error:  # told by close()
            self.error = error
        finally:
            self.served.set()

    def unpublish(self) -> None:
        subprocess.run(["umount", "-l", self.path], capture_output=True, check=False)

    def close(self) -> None:
        if self._listener:
            self._listener.close()
        self.unpublish()
        assert self.error is None or isinstance(self.error, OSError), self.error


class FdMount(Mount):
    """irsafs as the user of the sidecar: no capability, no /dev/fuse, nothing mounted by itself."""

    SETUP = ('mount --bind /dev/null /dev/fuse; exec setpriv --reuid=65534 --regid=65534 --clear-groups '
             '--inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs -- "$@"')

    def __init__(self, driver: Driver, args: list, env: dict, secrets) -> None:
        self.driver = driver
        super().__init__(driver.path, args, env, secrets, ("unshare", "-m", "sh", "-ec", self.SETUP, "sh"))

    def _answers(self) -> bool:
        if not self.driver.served.is_set() or self.driver.error is not None:
            return False
        try:
            return self.status()["pid"] == self.process.pid
        except OSError:
            return False

    def close(self) -> None:
        try:
            super().close()
        finally:
            self.driver.close()


def prepare(world, *args: str, folder: Optional[Path] = None, hand_over=good, connects: bool = False) -> FdMount:
    """A driver and an irsafs that waits for it, neither of them started."""
    driver = Driver(folder or world.folder, hand_over, connects)
    word = "listen" if connects else "connect"
    mount = FdMount(driver, [f"--fd-socket={word}:{driver.socket}", *args], world.env(), world.secrets)
    world.mounts.append(mount)
    return mount


def start(mount: FdMount) -> FdMount:
    mount.driver.start()
    return mount.start()
