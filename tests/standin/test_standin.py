# SPDX-License-Identifier: Apache-2.0
"""The stand-ins themselves: they answer what the contract says and refuse what they must refuse."""
from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from lib.wait import wait_until
from standin.mapping import GOLDEN_ROLES, PATH, MappingService, html_page, render, role
from standin.stamped import stamped_text
from standin.token import TokenEndpoint

TESTS = Path(__file__).resolve().parent.parent
RUN = "63d1a0b2c3d4e5f6a7b8c9d0"


@pytest.fixture
def tokens():
    server = TokenEndpoint()
    yield server
    server.close()


@pytest.fixture
def service(tokens):
    server = MappingService(tokens, runs={RUN: "jane"})
    yield server
    server.close()


def call(server, method: str, path: str, body=None, headers=None) -> tuple:
    conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        conn.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            conn.putheader(name, value)
        if body is not None:
            conn.putheader("Content-Length", str(len(body)))
        conn.endheaders(body)
        answer = conn.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        conn.close()


def good_headers(tokens) -> dict:
    return {"Authorization": f"Bearer {tokens.issue()}", "Content-Type": "application/json", "Accept": "*/*"}


def post(service, headers: dict, body=None) -> tuple:
    return call(service, "POST", PATH, json.dumps(body or {"run_id": RUN}).encode(), headers)


def test_token_endpoint_answers_its_one_request_only(tokens):
    status, body, _ = call(tokens, "GET", "/access-token")
    assert (status, body.count(b"."), body.strip()) == (200, 2, body)
    assert call(tokens, "POST", "/access-token", b"")[0] == 405
    assert call(tokens, "GET", "/other")[0] == 404
    assert tokens.violations == []
    call(tokens, "GET", "/access-token", headers={"X-Extra": "1"})
    assert len(tokens.violations) == 1


def test_mapping_service_gives_the_golden_text(service, tokens):
    status, body, headers = post(service, good_headers(tokens))
    assert status == 200
    assert body == (TESTS / "data" / "golden-config.ini").read_bytes()
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Length"] == "961"
    assert service.violations == []


def test_full_url_as_target_and_workload_type_are_legal(service, tokens):
    body = {"run_id": RUN, "irsa_workload_type": "edge-workload"}
    status, _, _ = call(service, "POST", service.url, json.dumps(body).encode(), good_headers(tokens))
    assert status == 200 and service.bodies == [body] and service.violations == []


def test_api_key_instead_of_a_token(service):
    service.api_keys["k1"] = "jane"
    headers = {"X-Domino-Api-Key": "k1", "Content-Type": "application/json", "Accept": "*/*"}
    assert post(service, headers)[0] == 200 and service.violations == []


@pytest.mark.parametrize(
    "change",
    [
        {"X-Domino-Api-Key": "k1"},
        {"Authorization": None},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Basic abc"},
        {"Content-Type": "text/plain"},
        {"Content-Type": None},
        {"Accept-Encoding": "gzip"},
        {"Cookie": "a=b"},
    ],
)
def test_wrong_headers_are_a_violation(service, tokens, change):
    headers = {k: v for k, v in {**good_headers(tokens), **change}.items() if v is not None}
    status, body, _ = post(service, headers)
    assert (status, body) == (400, html_page(400))
    assert len(service.violations) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"run_id=1",
        b"[]",
        b"{}",
        b'{"run_id": 1}',
        b'{"run_id": "run-63d1"}',
        b'{"run_id": "-63d1"}',
        b'{"run_id": "63d1 "}',
        b'{"run_id": "63d1", "extra": 1}',
        b'{"run_id": "63d1", "irsa_workload_type": ""}',
    ],
)
def test_wrong_bodies_are_a_violation(service, tokens, body):
    assert call(service, "POST", PATH, body, good_headers(tokens))[0] == 400
    assert len(service.violations) == 1


def test_wrong_method_and_path(service, tokens):
    assert call(service, "GET", PATH)[1] == html_page(405)
    assert call(service, "POST", "/x", b"{}", good_headers(tokens))[1] == html_page(404)
    assert len(service.violations) == 2


def test_run_of_another_user_is_not_found(service, tokens):
    words = f"No Pod Found with the run id {RUN} for the user".encode()
    tokens.sub = "eve"
    status, body, _ = post(service, good_headers(tokens))
    assert (status, body) == (404, words) and service.violations == []


def test_roles_per_user_and_changed_roles(service, tokens):
    service.roles_of["jane"] = [role("one")]
    assert post(service, good_headers(tokens))[1].count(b"[profile ") == 2
    service.roles_of["jane"] = []
    assert post(service, good_headers(tokens))[:2] == (200, b"")


def test_script_queue_goes_before_behave(service, tokens):
    service.behave(status=503)
    service.queue(status=401)
    assert [post(service, good_headers(tokens))[0] for _ in range(2)] == [401, 503]
    service.normal()
    assert post(service, good_headers(tokens))[0] == 200


