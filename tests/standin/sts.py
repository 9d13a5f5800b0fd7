# SPDX-License-Identifier: Apache-2.0
"""Stand-in for AWS STS behind an HTTPS proxy: CONNECT, TLS with its own CA, three actions.

Debian's SDKs cannot redirect the inner STS call of a profile chain, so they get HTTPS_PROXY and
AWS_CA_BUNDLE. Each hop must carry what the hop before it handed out.
"""
from __future__ import annotations

import itertools
import re
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Optional
from urllib.parse import parse_qsl

from .http import Answer, BadRequest, Request, Server, read_request
from .sigv4 import access_key_of, signature_is_true
from .tls import Authority

HOST = re.compile(r"sts(\.[a-z0-9-]+)?\.amazonaws\.com:443")
ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(.+)")
XML = (("Content-Type", "text/xml"),)
NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'


@dataclass(frozen=True)
class Session:
    """Keys that one hop handed out."""

    hop: str                           # web | chain
    role_arn: str
    key: str
    secret: str
    token: str


class Refused(Exception):
    """An STS error answer: code and message."""


class StsStandIn(Server):
    """Plays proxy and STS; `refusals` lists what it refused and why."""

    def __init__(self, folder: Path, web_token_file: Path) -> None:
        self._authority = Authority(folder, "irsafs test STS CA")
        self.ca_bundle = self._authority.bundle
        self.web_token_file = web_token_file
        self.proxy_roles: set = set()
        self.asset_roles: set = set()
        self.not_permitted: set = set()   # asset roles that no policy of their proxy role allows to assume
        self.not_trusting: set = set()    # asset roles whose trust policy does not name their proxy role
        self.one_account = False          # who has a proxy role needs no other one
        self.sessions: dict = {}
        self.refusals: list = []
        self.calls: list = []          # (action, role arn)
        self._contexts: dict = {}
        self._ids = itertools.count(1)
        super().__init__()

    def know(self, roles: list) -> None:
        """The roles that exist from now on."""
        self.proxy_roles = {r.proxy_arn for r in roles}
        self.asset_roles = {r.asset_arn for r in roles}

    def environment(self) -> dict:
        """What an SDK needs to end up here."""
        return {"HTTPS_PROXY": self.origin, "AWS_CA_BUNDLE": str(self.ca_bundle)}

    def converse(self, conn: socket.socket) -> None:
        connect = read_request(conn)
        if connect is None:
            return
        if connect.method != "CONNECT" or not HOST.fullmatch(connect.target):
            self.violate(f"proxy asked for {connect.method} {connect.target}")
            raise BadRequest("not a way to STS")
        conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with self._context(connect.target.split(":")[0]).wrap_socket(conn, server_side=True) as wire:
            super().converse(wire)

    def _context(self, host: str):
        if host not in self._contexts:
            self._contexts[host] = self._authority.context(hosts=(host,), common=host)
        return self._contexts[host]

    def answer(self, request: Request) -> Answer:
        form = dict(parse_qsl(request.body.decode("latin-1")))
        action = form.get("Action", "")
        actions = {
            "AssumeRoleWithWebIdentity": self._web_identity,
            "AssumeRole": self._assume,
            "GetCallerIdentity": self._identity,
        }
        try:
            if request.method != "POST" or action not in actions:
                raise Refused("InvalidAction", f"{request.method} {action}")
            result = actions[action](request, form)
        except Refused as error:
            code, message = error.args
            self.refusals.append(f"{action}: {code}: {message}")
            text = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
            return Answer(403, XML, f"<ErrorResponse {NAMESPACE}>{text}</ErrorResponse>".encode())
        self.calls.append((action, form.get("RoleArn")))
        body = f"<{action}Response {NAMESPACE}><{action}Result>{result}</{action}Result></{action}Response>"
        return Answer(200, XML, body.encode())

    def _web_identity(self, request: Request, form: dict) -> str:
        if request.header("Authorization") is not None:
            raise Refused("InvalidAction", "a web identity call is not signed")
        if form.get("WebIdentityToken") != self.web_token_file.read_text():
            raise Refused("InvalidIdentityToken", "not the token of this pod")
        if form.get("RoleArn") not in self.proxy_roles:
            raise Refused("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        return self._hand_out("web", form)

    def _assume(self, request: Request, form: dict) -> str:
        session = self._signer(request)
        if session.hop != "web":
            raise Refused("AccessDenied", "not signed with the key of a web identity")
        if form.get("RoleArn") not in self.asset_roles:
            raise Refused("AccessDenied", f"{form.get('RoleArn')} is not a role to assume")
        if form["RoleArn"] in self.not_permitted | self.not_trusting:   # AWS has one sentence for both
            user = _session_arn(session.role_arn)
            raise Refused(
                "AccessDenied", f"User: {user} is not authorized to perform: sts:AssumeRole on resource: {form['RoleArn']}"
            )
        return self._hand_out("chain", form)

    def _identity(self, request: Request, form: dict) -> str:
        session = self._signer(request)
        if session.hop != "chain" and not self.one_account:
            raise Refused("AccessDenied", "not signed with the key of the asset role")
        return f"<Arn>{_session_arn(session.role_arn)}</Arn><UserId>AROA:s</UserId><Account>{_account(session)}</Account>"

    def _signer(self, request: Request) -> Session:
        session: Optional[Session] = self.sessions.get(access_key_of(request))
        if session is None:
            raise Refused("InvalidClientTokenId", "unknown access key")
        if request.header("X-Amz-Security-Token") != session.token:
            raise Refused("InvalidClientTokenId", "session token of another key")
        if not signature_is_true(request, session.secret):
            raise Refused("SignatureDoesNotMatch", "the signature is wrong")
        return session

    def _hand_out(self, hop: str, form: dict) -> str:
        role_arn = form["RoleArn"]
        key = f"ASIA{next(self._ids):016d}"
        session = Session(hop, role_arn, key, secrets.token_hex(20), secrets.token_hex(32))
        self.sessions[key] = session
        return (
            f"<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{session.secret}</SecretAccessKey>"
            f"<SessionToken>{session.token}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
            f"<AssumedRoleUser><Arn>{_session_arn(role_arn)}</Arn><AssumedRoleId>AROA:s</AssumedRoleId></AssumedRoleUser>"
        )


def _account(session: Session) -> str:
    match = ARN.fullmatch(session.role_arn)
    assert match is not None           # only known roles reach a session
    return match[1]


def _session_arn(role_arn: str) -> str:
    match = ARN.fullmatch(role_arn)
    assert match is not None
    return f"arn:aws:sts::{match[1]}:assumed-role/{match[2]}/session"
