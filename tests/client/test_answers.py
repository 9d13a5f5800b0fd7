# SPDX-License-Identifier: Apache-2.0
"""What of the service's answer reaches a reader: only what the allow-list names, and never half of it."""
from __future__ import annotations

import configparser

import pytest

from lib import canonical
from lib.program import TESTS
from lib.world import GOLDEN

CASES = TESTS / "data" / "ini-cases"
CODES = {0: 0, 801: 8, 802: 8, 803: 8, 806: 8}


def expected(name: str) -> tuple:
    """(code, dropped, text) of the corpus."""
    head, text = (CASES / f"{name}.expect").read_text().split("---\n", 1)
    counters = dict(word.split("=") for word in head.split("\n")[0].split(" "))
    return int(counters["code"]), int(counters["dropped"]), text


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.ini")))
def test_corpus(world, fetch, name):
    body = (CASES / f"{name}.ini").read_bytes()
    code, dropped, text = expected(name)
    if code == 0 and body and not body.endswith(b"\n"):
        code, text = 803, ""           # from the network this is a text that was cut
    world.service.behave(body=body)
    ran = fetch()
    assert (ran.code, ran.report["code"]) == (CODES[code], code)
    assert ran.out.decode() == text
    assert ran.report["dropped"]["total"] == dropped
    if code == 0 and text.startswith("["):
        check_with_other_parsers(text)


def check_with_other_parsers(text: str) -> None:
    """The oracle of the tests and Python's strict parser, which is the one behind boto3."""
    sections = canonical.parse(text)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert {name.removeprefix("profile ") for name in parser.sections()} == set(sections)


def test_many_findings_are_counted_and_some_named(world, fetch):
    world.service.behave(body=GOLDEN.encode() + b"".join(b"k%d = \xff\"\\ v\n[x%d]\n" % (i, i) for i in range(100)))
    ran = fetch()
    items = ran.report["dropped"]["items"]
    assert ran.code == 0 and ran.report["dropped"]["total"] > 100 and len(items) == 32
    assert all(set(item) == {"section", "key", "reason"} for item in items)


def test_findings_are_short_and_plain_text(world, fetch):
    section, key = "s" * 5000, "k" * 5000
    world.service.behave(body=f"{GOLDEN}{key} = v\n[\x1b[31m\"{section}\"\\\u2028]\n".encode())
    ran = fetch()
    for item in ran.report["dropped"]["items"]:
        for text in filter(None, item.values()):
            assert len(text) <= 128 and text.isascii() and text.isprintable() and not set(text) & {'"', "\\"}


def test_findings_are_warnings_on_a_shell(world, fetch):
    world.service.behave(body=GOLDEN.encode() + b"credential_process = /bin/x\n")
    ran = fetch(report=False)
    assert ran.out.decode() == GOLDEN and "WARN dropped" in ran.err and "credential_process" in ran.err


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 418, 500, 503])
def test_foreign_text_gets_into_no_message(world, fetch, status):
    world.service.behave(status=status, body=b"<html>boo-hoo</html>", headers=(("X-Boo", "boo-hoo"),))
    with_report, without = fetch(), fetch(report=False)
    assert with_report.code != 0
    assert "boo" not in str(with_report.report) + without.err + (with_report.out + without.out).decode()


def test_limits_of_an_answer(world, fetch):
    line = b"#" + b"x" * 1022 + b"\n"
    world.service.behave(body=line * 1024)
    assert fetch().code == 0
    world.service.behave(body=line * 1024 + b"\n")
    assert fetch().report["code"] == 802
    world.service.behave(body=b"[x]\n" * 8193)
    assert fetch().report["code"] == 802


def test_endless_answer(world, fetch):
    """A chunked body has no length to look at: the ceiling must be counted on the way."""
    chunk = b"10000\r\n" + b"#" * 0xFFFF + b"\n\r\n"
    world.service.behave(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 640)
    ran = fetch("--fetch-timeout=20s")
    assert (ran.code, ran.report["code"], ran.out) == (8, 802, b"")


@pytest.mark.parametrize("value, want", [("3", 3000), ("0", 0), ("99999999999", 99999999999000)])
@pytest.mark.parametrize("status, code", [(429, 702), (503, 701)])
def test_retry_after_comes_through_unclamped(world, fetch, status, code, value, want):
    world.service.behave(status=status, headers=(("Retry-After", value),))
    ran = fetch()
    assert (ran.report["code"], ran.report["retry_after_ms"]) == (code, want)
