# SPDX-License-Identifier: Apache-2.0
"""The client behind its walls: all of a fetch still works, and what is missing is said.

What the walls refuse is shown by tests/confine.
"""
from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from lib.program import BUILD, CLIENT, public, run
from lib.world import GOLDEN
from standin.dns import Dns
from standin.http import Gate
from standin.mapping import PATH, MappingService
from standin.tls import Authority

NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}
ALL = ["uid", "capabilities", "no_new_privs", "seccomp", "landlock"]
REQUIRED = "--sandbox=required"
NO_TOKEN_URL = {"DOMINO_API_PROXY": None}


@pytest.fixture
def token(world):
    """A token file as kubelet makes it: a link to a link to a folder that is swapped."""
    folder = world.folder / "tokens"
    data = folder / "..2026_01_01"
    data.mkdir(parents=True)
    (data / "token").write_text(world.tokens.issue())
    (folder / "..data").symlink_to(data.name)
    (folder / "token").symlink_to("..data/token")
    return folder / "token"


def test_nobody_over_http(fetch):
    ran = fetch(REQUIRED, **NOBODY)
    assert (ran.code, ran.out.decode(), ran.report["sandbox"]) == (0, GOLDEN, ALL)


def test_root_keeps_root_s_ids(fetch):
    for mode in ("required", "best-effort"):
        ran = fetch(f"--sandbox={mode}")
        assert (ran.code, ran.report["sandbox"]) == (0, ALL[1:])


def test_default_and_off(fetch):
    assert fetch().report["sandbox"] == ALL[1:]
    assert fetch("--sandbox=off").report["sandbox"] == []
    assert fetch(env={"IRSAFS_SANDBOX": "off"}).report["sandbox"] == []
    ran = fetch("--sandbox=strict")
    assert (ran.code, ran.report["code"], ran.report["sandbox"]) == (2, 202, [])
    assert ran.report["message"] == "--sandbox: 'strict' is not required, best-effort or off"


def test_https_with_own_ca(world, fetch):
    authority = Authority(world.folder)
    service = MappingService(world.tokens, tls=authority.context())
    try:
        ran = fetch(REQUIRED, f"--ca-file={authority.bundle}", f"--endpoint=https://127.0.0.1:{service.port}{PATH}", **NOBODY)
        assert (ran.code, ran.out.decode(), ran.report["endpoint"]["tls"]) == (0, GOLDEN, "verified")
    finally:
        service.close()


def test_https_with_the_system_s_bundle(world):
    authority = Authority(world.folder)
    service = MappingService(world.tokens, tls=authority.context())
    try:
        script = f'mount --bind {authority.bundle} /etc/ssl/certs/ca-certificates.crt && exec "$@"'
        ran = run(["unshare", "-m", "sh", "-c", script, "sh", CLIENT, REQUIRED, f"--endpoint=https://127.0.0.1:{service.port}{PATH}"],
                  world.env())
        assert (ran.code, ran.out.decode(), ran.err) == (0, GOLDEN, "")
    finally:
        service.close()


def test_token_file_behind_links(fetch, token):
    ran = fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL, **NOBODY)
    assert (ran.code, ran.out.decode(), ran.report["token"]["source"]) == (0, GOLDEN, "file")


def test_link_out_of_the_folder(world, fetch, token):
    """Each folder on the way of links is readable, each of them may be swapped."""
    link = world.folder / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(token)
    ran = fetch(REQUIRED, f"--token-file={link}", env=NO_TOKEN_URL, **NOBODY)
    assert (ran.code, ran.out.decode()) == (0, GOLDEN)


