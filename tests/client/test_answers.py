# SPDX-License-Identifier: Apache-2.0
"""What of the service's answer reaches a reader: only what the allow-list names, and never half of it."""
from __future__ import annotations

import configparser
import datetime
import email.utils
import re

import botocore.configloader
import pytest
from awscli.botocore import configloader as cli_configloader

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
def test_corpus(world, fetch, name, tmp_path):
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
        check_with_other_parsers(text, tmp_path)


def check_with_other_parsers(text: str, folder) -> None:
    """All see the same keys and values: the oracle of the tests, Python's strict parser, the ones behind
    boto3 and behind the AWS CLI."""
    sections = canonical.parse(text)
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    assert parser.defaults() == {}
    assert {name.removeprefix("profile "): dict(parser[name]) for name in parser.sections()} == sections
    path = folder / "config"
    path.write_text(text)
    for loader in (botocore.configloader, cli_configloader):
        loaded = loader.load_config(str(path))
        assert loaded.pop("profiles") == sections
        assert not any(loaded.values()), "something that is no profile"


# What a service must not be able to say to an SDK, each with a value that would work.
DENIED = """
credential_process = /bin/sh -c id
cli_pager = /bin/sh -c id
cli_legacy_plugin_path = /tmp
cli_history = enabled
cli_auto_prompt = on
cli_follow_urlparam = true
endpoint_url = http://evil.invalid/
services = evil
ignore_configured_endpoint_urls = false
ca_bundle = /tmp/ca.pem
data_path = /tmp
api_versions = ec2
aws_access_key_id = AKIAEVIL
aws_secret_access_key = evil
aws_session_token = evil
aws_account_id = 666666666666
account_id_endpoint_mode = required
sso_start_url = http://evil.invalid/
sso_region = us-east-1
sso_account_id = 666666666666
sso_role_name = evil
sso_session = evil
login_session = evil
mfa_serial = arn:aws:iam::666666666666:mfa/evil
mfa_process = /bin/sh -c id
credential_source = Ec2InstanceMetadata
credential_source = Environment
credential_source = EcsContainer
ec2_metadata_service_endpoint = http://evil.invalid/
ec2_metadata_service_endpoint_mode = IPv6
ec2_metadata_v1_disabled = false
s3 =
defaults_mode = auto
request_checksum_calculation = when_required
response_checksum_validation = when_required
request_min_compression_size_bytes = 1
sigv4a_signing_region_set = *
tcp_keepalive = true
parameter_validation = false
region = evil.com/
region = us-east-1
output = json
role_session_name = evil
external_id = evil
duration_seconds = 43200
sts_regional_endpoints = legacy
use_fips_endpoint = false
retry_mode = standard
max_attempts = 99
sdk_ua_app_id = evil
Credential_Process = /bin/sh -c id
ROLE_SESSION_NAME = evil
"""
SECTIONS = (
    "[DEFAULT]", "[preview]", "[plugins]", "[services evil]", "[sso-session evil]", "[profile default]", "[profile]",
    "[profile __proto__]", "[default ]", "[Profile x]", "[evil]", "[profile x", "[[profile x]]",
)


@pytest.mark.parametrize("line", DENIED.strip().splitlines())
def test_denied_keys_never_come_out(world, fetch, line):
    """In the first profile, in its source, and above a key that is good."""
    first, rest = GOLDEN.split("\n", 1)
    world.service.behave(body=f"{first}\n{line}\n{rest}{line}\n".encode())
    ran = fetch()
    assert ran.out.decode() == GOLDEN
    key = line.split(" = ")[0].split(" =")[0]
    assert [item["key"] for item in ran.report["dropped"]["items"]] == [key, key]


@pytest.mark.parametrize("header", SECTIONS)
@pytest.mark.parametrize("line", ["credential_process = /bin/id", "role_arn = arn:aws:iam::666666666666:role/evil"])
def test_denied_sections_never_come_out(world, fetch, header, line):
    world.service.behave(body=f"{GOLDEN}{header}\n{line}\n".encode())
    ran = fetch()
    assert ran.out.decode() == GOLDEN and ran.report["dropped"]["total"] == 1


SMUGGLE = ("\r", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2K", " #", "\\n", "\t", "\xa0", "\ud7ff")


@pytest.mark.parametrize("glue", SMUGGLE, ids=ascii)
def test_no_second_line_in_a_value(world, fetch, glue, tmp_path):
    """Whatever some parser takes for the end of a line: key and value are refused together."""
    role = f"arn:aws:iam::123456789012:role/a{glue}credential_process = /bin/id"
    for text in (
        f"[profile x]\nweb_identity_token_file = /t\nrole_arn={role}\n",
        f"[profile x{glue}credential_process = /bin/id]\nweb_identity_token_file = /t\nrole_arn=arn:aws:iam::123456789012:role/a\n",
        f"[profile x]\nweb_identity_token_file = /t{glue}credential_process = /bin/id\nrole_arn=arn:aws:iam::123456789012:role/a\n",
    ):
        world.service.behave(body=GOLDEN.encode() + text.encode())
        ran = fetch()
        assert ran.out.decode() == GOLDEN
        assert re.fullmatch(r"[\x20-\x7e]*", str(ran.report["dropped"]["items"]))


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


RETRY_AFTER = {                        # what the service says -> the wish in seconds, not clamped yet
    "3": 3,
    "0": 0,
    "99999999999": 99999999999,
    "9223372036854775807": 9223372036854775,
    "-1": 0,                           # nonsense is the wish for the shortest time
    "9" * 400: 0,
    "soon": 0,
    "": 0,
    "1e3": 1,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0,
    "\x1b[31m\xff": 0,
}


@pytest.mark.parametrize("value", RETRY_AFTER, ids=lambda value: ascii(value[:20]))
@pytest.mark.parametrize("status, code", [(429, 702), (503, 701)])
def test_retry_after_comes_through_unclamped(world, fetch, status, code, value):
    world.service.behave(status=status, headers=(("Retry-After", value),))
    ran = fetch()
    assert (ran.report["code"], ran.report["retry_after_ms"] // 1000) == (code, RETRY_AFTER[value])


@pytest.mark.parametrize("after, least, most", [(datetime.timedelta(seconds=90), 80, 90), (datetime.timedelta(days=400), 34e6, 35e6)])
def test_retry_after_a_date(world, fetch, after, least, most):
    when = datetime.datetime.now(datetime.timezone.utc) + after
    world.service.behave(status=503, headers=(("Retry-After", email.utils.format_datetime(when, usegmt=True)),))
    assert least <= fetch().report["retry_after_ms"] / 1000 <= most


def test_no_wish_without_retry_after(world, fetch):
    world.service.behave(status=503)
    assert fetch().report["retry_after_ms"] is None
