# SPDX-License-Identifier: Apache-2.0
"""Starts token endpoint and mapping service by hand, for the demo: python3 -m standin --roles FILE.

The file is read at every request. A line `ASSET_ARN PROXY_ARN` is a role, a line `status 500` makes
the service fail with that status, lines that start with # are ignored. The first lines printed are
`token=URL` and `service=URL`; SIGTERM or SIGINT ends the program.
"""
from __future__ import annotations

import argparse
import signal
from pathlib import Path

from .http import Answer, Request
from .mapping import HTML, MappingService, Role, html_page
from .token import TokenEndpoint


def read_state(path: Path) -> tuple:
    """The roles and the status that the file asks for."""
    roles, status = [], 200
    for line in path.read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        if len(words) != 2:
            raise ValueError(f"{path}: not two words: {line}")
        if words[0] == "status":
            status = int(words[1])
        else:
            roles.append(Role(words[0], words[1]))
    return roles, status


class FileService(MappingService):
    """A mapping service whose roles and health come from a file."""

    def __init__(self, path: Path, *args) -> None:
        self._path = path
        super().__init__(*args)

    def answer(self, request: Request) -> Answer:
        self.roles, status = read_state(self._path)
        good = super().answer(request)
        return good if status == 200 else Answer(status, HTML, html_page(status))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m standin", description=__doc__)
    parser.add_argument("--roles", type=Path, required=True, help="file with roles, read at every request")
    args = parser.parse_args()
    read_state(args.roles)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    tokens = TokenEndpoint()
    service = FileService(args.roles, tokens)
    print(f"token={tokens.url}\nservice={service.url}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    service.close()
    tokens.close()


if __name__ == "__main__":
    main()
