# SPDX-License-Identifier: Apache-2.0
"""What docker/build.sh makes: size, contents, SBOM, the same bits again; and that it refuses what it does not know."""
from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from lib.image import REPOSITORY, command
from lib.program import environment, run

GOAL = 15 << 20
PROGRAMS = {"usr/bin/irsafs", "usr/bin/irsafs-client"}
SBOM = "usr/share/doc/irsafs/sbom.spdx.json"
BUILD = REPOSITORY / "docker/build.sh"
CHECK = REPOSITORY / "docker/sbom.py"
LIBRARY = re.compile(r"usr/lib/[a-z0-9_-]+/(lib[\w.+-]+\.so[\w.]*|ld-linux[\w.-]+)")


def files(image) -> dict:
    return {name: member for name, member in image.members.items() if member.kind == "file"}


def test_size(image):
    layers = [len(gzip.compress(layer, 9)) for layer in image.layers()]
    total = sum(len(layer) for layer in image.layers())
    print(f"{sum(layers) >> 10} KiB compressed, {total >> 10} KiB unpacked, {len(files(image))} files")
    assert len(layers) == 1 and sum(layers) <= GOAL


def test_the_page_tells_the_size(image):
    """docker/README.md, up to what Debian's updates change."""
    page = (REPOSITORY / "docker/README.md").read_text()
    compressed, unpacked = re.search(r"^([\d.]+) MiB compressed, (\d+) MiB unpacked", page, re.M).groups()
    assert float(compressed) == pytest.approx(sum(len(gzip.compress(layer, 9)) for layer in image.layers()) / 2 ** 20, rel=0.1)
    assert float(unpacked) == pytest.approx(sum(len(layer) for layer in image.layers()) / 2 ** 20, rel=0.1)
    libraries = [n for n in files(image) if LIBRARY.fullmatch(n)]
    assert int(re.search(r"^\| (\d+) libraries", page, re.M)[1]) == pytest.approx(len(libraries), abs=2)
    size = sum(len(image.members[n].data) for n in libraries) / 2 ** 20
    assert float(re.search(r"^\| \d+ libraries .*? \| (\d+) MiB", page, re.M)[1]) == pytest.approx(size, rel=0.1)
    size = sum(len(image.members[n].data) for n in PROGRAMS) / 2 ** 20
    assert float(re.search(r"^\| `/usr/bin/irsafs`.*? \| ([\d.]+) MiB", page, re.M)[1]) == pytest.approx(size, rel=0.3)


def test_nothing_to_run_but_the_two_programs(image):
    runnable = {name for name, member in files(image).items() if member.mode & 0o111}
    assert PROGRAMS <= runnable
    assert [name for name in runnable - PROGRAMS if not LIBRARY.fullmatch(name)] == []
    assert [n for n, m in files(image).items() if m.data.startswith(b"#!")] == []
    assert not [n for n in image.members if re.search(r"bin/(ba|da|c|z)?sh$|busybox|perl|python|apt|dpkg$", n.rstrip("/"))
                and n != "var/lib/dpkg"]


def test_no_file_gives_rights(image):
    for name, member in image.members.items():
        assert member.owner == (0, 0) and member.kind != "other", name
        assert not member.mode & (stat.S_ISUID | stat.S_ISGID), name
        assert member.kind == "link" or name == "tmp" or not member.mode & 0o022, name
    for layer in image.layers():
        with tarfile.open(fileobj=io.BytesIO(layer)) as tree:
            assert [m.name for m in tree if any("xattr" in key for key in m.pax_headers)] == []


def test_every_library_is_inside(image, rootfs):
    loader = next(m.data.decode() for n, m in image.members.items() if "/ld-linux" in n and m.kind == "link")
    for program in PROGRAMS:
        ran = run(["chroot", rootfs, loader if loader.startswith("/") else f"/usr/lib/{loader}", "--list", f"/{program}"])
        assert ran.code == 0 and b"not found" not in ran.out, ran.out


def test_configuration(image):
    config = image.config["config"]
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "irsafs" and labels["licenses"] == "Apache-2.0"
    assert labels["version"] == (REPOSITORY / "VERSION").read_text().strip()
    assert re.fullmatch(r"[0-9a-f]{40}(-modified)?", labels["revision"])
    command("git", "cat-file", "-e", labels["revision"][:40])
    assert "Healthcheck" not in config and "Volumes" not in config and "ExposedPorts" not in config
    assert config["User"] == "65534:65534", "who needs root says so"
    assert config["Entrypoint"] == ["irsafs"] and config["Env"] == ["PATH=/usr/bin"]
    assert image.config["created"] == labels["created"]


