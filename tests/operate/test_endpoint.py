# SPDX-License-Identifier: Apache-2.0
"""The paths of the control endpoint: their bytes and types, methods, forms of a request, and what each knows."""
from __future__ import annotations

import json
import re

import pytest

from lib.endpoint import Endpoint, serve
from lib.world import GOLDEN

HEALTHY = b"{'status': 'Healthy'}"
HTML, PLAIN, JSON = "text/html; charset=utf-8", "text/plain; charset=utf-8", "application/json"
METRICS = "text/plain; version=0.0.4; charset=utf-8"
TYPES = {
    "/healthz": HTML, "/livez": PLAIN, "/readyz": PLAIN, "/readyz?verbose": PLAIN, "/status": JSON, "/metrics": METRICS,
    "/refresh": JSON,
}
READ_ONLY = [path for path in TYPES if path != "/refresh"]
UNKNOWN = [
    "/", "/x", "/healthz/", "/healthz/x", "/refresh/", "/HEALTHZ", "/Refresh", "/status.json", "//healthz", "//refresh",
    "///refresh", "/./refresh", "/x/../refresh", "/%2e/refresh", "/x/%2e%2e/refresh", "/refresh%00", "/refresh%20",
    "/refresh;x", "/config", "/../../etc/passwd", "/%ff", "/livez%", "/livez%0d%0aX-Injected:%201",
]


@pytest.fixture
def control(world) -> Endpoint:
    """Of a daemon that has a text."""
    served = serve(world, "--min-refresh=0s")
    assert served.mount.read() == GOLDEN
    return served.control


def check_plain_head(reply) -> None:
    """What every answer says."""
    assert reply.headers.get_all("Connection") == ["close"]
    assert reply.headers.get_all("Cache-Control") == ["no-store"]


# ---- bytes and types

def test_healthz_is_the_one_of_the_reference(control):
    reply = control.ask("/healthz")
    assert (reply.status, reply.type, reply.body) == (200, HTML, HEALTHY)
    assert len(HEALTHY) == int(reply.headers["Content-Length"]) == 21


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes(control, path):
    reply = control.ask(path)
    assert (reply.status, reply.type, reply.body) == (200, PLAIN, b"ok\n")


@pytest.mark.parametrize("path", TYPES)
def test_every_answer_has_a_type_and_ends_the_connection(control, path):
    reply = control.ask(path)
    assert (reply.status, reply.type) == (200, TYPES[path])
    assert reply.headers.get_all("Content-Length") == [str(len(reply.body))]
    check_plain_head(reply)


@pytest.mark.parametrize("path", TYPES)
def test_head_is_get_without_the_body(control, path):
    reply = control.say(f"HEAD {path} HTTP/1.1", "Host: localhost", method="HEAD")
    assert (reply.status, reply.type, reply.body) == (200, TYPES[path], b"")
    assert int(reply.headers["Content-Length"]) > 0
    check_plain_head(reply)


