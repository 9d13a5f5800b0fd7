# SPDX-License-Identifier: Apache-2.0
"""Stand-in for the mapping service: enforces the wire contract and renders the reference layout."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Optional

from .http import Answer, Request, Server
from .stamped import stamped_text
from .token import TokenEndpoint

PATH = "/map_iam_roles_to_pod_sa"
TOKEN_PATH = "/var/run/secrets/eks.amazonaws.com/serviceaccount/token"
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
EXPECTED_HEADERS = {"host", "user-agent", "accept", "content-type", "content-length"}
HTML = (("Content-Type", "text/html; charset=utf-8"),)

PAGES = {
    400: ("Bad Request", "The browser (or proxy) sent a request that this server could not understand."),
    404: (
        "Not Found",
        "The requested URL was not found on the server. If you entered the URL manually please check your"
        " spelling and try again.",
    ),
    405: ("Method Not Allowed", "The method is not allowed for the requested URL."),
    500: (
        "Internal Server Error",
        "The server encountered an internal error and was unable to complete your request. Either the server is"
        " overloaded or there is an error in the application.",
    ),
}


def html_page(status: int) -> bytes:
    """The page a Flask application sends for an error of its own."""
    title, text = PAGES[status]
    page = f"<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n<h1>{title}</h1>\n<p>{text}</p>\n"
    return page.encode()


@dataclass(frozen=True)
class Role:
    """One mapping: the role with the data and the role that the pod's identity may assume."""

    asset_arn: str
    proxy_arn: str

    @property
    def name(self) -> str:
        return self.asset_arn.split("/", 1)[1]


def role(name: str, asset_account: str = "524112250363", proxy_account: str = "946429944765") -> Role:
    return Role(f"arn:aws:iam::{asset_account}:role/{name}", f"arn:aws:iam::{proxy_account}:role/{name}")


def render(roles: list) -> str:
    """The config text, in the layout of the service that irsafs replaces."""
    return "".join(
        f"[profile {r.name}]\nsource_profile = src_{r.name}\nrole_arn={r.asset_arn}\n"
        f"[profile src_{r.name}]\nweb_identity_token_file = {TOKEN_PATH}\nrole_arn={r.proxy_arn}\n"
        for r in roles
    )


GOLDEN_ROLES = [role(f"acme-{verb}-bucket-role") for verb in ("update", "read", "list")]


class MappingService(Server):
    """Knows runs, users and roles; whoever breaks the contract gets 400 and a recorded violation."""

    def __init__(self, tokens: TokenEndpoint, runs: Optional[dict] = None, **server) -> None:
        self.tokens = tokens
        self.runs = runs               # run id -> sub; None: every run belongs to everybody
        self.api_keys: dict = {}       # key -> sub
        self.roles: list = list(GOLDEN_ROLES)
        self.roles_of: dict = {}       # sub -> roles, where a user has others
        self.stamped = False           # answers for the consistency checker
        self.aliases: set = set()      # URLs that lead here through a proxy
        self.bodies: list = []         # JSON bodies as they came
        super().__init__(**server)

    @property
    def url(self) -> str:
        return self.origin + PATH

    def answer(self, request: Request) -> Answer:
        if request.target not in {PATH, self.url, *self.aliases}:
            self.violate(f"unexpected path {request.target}")
            return Answer(404, HTML, html_page(404))
        if request.method != "POST":
            self.violate(f"unexpected method {request.method}")
            return Answer(405, HTML, html_page(405))
        problem = self._contract_problem(request)
        if problem:
            self.violate(problem)
            return Answer(400, HTML, html_page(400))
        body = json.loads(request.body)
        self.bodies.append(body)
        return self._map(body["run_id"], self._user(request), self._asked_ns(request))

    def _map(self, run_id: str, user: Optional[str], asked_ns: int) -> Answer:
        if user is None or (self.runs is not None and self.runs.get(run_id) != user):
            return Answer(404, HTML, f"No Pod Found with the run id {run_id} for the user".encode())
        if self.stamped:
            return Answer(200, HTML, stamped_text(len(self.bodies), asked_ns))
        return Answer(200, HTML, render(self.roles_of.get(user, self.roles)).encode())

    def _user(self, request: Request) -> Optional[str]:
        key = request.header("X-Domino-Api-Key")
        if key is not None:
            return self.api_keys.get(key)
        return self.tokens.users.get(_bearer(request))

    def _asked_ns(self, request: Request) -> int:
        """When this fetch asked for its token, which is no earlier than the fetch's beginning."""
        return self.tokens.issued_ns.get(_bearer(request), request.began_ns)

    def _contract_problem(self, request: Request) -> Optional[str]:
        auth, keys = request.all("Authorization"), request.all("X-Domino-Api-Key")
        if len(auth) + len(keys) != 1:
            return f"{len(auth)} Authorization and {len(keys)} X-Domino-Api-Key headers"
        if auth and _bearer(request) not in self.tokens.users:
            return "Authorization does not carry a token of the token endpoint"
        wanted = EXPECTED_HEADERS | {"authorization" if auth else "x-domino-api-key"}
        names = request.names()
        if set(names) != wanted and set(names) != wanted - {"user-agent"}:
            return f"headers {names}"
        if len(set(names)) != len(names):
            return f"a header twice: {names}"
        if request.header("Content-Type") != "application/json":
            return f"Content-Type {request.header('Content-Type')}"
        return body_problem(request.body)


def _bearer(request: Request) -> str:
    value = request.header("Authorization") or ""
    return value[len("Bearer "):] if value.startswith("Bearer ") else ""


def body_problem(raw: bytes) -> Optional[str]:
    """What is wrong with the body of a POST; None when it keeps the contract."""
    try:
        body = json.loads(raw)
    except ValueError:
        return "body is not JSON"
    if not isinstance(body, dict) or not isinstance(body.get("run_id"), str):
        return "body has no run_id"
    if set(body) - {"run_id", "irsa_workload_type"}:
        return f"unexpected keys in the body: {sorted(body)}"
    run_id = body["run_id"]
    if run_id.startswith("run-") or not RUN_ID.fullmatch(run_id):
        return "run_id is not a bare run id"
    workload = body.get("irsa_workload_type", "edge-workload")
    if not isinstance(workload, str) or not workload:
        return "irsa_workload_type is not a name"
    return None
