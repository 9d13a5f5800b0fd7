# SPDX-License-Identifier: Apache-2.0
"""Who may ask for a fetch: no page of another site that a browser of this pod shows."""
from __future__ import annotations

import pytest

from lib.endpoint import serve
from lib.world import GOLDEN

OURS = [
    "localhost", "localhost:{port}", "LOCALHOST", "127.0.0.1", "127.0.0.1:{port}", "[::1]", "[::1]:{port}",
    "localhost:8888", "127.0.0.2",
]
FOREIGN = [
    "evil.example", "evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:127.0.0.1",
    "localhost@evil.example", "127.0.0.1@evil.example:{port}", "evil-localhost", "notlocalhost", "10.0.0.1",
    "169.254.169.254", "0.0.0.0", "0.0.0.0:{port}", "[::]", "[fe80::1]", "[::1", "::1.evil.example", "[::1].evil.example",
    "1270.0.0.1", "128.0.0.1", "localhost/evil.example", "localhost,evil.example", "localhost evil.example",
]
EMPTY = ["", " "]


@pytest.fixture
def served(world):
    return serve(world, "--min-refresh=0s")


def request(served, path: str, *headers: str, method: str = "GET"):
    lines = [header.replace("{port}", str(served.control.port)) for header in headers]
    return served.control.say(f"{method} {path} HTTP/1.1", *lines, "Content-Length: 0", method=method)


@pytest.mark.parametrize("host", OURS)
def test_own_host(world, served, host):
    assert request(served, "/refresh", f"Host: {host}").status == 200
    assert world.service.count == 1


@pytest.mark.parametrize("host", FOREIGN)
def test_foreign_host(world, served, host):
    for method in ("GET", "POST", "HEAD"):
        reply = request(served, "/refresh", f"Host: {host}", method=method)
        assert reply.status == 403 or (reply.status == 400 and host != "evil.example")
    assert world.tokens.connections == 0
    assert request(served, "/refresh", "Host: localhost").status == 200


def test_refusal_says_why(served):
    reply = request(served, "/refresh", "Host: evil.example", "Origin: http://evil.example")
    assert reply.status == 403 and reply.type.startswith("text/plain")
    assert "evil" not in reply.text and "host" in reply.text
    assert reply.headers["Connection"] == "close" and reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/status", "/metrics"])
def test_reads_are_for_any_host(served, path):
    assert request(served, path, "Host: evil.example").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/status"])
def test_no_answer_may_be_read_by_pages_of_other_sites(served, path):
    reply = request(served, path, "Host: localhost", "Origin: http://evil.example")
    assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("host", EMPTY)
def test_empty_host(world, served, host):
    assert request(served, "/refresh", f"Host: {host}").status in (400, 403)
    assert world.tokens.connections == 0


def test_two_hosts(world, served):
    for hosts in (("Host: localhost", "Host: evil.example"), ("Host: evil.example", "Host: localhost")):
        assert request(served, "/refresh", *hosts).status in (400, 403)
    assert world.tokens.connections == 0


def test_no_host(world, served):
    assert served.control.say("POST /refresh HTTP/1.1", "Content-Length: 0").status == 400
    assert world.tokens.connections == 0
    assert served.control.say("POST /refresh HTTP/1.0", "Content-Length: 0").status == 200


@pytest.mark.parametrize("target", ["http://evil.example/refresh", "http://evil.example:{port}/refresh", "//evil.example/refresh"])
def test_foreign_host_in_the_request_line(world, served, target):
    """It is the one that counts (RFC 9112 3.2.2)."""
    target = target.replace("{port}", str(served.control.port))
    assert request(served, target, "Host: localhost").status in (400, 403, 404)
    assert world.tokens.connections == 0


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example", "https://evil.example", "null", "http://localhost.evil.example", "file://", "evil",
        "http://evil.example:{port}", "http://127.0.0.1.evil.example", "http://localhost@evil.example", "",
    ],
)
def test_foreign_origin(world, served, origin):
    for method in ("GET", "POST"):
        assert request(served, "/refresh", "Host: localhost", f"Origin: {origin}", method=method).status == 403
    assert world.tokens.connections == 0


@pytest.mark.parametrize("site", ["cross-site", "same-site", "?"])
def test_foreign_page_without_an_origin(world, served, site):
    """An image or a link of another page."""
    assert request(served, "/refresh", "Host: localhost", f"Sec-Fetch-Site: {site}").status == 403
    assert world.tokens.connections == 0


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_own_page_and_typed_address(served, site):
    assert request(served, "/refresh", "Host: localhost", f"Sec-Fetch-Site: {site}").status == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:{port}", "http://localhost:{port}"])
def test_own_origin(served, origin):
    assert request(served, "/refresh", f"Host: {origin[7:]}", f"Origin: {origin}").status == 200
    assert served.mount.read() == GOLDEN


def test_own_address_is_a_host_of_ours(world):
    served = serve(world, host="127.3.2.1")
    assert request(served, "/refresh", "Host: 127.3.2.1:{port}").status == 200
    assert request(served, "/refresh", "Host: 127.3.2.1").status == 200
