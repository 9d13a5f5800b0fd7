# SPDX-License-Identifier: Apache-2.0
"""Certificates for the stand-ins: a private CA, good leaves and every kind of bad one."""
from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path
from typing import Optional

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _san(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(path: Path, key) -> None:
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


class Authority:
    """A certificate authority whose files live in one folder; `bundle` is what a client trusts.

    With a parent it is an intermediate one, whose certificate a server has to send along.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "irsafs test CA",
        start: datetime.timedelta = -DAY,
        end: datetime.timedelta = DAY,
        parent: Optional["Authority"] = None,
    ) -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        issuer = parent or self
        self._cert = (
            self._builder(_name(name), self._key, now + start, now + end, _name(issuer._name))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(issuer._key, hashes.SHA256())
        )
        self.bundle = folder / f"{name.replace(' ', '-')}.pem"
        self.bundle.write_bytes(self._cert.public_bytes(serialization.Encoding.PEM))

    def _builder(
        self, subject: x509.Name, key, start, end, issuer: Optional[x509.Name] = None
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or _name(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )

    def leaf(
        self,
        hosts: tuple = ("127.0.0.1", "localhost"),
        common: str = "localhost",
        start: datetime.timedelta = -DAY,
        end: datetime.timedelta = DAY,
        usage=ExtendedKeyUsageOID.SERVER_AUTH,
        own_issuer: bool = False,
        rsa_bits: int = 0,
        digest=hashes.SHA256,
        chain: bool = True,
    ) -> Path:
        """One PEM file with key, certificate and that of the CA (`chain`); no hosts = no SAN; own_issuer =
        self-signed; rsa_bits = an RSA key instead of one on P-256."""
        key = rsa.generate_private_key(65537, rsa_bits) if rsa_bits else ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        builder = self._builder(_name(common), key, now + start, now + end, _name(common) if own_issuer else None)
        if hosts:
            builder = builder.add_extension(x509.SubjectAlternativeName([_san(h) for h in hosts]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        cert = builder.sign(key if own_issuer else self._key, digest())
        self._last_end = cert.not_valid_after
        path = self._folder / f"leaf-{cert.serial_number:x}.pem"
        _write_key(path, key)
        with path.open("ab") as file:
            file.write(cert.public_bytes(serialization.Encoding.PEM))
            if chain:
                file.write(self.bundle.read_bytes())
        return path

    def last_leaf_ends(self) -> str:
        """When the newest leaf ends, in RFC 3339."""
        return self._last_end.strftime("%Y-%m-%dT%H:%M:%SZ")

    def context(self, newest: Optional[ssl.TLSVersion] = None, **leaf) -> ssl.SSLContext:
        """A server-side context with a new leaf; `newest` caps the protocol version."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        if newest:
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = newest
        context.load_cert_chain(self.leaf(**leaf))
        return context
