# SPDX-License-Identifier: Apache-2.0
"""Tokens: what is refused before anything is sent, what is sent as it is, which one is taken."""
from __future__ import annotations

import base64
import itertools
import json
import os
import threading

import pytest

from lib.program import USER
from lib.world import GOLDEN

NO_TOKEN_URL = {"DOMINO_API_PROXY": None}


def part(content) -> str:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(claims, **header) -> str:
    return f"{part({'alg': 'RS256', **header})}.{part(claims)}.c2lnbmF0dXJl"


ODD = {                                # legal tokens that few libraries like
    "opaque": "0123456789abcdefghij",
    "opaque with every character": "a-b._~+/c0123456789==",
    "PS256": jwt({"sub": "jane"}, alg="PS256"),
    "EdDSA": jwt({"sub": "jane"}, alg="EdDSA"),
    "at+jwt": jwt({"sub": "jane"}, typ="at+jwt"),
    "unsigned": jwt({"sub": "jane"}, alg="none").rsplit(".", 1)[0] + ".",
    "encrypted": ".".join([part({"alg": "RSA-OAEP", "enc": "A256GCM"}), "a2V5", "aXY", "dGV4dA", "dGFn"]),
    "no claims": jwt({}),
    "claims that are no object": jwt([1]),
    "claims that are no JSON": jwt(b"\xff\0\1"),
    "deep claims": jwt(b"[" * 11_000),
    "exp as text": jwt({"exp": "4000000000"}),
    "exp as float": jwt({"exp": 4000000000.5}),
    "exp in milliseconds": jwt({"exp": 4000000000000}),
    "exp 1e30": jwt(b'{"exp":1e30}'),
    "exp 2^70": jwt({"exp": 1 << 70}),
    "exp -1": jwt({"exp": -1}),
    "sub of 3000 bytes": jwt({"sub": "x" * 3000}),
    "sub with control bytes": jwt({"sub": "\x1b[31m\n\0"}),
    "empty parts": "..",
    "empty first part": ".x.y",
    "empty middle": "a..b",
    "no dots at the end": "a.b.",
    "the largest": "x" * 16384,
}


@pytest.mark.parametrize("name", ODD)
def test_odd_tokens_are_sent_as_they_are(world, fetch, name):
    world.tokens.raw = ODD[name]
    ran = fetch()
    assert ran.out.decode() == GOLDEN and ran.report["token"]["expires_at"] is None
    assert world.service.requests[0].header("Authorization") == f"Bearer {ODD[name]}"
    assert (world.tokens.count, world.service.count) == (1, 1)


@pytest.mark.parametrize("alg", ["HS256", "PS256"])
def test_the_subject_is_the_user(world, fetch, alg):
    """Whether libjwt knows the algorithm or not."""
    identities = []
    for sub, number in (("jane", 1), ("jane", 2), ("eve", 3)):
        world.tokens.raw = jwt({"sub": sub, "jti": number}, alg=alg)
        identities.append(fetch().report["identity"])
    assert identities[0] == identities[1] != identities[2]


@pytest.mark.parametrize("suffix", ["\n", "\r\n", " \t\r\n\n", " " * 60])
def test_blanks_at_the_end_are_cut(world, fetch, suffix):
    world.tokens.suffix = suffix
    assert fetch().out.decode() == GOLDEN


def test_token_that_is_about_to_expire_is_used(world, fetch):
    world.tokens.exp_in = 5
    assert fetch().out.decode() == GOLDEN
    assert world.tokens.count == 1


def test_each_fetch_reads_the_newest_token(world, fetch):
    for _ in range(3):
        fetch()
    sent = [request.header("Authorization") for request in world.service.requests]
    assert sent == [f"Bearer {token}" for token in world.tokens.users] and len(set(sent)) == 3


def test_401_once_takes_the_newest_token(world, fetch):
    world.service.queue(status=401)
    assert fetch().out.decode() == GOLDEN
    first, second = (request.header("Authorization") for request in world.service.requests)
    assert first != second


def test_file_is_read_again_after_a_401(world, fetch):
    path = world.folder / "token"
    path.write_text(world.tokens.issue())
    gate = world.service.hold()
    world.service.queue(status=401, gate=gate)
    result = []
    thread = threading.Thread(target=lambda: result.append(fetch(f"--token-file={path}", env=NO_TOKEN_URL)))
    thread.start()
    gate.wait_arrived()
    path.write_text(newest := world.tokens.issue())
    gate.release()
    thread.join(20)
    assert result[0].out.decode() == GOLDEN
    assert world.service.requests[1].header("Authorization") == f"Bearer {newest}"


def make_unreadable(path) -> None:
    path.write_text("token")
    path.chmod(0)


def make_endless(path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize(
    "make, code",
    [
        (make_unreadable, 402),
        (lambda path: path.symlink_to(path), 402),
        (lambda path: path.symlink_to("/dev/zero"), 402),
        (lambda path: path.symlink_to("/dev/tty"), 402),
        (lambda path: path.symlink_to("nowhere"), 402),
        (lambda path: path.write_bytes(b"\0" * 100), 403),
        (make_endless, 403),
    ],
    ids=["mode 000", "loop", "endless device", "terminal", "dangling", "NULs", "a terabyte"],
)
def test_token_files_that_are_refused(world, fetch, make, code):
    path = world.folder / "token"
    make(path)
    ran = fetch(f"--token-file={path}", env=NO_TOKEN_URL, user=USER, group=USER, extra_groups=[])
    assert (ran.code, ran.report["code"], ran.out) == (4, code, b"")
    assert world.service.connections == 0


def test_file_that_is_replaced_all_the_time(world, fetch):
    """By rename, as kubelet does: each fetch sends one whole token."""
    path = world.folder / "token"
    tokens = [jwt({"sub": "jane", "jti": i, "pad": "x" * i * 2000}) for i in range(4)]
    world.tokens.users.update({token: "jane" for token in tokens})
    path.write_text(tokens[0])
    end = threading.Event()

    def replace() -> None:
        for token in itertools.cycle(tokens):
            (path.with_name("new")).write_text(token)
            path.with_name("new").rename(path)
            if end.wait(0.0005):
                return

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        assert all(fetch(f"--token-file={path}", env=NO_TOKEN_URL).code == 0 for _ in range(50))
    finally:
        end.set()
        thread.join()
    assert len({request.header("Authorization") for request in world.service.requests}) > 1
