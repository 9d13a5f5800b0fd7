# SPDX-License-Identifier: Apache-2.0
"""docs/privileges.md: what it says that the sidecar is given is what the manifests give."""
from __future__ import annotations

import re

import pytest
import yaml

from lib.cluster import LEVELS, MANIFESTS
from lib.domsed import Domsed

PAGE = (MANIFESTS.parent / "docs/privileges.md").read_text()
SIDECAR = "aws-config-file-generator"
MODES = ("mount", "fd", "file")
FOLDERS = sorted(f"{kind}/{folder.name}" for kind in ("overlays", "examples") for folder in (MANIFESTS / kind).iterdir())
OURS = ("writes to volumes", "reads volumes")          # the examples have other volumes


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]


def told(mode: str) -> dict:
    table = section(f"Mode {mode}").split("| given | |\n")[1].split("\n\n")[0]
    return dict(re.findall(r"^\| ([a-zA-Z`][^|]*?) \| ([^|]*?) \|$", table, re.M))


def listed(mode: str) -> list:
    """The folders that a section is about."""
    line = re.search(r"^Overlays (.*?); examples (.*?)\.$", section(f"Mode {mode}"), re.M)
    return [f"{kind}/{name}" for kind, names in zip(("overlays", "examples"), line.groups())
            for name in re.findall(r"`([\w-]+)`", names)]


def mode_of(folder: str) -> str:
    return next(mode for mode in MODES if folder in listed(mode))


def pod_of(render, folder: str, domino_pods: dict, *components: str) -> dict:
    objects = render(folder, *components)
    if folder.startswith("overlays/"):
        return Domsed().mutate([o for o in objects if o["kind"] == "Mutation"], domino_pods["run"])
    return next(o for o in objects if o["kind"] == "Pod")


def sidecar_of(pod: dict) -> dict:
    every = pod["spec"].get("initContainers", []) + pod["spec"]["containers"]
    return next(c for c in every if c["name"] == SIDECAR)


def given(pod: dict) -> dict:
    """In the words of the page."""
    spec, sidecar = pod["spec"], sidecar_of(pod)
    rights = {"seccompProfile": spec["securityContext"].get("seccompProfile", {}), **sidecar["securityContext"]}
    privileged = rights.get("privileged", False)
    allowed = sorted(rights.get("capabilities", {}).get("add", []))
    if "ALL" not in rights.get("capabilities", {}).get("drop", []):
        allowed.append("those of the runtime")
    mounts = sidecar["volumeMounts"]
    by_name = {volume["name"]: volume for volume in spec["volumes"]}
    config = by_name["aws-config-file"]
    spread = [f"{m['mountPropagation']}: {m['name']}" for m in mounts if m.get("mountPropagation", "None") != "None"]
    return {
        "privileged": "yes" if privileged else "no",
        "user and group": f"{rights['runAsUser']}:{rights['runAsGroup']}",
        "capabilities": "all" if privileged else ", ".join(allowed) or "none",
        "gaining privileges": "allowed" if privileged or rights.get("allowPrivilegeEscalation", True) else "refused",
        "seccomp profile": "none" if privileged else rights["seccompProfile"].get("type", "none"),
        "root file system": "read-only" if rights.get("readOnlyRootFilesystem") else "writable",
        "devices": "all of the node" if privileged else "none",
        "volume of `config`": config["csi"]["driver"] if "csi" in config else "emptyDir" if "emptyDir" in config else "?",
        "writes to volumes": ", ".join(sorted(m["name"] for m in mounts if not m.get("readOnly"))),
        "reads volumes": ", ".join(sorted(m["name"] for m in mounts if m.get("readOnly"))),
        "mount propagation": ", ".join(spread) or "none",
        "ports": ", ".join(str(p["containerPort"]) for p in sidecar.get("ports", [])) or "none",
        "memory limit": sidecar["resources"]["limits"]["memory"],
    }


def test_every_folder_is_in_the_page():
    assert sorted(folder for mode in MODES for folder in listed(mode)) == FOLDERS


@pytest.mark.parametrize("folder", FOLDERS)
def test_what_is_given_is_told(cluster, render, domino_pods, folder):
    pod, page = pod_of(render, folder, domino_pods), told(mode_of(folder))
    allowing = [level for level in LEVELS if cluster.judge(pod, namespace=level).ok]
    assert allowing == LEVELS[:len(allowing)]
    facts = {"Pod Security level": allowing[-1], **given(pod)}
    if folder.startswith("examples/"):
        facts = {name: page[name] if name in OURS else value for name, value in facts.items()}
    assert facts == page


@pytest.mark.parametrize("folder", FOLDERS)
def test_nothing_of_the_node_and_no_role(render, domino_pods, folder):
    """What the page says of all modes."""
    objects = render(folder)
    assert {o["kind"] for o in objects} <= {"Mutation", "Namespace", "Pod", "ServiceAccount"}
    before, pod = domino_pods["run"], pod_of(render, folder, domino_pods)
    spec = pod["spec"]
    assert not [v for v in spec["volumes"] if "hostPath" in v]
    assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & set(spec)
    assert not [p for c in spec["containers"] + spec.get("initContainers", []) for p in c.get("ports", []) if "hostPort" in p]
    if folder.startswith("examples/"):
        assert spec["automountServiceAccountToken"] is False
        return
    theirs = {c["name"]: c for c in before["spec"]["containers"]}
    for container in spec["containers"]:
        if container["name"] != SIDECAR:
            changed = {key for key in container if container[key] != theirs[container["name"]].get(key)}
            assert changed <= {"volumeMounts", "env"}
    kept = {"containers", "initContainers", "volumes", "serviceAccountName"}
    assert {k: v for k, v in spec.items() if k not in kept} == {k: v for k, v in before["spec"].items() if k not in kept}


def test_what_changes_the_tables(render, domino_pods):
    """The components do what their lines say, and nothing else."""
    for component, changed in (("monitoring", {"ports": "9464"}), ("compat", {}),
                               ("ca", {"reads volumes": "irsafs-ca, podinfo"})):
        pod = pod_of(render, "overlays/file", domino_pods, f"components/{component}")
        assert f"`{component}`" in section("What changes the tables")
        assert given(pod) == {**{k: v for k, v in told("file").items() if k != "Pod Security level"}, **changed}


def test_the_network_policy_is_good(cluster, render, domino_pods):
    policy, = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.S)]
    judged = cluster.judge(policy)
    assert judged.ok, judged
    port = str(policy["spec"]["ingress"][0]["ports"][0]["port"])
    for kind in ("run", "cluster"):
        objects = render("overlays/file", "components/monitoring")
        pod = Domsed().mutate([o for o in objects if o["kind"] == "Mutation"], domino_pods[kind])
        assert pod["metadata"]["namespace"] == policy["metadata"]["namespace"]
        wanted = policy["spec"]["podSelector"]["matchExpressions"]
        assert wanted and all(one["operator"] == "Exists" and one["key"] in pod["metadata"]["labels"] for one in wanted)
        assert given(pod)["ports"] == port
    assert re.search(r"https://[\w-]+\.([\w-]+)/", (MANIFESTS / "base/settings.yaml").read_text())[1] == \
        policy["spec"]["egress"][1]["to"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]


RIGHTS = re.compile(r"privileged: true|runAsUser: 0\b|runAsNonRoot: false|Bidirectional\b|allowPrivilegeEscalation: true"
                    r"|\badd: \[|hostPath|host(Network|PID|IPC|Port)\b")


def unexplained(text: str) -> list:
    """Lines that give a right, without a comment beside them or above the lines of rights that they are among."""
    lines, found = text.splitlines(), []
    for at, line in enumerate(lines):
        right, _, comment = line.partition("#")
        if not RIGHTS.search(right) or comment:
            continue
        above = at
        while above and re.match(r"\s*(privileged|runAs\w+|name|mountPath): ", lines[above - 1]):
            above -= 1
        if not lines[above - 1].lstrip().startswith("#"):
            found.append(line.strip())
    return found


@pytest.mark.parametrize("path", sorted(MANIFESTS.rglob("*.yaml")), ids=lambda path: str(path.relative_to(MANIFESTS)))
def test_each_privilege_is_explained(path):
    assert unexplained(path.read_text()) == []


def test_a_privilege_without_a_word_is_found():
    text = (MANIFESTS / "examples/mount/pod.yaml").read_text()
    rights = [line for line in text.splitlines() if RIGHTS.search(line.partition("#")[0])]
    assert len(rights) == 4
    assert len(unexplained(re.sub(r"\s+# .*", "", text))) == 4


def test_the_page_is_found():
    for page in ("manifests/README.md", "docs/install.md", "docs/security.md"):
        assert "privileges.md" in (MANIFESTS.parent / page).read_text(), page
