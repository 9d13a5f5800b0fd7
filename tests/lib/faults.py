# SPDX-License-Identifier: Apache-2.0
"""How service and token endpoint can fail, and which error numbers may be named for it.

Each entry: name -> (changes of standin.http.Answer, numbers of base/error.def).
"""
from __future__ import annotations

import gzip
import random

from standin.mapping import html_page

HTML_TYPE = (("Content-Type", "text/html; charset=utf-8"),)
LOGIN = b"<!doctype html>\n<html><head><title>Log in</title></head><body>[profile x]</body></html>\n"
ARN = b"arn:aws:iam::123456789012:role/x"
EVIL = "\x1b[31mevil\u2028\xff<html>\x9b"   # must not get into a message
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
BOMB = gzip.compress(bytes(1 << 24))


def encoded(name: str, body: bytes = BOMB) -> dict:
    """An answer that claims a Content-Encoding."""
    return {"headers": HTML_TYPE + (("Content-Encoding", name),), "body": body}


def plain(head: str, body: bytes = b"") -> dict:
    """An answer whose head is made by hand."""
    return {"raw": ("HTTP/1.1 " + head + "\r\n\r\n").encode("latin-1", "replace") + body}


def location(where: str, status: int = 302) -> dict:
    return plain(f"{status} Found\r\nLocation: {where}\r\nContent-Length: 0")



# name -> what the service does, codes that may be named
SERVICE = {
    "500": ({"status": 500, "body": html_page(500)}, {701}),
    "502": ({"status": 502}, {701}),
    "503": ({"status": 503}, {701, 702}),
    "599": ({"status": 599}, {701}),
    "429": ({"status": 429}, {702}),
    "401": ({"status": 401}, {404}),
    "403": ({"status": 403}, {601}),
    "404": ({"status": 404, "body": b"No Pod Found with the run id 1 for the user"}, {602}),
    "418": ({"status": 418}, {603}),
    "204": ({"status": 204, "framing": "close", "body": b""}, {801, 804}),
    "206": ({"status": 206}, {801, 804}),
    "301": ({"status": 301, "headers": (("Location", "/x"),)}, {805}),
    "307": ({"status": 307, "headers": (("Location", "/x"),)}, {805}),
    "html 200": ({"body": LOGIN}, {801}),
    "json 200": ({"body": b'{"error": "no"}\n'}, {801}),
    "nothing valid": ({"body": b"[profile x]\ncredential_process = /bin/id\n"}, {806}),
    "unknown grammar": ({"body": b"role x " + ARN + b"\n"}, {801, 806}),
    "silence": ({"hang": "headers"}, {504}),
    "silence after the head": ({"hang": "body"}, {504}),
    "silence in the body": ({"hang": "mid"}, {504}),
    "drip": ({"drip": 0.01}, {504}),
    "drip of headers": ({"drip_headers": 0.05}, {504}),
    "reset": ({"reset": "headers"}, {506}),
    "reset in the body": ({"reset": "mid"}, {506, 803}),
    "nothing": ({"raw": b""}, {506, 803, 804}),
    "cut": ({"cut": 100}, {506, 803}),
    "cut, no length": ({"cut": 100, "framing": "close"}, {803, 804}),
    "whole, no length": ({"framing": "close"}, {803, 804}),
    "empty, no length": ({"body": b"", "framing": "close"}, {803, 804}),
    "length too large": ({"length_error": 50}, {506, 803}),
    "length too small": ({"length_error": -50}, {803, 804, 801, 806}),
    "bad chunk": ({"framing": "bad-chunk"}, {506, 803, 804}),
    "gzip": ({"headers": HTML_TYPE + (("Content-Encoding", "gzip"),)}, {801, 804}),
    "too big": ({"body": b"# x\n" * 500_000}, {802}),
    "too big, chunked": ({"body": b"# x\n" * 500_000, "framing": "chunked"}, {802}),
    "header flood": ({"flood": 2000}, {802, 804}),
    "early hints": ({"interim": 3000}, {802, 804}),
    "408": ({"status": 408}, {603}),
    "101": (plain("101 Switching Protocols\r\nUpgrade: h2c"), {804}),
    "only early hints": (plain("103 Early Hints"), {506, 803, 804}),
    "status without number": (plain("OK\r\nContent-Length: 0"), {506, 804}),
    "redirect to a file": (location("file:///etc/passwd"), {805}),
    "redirect to another host": (location("https://evil.invalid/x", 308), {805}),
    "hostile redirect": (location(EVIL), {805}),
    "hostile reason": (plain(f"500 {EVIL}\r\nContent-Length: 0"), {701}),
    "hostile headers": (plain(f"503 x\r\nRetry-After: {EVIL}\r\nX-{EVIL}: {EVIL}\r\nContent-Length: 0"), {701}),
    "length and chunks": ({"framing": "both"}, {804}),
    "two lengths": (plain("200 OK\r\nContent-Length: 4\r\nContent-Length: 8", b"# x\n# y\n"), {804}),
    "length that is no number": (plain("200 OK\r\nContent-Length: many", b"# x\n"), {804}),
    "negative length": (plain("200 OK\r\nContent-Length: -4", b"# x\n"), {804}),
    "chunks that do not end": (plain("200 OK\r\nTransfer-Encoding: chunked", b"4\r\n# x\n\r\n"), {506, 803}),
    "gzip in transfer": (plain("200 OK\r\nTransfer-Encoding: gzip, chunked", b"0\r\n\r\n"), {804}),
    "64 MiB": ({"body": b"# x\n", "length_error": 64 << 20, "endless": b"# x\n" * 16384}, {802}),
    "endless": ({"raw": CHUNKED, "endless": b"10000\r\n" + b"# x\n" * 0x4000 + b"\r\n"}, {802}),
    "gzip bomb": (encoded("gzip"), {804}),
    "deflate bomb": (encoded("deflate"), {804}),
    "br": (encoded("br"), {804}),
    "gzip that is not announced": ({"body": BOMB}, {801}),
    "many headers": ({"flood": 200}, {804}),
    "40 kB of headers": ({"headers": tuple((f"X-{i}", "x" * 4000) for i in range(10))}, {804}),
    "gzip in transfer, with a length": ({"headers": (("Transfer-Encoding", "gzip"),)}, {804}),
    "flood of trailers": ({"raw": CHUNKED + b"0\r\n" + b"X-Trailer: x\r\n" * 3000 + b"\r\n"}, {804}),
    "huge trailer": ({"raw": CHUNKED + b"0\r\nX: " + b"x" * 200_000 + b"\r\n\r\n"}, {506, 804}),
    "huge chunk size": ({"raw": CHUNKED + b"f" * 200_000 + b"\r\n"}, {506, 803, 804}),
    "huge header": ({"headers": (("X-Big", "x" * 200_000),)}, {804}),
    "HTTP/0.9": ({"raw": b"[profile x]\nrole_arn = " + ARN + b"\n"}, {804}),
    "HTTP/2": ({"raw": b"\0\0\x12\4\0\0\0\0\0" + bytes(18)}, {506, 804}),
    "garbage": ({"raw": random.Random(4).randbytes(5000)}, {506, 804}),
    "no final newline": ({"body": b"# x"}, {803}),
    "value of 1 MB": ({"body": b"[profile x]\nrole_arn = " + b"a" * 1_000_000 + b"\n"}, {806}),
    "100,000 sections": ({"body": b"[profile x]\n" * 100_000}, {802}),
    "not HTTP": ({"raw": b"SSH-2.0-OpenSSH_9.2\r\n"}, {506, 804}),
}

