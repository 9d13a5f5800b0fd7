# SPDX-License-Identifier: Apache-2.0
"""`doctor`: one pod in which all is well, and for each check a pod in which that is not so."""
from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest

from lib import endpoint
from lib.doctor import NAMES, diagnose, inside
from lib.run_pod import date
from lib.program import BUILD, CLIENT, IRSAFS, PATH, TESTS, USER, public, run
from lib.wait import wait_until
from lib.world import RUN
from standin.dns import Dns
from standin.mapping import HTML
from standin.mapping import PATH as SERVICE_PATH
from standin.tls import DAY
from standin.token import make_jwt


def test_all_is_well(pod):
    pod.mount().read()
    before = pod.service.count
    found = pod.doctor()
    assert [finding.name for finding in found.findings] == NAMES, found.text
    assert {finding.level for finding in found.findings} == {"OK"}, found.text
    assert found.summary == "17 OK, 0 WARN, 0 FAIL, 0 not tried"
    assert pod.service.count == before + 1            # one POST, as one fetch makes
    assert found.says("OK", "mount", "one irsafs, alive") and found.says("OK", "daemon", "fresh")
    assert found.says("OK", "labels", RUN, "from dominodatalab.com/execution-id")
    assert found.says("OK", "rights", "65534:65534")
    assert found.says("OK", "tls", "CN = localhost", "by CN = irsafs test CA")
    assert found.says("OK", "mapping", "6 profile(s)") and found.says("OK", "web-identity", "domino-compute:run-jane")
    assert [line for line in found.text.splitlines() if len(line) > 100] == []


def test_irsafs_hands_over(pod):
    pod.mount()
    ran = run([IRSAFS, "doctor"], pod.env, timeout=90)
    assert ran.code == 0 and b"17 OK, 0 WARN" in ran.out


def test_json_says_the_same(pod):
    pod.service.behave(status=500)
    found = pod.doctor()
    ran = run([CLIENT, "doctor", "--json"], pod.env, timeout=90)
    told = json.loads(ran.out)
    levels = {"OK": "ok", "WARN": "warn", "FAIL": "fail", "--": "not_tried"}
    assert ran.code == 1 and told["schema"] == 1
    assert [(c["name"], c["level"], c["remedy"] or "") for c in told["checks"]] == [
        (f.name, levels[f.level], f.remedy) for f in found.findings
    ]
    assert next(c["code"] for c in told["checks"] if c["name"] == "mapping") == "IRSAFS-E701"
    assert sum(told["summary"].values()) == len(told["checks"])


def test_documented_checks_are_those_that_are_printed():
    text = (TESTS.parent / "docs" / "doctor.md").read_text()
    assert re.findall(r"^\| `([a-z-]+)` \|", text, re.M) == NAMES
    assert re.findall(r"^(?:OK|WARN|FAIL|--) +([a-z-]+) ", text, re.M) == NAMES


# ---- the container and its mount


def test_settings(pod):
    found = pod.doctor("--endpoint=ftp://irsa-svc/")
    assert found.says("FAIL", "settings", "--endpoint", "E202")
    assert found.level("labels") == found.level("daemon") == found.level("mapping") == "--"
    found = pod.doctor(env={"IRSAFS_CONTROL": "everywhere"})
    assert found.says("FAIL", "settings", "E302")


