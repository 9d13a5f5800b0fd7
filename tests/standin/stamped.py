# SPDX-License-Identifier: Apache-2.0
"""Texts for the consistency checker: every section says which answer it belongs to.

A profile is called g<sequence>-<asked ns>-<sections>-<index>: the number of the POST, the monotonic
nanoseconds at which its fetch asked for a token, how many roles the text has and which one this is.
A reader needs nothing but the text to see that it is whole, of one piece and new enough.
"""
from __future__ import annotations

ROLE_BYTES = 2200


def stamped_text(sequence: int, asked_ns: int, size: int = 100_000) -> bytes:
    """A canonical config of about `size` bytes whose length differs from answer to answer."""
    count = size // ROLE_BYTES + sequence % 7
    pad = "p" * (850 + sequence % 89)
    roles = []
    for index in range(count):
        name = f"g{sequence:08d}-{asked_ns:020d}-{count:03d}-{index:03d}"
        roles.append(
            f"[profile {name}]\nsource_profile = src_{name}\n"
            f"role_arn=arn:aws:iam::{sequence:012d}:role/{pad}/{name}\n"
            f"[profile src_{name}]\n"
            "web_identity_token_file = /var/run/secrets/eks.amazonaws.com/serviceaccount/token\n"
            f"role_arn=arn:aws:iam::{sequence:012d}:role/{pad}/{name}\n"
        )
    return "".join(roles).encode()
