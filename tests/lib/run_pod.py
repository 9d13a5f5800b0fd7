# SPDX-License-Identifier: Apache-2.0
"""A run as `doctor` sees it: service, token and projected token of a pod in which all is well."""
from __future__ import annotations

import email.utils
import time
from pathlib import Path

from standin.mapping import HTML, MappingService
from standin.tls import DAY, Authority
from standin.token import make_jwt

from .doctor import Diagnosis, diagnose
from .world import RUN

CLAIMS = {
    "iss": "https://oidc.eks.us-west-2.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF",
    "aud": ["sts.amazonaws.com"],
    "sub": "system:serviceaccount:domino-compute:run-jane",
}


def date(offset: float = 0.0) -> tuple:
    return (*HTML, ("Date", email.utils.formatdate(time.time() + offset, usegmt=True)))


class Pod:
    """A run in which all is well, until a test changes it."""

    def __init__(self, world, shared: Path) -> None:
        self.world = world
        self.authority = Authority(world.folder, end=400 * DAY)
        self.service = self.serve(end=400 * DAY)
        self.identity = world.folder / "projected-token"
        self.write_identity()
        self.point = shared / "aws"
        self.args: list = []
        self.env = world.env(
            DOMINO_IRSA_ENDPOINT=self.service.url, DOMINO_IRSA_SSL_CERT=str(self.authority.bundle),
            AWS_CONFIG_FILE=f"{self.point}/config", AWS_EC2_METADATA_DISABLED="true", HOME=str(world.folder / "home"),
            IRSAFS_CONTROL="off", IRSAFS_WEB_IDENTITY_TOKEN_FILE=str(self.identity),
        )
        self.secrets: list = []

    def serve(self, **leaf) -> MappingService:
        server = MappingService(self.world.tokens, runs={RUN: "jane"}, tls=self.authority.context(**leaf))
        server.behave(headers=date())
        return server

    def write_identity(self, **changes) -> None:
        claims = {**CLAIMS, "iat": int(time.time()), "exp": int(time.time()) + 86_400, **changes}
        self.identity.write_text(make_jwt({k: v for k, v in claims.items() if v is not None}))
        self.identity.chmod(0o644)

    def mount(self, *args: str):
        return self.world.mount(*args, env=self.env, path=self.point)

    def doctor(self, *args: str, prefix: tuple = (), drop: tuple = (), env: dict | None = None, **options) -> Diagnosis:
        names = {k: v for k, v in {**self.env, **(env or {})}.items() if k not in drop}
        identity = self.identity.read_text(errors="replace") if self.identity.is_file() else ""
        secrets = [*self.world.secrets(), *self.secrets, *([identity] if identity.count(".") == 2 else [])]
        return diagnose(*self.args, *args, env=names, secrets=secrets, prefix=prefix, **options)