# name -> what the token endpoint does, codes that may be named
TOKEN = {
    "500": ({"status": 500, "body": LOGIN}, {401}),
    "404": ({"status": 404, "body": b"no"}, {401}),
    "html 200": ({"body": LOGIN}, {403}),
    "empty": ({"body": b""}, {403}),
    "two lines": ({"body": b"abc\ndef"}, {403}),
    "header injection": ({"body": b"abc\r\nX-Injected: 1"}, {403}),
    "not ASCII": ({"body": "töken".encode()}, {403}),
    "NUL": ({"body": b"abc\0def"}, {403}),
    "blank inside": ({"body": b"abc def"}, {403}),
    "too long": ({"body": b"a" * 20_000}, {403}),
    "prefix": ({"body": b"Bearer abcdefghijklmnop"}, {403}),
    "JSON": ({"body": b'{"token":"abcdefghijklmnop"}'}, {403}),
    "quotes": ({"body": b'"abcdefghijklmnop"'}, {403}),
    "1 MiB": ({"body": b"a" * (1 << 20)}, {403}),
    "endless": ({"raw": CHUNKED, "endless": b"10000\r\n" + b"a" * 0x10000 + b"\r\n"}, {403}),
    "cut": ({"length_error": 50}, {401}),
    "no length": ({"framing": "close"}, {401}),
    "drip": ({"drip": 0.02}, {401, 504}),
    "hostile reason": (plain(f"500 {EVIL}\r\nContent-Length: 0"), {401}),
    "redirect": ({"status": 302, "headers": (("Location", "/x"),)}, {401}),
    "silence": ({"hang": "headers"}, {401, 504}),
    "reset": ({"reset": "headers"}, {401}),
}
