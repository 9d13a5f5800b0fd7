# SPDX-License-Identifier: Apache-2.0
"""Settings that meet: what one of them does to another, and what the environment cannot do."""
from __future__ import annotations

import time

import pytest

from lib.labels import EXECUTION_ID, NAME, WORKLOAD_TYPE
from lib.world import GOLDEN, RUN

INNER = "http://irsa-svc.domino-field/map_iam_roles_to_pod_sa"


def test_missing_labels_do_not_matter_when_the_run_is_known(world, fetch):
    missing = str(world.folder / "nowhere")
    assert fetch(f"--labels={missing}", env={"DOMINO_RUN_ID": RUN}).out.decode() == GOLDEN
    assert fetch(f"--labels={missing}", f"--run-id={RUN}").out.decode() == GOLDEN
    assert fetch(f"--labels={missing}").report["code"] == 304


def test_broken_labels_matter_unless_the_run_is_given(world, fetch):
    broken = world.folder / "broken"
    broken.write_text("nonsense")
    assert fetch(f"--labels={broken}", env={"DOMINO_RUN_ID": RUN}).report["code"] == 304
    assert fetch(f"--labels={broken}", f"--run-id={RUN}").out.decode() == GOLDEN


def test_workload_type_is_sent_with_a_given_run_too(world, fetch):
    world.labels.write({NAME: "ray", WORKLOAD_TYPE: "cluster-worker"})
    assert fetch(f"--run-id={RUN}").code == 0
    assert world.service.bodies == [{"run_id": RUN, "irsa_workload_type": "cluster-worker"}]


@pytest.mark.parametrize("value", ["a b", 'a","x":"', "-", "a" * 64])
def test_workload_type_is_checked(world, fetch, value):
    world.labels.write({EXECUTION_ID: RUN, WORKLOAD_TYPE: value})
    assert fetch().report["code"] == 304 and world.service.connections == 0


def test_body_of_the_post_to_the_byte(world, fetch):
    world.labels.write({EXECUTION_ID: RUN, WORKLOAD_TYPE: "edge-workload"})
    fetch()
    assert world.service.requests[0].body == b'{"run_id":"%s","irsa_workload_type":"edge-workload"}' % RUN.encode()


def test_bad_domino_run_id(fetch):
    ran = fetch(env={"POD_INFO_PATH": None, "DOMINO_RUN_ID": "a b"})
    assert (ran.code, ran.report["code"]) == (3, 302)


def test_no_proxy_of_the_environment_does_not_count(world, fetch):
    world.service.aliases.add(INNER)
    ran = fetch(f"--proxy={world.service.origin}", f"--endpoint={INNER}", env={"no_proxy": "*", "NO_PROXY": "*"})
    assert ran.out.decode() == GOLDEN


def test_refused_proxy(fetch):
    ran = fetch("--proxy=http://127.0.0.1:1", f"--endpoint={INNER}")
    assert (ran.report["code"], ran.out) == (503, b"")
    assert ran.report["message"] == "connection to the proxy: Connection refused"


def test_both_failing_token_sources_are_named(world, fetch):
    world.tokens.refuse()
    ran = fetch("--token-file=/nonexistent/token")
    assert (ran.report["code"], ran.report["connect_refused"]) == (402, True)
    assert "/nonexistent/token" in ran.report["message"] and "token URL" in ran.report["message"]
    assert ran.report["token"] == {"source": None, "expires_at": None}


def test_token_file_leaves_time_for_the_service(world, fetch):
    """The token URL may use five seconds of a long deadline, not more."""
    path = world.folder / "token"
    path.write_text(world.tokens.issue())
    world.tokens.behave(drip_headers=0.2)
    began = time.monotonic()
    assert fetch(f"--token-file={path}", "--fetch-timeout=60s").out.decode() == GOLDEN
    assert 4.5 < time.monotonic() - began < 8


@pytest.mark.parametrize("name", ["--api-key-file", "IRSAFS_API_KEY_FILE"])
def test_api_key_file_goes_before_the_variable(world, fetch, name):
    world.service.api_keys["good-key-1"] = "jane"
    path = world.folder / "key"
    path.write_text(" good-key-1\n")
    args = [f"{name}={path}"] if name.startswith("--") else []
    env = {"DOMINO_API_PROXY": None, "DOMINO_USER_API_KEY": "bad-key-1", **({} if args else {name: str(path)})}
    assert fetch(*args, env=env).out.decode() == GOLDEN


def test_variables_and_files_of_curl_and_openssl_do_not_count(world, fetch):
    """Not the proxies, not the files of a home, not the configuration of a library."""
    home = world.folder / "home"
    home.mkdir()
    (home / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    (home / ".curlrc").write_text('proxy = "http://127.0.0.1:1"\nheader = "X-Evil: 1"\n')
    (home / "openssl.cnf").write_text("openssl_conf = no_such_section\nconfig_diagnostics = 1\n")
    names = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "socks_proxy", "ftp_proxy")
    ran = fetch(env={
        **{name: "http://127.0.0.1:1" for name in names},
        **{name: str(home) for name in ("HOME", "CURL_HOME", "XDG_CONFIG_HOME", "SSL_CERT_DIR", "SSL_DIR", "OPENSSL_MODULES", "OPENSSL_ENGINES")},
        **{name: "/nonexistent" for name in ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE")},
        "OPENSSL_CONF": str(home / "openssl.cnf"), "NETRC": str(home / ".netrc"), "no_proxy": "", "NO_PROXY": "",
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_PROFILE": "evil", "RES_OPTIONS": "attempts:0", "LOCALDOMAIN": "evil.invalid",
    })
    assert ran.out.decode() == GOLDEN
    assert (world.tokens.connections, world.service.connections) == (1, 1)
    assert all("evil" not in str(request.headers) for request in world.service.requests + world.tokens.requests)


@pytest.mark.parametrize("name", ["ENDPOINT", "MAPPING_ENDPOINT", "irsafs_endpoint", "DOMINO_IRSA_ENDPOINT_", "IRSAFS_URL"])
def test_other_names_do_not_count(fetch, name):
    ran = fetch(env={"DOMINO_IRSA_ENDPOINT": None, name: "http://127.0.0.1:1/"})
    assert (ran.code, ran.report["code"]) == (3, 301)


BAD_URLS = ("127.0.0.1/x", "ftp://127.0.0.1/x", "file:///etc/passwd", "HTTP://127.0.0.1/", "http:127.0.0.1", "http://", "http://h/#x",
            "http://a b/", "http://h/\x1b", "http://h:0/", "http://h:99999/", "http://user:pw@h/", "https://[::1", "http://h\\x/", "http://é/")


@pytest.mark.parametrize("url", BAD_URLS, ids=ascii)
def test_only_plain_http_and_https_urls(world, fetch, url):
    """Nothing is guessed: a scheme that is missing does not become http."""
    assert fetch(f"--endpoint={url}").report["code"] == 202
    assert fetch(env={"DOMINO_IRSA_ENDPOINT": url}).report["code"] == 302
    assert fetch(f"--token-url={url}").report["code"] == 202
    assert world.tokens.connections == world.service.connections == 0


def test_plain_http_is_named(world, fetch):
    assert fetch().report["endpoint"] == {
        "scheme": "http", "host": "127.0.0.1", "tls": "none", "cert_expires_at": None,
    }