def test_relative_token_file(world, token):
    ran = subprocess.run([CLIENT, REQUIRED, "--token-file=token"], env={**world.env(), "DOMINO_API_PROXY": ""}, cwd=token.parent,
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    assert (ran.returncode, ran.stdout.decode(), ran.stderr) == (0, GOLDEN, b"")


def test_token_is_swapped_during_the_fetch(world, fetch, token):
    """The second token, read after a 401, comes from a folder that was not there at the start."""
    gate = Gate()
    world.service.queue(status=401, gate=gate)

    def swap() -> None:
        gate.wait_arrived()
        data = token.parent / "..2026_01_02"
        data.mkdir()
        (data / "token").write_text(world.tokens.issue())
        (token.parent / "..data_tmp").symlink_to(data.name)
        (token.parent / "..data_tmp").rename(token.parent / "..data")
        shutil.rmtree(token.parent / "..2026_01_01")
        gate.release()

    thread = threading.Thread(target=swap)
    thread.start()
    ran = fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL, **NOBODY)
    thread.join()
    assert (ran.code, ran.out.decode(), world.service.count) == (0, GOLDEN, 2)


def test_names_are_resolved(world):
    """In a thread of the resolver's, with /etc/resolv.conf and a socket of its own."""
    dns = Dns()
    try:
        dns.addresses = ["127.0.0.1"]
        conf = world.folder / "resolv.conf"
        conf.write_text(dns.resolv_conf())
        name = f"http://irsa-svc.domino-field:{world.service.port}{PATH}"
        world.service.aliases.add(name)
        script = f'mount --bind {conf} /etc/resolv.conf && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
        ran = run(["unshare", "-m", "sh", "-c", script, "sh", public(CLIENT), REQUIRED, f"--endpoint={name}"], world.env())
        assert (ran.code, ran.out.decode(), ran.err) == (0, GOLDEN, "") and dns.questions > 0
    finally:
        dns.close()


