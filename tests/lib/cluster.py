# SPDX-License-Identifier: Apache-2.0
"""A real kube-apiserver on loopback, and what manifests/ renders to."""
from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

import yaml

from lib.wait import wait_until

MANIFESTS = Path(__file__).parents[2] / "manifests"
LEVELS = ["privileged", "baseline", "restricted"]


def free_ports(count: int) -> list:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


class Answer:
    def __init__(self, ran: subprocess.CompletedProcess) -> None:
        self.ok, self.out, self.err = ran.returncode == 0, ran.stdout, ran.stderr

    def __repr__(self) -> str:
        return f"<{'accepted' if self.ok else 'refused'}: {self.err.strip() or self.out[:200]}>"


class Cluster:
    """etcd, kube-apiserver, and kubectl to talk to them. No kubelet: nothing runs, everything is judged."""

    def __init__(self, tools: Path, folder: Path) -> None:
        self.tools, self.folder, self.started = tools, folder, []
        etcd, etcd_peer, self.port = free_ports(3)
        self.start("etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync", "--log-level=error",
                   f"--listen-client-urls=http://127.0.0.1:{etcd}", f"--advertise-client-urls=http://127.0.0.1:{etcd}",
                   f"--listen-peer-urls=http://127.0.0.1:{etcd_peer}",
                   f"--initial-advertise-peer-urls=http://127.0.0.1:{etcd_peer}",
                   f"--initial-cluster=default=http://127.0.0.1:{etcd_peer}")
        token = secrets.token_hex(16)
        (folder / "tokens.csv").write_text(f"{token},tester,tester,system:masters\n")
        subprocess.run(["openssl", "genrsa", "-out", folder / "accounts.key", "2048"], check=True, capture_output=True)
        self.start("kube-apiserver", f"--etcd-servers=http://127.0.0.1:{etcd}", "--bind-address=127.0.0.1",
                   "--advertise-address=127.0.0.1", f"--secure-port={self.port}", f"--cert-dir={folder}",
                   f"--token-auth-file={folder}/tokens.csv", "--authorization-mode=RBAC", "--allow-privileged=true",
                   "--service-account-issuer=https://kubernetes.default.svc", "--service-cluster-ip-range=10.0.0.0/24",
                   f"--service-account-signing-key-file={folder}/accounts.key",
                   f"--service-account-key-file={folder}/accounts.key")
        (folder / "config").write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                      "certificate-authority": f"{folder}/apiserver.crt"}}],
            "users": [{"name": "tester", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "tester"}}]}))
        wait_until(self.ready, f"kube-apiserver ready; its log ends with:\n{self.log()}", timeout=120, pause=0.2)

    def start(self, name: str, *arguments) -> None:
        log = (self.folder / f"{name}.log").open("wb")
        self.started.append(subprocess.Popen([self.tools / name, *arguments], stdout=log, stderr=log,
                                             stdin=subprocess.DEVNULL))

    def log(self) -> str:
        return (self.folder / "kube-apiserver.log").read_text(errors="replace")[-2000:]

    def ready(self) -> bool:
        for process in self.started:
            assert process.poll() is None, f"{process.args[0]} ended: {self.log()}"
        return self.kubectl("get", "--raw", "/readyz").ok and self.kubectl("get", "namespace", "default").ok

    def kubectl(self, *words, stdin: str = "") -> Answer:
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "KUBECONFIG": f"{self.folder}/config"}
        return Answer(subprocess.run([self.tools / "kubectl", *words], input=stdin, env=environment, text=True,
                                     capture_output=True, timeout=60, check=False))

    def create(self, *objects: dict) -> None:
        """For good."""
        made = self.kubectl("apply", "--server-side", "--validate=strict", "-f", "-", stdin=yaml.safe_dump_all(objects))
        assert made.ok, made

    def judge(self, *objects: dict, namespace: str = "") -> Answer:
        """A dry run on the server: schema, validation, admission with Pod Security; nothing is stored."""
        placed = [{**o, "metadata": {**o["metadata"], "namespace": namespace}} if namespace else o for o in objects]
        return self.kubectl("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-",
                            stdin=yaml.safe_dump_all(placed))

    def stop(self) -> None:
        for process in self.started: # there is nothing to save, and a graceful end takes half a minute
            process.kill()
            process.wait()


def add_namespace(cluster: Cluster, name: str, level: str) -> None:
    """With the service accounts of the pods in it, for there is no controller that makes any."""
    labels = {"pod-security.kubernetes.io/enforce": level}
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    for account in ("default", "run-0123456789abcdef01234567", "ray-0123456789abcdef01234567-ray",
                    "irsafs-sample-user"):
        cluster.create({"apiVersion": "v1", "kind": "ServiceAccount",
                        "metadata": {"name": account, "namespace": name}})


class Renderer:
    def __init__(self, tools: Path) -> None:
        self.kubectl, self.known = tools / "kubectl", {}

    def __call__(self, folder: str, *components: str) -> list:
        """The objects of manifests/FOLDER, with components/ on top."""
        key = (folder, components)
        if key not in self.known:
            self.known[key] = list(yaml.safe_load_all(self.text(folder, components)))
        return json.loads(json.dumps(self.known[key]))

    def text(self, folder: str, components=()) -> str:
        if not components:
            return self.run(MANIFESTS / folder)
        with tempfile.TemporaryDirectory(prefix="irsafs-kustomize.") as here:
            root = os.path.relpath(MANIFESTS, os.path.realpath(here))
            (Path(here) / "kustomization.yaml").write_text(yaml.safe_dump({
                "resources": [f"{root}/{folder}"], "components": [f"{root}/{name}" for name in components]}))
            return self.run(Path(here))

    def run(self, folder: Path) -> str:
        ran = subprocess.run([self.kubectl, "kustomize", folder], text=True, capture_output=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout
