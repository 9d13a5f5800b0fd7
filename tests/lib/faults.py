# SPDX-License-Identifier: Apache-2.0
"""How service and token endpoint can fail, and which error numbers may be named for it.

Each entry: name -> (changes of standin.http.Answer, numbers of base/error.def).
"""
from __future__ import annotations

from standin.mapping import html_page

HTML_TYPE = (("Content-Type", "text/html; charset=utf-8"),)
LOGIN = b"<!doctype html>\n<html><head><title>Log in</title></head><body>[profile x]</body></html>\n"
ARN = b"arn:aws:iam::123456789012:role/x"

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
    "redirect": ({"status": 302, "headers": (("Location", "/x"),)}, {401}),
    "silence": ({"hang": "headers"}, {401, 504}),
    "reset": ({"reset": "headers"}, {401}),
}