def test_ipv6(world, fetch):
    class Server(http.server.HTTPServer):
        address_family = socket.AF_INET6

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = world.tokens.issue().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args) -> None:
            pass

    with Server(("::1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        ran = fetch(REQUIRED, f"--token-url=http://[::1]:{server.server_port}/", **NOBODY)
        thread.join()
    assert (ran.code, ran.out.decode(), ran.report["token"]["source"]) == (0, GOLDEN, "url")


def test_seen_from_outside(world):
    gate = world.service.hold()
    process = subprocess.Popen([public(CLIENT), REQUIRED], env=world.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, cwd="/", **NOBODY)
    try:
        gate.wait_arrived()
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        seen = {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
        limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
        owner = os.stat(f"/proc/{process.pid}/environ").st_uid
    finally:
        gate.release()
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.decode(), err) == (0, GOLDEN, b"")
    assert {int(seen[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {0}
    assert (seen["NoNewPrivs"], seen["Seccomp"], seen["Seccomp_filters"], owner) == ("1", "2", "1", 0)
    files = next(line.split()[3:5] for line in limits if line.startswith("Max open files"))
    assert max(map(int, files)) <= 256


def test_capabilities_of_root_by_hand(world):
    gate = world.service.hold()
    process = subprocess.Popen([CLIENT, REQUIRED], env=world.env(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")
    try:
        gate.wait_arrived()
        status = Path(f"/proc/{process.pid}/status").read_text()
    finally:
        gate.release()
        process.communicate(timeout=20)
    seen = {line.split(":")[0]: int(line.split()[1], 16) for line in status.splitlines() if line.startswith("Cap")}
    assert seen == {"CapInh": 0, "CapPrm": 6, "CapEff": 6, "CapBnd": 0, "CapAmb": 0}   # DAC_OVERRIDE, DAC_READ_SEARCH


# A call that the kernel does not know: what is missing then, and how that is said.
WALLS = {
    "landlock_create_ruleset": ("landlock", "Function not implemented"),
    "landlock_restrict_self": ("landlock", "Function not implemented"),
    "seccomp": ("seccomp", "Function not implemented"),
    "capset": ("capabilities", "Function not implemented"),
}


@pytest.mark.parametrize("call", WALLS)
def test_kernel_without_a_wall(world, call):
    """required: an error that names it, before anything is asked; best-effort: the rest."""
    wall, why = WALLS[call]
    program = [BUILD / "tests" / "confine-try", "without", "off", call, CLIENT]
    ran = run([*program, REQUIRED], world.env())
    assert (ran.code, ran.out) == (9, b"") and f"irsafs-client: {wall}: {why} (IRSAFS-E908)" in ran.err
    assert "--sandbox=best-effort" in ran.err and world.tokens.connections == world.service.connections == 0
    report = os.memfd_create("report")
    try:
        ran = run([*program, f"--report-fd={report}"], world.env(), pass_fds=(report,))
        told = json.loads(os.pread(report, 1 << 16, 0))
    finally:
        os.close(report)
    assert (ran.code, ran.out.decode()) == (0, GOLDEN)
    assert told["sandbox"] == [name for name in ALL[1:] if name != wall]


# ---- files that may not be read

def denied(path: Path, mode: int, owner: int = 0) -> None:
    path.chmod(mode)
    os.chown(path, owner, owner)


def test_token_file_of_somebody_else(fetch, token):
    denied(token, 0o600)
    ran = fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL, **NOBODY)
    assert (ran.code, ran.report["code"]) == (4, 402)
    assert ran.report["message"] == f"token file {token}: Permission denied (0:0 0600, irsafs-client runs as 65534:65534)"
    ran = fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL, report=False, **NOBODY)
    assert "fsGroup" in ran.err and "--worker-uid" in ran.err
    assert fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL).code == 0       # root's own


def test_token_file_with_fsgroup(fetch, token):
    os.chown(token, 0, 4711)
    token.chmod(0o640)
    ran = fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL, **{**NOBODY, "extra_groups": [4711]})
    assert (ran.code, ran.out.decode()) == (0, GOLDEN)


def test_url_and_file_fail(world, fetch, token):
    world.tokens.behave(status=500)
    denied(token, 0o600)
    ran = fetch(f"--token-file={token}", **NOBODY)
    assert ran.report["code"] == 402 and "0:0 0600" in ran.report["message"] and "65534" in ran.report["message"]
    assert "token URL" in ran.report["message"]


def test_folder_on_the_way(fetch, token):
    denied(token.parent, 0o700, 12574)
    ran = fetch(REQUIRED, f"--token-file={token}", env=NO_TOKEN_URL, **NOBODY)
    assert ran.report["code"] == 402
    assert f"(folder {token.parent} 12574:12574 0700, irsafs-client runs as 65534" in ran.report["message"]


def test_labels_of_somebody_else(world, fetch):
    denied(world.labels.path.resolve(), 0o600)
    ran = fetch(REQUIRED, **NOBODY)
    assert (ran.code, ran.report["code"]) == (3, 304)
    assert "Permission denied (0:0 0600, irsafs-client runs as 65534:65534)" in ran.report["message"]


def test_ca_file_of_somebody_else(world, fetch):
    authority = Authority(world.folder)
    service = MappingService(world.tokens, tls=authority.context())
    try:
        denied(Path(authority.bundle), 0o600)
        ran = fetch(REQUIRED, f"--ca-file={authority.bundle}", f"--endpoint=https://127.0.0.1:{service.port}{PATH}", **NOBODY)
        assert (ran.code, ran.report["code"]) == (3, 306)
        assert "Permission denied (0:0 0600, irsafs-client runs as 65534:65534)" in ran.report["message"]
    finally:
        service.close()


def test_api_key_file(world, fetch):
    world.service.api_keys["key-0123456789"] = "jane"
    path = world.folder / "keys" / "key"
    path.parent.mkdir()
    path.write_text("key-0123456789\n")
    ran = fetch(REQUIRED, f"--api-key-file={path}", env=NO_TOKEN_URL, **NOBODY)
    assert (ran.code, ran.out.decode()) == (0, GOLDEN)


def test_below_a_supervisor(world):
    """As it will be started: the supervisor's profile, its child's ids, and the client's own walls on top."""
    name = f"http://localhost:{world.service.port}{PATH}"
    world.service.aliases.add(name)
    ran = run([public(BUILD / "tests" / "confine-try"), "family", "required", "65534", public(CLIENT), REQUIRED, f"--endpoint={name}"],
              world.env())
    assert (ran.code, ran.out.decode(), ran.err) == (0, GOLDEN, "")


def test_daemon_hands_the_mode_on(world):
    mount = world.mount("--sandbox=required")
    assert mount.config.read_text() == GOLDEN
