# SPDX-License-Identifier: Apache-2.0
"""Stand-in for irsafs' control endpoint, for what a real one never says: every state, and strangers on its port."""
from __future__ import annotations

import copy
import json

from .http import Answer, Request, Server

JSON = (("Content-Type", "application/json"),)

FRESH = {
    "schema": 1, "version": "1.2.3", "mode": "mount", "mountpoint": "/var/run/.aws", "state": "fresh", "stale": False,
    "generation": 4, "profiles": 3, "bytes": 961, "age_ms": 252_000, "ttl_ms": 900_000, "next_change_ms": 468_000,
    "fetched_at": "2026-01-31T03:00:00Z", "source": "service", "dropped": {"total": 0, "items": []}, "error": None,
    "fetch": {"in_flight": False, "total": 4, "failed": 0, "last_ms": 16}, "waiters": 0, "run_id": "run-1",
    "workload_type": None, "token": {"source": "url", "expires_at": "2026-01-31T03:05:00Z"},
    "endpoint": {"scheme": "https", "host": "irsa-svc.domino-field", "tls": "verified", "cert_expires_at": None},
    "kernel": {"protocol": "7.45"}, "control": {"address": "127.0.0.1:6003", "state": "listening", "error": None},
    "metrics": None, "sandbox": {"mode": "required", "worker": "seccomp", "client": "seccomp"}, "pid": 7,
}


def document(**changes) -> dict:
    """What irsafs says of itself, with these keys changed."""
    return {**copy.deepcopy(FRESH), **changes}


def failure(code: str = "IRSAFS-E701", message: str = "the mapping service failed (status 500)", **changes) -> dict:
    """The member `error` of a document."""
    return {"code": code, "class": "service", "message": message, "since": "2026-01-31T03:01:00Z", "next_try_ms": 12_000, **changes}


class Control(Server):
    """Answers /status with `doc`, /refresh with `result`."""

    def __init__(self, **server) -> None:
        self.doc = document()
        self.result: tuple = (200, {"generation": 5, "profiles": 3, "changed": True})
        super().__init__(**server)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def targets(self) -> list:
        return [request.target for request in self.requests]

    def answer(self, request: Request) -> Answer:
        if request.target == "/status":
            return Answer(200, JSON, (json.dumps(self.doc, indent=2) + "\n").encode())
        if request.target == "/refresh":
            return Answer(self.result[0], JSON, json.dumps(self.result[1]).encode())
        return Answer(404, (), b"not found\n")