def test_no_device(pod):
    no_device = inside("mount -t tmpfs none /dev")
    found = pod.doctor(prefix=no_device)
    assert found.says("FAIL", "fuse", "/dev/fuse: No such file", "sidecar needs the device")
    other_device = inside("mount --bind /dev/null /dev/fuse")
    assert pod.doctor(prefix=other_device).says("FAIL", "fuse", "/dev/fuse: No such device")
    mount = pod.mount()
    assert pod.doctor(prefix=no_device).says("OK", "fuse", "none needed")
    mount.stop()
    as_user = (*no_device, "setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    assert pod.doctor(prefix=as_user, program=public(CLIENT)).says("WARN", "fuse", "in other containers this is no fault")


def test_no_mount(pod):
    found = pod.doctor()                               # no folder
    assert found.says("FAIL", "mount", "No such file or directory", "the mutation mounts the volume")
    assert found.level("access") == "--"
    pod.point.mkdir()
    assert pod.doctor().says("FAIL", "mount", "no irsafs is mounted on", "irsafs-client > FILE")
    (pod.point / "config").write_text("")
    assert pod.doctor().says("FAIL", "mount", "plain file of somebody else")


def test_covered_mount(pod):
    pod.mount()
    assert pod.doctor(prefix=inside(f"mount -t tmpfs none {pod.point}")).says("FAIL", "mount", "tmpfs", "unmount what covers it")
    assert pod.doctor(prefix=inside(f"mount --bind {pod.point} {pod.point}")).says("FAIL", "mount", "2 irsafs")


def test_dead_mount(pod):
    mount = pod.mount()
    mount.kill()

    def is_dead() -> bool:             # the worker serves a moment longer
        try:
            mount.status()
        except OSError:
            return True
        return False

    wait_until(is_dead, "the end of the worker")
    found = pod.doctor()
    assert found.says("FAIL", "mount", "was killed", "restart the sidecar")
    assert found.says("FAIL", "daemon", "E103")


def test_silent_mount(pod):
    mount = pod.mount()
    pids = [mount.process.pid, mount.worker]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        found = pod.doctor()
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
    assert found.says("FAIL", "mount", "does not answer", "pgrep -af irsafs")
    assert found.level("mapping") == "OK"              # the walk went on


def test_daemon(pod):
    mount = pod.mount("--min-refresh=0s")
    mount.read()
    pod.service.behave(status=500)
    mount.touch()
    mount.read()
    found = pod.doctor()
    assert found.says("WARN", "daemon", "old text", "IRSAFS-E701", "its administrator")
    pod.service.behave(status=403)
    mount.touch()
    mount.wait_state("none")
    assert pod.doctor().says("FAIL", "daemon", "nothing to serve", "IRSAFS-E601", "ask the Domino administrator")


def test_daemon_is_asked_at_its_endpoint(pod):
    served = endpoint.serve(pod.world)
    pod.args = [f"--control={served.control.address}"]
    found = pod.doctor(drop=("AWS_CONFIG_FILE",))
    assert found.says("OK", "daemon", "over its endpoint")


def test_port_of_the_endpoint_is_taken(pod):
    port = endpoint.free_port()
    with endpoint.listener("127.0.0.1", port):
        mount = pod.mount(f"--control=127.0.0.1:{port}")
        mount.wait_status(lambda status: status["control"]["state"] == "taken", "a try to listen")
        found = pod.doctor()
    assert found.says("WARN", "daemon", f"127.0.0.1:{port} is taken", "another --control")


def test_mount_that_only_the_sidecar_sees(pod):
    served = endpoint.serve(pod.world)
    pod.args = [f"--control={served.control.address}"]
    found = pod.doctor(prefix=inside(f"umount -l {served.mount.path}"), env={"AWS_CONFIG_FILE": f"{served.mount.path}/config"})
    assert found.says("FAIL", "propagation", f"irsafs serves {served.mount.path}", "HostToContainer", "private here")


def test_private_mount(pod):
    pod.mount()
    found = pod.doctor(prefix=inside(":"))
    assert found.says("WARN", "propagation", "private", "mountPropagation")
    follower = ("unshare", "-m", "--propagation", "slave", "--")
    assert pod.doctor(prefix=follower).says("OK", "propagation", "received from another container")


def test_access(pod):
    mount = pod.mount("--config-mode=0400", "--refresh-mode=0600")
    found = pod.doctor(user=USER, group=USER, extra_groups=[])
    assert found.says("FAIL", "access", "0400", f"{USER}:{USER}", "--config-mode")
    mount.close()
    pod.world.mounts.remove(mount)
    pod.mount("--refresh-mode=0600")
    found = pod.doctor(user=USER, group=USER, extra_groups=[])
    assert found.says("WARN", "access", "refresh not touched", "--refresh-mode")
    found = pod.doctor(prefix=inside(f"mount -o remount,ro,bind {pod.point}"))
    assert found.says("WARN", "access", "Read-only file system", "readOnly: false")


# ---- what a fetch needs


def test_rights(pod):
    unable = ("setpriv", "--bounding-set", "-setuid,-setgid", "--")
    assert pod.doctor(prefix=unable).says("WARN", "rights", "as root", "SETUID, SETGID and KILL")
    unwalled = (BUILD / "tests" / "confine-try", "without", "off", "seccomp")
    found = pod.doctor("--sandbox=required", prefix=unwalled)
    assert found.says("FAIL", "rights", "seccomp", "E908") and found.level("token") == "--"
    found = pod.doctor(user=USER, group=USER, extra_groups=[])
    assert found.says("OK", "rights", f"{USER}:{USER}")


def test_labels(pod):
    assert pod.doctor(drop=("POD_INFO_PATH",)).says("FAIL", "labels", "E303", "mount the pod's labels")
    found = pod.doctor(drop=("POD_INFO_PATH",), env={"DOMINO_RUN_ID": RUN})
    assert found.says("OK", "labels", "from DOMINO_RUN_ID")
    found = pod.doctor(env={"POD_INFO_PATH": "/nowhere/labels", "DOMINO_RUN_ID": RUN})
    assert found.says("WARN", "labels", "/nowhere/labels", "no workload type")
    assert pod.doctor(f"--run-id={RUN}").says("OK", "labels", "from --run-id")


def test_files_are_read_as_the_worker(pod):
    """Root could read all of them: what counts is --worker-uid and the groups of the pod."""
    folder = pod.world.folder / "private"
    folder.mkdir()
    labels, token, ca = folder / "labels", folder / "token", folder / "ca.pem"
    shutil.copy(pod.world.labels.path, labels)
    token.write_text(pod.world.tokens.issue())
    shutil.copy(pod.authority.bundle, ca)
    for path in (labels, token, ca):
        os.chown(path, 0, 12345)
        path.chmod(0o640)
    pod.args = [f"--labels={labels}", f"--token-file={token}", f"--ca-file={ca}"]
    found = pod.doctor(drop=("DOMINO_API_PROXY",))
    for name, code in (("labels", "E304"), ("token", "E402"), ("tls", "E306")):
        assert found.says("FAIL", name, "0:12345 0640", "runs as 65534:65534", code, "fsGroup"), (name, found.text)
    assert found.level("mapping") == "--"
    grouped = ("setpriv", "--groups", "0,12345")
    found = pod.doctor(drop=("DOMINO_API_PROXY",), prefix=grouped)
    assert {found.level(name) for name in ("labels", "token", "tls", "mapping")} == {"OK"}, found.text
    found = pod.doctor("--worker-uid=0", drop=("DOMINO_API_PROXY",))
    assert found.level("mapping") == "OK", found.text


def test_token(pod):
    tokens = pod.world.tokens
    found = pod.doctor(drop=("DOMINO_API_PROXY",))
    assert found.says("FAIL", "token", "E305", "DOMINO_API_PROXY") and found.level("mapping") == "--"
    tokens.exp_in = -60
    assert pod.doctor().says("FAIL", "token", "expired on", "new token")
    tokens.exp_in = 300
    tokens.behave(status=503)
    assert pod.doctor().says("FAIL", "token", "status 503", "E401", "runs in this pod")
    path = pod.world.folder / "token"
    path.write_text(tokens.issue())
    assert pod.doctor(f"--token-file={path}").says("WARN", "token", "from the token file", "gives none")
    tokens.refuse()
    assert pod.doctor().says("FAIL", "token", "refused", "E401")
    tokens.accept()
    tokens.normal()
    tokens.raw = "0123456789abcdefghij"
    assert pod.doctor().says("OK", "token", "does not say how long")


def test_api_key(pod):
    pod.secrets = ["key-of-jane-0123456789"]
    pod.service.api_keys[pod.secrets[0]] = "jane"
    found = pod.doctor(drop=("DOMINO_API_PROXY",), env={"DOMINO_USER_API_KEY": pod.secrets[0]})
    assert found.says("OK", "token", "from the API key") and found.level("mapping") == "OK"


def test_no_endpoint(pod):
    found = pod.doctor(drop=("DOMINO_IRSA_ENDPOINT",))
    assert found.says("FAIL", "endpoint", "E301", "DOMINO_IRSA_ENDPOINT")
    assert [found.level(name) for name in ("dns", "tcp", "tls", "mapping")] == ["--"] * 4


@pytest.mark.parametrize("fault", ["nxdomain", "silence"])
def test_dns(pod, fault):
    server = Dns()
    conf = pod.world.folder / "resolv.conf"
    conf.write_text(server.resolv_conf())
    server.fault = fault
    try:
        found = pod.doctor(
            prefix=inside(f"mount --bind {conf} /etc/resolv.conf"),
            env={"DOMINO_IRSA_ENDPOINT": f"https://irsa-svc.domino-field:{pod.service.port}{SERVICE_PATH}"},
        )
        assert server.questions > 0
    finally:
        server.close()
    assert found.says("FAIL", "dns", "irsa-svc.domino-field", "E502", "cluster's DNS")
    assert [found.level(name) for name in ("tcp", "tls", "mapping")] == ["--"] * 3


def test_tcp(pod):
    pod.service.refuse()
    found = pod.doctor()
    assert found.level("dns") == "OK" and found.says("FAIL", "tcp", "Connection refused", "E503", "network policy")
    assert found.level("tls") == found.level("mapping") == "--"


@pytest.mark.slow
def test_silence_at_the_port(pod):
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        url = f"--endpoint=https://127.0.0.1:{listener.getsockname()[1]}/"
        found = pod.doctor(url)                        # takes the connection and never says a word
        assert found.level("tcp") == "OK" and found.says("FAIL", "tls", "in time", "E504")
        for sock in (first, second):                   # the queue is full: the kernel answers nobody any more
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        found = pod.doctor(url)
        assert found.says("FAIL", "tcp", "no answer", "E503") and found.level("tls") == "--"


LEAVES = {                             # what the certificate is like -> level and words
    "wrong host": ({"hosts": ("irsa-svc", "10.0.0.1"), "end": 100 * DAY}, "FAIL", ("for: irsa-svc 10.0.0.1", "compare with the host")),
    "expired": ({"start": -3 * DAY, "end": -2 * DAY}, "FAIL", ("certificate expired", "E505")),
    "self-signed": ({"own_issuer": True}, "FAIL", ("self-signed", "--ca-file")),
    "hostile": ({"common": "\x1b[31mred\n", "hosts": ("other",), "end": 100 * DAY}, "FAIL", ("[31mred",)),
    "ends soon": ({"end": 3 * DAY}, "WARN", ("ends on", "renew")),
}


@pytest.mark.parametrize("name", LEAVES)
def test_tls(pod, name):
    leaf, level, words = LEAVES[name]
    server = pod.serve(**leaf)
    try:
        found = pod.doctor(f"--endpoint={server.url}")
    finally:
        server.close()
    assert found.level("tcp") == "OK" and found.says(level, "tls", *words), found.text
    assert found.level("mapping") == ("--" if level == "FAIL" else "OK")


def test_tls_that_is_not_there(pod):
    found = pod.doctor(f"--endpoint={pod.world.service.url}")
    assert found.says("WARN", "tls", "http", "https URL")
    found = pod.doctor("--insecure-skip-tls-verify")
    assert found.says("WARN", "tls", "not verified", "--ca-file") and found.level("mapping") == "OK"
    found = pod.doctor("--ca-file=/nowhere.pem")
    assert found.says("FAIL", "tls", "/nowhere.pem", "E306")


def test_mapping(pod):
    for status, words in ((500, ("E701", "in its log")), (404, ("E602", "still exists")), (403, ("E601",))):
        pod.service.behave(status=status)
        assert pod.doctor().says("FAIL", "mapping", *words), status
    pod.service.behave(headers=date(), body=b"")
    assert pod.doctor().says("WARN", "mapping", "maps no role", "administrator")
    pod.service.behave(headers=date(), body=b"[profile a]\nrole_arn = arn:aws:iam::524112250363:role/a\ncredential_process = /bin/id\nregion = us-west-2\n")
    assert pod.doctor().level("mapping") in ("WARN", "FAIL")


@pytest.mark.slow
def test_service_that_does_not_answer(pod):
    """A fetch may wait for a minute; the walk ends before that, and says what it knows."""
    pod.service.behave(hang="headers")
    found = pod.doctor()
    assert found.says("WARN", "mapping", "in time", "E504")
    assert [found.level(name) for name in ("web-identity", "aws-env")] == ["OK", "OK"]
    assert pod.doctor("--fetch-timeout=1s").says("FAIL", "mapping", "in time", "E504")


def test_clock(pod):
    pod.service.behave(headers=date(-1000))
    assert pod.doctor().says("FAIL", "clock", "ahead of the service's", "NTP")
    pod.service.behave(headers=date(1000))
    assert pod.doctor().says("FAIL", "clock", "behind the service's")
    pod.service.behave(headers=HTML)
    assert pod.doctor().level("clock") == "--"
    now = int(time.time())
    pod.world.tokens.raw = make_jwt({"sub": "jane", "iat": now + 1000, "exp": now + 2000})
    assert pod.doctor().says("FAIL", "clock", "behind the one that issued the token")


# ---- what the programs of the run need


IDENTITIES = {                         # changed claims -> level and words
    "no https": ({"iss": "http://oidc.eks.x.amazonaws.com/id/0"}, "FAIL", ("no https URL",)),
    "no issuer": ({"iss": None}, "FAIL", ("no https URL",)),
    "another issuer": ({"iss": "https://kubernetes.default.svc"}, "WARN", ("not EKS", "OIDC provider")),
    "another audience": ({"aud": ["https://kubernetes.default.svc"]}, "FAIL", ("audience", "sts.amazonaws.com")),
    "no service account": ({"sub": "jane"}, "FAIL", ("subject 'jane'",)),
    "half a service account": ({"sub": "system:serviceaccount:domino"}, "FAIL", ("NAMESPACE:NAME",)),
    "expired": ({"exp": int(time.time()) - 100}, "FAIL", ("expired", "kubelet")),
    "hostile": ({"sub": "\x1b[31m\n"}, "FAIL", ("subject '?[31m?'",)),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_claims_of_the_projected_token(pod, name):
    changes, level, words = IDENTITIES[name]
    pod.write_identity(**changes)
    assert pod.doctor().says(level, "web-identity", *words)


def test_audience_that_is_no_list(pod):
    pod.write_identity(aud="sts.amazonaws.com")
    assert pod.doctor().level("web-identity") == "OK"


def test_projected_token_that_cannot_be_read(pod):
    pod.identity.chmod(0o600)
    assert pod.doctor().says("WARN", "web-identity", "only its owner", "defaultMode")
    found = pod.doctor(user=USER, group=USER, extra_groups=[])
    assert found.says("FAIL", "web-identity", "Permission denied", "defaultMode")
    pod.identity.write_text("no token")
    assert pod.doctor().says("FAIL", "web-identity", "no JWT")
    pod.identity.write_text("")
    assert pod.doctor().says("FAIL", "web-identity", "empty")
    pod.identity.unlink()
    assert pod.doctor().says("FAIL", "web-identity", "no projected token: the mutation is missing or not applied")


VARIABLES = {                          # the environment -> words
    "role": ({"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, ("AWS_ROLE_ARN: taken", "unset AWS_ROLE_ARN")),
    "role and profile": (
        {"AWS_ROLE_ARN": "arn:aws:iam::1:role/x", "AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_PROFILE": "acme-read-bucket-role"},
        ("beats AWS_PROFILE", "Java"),
    ),
    "role alone": ({"AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}, ("AWS_ROLE_ARN",)),
    "token file alone": ({"AWS_WEB_IDENTITY_TOKEN_FILE": "/t"}, ("without AWS_ROLE_ARN", "unset")),
    "keys": ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, ("AWS_ACCESS_KEY_ID", "unset")),
    "secret key": ({"AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG"}, ("AWS_ACCESS_KEY_ID or its like",)),
    "container": ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"}, ("AWS_CONTAINER_CREDENTIALS_*",)),
    "node": ({"AWS_EC2_METADATA_DISABLED": "false"}, ("AWS_EC2_METADATA_DISABLED is not true",)),
    "STS": ({"AWS_ENDPOINT_URL_STS": "https://sts.example"}, ("AWS_ENDPOINT_URL_STS", "CRT")),
    "CA": ({"AWS_CA_BUNDLE": "/nowhere.pem"}, ("AWS_CA_BUNDLE cannot be read",)),
    "missing profile": ({"AWS_PROFILE": "\x1b[31mnobody"}, ("AWS_PROFILE=?[31mnobody is not among the profiles",)),
    "another config": ({"AWS_CONFIG_FILE": "/etc/aws/config.ini"}, ("AWS_CONFIG_FILE is /etc/aws/config.ini, not",)),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_variables(pod, name):
    more, words = VARIABLES[name]
    found = pod.doctor(f"--mountpoint={pod.point}", env=more)
    assert found.says("FAIL" if name == "CA" else "WARN", "aws-env", *words), found.text
    assert "OK" not in {finding.level for finding in found.of("aws-env")}
    own_words = [line for line in found.text.splitlines() if "aws-env" in line and str(pod.point) not in line]
    assert [line for line in own_words if len(line) > 80] == []    # a folder can be as long as it likes


def test_variables_and_files_that_are_missing(pod):
    found = pod.doctor(f"--mountpoint={pod.point}", drop=("AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED"))
    assert found.says("WARN", "aws-env", "AWS_CONFIG_FILE is not set") and len(found.of("aws-env")) == 2
    credentials = Path(pod.env["HOME"]) / ".aws" / "credentials"
    credentials.parent.mkdir(parents=True)
    credentials.write_text("[default]\n")
    assert pod.doctor().says("WARN", "aws-env", "~/.aws/credentials", "[default]")
    found = pod.doctor(env={"AWS_PROFILE": "acme-read-bucket-role"})
    assert len(found.of("aws-env")) == 1               # a profile that is there is no fault


# ---- the whole


def test_run_container_without_the_mutation(pod, tmp_path_factory):
    """The program copied into a run container, with nothing but the environment that Domino gives."""
    folder = Path(tmp_path_factory.mktemp("copied"))
    for part in (folder, *folder.parents[:-2]):
        part.chmod(part.stat().st_mode | 0o055)
    program = shutil.copy2(CLIENT, folder)
    shutil.chown(folder, USER)
    env = {
        "PATH": PATH, "HOME": str(folder), "DOMINO_RUN_ID": RUN, "DOMINO_API_PROXY": pod.world.tokens.origin,
        "DOMINO_STARTING_USERNAME": "jane", "IRSAFS_CONTROL": "off",
    }
    as_user = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
    found = diagnose(env=env, secrets=pod.world.secrets(), prefix=as_user, program=program)
    assert found.says(
        "FAIL", "web-identity", "no projected token: the mutation is missing or not applied",
        "/var/run/secrets/eks.amazonaws.com/serviceaccount/token",
    )
    assert found.says("FAIL", "endpoint", "E301") and found.says("FAIL", "mount")
    assert found.says("OK", "token") and found.says("OK", "labels", "DOMINO_RUN_ID")
    env["DOMINO_IRSA_ENDPOINT"] = pod.world.service.url
    found = diagnose(env=env, secrets=pod.world.secrets(), prefix=as_user, program=program)
    assert found.says("OK", "mapping", "6 profile(s)")


def test_no_secret_is_printed(pod):
    """Wherever one can be: Diagnosis compares all that is printed with these."""
    pod.secrets = ["AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY", "session-token-0123456789", "key-of-jane-0123456789"]
    env = dict(zip(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "DOMINO_USER_API_KEY"), pod.secrets))
    pod.doctor(env=env)
    pod.doctor("--endpoint=https://user:key-of-jane-0123456789@irsa-svc/", env=env)
    pod.doctor(env={**env, "DOMINO_API_PROXY": "http://jane:key-of-jane-0123456789@localhost"})
    pod.service.behave(headers=date(), body=pod.world.tokens.issue().encode())
    pod.doctor(env=env)
