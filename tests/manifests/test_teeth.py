# SPDX-License-Identifier: Apache-2.0
"""That the judges of test_manifests.py can say no: one thing is broken at a time."""
from __future__ import annotations

import copy
import shutil
import subprocess

import pytest
import yaml

from lib.cluster import MANIFESTS
from lib.domsed import Domsed


def mutation(render, overlay: str) -> dict:
    return next(o for o in render(f"overlays/{overlay}") if o["metadata"]["name"] == "irsa")


def example(render, mode: str) -> dict:
    return next(o for o in render(f"examples/{mode}") if o["kind"] == "Pod")


def refused(judged, *words: str) -> None:
    assert not judged.ok, judged
    for word in words:
        assert word in judged.err, judged


def test_misspelling_in_a_mutation(cluster, render):
    planted = mutation(render, "mount")
    planted["rules"][6]["insertVolumeMount"] = planted["rules"][6].pop("insertVolumeMounts")
    refused(cluster.judge(planted), ".rules[6].insertVolumeMount:")


def test_a_mutation_that_its_schema_refuses(cluster, render):
    planted = mutation(render, "mount")
    planted["rules"][9]["insertContainer"]["containerType"] = "sidecar"
    refused(cluster.judge(planted), "Unsupported value")


def test_misspelling_in_a_pod(cluster, render):
    planted = example(render, "mount")
    mount = planted["spec"]["containers"][0]["volumeMounts"][0]
    mount["mountPropogation"] = mount.pop("mountPropagation")
    refused(cluster.judge(planted, namespace="privileged"), "mountPropogation")


def test_misspelling_in_monitoring(cluster, render):
    rule, monitor = (next(o for o in render("monitoring") if o["kind"] == kind) for kind in ("PrometheusRule", "PodMonitor"))
    planted = rule["spec"]["groups"][0]["rules"][0]
    planted["fro"] = planted.pop("for")
    refused(cluster.judge(rule, namespace="privileged"), "rules[0].fro")
    monitor["spec"]["podMetricsEndpoint"] = monitor["spec"].pop("podMetricsEndpoints")
    refused(cluster.judge(monitor, namespace="privileged"), "podMetricsEndpoint")


def test_misspelling_where_the_mutation_is_free(cluster, render, domino_pods):
    """The API server takes any container in a Mutation: only the mutated pod shows what is wrong in it."""
    planted = mutation(render, "mount")
    spec = planted["rules"][9]["insertContainer"]["spec"]
    spec["startUpProbe"] = spec.pop("startupProbe")
    assert cluster.judge(planted).ok
    pod = Domsed().mutate([planted], domino_pods["run"])
    refused(cluster.judge(pod, namespace="privileged"), "startUpProbe")


def test_volume_that_nobody_inserts(cluster, render, domino_pods):
    planted = mutation(render, "file")
    planted["rules"][3]["insertVolumes"] = planted["rules"][3]["insertVolumes"][:-1]
    refused(cluster.judge(Domsed().mutate([planted], domino_pods["run"]), namespace="restricted"), "irsa-logs")


def test_container_before_the_rules_for_all(cluster, render, domino_pods):
    """Why the sidecar is inserted last."""
    planted = mutation(render, "file-app")
    planted["rules"].insert(4, planted["rules"].pop(9))
    refused(cluster.judge(Domsed().mutate([planted], domino_pods["run"]), namespace="restricted"),
            "duplicate entries", "/var/log/irsa")


def test_bidirectional_without_privileged(cluster, render):
    """Why the mount mode is privileged at all."""
    planted = example(render, "mount")
    planted["spec"]["initContainers"][0]["securityContext"] = {"capabilities": {"add": ["SYS_ADMIN"]}}
    refused(cluster.judge(planted, namespace="privileged"), "Bidirectional")


BREAKS = {
    "a capability": lambda c: c["securityContext"]["capabilities"].update(add=["SYS_ADMIN"]),
    "all in small letters": lambda c: c["securityContext"]["capabilities"].update(drop=["all"]),
    "escalation": lambda c: c["securityContext"].pop("allowPrivilegeEscalation"),
    "root": lambda c: c["securityContext"].update(runAsUser=0),
    "no word on root": lambda c: c["securityContext"].update(runAsNonRoot=False),
    "privileged": lambda c: c.update(securityContext={"privileged": True}),
    "no seccomp": lambda c: c["securityContext"].update(seccompProfile={"type": "Unconfined"}),
    "a port of the node": lambda c: c.update(ports=[{"containerPort": 6003, "hostPort": 6003}]),
}


@pytest.mark.parametrize("how", BREAKS)
@pytest.mark.parametrize("mode", ["fd", "file"])
def test_pod_breaks_its_level(cluster, render, domino_pods, mode, how):
    planted = example(render, mode)
    good = copy.deepcopy(planted)
    BREAKS[how](planted["spec"]["initContainers"][0])
    assert cluster.judge(good, namespace="restricted").ok
    refused(cluster.judge(planted, namespace="restricted"), "violates PodSecurity")
    inserted = mutation(render, mode)
    BREAKS[how](inserted["rules"][9]["insertContainer"]["spec"])
    refused(cluster.judge(Domsed().mutate([inserted], domino_pods["run"]), namespace="restricted"),
            "violates PodSecurity")


def test_volume_of_the_node(cluster, render):
    planted = example(render, "fd")
    planted["spec"]["volumes"].append({"name": "fuse", "hostPath": {"path": "/dev/fuse"}})
    refused(cluster.judge(planted, namespace="restricted"), "violates PodSecurity", "hostPath")


def rendering_fails(tools, folder, text: str, *words: str) -> None:
    """With this as base/mutation.yaml."""
    shutil.copytree(MANIFESTS, folder / "manifests")
    (folder / "manifests/base/mutation.yaml").write_text(text)
    ran = subprocess.run([tools / "kubectl", "kustomize", folder / "manifests/overlays/mount"], check=False,
                         capture_output=True, text=True)
    assert ran.returncode != 0
    for word in words:
        assert word in ran.stderr


def test_patch_without_its_rule(tools, tmp_path):
    planted = yaml.safe_load((MANIFESTS / "base/mutation.yaml").read_text())
    del planted["rules"][1]
    rendering_fails(tools, tmp_path, yaml.safe_dump(planted), "rules")


def test_key_written_twice(tools, tmp_path):
    planted = (MANIFESTS / "base/mutation.yaml").read_text()
    twice = "        imagePullPolicy: IfNotPresent\n"
    rendering_fails(tools, tmp_path, planted.replace(twice, twice * 2), "imagePullPolicy", "already")