def test_sbom_lists_every_file(image):
    listed = json.loads(image.sbom.read_text())
    assert image.members[SBOM].data == image.sbom.read_bytes()
    sums = {f["fileName"]: {c["algorithm"]: c["checksumValue"] for c in f["checksums"]} for f in listed["files"]}
    assert sums.keys() == {f"./{name}" for name in files(image)} - {f"./{SBOM}"}
    for name, kinds in sums.items():
        data = image.members[name.removeprefix("./")].data
        assert kinds == {"SHA1": hashlib.sha1(data).hexdigest(), "SHA256": hashlib.sha256(data).hexdigest()}, name


def test_sbom_has_the_packages_of_debian(image):
    listed = json.loads(image.sbom.read_text())
    packages = {p["name"]: p for p in listed["packages"]}
    status = {n.rpartition("/")[2]: m.data.decode() for n, m in files(image).items() if "/status.d/" in n}
    assert packages.keys() == status.keys() | {"irsafs"}
    assert {"libc6", "libssl3", "libcurl4", "libfuse3-3", "ca-certificates"} <= packages.keys()
    for name, text in status.items():
        version = re.search(r"^Version: (.*)$", text, re.M)[1]
        assert re.search(r"^Package: (.*)$", text, re.M)[1] == name and packages[name]["versionInfo"] == version
        assert packages[name]["externalRefs"][0]["referenceLocator"].startswith(f"pkg:deb/debian/{name}@")
        assert f"usr/share/doc/{name}/copyright" in image.members
    ids = [e["SPDXID"] for kind in ("packages", "files") for e in listed[kind]]
    assert len(ids) == len(set(ids)) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", i) for i in ids)
    owner = {r["relatedSpdxElement"]: r["spdxElementId"] for r in listed["relationships"] if r["relationshipType"] == "CONTAINS"}
    assert owner.keys() == {f["SPDXID"] for f in listed["files"]}
    names = {p["SPDXID"]: p["name"] for p in listed["packages"]}
    of = {f["fileName"]: names[owner[f["SPDXID"]]] for f in listed["files"]}
    assert {of[f"./{p}"] for p in PROGRAMS} == {"irsafs"}
    assert [of[f] for f in of if f.endswith("/libc.so.6")] == ["libc6"]
    assert [of[f] for f in of if "/libcrypto.so" in f] == ["libssl3"]


NEEDED = {
    "document": {"SPDXID", "creationInfo", "dataLicense", "name", "spdxVersion", "documentNamespace"},
    "packages": {"SPDXID", "name", "downloadLocation", "packageVerificationCode"},
    "files": {"SPDXID", "fileName", "checksums"},
    "relationships": {"spdxElementId", "relatedSpdxElement", "relationshipType"},
}


