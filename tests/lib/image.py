# SPDX-License-Identifier: Apache-2.0
"""The image, built by docker/build.sh with buildah from a base that debootstrap makes, in a store of its own."""
from __future__ import annotations

import functools
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from .program import TESTS, environment

REPOSITORY = TESTS.parent
CACHE = REPOSITORY / "build" / "containers"
BASE = "localhost/irsafs-test-base"
SUITES = ("bookworm", "bookworm-updates", "bookworm-security")
OLD = 7 * 24 * 3600                    # a base of a week ago is fetched again

# The first: the default asks for more open files than a container may have that runs these tests.
CONTAINERS = '[containers]\ndefault_ulimits = ["nofile=1024:1024"]\n'
STORAGE = '[storage]\ndriver = "vfs"\ngraphroot = "{0}/store"\nrunroot = "{0}/run"\n'


def command(*args, env: Optional[dict] = None, timeout: float = 600) -> str:
    """Runs a program of the machine; its output is part of the failure."""
    done = subprocess.run([str(a) for a in args], env=env, cwd=REPOSITORY, stdin=subprocess.DEVNULL, timeout=timeout,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert done.returncode == 0, f"{args}: exit {done.returncode}\n{done.stdout[-8000:]}"
    return done.stdout


def repositories() -> dict:
    """Suite -> address, as the machine itself has them: it is a Debian 12 too."""
    lines = command("apt-get", "indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages").splitlines()
    found = dict(line.split(" ", 1) for line in lines)
    return {suite: found[suite] for suite in SUITES if suite in found}


def debian() -> Path:
    """The archive of a minimal Debian 12."""
    archive = CACHE / "bookworm.tar"
    if archive.exists() and time.time() - archive.stat().st_mtime < OLD:
        return archive
    CACHE.mkdir(parents=True, exist_ok=True)
    tree, fresh = CACHE / "bookworm", CACHE / "bookworm.new"
    shutil.rmtree(tree, ignore_errors=True)
    sources = repositories()
    command("debootstrap", "--variant=minbase", SUITES[0], tree, sources[SUITES[0]])
    (tree / "etc/apt/sources.list").write_text("".join(f"deb {uri} {suite} main\n" for suite, uri in sources.items()))
    command("tar", "--one-file-system", "-C", tree, "-cf", fresh, "--exclude=./var/cache/apt/*.bin", "--exclude=./dev/*",
            "--exclude=./var/cache/apt/archives/*.deb", ".")
    shutil.rmtree(tree)
    fresh.rename(archive)
    return archive


@dataclass
class Member:
    """An entry of the image."""

    kind: str                          # file | link | folder
    mode: int
    owner: tuple
    data: bytes


@dataclass(frozen=True)
class Image:
    archive: Path
    sbom: Path
    said: str                          # the last line of build.sh

    def _member(self, name: str) -> bytes:
        with tarfile.open(self.archive) as outer:
            return outer.extractfile(name).read()

    @functools.cached_property
    def manifest(self) -> dict:
        return json.loads(self._member("manifest.json"))[0]

    @functools.cached_property
    def config(self) -> dict:
        return json.loads(self._member(self.manifest["Config"]))

    def layers(self) -> list:
        return [self._member(name) for name in self.manifest["Layers"]]

    @functools.cached_property
    def members(self) -> dict:
        """By name, without a leading slash."""
        found = {}
        for layer in self.layers():
            with tarfile.open(fileobj=io.BytesIO(layer)) as tree:
                for entry in tree:
                    kind = "file" if entry.isfile() else "folder" if entry.isdir() else "link" if entry.issym() else "other"
                    data = tree.extractfile(entry).read() if kind == "file" else entry.linkname.encode()
                    found[entry.name] = Member(kind, entry.mode, (entry.uid, entry.gid), data)
        return found

    def unpack(self, folder: Path) -> Path:
        folder.mkdir(mode=0o755)
        for layer in self.layers():
            with tarfile.open(fileobj=io.BytesIO(layer)) as tree:
                tree.extractall(folder, numeric_owner=True)
        return folder


class Builder:
    """A buildah with a store that goes when this is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "storage.conf").write_text(STORAGE.format(folder))
        (folder / "containers.conf").write_text(CONTAINERS)
        self.env = environment(
            CONTAINERS_STORAGE_CONF=str(folder / "storage.conf"), CONTAINERS_CONF=str(folder / "containers.conf"),
            BUILDAH_ISOLATION="chroot", TMPDIR=str(folder), HOME=str(folder),
            **{name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")},
        )
        base = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", base, debian(), "/")
        self.buildah("commit", "--quiet", base, BASE)
        self.buildah("rm", base)

    def buildah(self, *args) -> str:
        return command("buildah", *args, env=self.env)

    def build(self, name: str, *args) -> Image:
        output = self._folder / name
        said = command("docker/build.sh", "--tool", "buildah", "--base", BASE, "--output", output, *args, env=self.env)
        return Image(*output.glob("*.tar"), *output.glob("*.spdx.json"), said.splitlines()[-1])

    def close(self) -> None:
        self.buildah("rm", "--all")
        self.buildah("rmi", "--all", "--force")
        shutil.rmtree(self._folder)
