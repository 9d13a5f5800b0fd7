# SPDX-License-Identifier: Apache-2.0
"""manifests/ before a real API server: strict fields, validation, Pod Security; and what domsed makes of it."""
from __future__ import annotations

import json
import os
import re
import subprocess

import pytest
import yaml

from lib.cluster import MANIFESTS
from lib.domsed import Domsed

SIDECAR = "aws-config-file-generator"
LEVEL = {"mount": "privileged", "fd": "restricted", "file": "restricted"}
MODES = [mode + how for mode in LEVEL for how in ("", "-app")]
OVERLAYS = [*MODES, "pod-identity"]
NEVER = {"AWS_ROLE_ARN", "AWS_ENDPOINT_URL_STS", "AWS_WEB_IDENTITY_TOKEN_FILE"}
COMPONENTS = ("components/compat", "components/ca", "components/monitoring")


def mode_of(overlay: str) -> str:
    return {"pod-identity": "mount"}.get(overlay, overlay.removesuffix("-app"))


def level_of(overlay: str) -> str:
    return LEVEL[mode_of(overlay)]


def named(items: list, name: str) -> dict:
    found = [item for item in items if item["name"] == name]
    assert len(found) == 1, f"{len(found)} of {name}"
    return found[0]


def of_kind(objects: list, kind: str) -> list:
    return [o for o in objects if o["kind"] == kind]


def mount_at(container: dict, path: str) -> dict:
    found = [m for m in container.get("volumeMounts", []) if m["mountPath"] == path]
    assert len(found) == 1, f"{container['name']} has {len(found)} volumes at {path}"
    return found[0]


def environment(container: dict) -> dict:
    return {one["name"]: one.get("value") for one in container.get("env", [])}


def sidecar_and_others(pod: dict, app: bool) -> tuple:
    """Also: it is where it belongs."""
    inits, apps = pod["spec"].get("initContainers", []), pod["spec"]["containers"]
    return named(apps if app else inits, SIDECAR), [c for c in inits + apps if c["name"] != SIDECAR]


