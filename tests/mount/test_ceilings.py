# SPDX-License-Identifier: Apache-2.0
"""The ceilings of a text: served whole up to them, refused beyond, never cut."""
from __future__ import annotations

import pytest

from lib.text import body, code
from standin.mapping import render, role


@pytest.mark.parametrize("roles", [4096, 4097])
def test_sections(world, roles):
    world.service.roles = [role(f"r{number}", "1" * 12, "2" * 12) for number in range(roles)]
    text = render(world.service.roles).encode()
    assert len(text) < 1 << 20
    mount = world.mount()
    if roles == 4096:
        assert mount.config.read_bytes() == text
    else:
        assert code(mount.read()) == 802


def test_text_of_one_mebibyte(world):
    lines = render([role("r" * 40 + f"{number}", "1" * 12, "2" * 12) for number in range(1500)])
    padding = "# " + "x" * 190 + "\n"
    good = lines + padding * (((1 << 20) - len(lines)) // len(padding))
    world.service.behave(body=good.encode())
    mount = world.mount("--min-refresh=0s", "--wait=60s")
    assert mount.read() == lines
    world.service.behave(body=(good + padding).encode())
    mount.touch()
    text = mount.read()
    assert code(text) == 802 and body(text) == lines
