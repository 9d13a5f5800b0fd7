# SPDX-License-Identifier: Apache-2.0
"""TLS: only a verified service gets the token; --ca-file is the only CA that counts."""
from __future__ import annotations

import datetime
import socket
import ssl
import subprocess
import threading

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from lib.memory import small
from lib.program import CLIENT, run
from lib.world import GOLDEN
from standin.mapping import MappingService
from standin.tls import DAY, Authority

PATH = "/map_iam_roles_to_pod_sa"


@pytest.fixture
def authority(world):
    return Authority(world.folder)


@pytest.fixture
def serve(world):
    """Starts the mapping service with this server context; gives its URL under a host name."""
    servers = []

    def start(context, host: str = "127.0.0.1") -> str:
        server = MappingService(world.tokens, tls=context)
        servers.append(server)
        start.server = server
        return f"https://{host}:{server.port}{PATH}"

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_verified(serve, fetch, authority, host):
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(authority.context(), host)}")
    assert (ran.code, ran.out.decode()) == (0, GOLDEN)
    assert ran.report["endpoint"] == {
        "scheme": "https", "host": host, "tls": "verified", "cert_expires_at": authority.last_leaf_ends(),
    }


@pytest.mark.parametrize("name", ["IRSAFS_CA_FILE", "DOMINO_IRSA_SSL_CERT"])
def test_ca_file_from_the_environment(serve, fetch, authority, name):
    ran = fetch(f"--endpoint={serve(authority.context())}", env={name: str(authority.bundle)})
    assert ran.out.decode() == GOLDEN


def day(after: datetime.timedelta) -> str:
    """The day so long after now, as a certificate of these tests has it."""
    return (datetime.datetime.utcnow() + after).strftime("%Y-%m-%d")


BAD = {                                # what the leaf is like -> a word of the reason
    "expired": ({"start": -3 * DAY, "end": -2 * DAY}, f"certificate expired {day(-2 * DAY)}"),
    "not yet valid": ({"start": 2 * DAY, "end": 3 * DAY}, f"certificate not valid before {day(2 * DAY)} (local clock?)"),
    "wrong host": ({"hosts": ("other.example",)}, "mismatch"),
    "wrong address": ({"hosts": ("127.0.0.2", "localhost")}, "mismatch"),
    "address as a name": ({"hosts": ("localhost",), "common": "127.0.0.1"}, "mismatch"),
    "no SAN": ({"hosts": (), "common": "127.0.0.1"}, "mismatch"),
    "self-signed": ({"own_issuer": True}, "self-signed"),
    "for clients": ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "purpose"),
    "SHA-1": ({"digest": hashes.SHA1}, "digest algorithm too weak"),
    "RSA-1024": ({"rsa_bits": 1024}, "key too weak"),
}


@pytest.mark.filterwarnings("ignore:SHA1 signatures")
@pytest.mark.parametrize("name", BAD)
def test_bad_certificate(serve, fetch, authority, name):
    leaf, word = BAD[name]
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(authority.context(**leaf))}")
    assert (ran.code, ran.report["code"], ran.out) == (5, 505, b"")
    assert word in ran.report["message"]
    assert (serve.server.connections, serve.server.count) == (1, 0)


def test_weakest_certificate_that_is_taken(serve, fetch, authority):
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(authority.context(rsa_bits=2048))}")
    assert ran.out.decode() == GOLDEN


OPENSSL_CONF = """openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
CipherString = DEFAULT:@SECLEVEL=0
MinProtocol = TLSv1
"""


@pytest.mark.parametrize("leaf", [{"rsa_bits": 1024}, {"newest": ssl.TLSVersion.TLSv1_1}], ids=["RSA-1024", "TLS 1.1"])
def test_configuration_of_openssl_weakens_nothing(world, serve, fetch, authority, leaf):
    conf = world.folder / "openssl.cnf"
    conf.write_text(OPENSSL_CONF)
    url = serve(authority.context(**leaf))
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={url}", env={"OPENSSL_CONF": str(conf)})
    assert ran.report["code"] == 505 and serve.server.count == 0


@pytest.mark.parametrize("chain, code", [(True, 0), (False, 505)])
def test_intermediate_certificate(world, serve, fetch, authority, chain, code):
    middle = Authority(world.folder, "intermediate", parent=authority)
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(middle.context(chain=chain))}")
    assert ran.report["code"] == code and serve.server.count == (code == 0)
    assert code == 0 or "unable to get local issuer certificate" in ran.report["message"]


def test_end_of_a_refused_certificate_is_told(serve, fetch, authority):
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(authority.context(start=-3 * DAY, end=-2 * DAY))}")
    assert ran.report["code"] == 505
    assert ran.report["endpoint"]["cert_expires_at"] == authority.last_leaf_ends()


def test_expired_ca(world, serve, fetch):
    old = Authority(world.folder, "old CA", start=-9 * DAY, end=-4 * DAY)
    ran = fetch(f"--ca-file={old.bundle}", f"--endpoint={serve(old.context())}")
    assert ran.report["code"] == 505 and f"CA certificate expired {day(-4 * DAY)}" in ran.report["message"]


def test_name_without_san_is_not_taken_from_the_common_name(serve, fetch, authority):
    context = authority.context(hosts=(), common="localhost")
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(context, 'localhost')}")
    assert ran.report["code"] == 505 and serve.server.count == 0


def test_partial_wildcard_does_not_count(serve, fetch, authority):
    context = authority.context(hosts=("l*ost",))
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(context, 'localhost')}")
    assert ran.report["code"] == 505


def test_other_ca(world, serve, fetch, authority):
    other = Authority(world.folder, "another CA")
    ran = fetch(f"--ca-file={other.bundle}", f"--endpoint={serve(authority.context())}")
    assert ran.report["code"] == 505 and serve.server.count == 0


def test_ca_file_is_read_at_each_fetch(world, serve, fetch, authority):
    """Old CA, both while servers change over, new CA: each in place of the one before."""
    new = Authority(world.folder, "new CA")
    path = world.folder / "ca.pem"
    old_url, new_url = serve(authority.context()), serve(new.context())
    for names, expected in (((authority,), (0, 505)), ((authority, new), (0, 0)), ((new,), (505, 0)), ((), (306, 306))):
        path.write_bytes(b"".join(ca.bundle.read_bytes() for ca in names))
        assert tuple(fetch(f"--ca-file={path}", f"--endpoint={url}").report["code"] for url in (old_url, new_url)) == expected


def test_without_a_ca_file_only_the_system_counts(serve, fetch, authority):
    """Variables that OpenSSL or curl tools would follow do not bring a CA in."""
    env = {name: str(authority.bundle) for name in ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")}
    ran = fetch(f"--endpoint={serve(authority.context())}", env={**env, "SSL_CERT_DIR": str(authority.bundle.parent)})
    assert ran.report["code"] == 505 and serve.server.count == 0


@pytest.mark.parametrize("content", [None, b"", b"not a certificate\n"], ids=["missing", "empty", "garbage"])
def test_bad_ca_file(world, serve, fetch, authority, content):
    path = world.folder / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    ran = fetch(f"--ca-file={path}", f"--endpoint={serve(authority.context())}")
    assert (ran.code, ran.report["code"]) == (3, 306)
    assert serve.server.count == 0


def test_old_protocols_are_refused(serve, fetch, authority):
    context = authority.context(newest=ssl.TLSVersion.TLSv1_1)
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(context)}")
    assert ran.report["code"] == 505 and serve.server.count == 0
    assert ran.report["message"] == "TLS with 127.0.0.1: tlsv1 alert protocol version"


def test_no_cipher_in_common(serve, fetch, authority):
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("NULL:@SECLEVEL=0")
    ran = fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(context)}")
    assert ran.report["message"] == "TLS with 127.0.0.1: sslv3 alert handshake failure"


def test_plain_text_where_tls_is_expected(fetch):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            conn, _ = listener.accept()
            with conn:
                conn.recv(4096)
                conn.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        ran = fetch(f"--endpoint=https://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join()
    assert ran.report["code"] == 505 and ran.report["message"] == "TLS with 127.0.0.1: wrong version number"


def test_skipping_verification_is_said_aloud(serve, fetch, authority):
    context = authority.context(own_issuer=True, hosts=(), end=-datetime.timedelta(hours=1), start=-2 * DAY)
    url = serve(context)
    ran = fetch("--insecure-skip-tls-verify", f"--endpoint={url}")
    assert ran.out.decode() == GOLDEN and ran.report["endpoint"]["tls"] == "insecure"
    assert ran.report["endpoint"]["cert_expires_at"] == authority.last_leaf_ends()
    ran = fetch("--insecure-skip-tls-verify", f"--endpoint={url}", report=False)
    assert ran.out.decode() == GOLDEN and "tls_not_verified" in ran.err


def test_session_keys_are_not_logged(world, serve, fetch, authority):
    log = world.folder / "keys"
    fetch(f"--ca-file={authority.bundle}", f"--endpoint={serve(authority.context())}", env={"SSLKEYLOGFILE": str(log)})
    assert serve.server.count == 1 and not log.exists()


@pytest.fixture
def system_certs(world, authority):
    """A folder with the CA as Debian keeps it, by hash and as a bundle; gives a fetch that sees it as
    /etc/ssl/certs."""
    folder = world.folder / "certs"
    folder.mkdir()
    (folder / "ours.pem").write_bytes(authority.bundle.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True, capture_output=True, timeout=20)

    def fetch(*args):
        script = f'mount --bind {folder} /etc/ssl/certs && exec "$@"'
        return run(["unshare", "--mount", "sh", "-c", script, "sh", CLIENT, *args], world.env())

    fetch.folder = folder
    return fetch


def test_ca_file_excludes_the_cas_of_the_system(world, serve, authority, system_certs):
    other = Authority(world.folder, "another CA")
    ran = system_certs(f"--ca-file={other.bundle}", f"--endpoint={serve(authority.context())}")
    assert ran.code == 5 and "IRSAFS-E505" in ran.err and serve.server.count == 0


def test_memory_with_tls(serve, fetch, authority):
    """With one CA and with the system's bundle, which is the larger."""
    url = serve(authority.context())
    assert fetch(f"--ca-file={authority.bundle}", f"--endpoint={url}", preexec_fn=small).out.decode() == GOLDEN
    assert fetch(f"--endpoint={url}", preexec_fn=small).report["code"] == 505


def test_bundle_of_the_system_is_the_default(serve, authority, system_certs):
    url = serve(authority.context())
    missing = system_certs(f"--endpoint={url}")
    assert missing.code == 5 and "no CA bundle" in missing.err
    (system_certs.folder / "ours.pem").rename(system_certs.folder / "ca-certificates.crt")
    assert system_certs(f"--endpoint={url}").out.decode() == GOLDEN