@pytest.mark.parametrize("path", UNKNOWN)
def test_unknown_path(world, control, path):
    for method in ("GET", "POST"):
        reply = control.say(f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Length: 0")
        assert reply.status in ({400, 404} if "%" in path else {403, 404} if path.startswith("//") else {404})
        assert "X-Injected" not in reply.headers
        check_plain_head(reply)
    assert world.service.count == 1


@pytest.mark.parametrize("path", READ_ONLY)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_method_that_a_path_does_not_have(control, method, path):
    reply = control.say(f"{method} {path} HTTP/1.1", "Host: localhost", "Content-Length: 0", "X-Echo: to-be-traced")
    assert reply.status == 405
    assert set(re.split(r",\s*", reply.headers["Allow"])) == {"GET", "HEAD"}
    assert b"to-be-traced" not in reply.body
    check_plain_head(reply)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_method_that_refresh_does_not_have(world, control, method):
    reply = control.say(f"{method} /refresh HTTP/1.1", "Host: localhost", "Content-Length: 0")
    assert reply.status == 405
    assert set(re.split(r",\s*", reply.headers["Allow"])) == {"GET", "HEAD", "POST"}
    assert world.service.count == 1


# ---- forms of a request

@pytest.mark.parametrize(
    "target", ["/healthz?", "/healthz?x=1", "/healthz?verbose&%ff", "http://127.0.0.1:{port}/healthz", "http://localhost/healthz?x"]
)
def test_query_and_absolute_form(control, target):
    reply = control.say(f"GET {target.format(port=control.port)} HTTP/1.1", "Host: localhost")
    assert (reply.status, reply.body) == (200, HEALTHY)


def test_http_1_0_needs_no_host(control):
    assert control.say("GET /healthz HTTP/1.0").body == HEALTHY


def test_http_1_1_needs_a_host(control):
    assert control.say("GET /healthz HTTP/1.1").status == 400


def test_header_names_in_any_case_and_values_with_blanks(control):
    assert control.say("GET /healthz HTTP/1.1", "hOsT:   localhost  ", "ACCEPT:*/*").body == HEALTHY


def test_one_request_of_a_connection_is_answered(control):
    reply = control.say("GET /healthz HTTP/1.1", "Host: localhost", "Connection: keep-alive")
    check_plain_head(reply)


# ---- what they know

def test_ready_after_the_first_text(world):
    served = serve(world)
    reply = served.control.ask("/readyz")
    assert (reply.status, reply.type) == (503, PLAIN)
    assert re.fullmatch(r"not ready: [ -~]+\n", reply.text)
    verbose = served.control.ask("/readyz?verbose")
    lines = verbose.text.splitlines()
    assert verbose.status == 503 and lines[-1] == "readyz check failed"
    assert {"[+]worker ok", "[+]kernel ok"} <= set(lines)
    (failed,) = [line for line in lines if line.startswith("[-]")]
    assert re.fullmatch(r"\[-\]text failed: \S.*", failed)
    assert world.tokens.connections == 0, "a probe is no reason to ask"
    served.mount.read()
    assert served.control.ask("/readyz").status == 200
    verbose = served.control.ask("/readyz?verbose")
    assert verbose.status == 200
    assert sorted(verbose.text.splitlines()) == ["[+]kernel ok", "[+]text ok", "[+]worker ok", "readyz check passed"]


def test_failed_fetches_make_nothing_ready(world):
    world.service.behave(status=500, body=b"<b>foreign words</b>")
    served = serve(world)
    served.mount.read()
    reply = served.control.ask("/readyz")
    assert reply.status == 503 and "foreign" not in reply.text
    assert "foreign" not in served.control.ask("/readyz?verbose").text


def test_alive_during_an_outage(world):
    """A restart would take the mount away and cure nothing."""
    served = serve(world, "--min-refresh=0s")
    assert served.control.ask("/livez").status == 200
    world.service.refuse()
    served.mount.read()
    assert served.mount.wait_state("none")["error"]
    for path in ("/livez", "/healthz"):
        assert served.control.ask(path).status == 200
    world.service.accept()
    served.mount.touch()
    assert served.mount.read() == GOLDEN
    world.service.refuse()
    served.mount.touch()
    served.mount.read()
    served.mount.wait_state("stale")
    for path in ("/livez", "/healthz", "/readyz"):
        assert served.control.ask(path).status == 200


def test_alive_while_a_fetch_hangs(world):
    gate = world.service.hold()
    served = serve(world, "--prefetch")
    gate.wait_arrived()
    for path in ("/livez", "/healthz", "/status", "/metrics"):
        assert served.control.ask(path).status == 200
    gate.release()


def without_times(status: dict) -> dict:
    return {key: value for key, value in status.items() if not key.endswith("_ms") and key != "written_at"}


def test_status_is_the_file(world):
    served = serve(world, "--ttl=1h")
    for _ in range(2):                 # before the first text, and with one
        shown, file = served.control.ask("/status").json(), served.mount.status()
        assert list(shown) == list(file)
        assert without_times(shown) == without_times(file)
        assert shown["schema"] == 1 and shown["pid"] == served.mount.process.pid
        served.mount.read()
        served.mount.wait_state("fresh")
    assert shown["control"] == {"address": served.control.address, "state": "listening", "error": None}
    assert shown["metrics"] is None


def test_status_of_an_error(world):
    world.service.behave(status=500)
    served = serve(world)
    served.mount.read()
    file = served.mount.wait_status(lambda s: s["error"], "an error")
    assert served.control.ask("/status").json()["error"]["code"] == file["error"]["code"] == "IRSAFS-E701"


def test_metrics_are_lines_of_the_text_format(control):
    lines = control.ask("/metrics").text.splitlines()
    assert any(line.startswith("irsafs_") for line in lines)
    for line in lines:
        assert re.fullmatch(r'# (HELP|TYPE) \w+ .+|\w+(\{(\w+="[^"]*",?)+\})? [-+.\deE]+(Inf|NaN)?', line), line


def test_reads_ask_nobody(world):
    control = serve(world).control
    for path in READ_ONLY:
        control.ask(path)
    assert world.tokens.connections == world.service.connections == 0


def test_a_json_answer_is_a_line(control):
    for path in ("/status", "/refresh"):
        assert isinstance(json.loads(control.ask(path).text), dict)