def test_sbom_is_spdx(image):
    """What SPDX 2.3 demands: fields, references that lead somewhere, the code over the files of each package."""
    listed = json.loads(image.sbom.read_text())
    assert NEEDED["document"] <= listed.keys()
    assert (listed["spdxVersion"], listed["dataLicense"], listed["SPDXID"]) == ("SPDX-2.3", "CC0-1.0", "SPDXRef-DOCUMENT")
    assert re.fullmatch(r"https://[^#\s]+", listed["documentNamespace"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", listed["creationInfo"]["created"])
    assert all(re.match(r"(Tool|Organization|Person): \S", who) for who in listed["creationInfo"]["creators"])
    for kind in ("packages", "files", "relationships"):
        assert listed[kind] and all(NEEDED[kind] <= one.keys() for one in listed[kind])
    known = {"SPDXRef-DOCUMENT", *(one["SPDXID"] for kind in ("packages", "files") for one in listed[kind])}
    links = [(r["spdxElementId"], r["relationshipType"], r["relatedSpdxElement"]) for r in listed["relationships"]]
    assert {end for a, _, b in links for end in (a, b)} == known
    assert [b for a, kind, b in links if (a, kind) == ("SPDXRef-DOCUMENT", "DESCRIBES")] == ["SPDXRef-Package-irsafs"]
    sums = {f["SPDXID"]: c["checksumValue"] for f in listed["files"] for c in f["checksums"] if c["algorithm"] == "SHA1"}
    for package in listed["packages"]:
        of = sorted(sums[b] for a, kind, b in links if (a, kind) == (package["SPDXID"], "CONTAINS"))
        code = package["packageVerificationCode"]
        assert of and code["packageVerificationCodeValue"] == hashlib.sha1("".join(of).encode()).hexdigest()
        left_out = [f"./{SBOM}"] if package["name"] == "irsafs" else None
        assert code.get("packageVerificationCodeExcludedFiles") == left_out, "the list cannot have its own hash"


def rewritten(image, folder: Path, change) -> Path:
    """A copy of the archive whose one layer `change` has been at: name, data -> data or None, and more names."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(image.layers()[0])) as old, tarfile.open(fileobj=layer, mode="w") as new:
        for entry in old:
            data = old.extractfile(entry).read() if entry.isfile() else b""
            for name, bytes_ in change(entry.name, data):
                entry.name, entry.size = name, len(bytes_)
                new.addfile(entry, io.BytesIO(bytes_))
    archive = folder / "changed.tar"
    with tarfile.open(archive, "w") as new:
        for name, data in (("manifest.json", json.dumps([{**image.manifest, "Layers": ["layer.tar"]}]).encode()),
                           ("layer.tar", layer.getvalue())):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            new.addfile(entry, io.BytesIO(data))
    return archive


@pytest.mark.parametrize("change,words", [
    (lambda n, d: [(n, d + b"!" if n == "usr/bin/irsafs" else d)], "another content: usr/bin/irsafs"),
    (lambda n, d: [(n, d)] if n != "usr/bin/irsafs" else [], "not in the image: usr/bin/irsafs"),
    (lambda n, d: [(n, d)] + ([("usr/bin/sh", d)] if n == "usr/bin/irsafs" else []), "not in the SBOM: usr/bin/sh"),
    (lambda n, d: [(n, d)], ""),
], ids=["changed", "missing", "more", "same"])
def test_the_check_of_the_sbom_finds(image, tmp_path, change, words):
    done = subprocess.run([CHECK, "check", rewritten(image, tmp_path, change), image.sbom], stdout=subprocess.PIPE, text=True)
    assert done.returncode == (1 if words else 0)
    assert done.stdout.strip() == words if words else "are as listed" in done.stdout


def test_the_same_bits_again(image, builder):
    again = builder.build("again", "--no-cache")
    assert again.sbom.read_bytes() == image.sbom.read_bytes()
    assert again.layers() == image.layers()
    assert again.manifest["Config"] == image.manifest["Config"], "the name of the configuration is its hash"


@pytest.mark.parametrize("tool,save", [("docker", ["save", "--output", "OUT"]),
                                       ("podman", ["save", "--quiet", "--format", "docker-archive", "--output", "OUT"])])
def test_other_tools_are_called(image, tmp_path, tool, save):
    """What build.sh says to them; what they make of it, nobody here can know. The archive is one of ours."""
    fake = tmp_path / tool
    fake.write_text(f"""#!/bin/sh
for word; do printf '%s\\n' "$word"; done >>{tmp_path}/said
echo >>{tmp_path}/said
while [ $# -gt 0 ]; do
    if [ "$1" = --output ]; then cp {image.archive.resolve()} "$2"; fi
    shift
done
""")
    fake.chmod(0o755)
    env = environment(PATH=f"{tmp_path}:{os.environ['PATH']}", SOURCE_DATE_EPOCH="1700000000")
    ran = run([BUILD, "--tool", tool, "--arch", "arm64", "--base", "registry.example/base", "--tag", "registry.example/irsafs:7",
               "--output", tmp_path / "out"], env)
    assert ran.code == 0, ran.err
    build, saved = [call.split("\n") for call in (tmp_path / "said").read_text().rstrip("\n").split("\n\n")]
    assert build[0] == "build" and build[-1] == "."
    pairs = dict(zip(build, build[1:]))
    assert (pairs["--platform"], pairs["--tag"]) == ("linux/arm64", "registry.example/irsafs:7")
    assert (REPOSITORY / pairs["--file"]).exists()
    values = dict(b.split("=", 1) for a, b in zip(build, build[1:]) if a == "--build-arg")
    named = set(re.findall(r"^ARG (\w+)", (REPOSITORY / "docker/Dockerfile").read_text(), re.M))
    assert values.keys() == named
    assert (values["BASE"], values["CREATED"]) == ("registry.example/base", "2023-11-14T22:13:20Z")
    archive = tmp_path / "out" / f"irsafs-{values['VERSION']}-arm64.tar"
    assert saved == [str(archive) if word == "OUT" else word for word in save] + ["registry.example/irsafs:7"]
    assert archive.with_name(archive.name.removesuffix("tar") + "spdx.json").read_bytes() == image.sbom.read_bytes()


def test_a_docker_that_cannot_build_is_passed_over(tmp_path):
    """A command line without a daemon or without buildx, as on many machines: podman is asked."""
    for tool, script in (("docker", "exit 1"), ("podman", f"echo \"$1\" >>{tmp_path}/said; exit 7")):
        (tmp_path / tool).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / tool).chmod(0o755)
    env = environment(PATH=f"{tmp_path}:{os.environ['PATH']}", SOURCE_DATE_EPOCH="1700000000")
    ran = run([BUILD, "--output", tmp_path / "out"], env)
    assert ran.code == 7 and (tmp_path / "said").read_text() == "build\n", ran.err


@pytest.mark.parametrize("args,words", [
    (["--tool", "kaniko"], "docker, podman or buildah"), (["--arch", "mips"], "amd64 or arm64"),
    (["--frob"], "unknown argument '--frob'"), (["--tag"], "--tag wants a value"),
])
def test_build_refuses(args, words):
    ran = run([BUILD, *args])
    assert ran.code == 2 and words in ran.err