def check_sidecar(sidecar: dict, overlay: str) -> None:
    mode, app = mode_of(overlay), overlay.endswith("-app")
    privileges, args = sidecar["securityContext"], sidecar["args"]
    assert sidecar["command"] == ["irsafs"] and args[:2] == ["mount", "/var/run/.aws"]
    assert f"--mode={mode}" in args and "--prefetch" in args and ("--linger=20s" in args) == app
    assert sidecar["resources"] == {"requests": {"cpu": "5m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
    assert sidecar.get("restartPolicy") == (None if app else "Always")
    if app:
        assert "startupProbe" not in sidecar, "it would hold nobody back, and end us"
    else:
        assert sidecar["startupProbe"]["exec"]["command"] == ["irsafs", "probe", "--startup"]
    assert "livenessProbe" not in sidecar and "readinessProbe" not in sidecar
    assert privileges["readOnlyRootFilesystem"] is True
    if mode == "mount":
        assert (privileges["privileged"], privileges["runAsUser"], privileges["runAsNonRoot"]) == (True, 0, False)
        assert "--layout=subdir" in args
        assert mount_at(sidecar, "/var/run/.aws")["mountPropagation"] == "Bidirectional"
        return
    assert ("--allow-nonempty" in args) == (mode == "file"), "`run` may write to the volume"
    assert "privileged" not in privileges and privileges["capabilities"] == {"drop": ["ALL"]}
    assert privileges["runAsUser"] == 65534 and privileges["allowPrivilegeEscalation"] is False
    assert not any(m.get("mountPropagation") == "Bidirectional" for m in sidecar["volumeMounts"])
    volumes = {m["name"] for m in sidecar["volumeMounts"]}
    assert ("aws-config-file" in volumes) == (mode == "file"), "in fd mode it must not look at what it serves"


def check_volumes(pod: dict, overlay: str) -> None:
    volumes = pod["spec"]["volumes"]
    names = [v["name"] for v in volumes]
    assert len(names) == len(set(names))
    config = named(volumes, "aws-config-file")
    token = named(volumes, "aws-user-token")["projected"]["sources"][0]["serviceAccountToken"]
    assert token["audience"] == "sts.amazonaws.com" and token["expirationSeconds"] == 86400
    assert named(volumes, "podinfo")["downwardAPI"]["items"][0]["fieldRef"]["fieldPath"] == "metadata.labels"
    if mode_of(overlay) != "fd":
        assert set(config["emptyDir"]) == {"sizeLimit"}
        return
    driver = config["csi"]
    assert driver["driver"] == "meta-fuse-csi-plugin.csi.storage.pfn.io" and not driver.get("readOnly")
    attributes = driver["volumeAttributes"]
    assert "emptyDir" in named(volumes, attributes["fdPassingEmptyDirName"])
    sidecar = named(pod["spec"].get("initContainers", []) + pod["spec"]["containers"], SIDECAR)
    folder = named(sidecar["volumeMounts"], attributes["fdPassingEmptyDirName"])
    assert f"--fd-socket=connect:{folder['mountPath']}/{attributes['fdPassingSocketName']}" in sidecar["args"]


def check_reader(container: dict, writes: bool, overlay: str) -> None:
    mount, variables = mount_at(container, "/var/run/.aws"), environment(container)
    assert mount["name"] == "aws-config-file" and mount.get("readOnly", False) is not writes
    assert mount["mountPropagation"] == "HostToContainer"
    token = mount_at(container, "/var/run/secrets/eks.amazonaws.com/serviceaccount")
    assert token["name"] == "aws-user-token" and token["readOnly"] is True
    assert variables["AWS_CONFIG_FILE"] == "/var/run/.aws/config"
    assert variables["AWS_EC2_METADATA_DISABLED"] == "true"
    assert not NEVER & set(variables)
    assert "privileged" not in container["securityContext"]


def chart_1_8() -> dict:
    """The variables of the IRSA chart 1.8 that stay."""
    return {"POD_INFO_PATH": "/var/run/podinfo/labels", "AWS_CONFIG_FILE": "/var/run/.aws/config",
            "DOMINO_IRSA_ENDPOINT": "https://irsa-svc.domino-field/map_iam_roles_to_pod_sa",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_STS_REGIONAL_ENDPOINTS": "regional",
            "OIDC_PROVIDER": "oidc.eks.us-east-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
            "OIDC_PROVIDER_AUDIENCE": "sts.amazonaws.com", "DOMINO_IRSA_PROXY": "http://localhost:6003"}


def mutate(render, overlay: str, pod: dict, *components: str, inits: bool = False) -> dict:
    return Domsed(inits).mutate(of_kind(render(f"overlays/{overlay}", *components), "Mutation"), pod)


def test_every_folder_is_tested():
    overlays = {folder.name for folder in (MANIFESTS / "overlays").iterdir()}
    examples = {folder.name for folder in (MANIFESTS / "examples").iterdir()}
    components = {f"components/{folder.name}" for folder in (MANIFESTS / "components").iterdir()}
    assert overlays == set(OVERLAYS) and examples == set(MODES)
    assert components == {*COMPONENTS, "components/app-sidecar", "components/pod-identity"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_overlay_is_accepted(cluster, render, overlay):
    objects = render(f"overlays/{overlay}")
    assert {o["metadata"]["name"] for o in of_kind(objects, "Mutation")} >= {"irsa"}
    assert {o["kind"] for o in objects} <= {"Mutation", "ServiceAccount"}, "the settings are not for the cluster"
    assert "FROM_SETTINGS" not in str(objects)
    judged = cluster.judge(*objects)
    assert judged.ok, judged


@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_component_is_accepted(cluster, render, domino_pods, overlay, component):
    judged = cluster.judge(*render(f"overlays/{overlay}", component))
    assert judged.ok, judged
    pod = mutate(render, overlay, domino_pods["run"], component)
    judged = cluster.judge(pod, namespace=level_of(overlay))
    assert judged.ok, judged


@pytest.mark.parametrize("inits", [False, True], ids=["apps", "inits-too"])
@pytest.mark.parametrize("kind", ["run", "cluster"])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_pod_of_domino(cluster, render, domino_pods, overlay, kind, inits):
    pod = mutate(render, overlay, domino_pods[kind], inits=inits)
    judged = cluster.judge(pod, namespace=level_of(overlay))
    assert judged.ok, judged
    sidecar, others = sidecar_and_others(pod, overlay.endswith("-app"))
    check_sidecar(sidecar, overlay)
    check_volumes(pod, overlay)
    labels, spec = pod["metadata"]["labels"], pod["spec"]
    assert labels["dominodatalab.com/irsa-workload-type"] == {"run": "edge-workload", "cluster": "cluster-master"}[kind]
    assert spec["securityContext"]["fsGroup"] == 12574
    for container in others:
        check_reader(container, container["name"] == "run" and mode_of(overlay) != "mount", overlay)
        assert environment(container).items() >= chart_1_8().items()
        assert mount_at(container, "/var/run/podinfo")["readOnly"] and mount_at(container, "/var/log/irsa")["readOnly"]
    # Where the token is: the rules must not talk a pod of a cluster out of what it knows.
    elsewhere = "http://ray-0123456789abcdef01234567-ray-proxy:8899"
    variables = environment(others[0])
    assert variables["DOMINO_API_PROXY"] == {"run": "http://localhost:8899", "cluster": elsewhere}[kind]
    assert variables.get("DOMINO_API_PROXY_PORT") == {"run": "8899", "cluster": None}[kind]
    assert environment(sidecar).get("IRSAFS_TOKEN_URL") == {"run": None, "cluster": f"{elsewhere}/access-token"}[kind]


def test_other_pods_are_left_alone(render, domino_pods):
    model = domino_pods["run"]
    model["metadata"]["labels"]["dominodatalab.com/workload-type"] = "ModelAPI"
    for overlay in OVERLAYS:
        assert mutate(render, overlay, model) == model


@pytest.mark.parametrize("components", [(), *[(c,) for c in COMPONENTS]], ids=str)
@pytest.mark.parametrize("example", MODES)
def test_example(cluster, render, example, components):
    if components and example.endswith("-app"):
        components = (*components, "components/app-sidecar")
    objects = render(f"examples/{example.removesuffix('-app')}" if components else f"examples/{example}", *components)
    namespace, pod = of_kind(objects, "Namespace")[0], of_kind(objects, "Pod")[0]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == level_of(example)
    cluster.create(namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {
        "name": "default", "namespace": namespace["metadata"]["name"]}})
    assert pod["metadata"]["namespace"] == namespace["metadata"]["name"]
    judged = cluster.judge(*objects)
    assert judged.ok, judged
    sidecar, others = sidecar_and_others(pod, example.endswith("-app"))
    check_sidecar(sidecar, example)
    check_volumes(pod, example)
    assert len(others) == 1
    if example.endswith("-app"): # the first is started first, and kubectl takes it unless it is told otherwise
        assert pod["spec"]["containers"][0]["name"] == SIDECAR and "initContainers" not in pod["spec"]
        assert pod["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "run"
    if "components/compat" not in components:
        check_reader(others[0], mode_of(example) != "mount", example)


def test_compat_restores_the_token_path(render, domino_pods):
    path = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
    pods = [mutate(render, "mount", domino_pods["run"], "components/compat"),
            of_kind(render("examples/mount", "components/compat"), "Pod")[0]]
    for pod in pods:
        run = named(pod["spec"]["containers"], "run")
        assert environment(run)["AWS_WEB_IDENTITY_TOKEN_FILE"] == path
        assert mount_at(run, path.removesuffix("/token"))


def test_monitoring(render, domino_pods):
    pods = [mutate(render, "file", domino_pods["run"], "components/monitoring"),
            of_kind(render("examples/file", "components/monitoring"), "Pod")[0]]
    for pod in pods:
        annotations = pod["metadata"]["annotations"]
        sidecar = named(pod["spec"]["initContainers"], SIDECAR)
        port = int(annotations["prometheus.io/port"])
        assert annotations["prometheus.io/scrape"] == "true" and annotations["prometheus.io/path"] == "/metrics"
        assert f"--metrics=0.0.0.0:{port}" in sidecar["args"]
        assert [p["containerPort"] for p in sidecar["ports"]] == [port]


def test_monitoring_of_the_cluster(cluster, render, domino_pods):
    """Rules, dashboard, and a PodMonitor that finds the port of a run's sidecar."""
    objects = render("monitoring")
    assert {o["kind"] for o in objects} == {"PrometheusRule", "PodMonitor", "ConfigMap"}
    judged = cluster.judge(*objects, namespace="privileged")
    assert judged.ok, judged
    folder = of_kind(objects, "ConfigMap")[0]
    assert folder["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(folder["data"]["irsafs.json"])["uid"] == "irsafs"
    monitor = of_kind(objects, "PodMonitor")[0]["spec"]
    endpoint, = monitor["podMetricsEndpoints"]
    for kind in ("run", "cluster"):
        pod = mutate(render, "fd", domino_pods[kind], "components/monitoring")
        assert monitor["namespaceSelector"]["matchNames"] == [pod["metadata"]["namespace"]]
        assert [one["operator"] for one in monitor["selector"]["matchExpressions"]] == ["Exists"]
        assert all(one["key"] in pod["metadata"]["labels"] for one in monitor["selector"]["matchExpressions"])
        port = named(named(pod["spec"]["initContainers"], SIDECAR)["ports"], endpoint["port"])["containerPort"]
        assert pod["metadata"]["annotations"]["prometheus.io/port"] == str(port)
        assert endpoint["path"] == pod["metadata"]["annotations"]["prometheus.io/path"]


def test_pod_identity(render, domino_pods):
    pod = mutate(render, "pod-identity", domino_pods["run"])
    accounts = {o["metadata"]["name"] for o in of_kind(render("overlays/pod-identity"), "ServiceAccount")}
    assert pod["spec"]["serviceAccountName"] in accounts
    stranger = domino_pods["run"]
    stranger["metadata"]["labels"]["dominodatalab.com/starting-user-username"] = "somebody-else"
    account = mutate(render, "pod-identity", stranger)["spec"]["serviceAccountName"]
    assert account == stranger["spec"]["serviceAccountName"]


def test_image_can_be_named(tools, tmp_path):
    """`images:` of a kustomization of one's own reaches Mutations too."""
    for folder in ("overlays/mount", "examples/mount"):
        here = tmp_path / folder
        here.mkdir(parents=True)
        (here / "kustomization.yaml").write_text(yaml.safe_dump({
            "resources": [os.path.relpath(MANIFESTS / folder, here.resolve())],
            "images": [{"name": "irsafs", "newName": "registry.example/irsafs", "newTag": "7"}]}))
        ran = subprocess.run([tools / "kubectl", "kustomize", here], check=True, text=True, stdout=subprocess.PIPE)
        assert re.findall(r"image: (\S*irsafs\S*)", ran.stdout) == ["registry.example/irsafs:7"]


def test_readme_claims_what_is_tested():
    rows = re.findall(r"^\| `overlays/(\S+)`(?:, `\S+`)? \|.*\| (privileged|baseline|restricted) \|",
                      (MANIFESTS / "README.md").read_text(), re.M)
    assert dict(rows) == {overlay: level_of(overlay) for overlay in ["mount", "fd", "file", "pod-identity"]}
