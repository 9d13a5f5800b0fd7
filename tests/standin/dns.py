# SPDX-License-Identifier: Apache-2.0
"""A name server on a loopback address that can fail in the ways name servers fail."""
from __future__ import annotations

import ipaddress
import random
import socket
import struct
import threading

TYPES = {1: 4, 28: 6}                  # A and AAAA -> version of the address
RCODES = {"servfail": 2, "nxdomain": 3, "refused": 5}


class Dns:
    """Answers every name with `addresses`, or with `fault`: servfail, nxdomain, refused or silence."""

    def __init__(self) -> None:
        self.address = "127." + ".".join(str(random.randrange(1, 255)) for _ in range(3))   # not that of another run
        self.addresses: list = []
        self.fault = ""
        self.questions = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((self.address, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def resolv_conf(self) -> str:
        return f"nameserver {self.address}\n"

    def close(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)   # wakes the thread, although nothing is connected
        except OSError:
            pass
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                query, peer = self._socket.recvfrom(2048)
            except OSError:
                return
            if not query:
                return
            self.questions += 1
            if self.fault != "silence":
                self._socket.sendto(self._answer(query), peer)

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", 12) + 5
        kind = struct.unpack(">H", query[end - 4 : end - 2])[0]
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(ip.packed)) + ip.packed
            for ip in map(ipaddress.ip_address, self.addresses) if TYPES.get(kind) == ip.version and not self.fault
        )
        count = len(records) // (16 if kind == 1 else 28)
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | RCODES.get(self.fault, 0), 1, count, 0, 0)
        return head + query[12:end] + records
