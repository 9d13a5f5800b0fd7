# SPDX-License-Identifier: Apache-2.0
"""What is measured: a stand-in service with a text of a wanted size, a mount of irsafs on it, and two
tmpfs copies of the same three files, one to compare with and one to show the noise."""
from __future__ import annotations

import dataclasses
import socket
import subprocess
import time
from pathlib import Path
from typing import Optional

from lib.endpoint import Endpoint, free_port
from lib.mount import Mount, mounts_at
from lib.program import IRSAFS, environment
from lib.wait import wait_until
from standin.http import Answer, Request, Server
from standin.mapping import MappingService, Role, render, role
from standin.tls import Authority
from standin.token import TokenEndpoint

RUN = "63d1a0b2c3d4e5f6a7b8c9d0"
LABELS = ("tmpfs1", "tmpfs2", "irsafs")  # paths of equal length; tmpfs2 is the A/A control
STAMP = role("acme-000000-bucket-role")
ARGUMENTS = ("--ttl=12h", "--min-refresh=0s")


def data_role(number: int) -> Role:
    return role(f"acme-data-{number:03d}-bucket-role")


class BenchFailed(Exception):
    """Something did not work, so that no figure of this run is worth anything."""


def text_of_size(size: int) -> bytes:
    """A text of exactly `size` bytes in the layout of the service, whose first role is STAMP."""
    count = 1 + (size - len(render([STAMP]))) // len(render([data_role(1)]))
    roles = [STAMP, *map(data_role, range(1, count))]
    missing = size - len(render(roles))
    padded = [
        Role(r.asset_arn, r.proxy_arn + "x" * (missing * (i + 1) // count - missing * i // count))
        for i, r in enumerate(roles)
    ]
    text = render(padded).encode()
    assert len(text) == size
    return text


@dataclasses.dataclass(frozen=True)
class Fetch:
    """When the stand-ins were busy with one fetch (CLOCK_MONOTONIC, ns)."""

    token_began: int
    token_sent: int
    post_began: int
    post_sent: int


class Timed(Server):
    """Notes when each answer has been sent."""

    def __init__(self, *args, **server) -> None:
        self.sent_ns: list = []
        super().__init__(*args, **server)

    def converse(self, conn: socket.socket) -> None:
        # Head and body are two writes: without this the second waits for the client's delayed ACK.
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().converse(conn)

    def _send(self, conn: socket.socket, answer: Answer) -> None:
        super()._send(conn, answer)
        self.sent_ns.append(time.monotonic_ns())


class TimedTokens(Timed, TokenEndpoint):
    """The token endpoint, timed."""


class TimedService(Timed, MappingService):
    """Answers with a text of one size that says which answer it is."""

    def __init__(self, size: int, tokens: TokenEndpoint, **server) -> None:
        self._template = text_of_size(size)
        super().__init__(tokens, {RUN: "jane"}, **server)

    def text(self, number: int) -> bytes:
        """The text of the number-th answer, from 1 on."""
        return self._template.replace(b"acme-000000-", b"acme-%06d-" % number)

    def answer(self, request: Request) -> Answer:
        answer = super().answer(request)
        return dataclasses.replace(answer, body=self.text(self.count + 1)) if answer.status == 200 else answer


def layout_flag(layout: str) -> list:
    """None for the default, which the build before may not know by name."""
    return [] if layout == "root" else [f"--layout={layout}"]


class Stage:
    """Stand-ins, one mount and its copies; each stage has a folder of its own."""

    def __init__(
        self, folder: Path, size: int, authority: Optional[Authority] = None, program: Path = IRSAFS,
        control: bool = False, layout: str = "root",
    ) -> None:
        self.folder = folder
        self.size = size
        self.tls = authority is not None
        folder.mkdir(mode=0o755)
        self.tokens = TimedTokens()
        self.service = TimedService(size, self.tokens, tls=authority.context() if authority else None)
        self.env = environment(
            DOMINO_API_PROXY=self.tokens.origin,
            DOMINO_IRSA_ENDPOINT=self.service.url,
            IRSAFS_RUN_ID=RUN,
            **({"IRSAFS_CA_FILE": str(authority.bundle)} if authority else {}),
        )
        self.control = Endpoint("127.0.0.1", free_port())
        if control:
            self.env["IRSAFS_CONTROL"] = self.control.address
        self.dirs = {label: folder / label for label in LABELS}
        for directory in self.dirs.values():
            directory.mkdir(mode=0o755)
        self.mount = Mount(self.dirs["irsafs"], [*ARGUMENTS, *layout_flag(layout)], self.env, lambda: list(self.tokens.users))
        self.program = program         # of this build or of the one before
        self.mount.arguments[0] = str(program)

    # --- life -----------------------------------------------------------------------------------

    def open(self) -> "Stage":
        """Mounts all three and fetches the first text."""
        self.mount.start()
        text = self.read()
        for label in LABELS[:2]:
            path = str(self.dirs[label])
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=0755", "tmpfs", path], check=True)
            for name, content in (("config", text), ("refresh", b""), ("status", b"{}\n")):
                (self.dirs[label] / name).write_bytes(content)
        self.check()
        return self

    def close(self) -> None:
        try:
            self.mount.close()
        finally:
            for label in LABELS[:2]:
                if "tmpfs" in mounts_at(self.dirs[label]):
                    subprocess.run(["umount", str(self.dirs[label])], check=True)
            self.service.close()
            self.tokens.close()

    # --- checks ---------------------------------------------------------------------------------

    def read(self) -> bytes:
        return (self.dirs["irsafs"] / "config").read_bytes()

    def check(self) -> None:
        """The daemon lives, nobody broke the contract, and the mount shows the newest answer."""
        if self.mount.process.poll() is not None:
            raise BenchFailed(f"irsafs has ended with {self.mount.process.returncode}: {self.mount.log()}")
        problems = self.service.violations + self.tokens.violations
        if problems:
            raise BenchFailed(f"contract with the stand-ins broken: {problems}")
        if self.read() != self.service.text(self.service.count):
            raise BenchFailed(f"config is not answer {self.service.count} of the service: {self.mount.log()}")

    def copy_current(self) -> None:
        """Makes the tmpfs files equal to the config of the moment."""
        for label in LABELS[:2]:
            (self.dirs[label] / "config").write_bytes(self.read())

    def fetches(self, first: int) -> list:
        """The stand-ins' times of every fetch from the first-th (0 is the one at the start) on."""
        wait_until(lambda: len(self.service.sent_ns) == self.service.count, "note of the last answer")
        if not len(self.tokens.requests) == len(self.tokens.sent_ns) == self.service.count:
            raise BenchFailed("not one token request for each POST")
        return [
            Fetch(t.began_ns, t_sent, p.began_ns, p_sent)
            for t, t_sent, p, p_sent in zip(
                self.tokens.requests[first:], self.tokens.sent_ns[first:],
                self.service.requests[first:], self.service.sent_ns[first:],
            )
        ]

    def targets(self) -> list:
        """LABEL=DIR words for irsafs-bench, the reference first."""
        return [f"{label}={self.dirs[label]}" for label in LABELS]