def test_gate_holds_an_answer_until_released(service, tokens):
    gate = service.hold()
    with socket.create_connection(("127.0.0.1", service.port), 10) as conn:
        body = json.dumps({"run_id": RUN}).encode()
        headers = {**good_headers(tokens), "Host": "x", "Content-Length": str(len(body))}
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        conn.sendall(f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        gate.wait_arrived()
        conn.settimeout(0.05)
        with pytest.raises(TimeoutError):
            conn.recv(1)
        gate.release()
        conn.settimeout(10)
        assert conn.recv(12) == b"HTTP/1.1 200"


def broken(service, tokens, **changes) -> bytes:
    """The bytes that a raw client gets for a good request when the answer is spoilt."""
    service.behave(**changes)
    body = json.dumps({"run_id": RUN}).encode()
    headers = {**good_headers(tokens), "Host": "x", "Content-Length": str(len(body))}
    lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    got = b""
    with socket.create_connection(("127.0.0.1", service.port), 10) as conn:
        conn.sendall(f"POST {PATH} HTTP/1.1\r\n{lines}\r\n".encode() + body)
        while True:
            more = conn.recv(65536)
            if not more:
                return got
            got += more


def test_spoilt_framings(service, tokens):
    golden = render(GOLDEN_ROLES).encode()
    assert broken(service, tokens, cut=100).endswith(b"\r\n\r\n" + golden[:100])
    assert b"Content-Length: 1011\r\n" in broken(service, tokens, length_error=50)
    assert b"Content-Length" not in broken(service, tokens, framing="close")
    assert broken(service, tokens, framing="chunked").endswith(b"\r\n\r\n3c1\r\n" + golden + b"\r\n0\r\n\r\n")
    assert b"\r\n\r\nzz\r\n" in broken(service, tokens, framing="bad-chunk")
    assert broken(service, tokens, raw=b"SSH-2.0-x\r\n") == b"SSH-2.0-x\r\n"
    assert broken(service, tokens, interim=2).count(b"HTTP/1.1 103 ") == 2
    assert broken(service, tokens, flood=9).count(b"X-Flood-") == 9


def test_endless_answer_ends_when_the_client_leaves(service, tokens):
    service.behave(raw=b"head", endless=b"x" * 1024)
    with socket.create_connection(("127.0.0.1", service.port)) as conn:
        conn.sendall(b"POST /x HTTP/1.1\r\n\r\n")
        assert conn.recv(6, socket.MSG_WAITALL) == b"headxx"
    wait_until(lambda: service.active == 0, "the end of the answer")
    assert service.poured > 0 and service.violations.pop()


@pytest.mark.parametrize("where", ["headers", "mid"])
def test_reset_is_seen_as_a_reset(service, tokens, where):
    with pytest.raises(ConnectionResetError):
        broken(service, tokens, reset=where)


def test_refuse_and_accept_keep_the_port(service, tokens):
    service.refuse()
    with pytest.raises(ConnectionRefusedError):
        post(service, good_headers(tokens))
    service.accept()
    assert post(service, good_headers(tokens))[0] == 200


def test_stamped_texts_differ_in_length_and_carry_the_stamp(service, tokens):
    service.stamped = True
    headers = [good_headers(tokens) for _ in range(2)]
    first, second = (post(service, h)[1] for h in headers)
    assert len(first) != len(second) and 80_000 < len(first) < 120_000
    assert first.count(b"[profile ") == first.count(b"profile g00000001-") + first.count(b"profile src_g00000001-")
    assert stamped_text(2, 7).count(b"[profile g00000002-00000000000000000007-") > 40


def test_program_for_the_demo(tmp_path):
    roles = tmp_path / "roles"
    roles.write_text(f"# roles\n{GOLDEN_ROLES[0].asset_arn} {GOLDEN_ROLES[0].proxy_arn}\n")
    args = [sys.executable, "-m", "standin", "--roles", str(roles)]
    program = subprocess.Popen(args, cwd=TESTS, stdout=subprocess.PIPE, text=True)
    try:
        token_url = program.stdout.readline().strip().removeprefix("token=")
        service_url = program.stdout.readline().strip().removeprefix("service=")
        assert ask_demo(token_url, service_url) == (200, render(GOLDEN_ROLES[:1]).encode())
        with roles.open("a") as file:
            file.write(f"{GOLDEN_ROLES[1].asset_arn} {GOLDEN_ROLES[1].proxy_arn}\n")
        assert ask_demo(token_url, service_url) == (200, render(GOLDEN_ROLES[:2]).encode())
        roles.write_text("status 500\n")
        assert ask_demo(token_url, service_url) == (500, html_page(500))
    finally:
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 0
        program.stdout.close()


class Remote:
    """A server that runs elsewhere, for call()."""

    def __init__(self, url: str) -> None:
        self.port = int(url.split(":")[2].split("/")[0])


def ask_demo(token_url: str, service_url: str) -> tuple:
    token = call(Remote(token_url), "GET", "/access-token")[1].decode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Accept": "*/*"}
    return post(Remote(service_url), headers)[:2]
