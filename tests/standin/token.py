# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the token endpoint of a Domino run: GET /access-token answers one raw JWT."""
from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import time
from typing import Optional

from .http import Answer, Request, Server

TEXT = (("Content-Type", "text/plain; charset=utf-8"),)
EXPECTED_HEADERS = {"host", "user-agent", "accept"}


def make_jwt(claims: dict) -> str:
    """An HS256 token; nobody in a pod can verify it, so the key does not matter."""
    parts = [json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = hmac.new(b"a key of the stand-in", text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


class TokenEndpoint(Server):
    """Issues a new token for every call and remembers each, so that the service can check it."""

    def __init__(self, sub: str = "jane", **server) -> None:
        self.sub = sub
        self.exp_in = 300
        self.suffix = ""               # what stands behind the token in the answer
        self.raw: Optional[str] = None  # this text instead of a JWT, still a legal token
        self.users: dict = {}          # token -> sub
        self.issued_ns: dict = {}      # token -> monotonic time at which it was asked for
        self._ids = itertools.count(1)
        super().__init__(**server)

    @property
    def url(self) -> str:
        return self.origin + "/access-token"

    def issue(self, began_ns: Optional[int] = None) -> str:
        """A token that the mapping service will accept."""
        claims = {"sub": self.sub, "exp": int(time.time()) + self.exp_in, "jti": next(self._ids)}
        token = self.raw if self.raw is not None else make_jwt(claims)
        self.users[token] = self.sub
        self.issued_ns[token] = began_ns or time.monotonic_ns()
        return token

    def answer(self, request: Request) -> Answer:
        if request.target != "/access-token":
            return Answer(404, TEXT, b"not found\n")
        if request.method != "GET":
            return Answer(405, TEXT, b"method not allowed\n")
        extra = set(request.names()) - EXPECTED_HEADERS
        if extra or request.body:
            self.violate(f"token request with a body or unexpected headers {sorted(extra)}")
        return Answer(200, TEXT, (self.issue(request.began_ns) + self.suffix).encode("latin-1"))
