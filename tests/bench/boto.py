# SPDX-License-Identifier: Apache-2.0
"""Opens boto3 sessions; run as a program of its own.

boto.py once CONFIG PROFILE                  one Session, as a user's program does
boto.py many ROUNDS PROFILE LABEL=CONFIG...  without the imports: prints LABEL and nanoseconds
"""
from __future__ import annotations

import os
import sys
import time

import boto3


def session(config: str, profile: str) -> None:
    os.environ["AWS_CONFIG_FILE"] = config
    if profile not in boto3.Session(profile_name=profile).available_profiles:
        sys.exit(f"{config}: boto3 does not see {profile}")


def many(rounds: int, profile: str, variants: list) -> None:
    for label, config in variants:     # the first session of a process loads its data files
        session(config, profile)
    for number in range(rounds):
        turn = number // 2 % len(variants)
        order = variants[turn:] + variants[:turn]
        for label, config in order if number % 2 == 0 else reversed(order):
            begin = time.perf_counter_ns()
            session(config, profile)
            print(label, time.perf_counter_ns() - begin)


if __name__ == "__main__":
    if sys.argv[1] == "once":
        session(sys.argv[2], sys.argv[3])
    else:
        many(int(sys.argv[2]), sys.argv[3], [word.split("=", 1) for word in sys.argv[4:]])
