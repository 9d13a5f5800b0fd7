#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Assembles the root file system of the image: rootfs.py --programs DIR --license FILE --epoch N TARGET.

Runs in the build stage. Copies the programs, every library that they load (ldd), the few files that these libraries
open, and for each Debian package concerned its copyright and its entry of the package list, where scanners look for
it (/var/lib/dpkg/status.d). Ends with the SBOM.
"""
from __future__ import annotations

import argparse
import os
import shutil
import subprocess
from pathlib import Path

import sbom

# Loaded without being linked: glibc opens it when a thread is cancelled or ends itself.
OPENED = ("libgcc_s.so.1",)
BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")            # made by its package's script: dpkg does not know it
OS_RELEASE = Path("/usr/lib/os-release")                       # by which scanners know whose packages these are
DIRECTORIES = ("dev", "etc", "proc", "run/.aws", "sys", "tmp", "usr/bin", "usr/lib", "var")
LINKS = {"bin": "usr/bin", "lib": "usr/lib", "var/run": "../run", "etc/os-release": "../usr/lib/os-release"}
OWN = {"etc/nsswitch.conf": "hosts: files dns\n"}              # without it /etc/hosts would be asked last


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def libraries(programs: list) -> list:
    """Everything that the loader maps for these programs, itself included."""
    found = set()
    for program in programs:
        for line in output("ldd", str(program)).splitlines():
            words = line.split()
            if "not" in words and "found" in words:
                raise SystemExit(f"rootfs.py: {program}: {line.strip()}")
            path = words[2] if "=>" in words else words[0]
            if path.startswith("/"):
                found.add(path)
    cache = {line.split()[0]: line.split()[-1] for line in output("/sbin/ldconfig", "-p").splitlines() if "=>" in line}
    return sorted(found | {cache[name] for name in OPENED})


def package_of(path: Path) -> str:
    """The Debian package of a file, whose list may name it without /usr."""
    for name in (str(path), str(path).removeprefix("/usr")):
        ran = subprocess.run(["dpkg-query", "-S", name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if ran.returncode == 0:
            return ran.stdout.split(":")[0]
    raise SystemExit(f"rootfs.py: {path} belongs to no package")


class Root:
    """The tree that becomes the image. `owners` says for each regular file whose it is."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.owners: dict = {}
        for name in DIRECTORIES:
            (target / name).mkdir(parents=True, exist_ok=True)
        for name, to in LINKS.items():
            (target / name).symlink_to(to)

    def place(self, name: str) -> Path:
        path = self.target / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def copy(self, source: Path, name: str, owner: str, mode: int = 0o644) -> None:
        shutil.copyfile(source, self.place(name))
        self._own(name, owner, mode)

    def write(self, name: str, text: str, owner: str) -> None:
        self.place(name).write_text(text)
        self._own(name, owner, 0o644)

    def _own(self, name: str, owner: str, mode: int) -> None:
        self.place(name).chmod(mode)
        self.owners[name.lstrip("/")] = owner

    def library(self, path: Path) -> None:
        """A library under each of its names, in Debian's folders: /lib is a link to /usr/lib."""
        path = path.parent.resolve() / path.name
        if path.parts[1].startswith("lib"):                    # /lib64, where Debian has not merged it
            path = Path("/usr", *path.parts[1:])
        link = self.target / path.parts[2]
        if path.parts[2] != "lib" and not link.exists():
            link.symlink_to(f"usr/{path.parts[2]}")
        place = self.place(str(path))
        if place.exists() or place.is_symlink():
            return
        if path.is_symlink():
            place.symlink_to(os.readlink(path))
            self.library(path.parent / os.readlink(path))
        else:
            self.copy(path, str(path), package_of(path), 0o755)

    def settle(self, epoch: int) -> None:
        """Nothing in the tree tells when and by whom it was made."""
        for path in sorted(self.target.rglob("*"), reverse=True):
            os.chown(path, 0, 0, follow_symlinks=False)
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o1777 if path.name == "tmp" else 0o755)
            os.utime(path, (epoch, epoch), follow_symlinks=False)
        os.utime(self.target, (epoch, epoch))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--license", type=Path, required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("target", type=Path)
    args = parser.parse_args()
    version = (args.license.parent / "VERSION").read_text().strip()

    root = Root(args.target)
    programs = sorted(args.programs.iterdir())
    for program in programs:
        root.copy(program, f"usr/bin/{program.name}", sbom.OURS, 0o755)
    for library in libraries(programs):
        root.library(Path(library))
    root.copy(BUNDLE, str(BUNDLE), "ca-certificates")
    root.copy(OS_RELEASE, str(OS_RELEASE), package_of(OS_RELEASE))
    root.copy(args.license, "usr/share/doc/irsafs/LICENSE", sbom.OURS)
    for name, text in OWN.items():
        root.write(name, text, sbom.OURS)
    packages = sorted(set(root.owners.values()) - {sbom.OURS})
    for package in packages:
        root.copy(Path(f"/usr/share/doc/{package}/copyright").resolve(), f"usr/share/doc/{package}/copyright", package)
        root.write(f"var/lib/dpkg/status.d/{package}", output("dpkg-query", "-s", package), package)
    document = sbom.document(args.target, root.owners, version, args.epoch)
    root.place(sbom.PLACE).write_text(document)
    root.settle(args.epoch)


if __name__ == "__main__":
    main()
