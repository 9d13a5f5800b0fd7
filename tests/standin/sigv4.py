# SPDX-License-Identifier: Apache-2.0
"""AWS Signature Version 4 as the server computes it, written from the public specification."""
from __future__ import annotations

import hashlib
import hmac
import re
from typing import Optional
from urllib.parse import quote, urlsplit

from .http import Request

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>\d{8}/[a-z0-9-]+/sts/aws4_request), ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


def access_key_of(request: Request) -> Optional[str]:
    """The access key id that the request claims to be signed with."""
    match = AUTHORIZATION.fullmatch(request.header("Authorization") or "")
    return match["key"] if match else None


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _canonical(request: Request, signed: list) -> str:
    url = urlsplit(request.target)
    headers = "".join(f"{name}:{' '.join((request.header(name) or '').split())}\n" for name in signed)
    query = "&".join(sorted(url.query.split("&"))) if url.query else ""
    body = hashlib.sha256(request.body).hexdigest()
    path = quote(url.path or "/", safe="/-_.~")
    return "\n".join([request.method, path, query, headers, ";".join(signed), body])


def signature_is_true(request: Request, secret: str) -> bool:
    """Recomputes the signature with the secret of the claimed key and compares."""
    match = AUTHORIZATION.fullmatch(request.header("Authorization") or "")
    date = request.header("X-Amz-Date") or ""
    if not match or not date.startswith(match["scope"][:8]):
        return False
    signed = match["signed"].split(";")
    if not {"host", "x-amz-date"} <= set(signed):
        return False
    canonical = hashlib.sha256(_canonical(request, signed).encode()).hexdigest()
    key = ("AWS4" + secret).encode()
    for part in match["scope"].split("/"):
        key = _mac(key, part)
    want = _mac(key, "\n".join(["AWS4-HMAC-SHA256", date, match["scope"], canonical])).hex()
    return hmac.compare_digest(want, match["signature"])
