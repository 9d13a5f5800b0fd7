# SPDX-License-Identifier: Apache-2.0
"""./demo.sh --containers: the image, and the three modes between two containers, shown step by step."""
from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from lib.containers import AWS, Pod, bind, forget_pages
from lib.csi import Driver
from lib.image import Builder, Image
from lib.procs import name, status_fields
from lib.wait import wait_until
from lib.world import World
from standin.mapping import GOLDEN_ROLES, role

PROFILES = "import boto3; print(boto3.Session().available_profiles)"
NOBODY = 65534


def say(text: str) -> None:
    print(f"\n\033[1m-- {text}\033[0m", flush=True)


def show(reader, *args: str) -> None:
    """A command in the run container, whatever becomes of it."""
    print("run $", " ".join(f"'{a}'" if " " in a else a for a in args), flush=True)
    ran = reader.bundle.exec(*args)
    sys.stdout.write(ran.out.decode() + (f"{ran.err.strip()}\n" if ran.code else ""))


def processes(sidecar) -> None:
    for pid in sidecar.processes():
        fields = status_fields(pid)
        print(f"{name(pid):18} uid {fields['Uid'].split()[0]:6} capabilities {int(fields['CapPrm'], 16):#x}")


def in_world(image: Path, step) -> None:
    world = World()
    pod = Pod(world, image)
    try:
        step(world, pod)
    finally:
        if world.mounts:
            say("What the sidecar wrote")
        pod.close()
        world.close()


def mount(world, pod) -> None:
    say("Mode mount. `run` is there first: uid 12574, no capability, the volume read-only")
    reader = pod.reader()
    show(reader, "id", "-u")
    show(reader, "ls", "-A", AWS)
    say("The sidecar starts: read-only root, no-new-privileges, RuntimeDefault, four capabilities, /dev/fuse, 48 MiB")
    sidecar = pod.sidecar("--layout=subdir", "--min-refresh=0s", memory=48 << 20).start()
    processes(sidecar)
    show(reader, "cat", f"{AWS}/config")
    show(reader, "python3", "-c", PROFILES)
    say("An administrator adds a role; touch, through the read-only volume")
    world.service.roles = [*GOLDEN_ROLES, role("added")]
    show(reader, "touch", f"{AWS}/refresh")
    show(reader, "python3", "-c", PROFILES)
    print(f"memory of the whole sidecar at the most: {sidecar.bundle.memory()[0] >> 20} MiB")
    say("The sidecar is killed with everything in it, and started again; `run` stays")
    sidecar.kill()
    show(reader, "head", "-n", "1", f"{AWS}/config")
    sidecar.start()
    show(reader, "head", "-n", "1", f"{AWS}/config")
    say("SIGTERM: below the mount lies the last good copy")
    sidecar.stop()
    show(reader, "head", "-n", "2", f"{AWS}/config")


def file(world, pod) -> None:
    say("Mode file: no FUSE, no capability, not root")
    reader = pod.reader(read_only=False)
    sidecar = pod.sidecar("--mode=file", "--min-refresh=0s", user=NOBODY, caps=(), fuse=False, propagation="rprivate").start()
    wait_until(lambda: reader.ask("read", "config")[0] == 0, "the file")
    processes(sidecar)
    show(reader, "ls", "-l", AWS)
    world.service.roles = GOLDEN_ROLES[:1]
    show(reader, "touch", f"{AWS}/refresh")
    wait_until(lambda: GOLDEN_ROLES[1].name not in reader.read(), "the new text")
    show(reader, "cat", f"{AWS}/config")


def fd(world, pod) -> None:
    say("Mode fd: a CSI driver (a stand-in) mounts and hands over; no capability, no device, not even the volume")
    driver = Driver(world.folder).start()
    sidecar = pod.sidecar("--mode=fd", f"--fd-socket=connect:/fdpass/{driver.socket.name}", "--min-refresh=0s", user=NOBODY,
                          caps=(), fuse=False, propagation="rprivate", path=driver.path,
                          mounts=(bind(driver.socket.parent, "/fdpass", "rprivate"),)).start()
    try:
        processes(sidecar)
        reader = pod.reader(read_only=False, volume=driver.path)
        show(reader, "head", "-n", "4", f"{AWS}/config")
        show(reader, "touch", f"{AWS}/refresh")
        show(reader, "python3", "-c", PROFILES)
    finally:
        say("What the sidecar wrote")
        pod.end()
        driver.close()


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="irsafs-demo-"))
    folder.chmod(0o755)
    builder = None
    try:
        if "IRSAFS_IMAGE" in os.environ:
            image = Image(Path(os.environ["IRSAFS_IMAGE"]), Path(), "")
        else:
            say("docker/build.sh --tool buildah, on a minimal Debian 12 (two minutes the first time)")
            (folder / "builder").mkdir()
            builder = Builder(folder / "builder")
            image = builder.build("image")
            print(image.said)
        say("What is in it that can run")
        print("\n".join(f"{len(m.data) >> 10:6} KiB  /{n}" for n, m in image.members.items()
                        if m.kind == "file" and m.mode & 0o111 and ".so" not in n))
        rootfs = image.unpack(folder / "rootfs")
        forget_pages(rootfs)           # or the memory that is shown would lack the programs
        for step in (mount, file, fd):
            in_world(rootfs, step)
    finally:
        if builder:
            builder.close()
        shutil.rmtree(folder)
    say("Everything is gone again")


if __name__ == "__main__":
    main()
