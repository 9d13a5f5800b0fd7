# SPDX-License-Identifier: Apache-2.0
"""Everything around one test: a folder, the pod's labels, the stand-ins and the mounts."""
from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Optional

from standin.mapping import GOLDEN_ROLES, MappingService, render
from standin.token import TokenEndpoint

from .labels import Labels
from .mount import Mount, unmount_all
from .program import environment

RUN = "63d1a0b2c3d4e5f6a7b8c9d0"
GOLDEN = render(GOLDEN_ROLES)


class World:
    """Closed at the end of the test, which fails when the contract with a stand-in was broken."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="irsafs-test-"))
        self.folder.chmod(0o755)       # readers with other uids must get in
        self.tokens = TokenEndpoint()
        self.service = MappingService(self.tokens, runs={RUN: "jane"})
        self.labels = Labels(self.folder / "podinfo", RUN)
        self.mounts: list = []
        self.kind = Mount              # lib/files.py has another one

    def env(self, **more: str) -> dict:
        """The environment of a sidecar in a Domino run."""
        return environment(
            **{
                "DOMINO_API_PROXY": self.tokens.origin,
                "DOMINO_IRSA_ENDPOINT": self.service.url,
                "POD_INFO_PATH": str(self.labels.path),
                "IRSAFS_LOG_FORMAT": "text",
                **more,
            }
        )

    def mount(
        self, *args: str, env: Optional[dict] = None, prefix: tuple = (), path: Optional[Path] = None
    ) -> Mount:
        """A started daemon on a mount point of its own."""
        return self.prepare(*args, env=env, prefix=prefix, path=path).start()

    def prepare(
        self, *args: str, env: Optional[dict] = None, prefix: tuple = (), path: Optional[Path] = None
    ) -> Mount:
        """As mount(), but not started."""
        path = path or self.folder / f"aws{len(self.mounts)}"
        path.mkdir(exist_ok=True)
        mount = self.kind(path, list(args), env or self.env(), self.secrets, prefix)
        self.mounts.append(mount)
        return mount

    def secrets(self) -> list:
        return list(self.tokens.users)

    def close(self) -> None:
        errors = []
        for mount in self.mounts:
            try:
                mount.close()
            except Exception as error:  # every mount must be closed before the first error is told
                errors.append(error)
        self.service.close()
        self.tokens.close()
        unmount_all(self.folder)     # what a test started by itself and lost
        shutil.rmtree(self.folder)
        assert not errors, "\n".join(f"{type(e).__name__}: {e}" for e in errors)
        assert self.service.violations == [] and self.tokens.violations == [], (
            f"the wire contract was broken: {self.service.violations} {self.tokens.violations}"
        )
