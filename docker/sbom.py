#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The SBOM of the image (SPDX 2.3, JSON): made in the build stage, checked anywhere.

  sbom.py show IMAGE.tar              prints the SBOM that is in the image (an archive of `save`)
  sbom.py check IMAGE.tar [FILE]      compares every file of the image with it, or with the SBOM in FILE
"""
from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
from datetime import datetime, timezone
from pathlib import Path

OURS = "irsafs"
PLACE = "usr/share/doc/irsafs/sbom.spdx.json"
STATUS = "var/lib/dpkg/status.d"


def identifier(kind: str, name: str) -> str:
    """An SPDXID: letters, digits, dot and dash; what else is in a name is spelled out, so that none meet."""
    return f"SPDXRef-{kind}-" + re.sub(r"[^A-Za-z0-9.]", lambda m: f"-{ord(m[0]):x}-", name)


def stanza(text: str) -> dict:
    """The fields of a package's entry."""
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line.startswith(" "))


def _package(name: str, version: str, files: list, **more) -> dict:
    # The code that SPDX wants for a package whose files are listed.
    code = hashlib.sha1("".join(sorted(f["checksums"][0]["checksumValue"] for f in files)).encode()).hexdigest()
    return {
        "SPDXID": identifier("Package", name), "name": name, "versionInfo": version, "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": code},
        "downloadLocation": "NOASSERTION", "licenseConcluded": "NOASSERTION", "licenseInfoFromFiles": ["NOASSERTION"],
        "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", **more,
    }


def _debian(name: str, fields: dict, files: list) -> dict:
    source = fields.get("Source", name).split(" ")[0]
    source_version = re.sub(r".*\((.*)\)|.*", r"\1", fields.get("Source", "")) or fields["Version"]
    url = f"pkg:deb/debian/{name}@{fields['Version'].replace('+', '%2B')}?arch={fields['Architecture']}"
    return _package(
        name, fields["Version"], files, supplier="Organization: Debian",
        sourceInfo=f"built from: {source} {source_version}",
        comment=f"licenses: /usr/share/doc/{name}/copyright in the image",
        externalRefs=[{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": url}],
    )


def _file(root: Path, name: str) -> dict:
    data = (root / name).read_bytes()
    return {
        "SPDXID": identifier("File", name), "fileName": f"./{name}",
        "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(data).hexdigest()},
                      {"algorithm": "SHA256", "checksumValue": hashlib.sha256(data).hexdigest()}],
        "licenseConcluded": "NOASSERTION", "licenseInfoInFiles": ["NOASSERTION"], "copyrightText": "NOASSERTION",
    }


def document(root: Path, owners: dict, version: str, epoch: int) -> str:
    """The SBOM of the tree `root`; `owners` has the package of each file in it."""
    files = {name: _file(root, name) for name in sorted(owners)}
    names = sorted(set(owners.values()))
    packages = []
    for name in names:
        its = [files[f] for f in files if owners[f] == name]
        if name == OURS:
            ours = _package(name, version, its, licenseDeclared="Apache-2.0", primaryPackagePurpose="CONTAINER")
            ours["packageVerificationCode"]["packageVerificationCodeExcludedFiles"] = [f"./{PLACE}"]
            packages.append(ours)
        else:
            packages.append(_debian(name, stanza((root / STATUS / name).read_text()), its))
    ours = identifier("Package", OURS)
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", ours)]
    relations += [(ours, "DEPENDS_ON", identifier("Package", name)) for name in names if name != OURS]
    relations += [(identifier("Package", owners[name]), "CONTAINS", files[name]["SPDXID"]) for name in files]
    content = hashlib.sha256(json.dumps([packages, list(files.values())], sort_keys=True).encode()).hexdigest()
    created = datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"irsafs-{version}-image", "documentNamespace": f"https://spdx.org/spdxdocs/irsafs-{version}-{content}",
        "creationInfo": {"created": created, "creators": [f"Tool: irsafs-docker-sbom-{version}"]},
        "comment": f"Every regular file of the image but this one (/{PLACE}).",
        "packages": packages, "files": list(files.values()),
        "relationships": [{"spdxElementId": a, "relationshipType": b, "relatedSpdxElement": c} for a, b, c in relations],
    }, indent=1) + "\n"


def image_files(archive: Path) -> dict:
    """Name and content of each regular file of an image, from the archive that docker, podman or buildah wrote."""
    found: dict = {}
    with tarfile.open(archive) as outer:
        layers = json.load(outer.extractfile("manifest.json"))[0]["Layers"]
        for layer in layers:
            with tarfile.open(fileobj=io.BytesIO(outer.extractfile(layer).read())) as inner:
                for member in inner:
                    if member.isfile():
                        found[member.name.removeprefix("./")] = inner.extractfile(member).read()
    return found


def compare(listed: dict, files: dict) -> list:
    """What is wrong, as lines; `listed` is an SBOM, `files` name and content."""
    sums = {f["fileName"].removeprefix("./"): c["checksumValue"]
            for f in listed["files"] for c in f["checksums"] if c["algorithm"] == "SHA256"}
    wrong = [f"not in the SBOM: {name}" for name in sorted(set(files) - set(sums) - {PLACE})]
    wrong += [f"not in the image: {name}" for name in sorted(set(sums) - set(files))]
    wrong += [f"another content: {name}" for name in sorted(set(sums) & set(files))
              if hashlib.sha256(files[name]).hexdigest() != sums[name]]
    return wrong


def main(args: list) -> int:
    if len(args) not in (2, 3) or args[0] not in ("show", "check") or (args[0] == "show" and len(args) == 3):
        print(__doc__, file=sys.stderr)
        return 2
    files = image_files(Path(args[1]))
    text = Path(args[2]).read_bytes() if len(args) == 3 else files[PLACE]
    if args[0] == "show":
        sys.stdout.write(text.decode())
        return 0
    listed = json.loads(text)
    wrong = compare(listed, files)
    print("\n".join(wrong) or f"{len(listed['files'])} files of {len(listed['packages'])} packages are as listed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
