# SPDX-License-Identifier: Apache-2.0
"""`touch refresh && cat config` and the client alone, less the time that the service itself takes."""
from __future__ import annotations

import statistics
from pathlib import Path

from lib.program import CLIENT

from .plan import Plan
from .stage import RUN, BenchFailed, Fetch, Stage
from .stats import Spread
from .timed import programs, timed

SERVICE_DELAY = 0.02
SETTLE_MS = 30                         # attributes of a new text are not cached in its first 20 ms
SYSTEM_CAS = Path("/etc/ssl/certs/ca-certificates.crt")
FNV_START, FNV_PRIME, FNV_MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def fnv1a(text: bytes) -> int:
    value = FNV_START
    for byte in text:
        value = (value ^ byte) * FNV_PRIME & FNV_MASK
    return value


def steps(begin: int, touched: int, end: int, fetch: Fetch) -> dict:
    """One look after a touch, taken apart (ns)."""
    return {
        "touch acknowledged": touched - begin,
        "touch to token request": fetch.token_began - begin,
        "token endpoint": fetch.token_sent - fetch.token_began,
        "token to POST": fetch.post_began - fetch.token_sent,
        "service": fetch.post_sent - fetch.post_began,
        "answer to text": end - fetch.post_sent,
        "total": end - begin,
        "total less service": end - begin - (fetch.post_sent - fetch.post_began),
        "own": end - begin - (fetch.post_sent - fetch.post_began) - (fetch.token_sent - fetch.token_began),
    }


def touch(stage: Stage, rounds: int) -> dict:
    first = stage.service.count
    lines = timed("touch", stage.dirs["irsafs"], rounds, SETTLE_MS)
    stage.check()
    fetches = stage.fetches(first)
    if len(fetches) != rounds:
        raise BenchFailed(f"{len(fetches)} fetches for {rounds} touches")
    taken = []
    for number, ((begin, touched, end, size, seen), fetch) in enumerate(zip(lines, fetches), first + 1):
        if int(size) != stage.size or int(seen, 16) != fnv1a(stage.service.text(number)):
            raise BenchFailed(f"the look after touch {number} did not show the answer to it: {stage.mount.log()}")
        taken.append(steps(int(begin), int(touched), int(end), fetch))
    stage.copy_current()
    return {
        name: {**Spread.of([step[name] for step in taken]).plain(), "raw_ns": [step[name] for step in taken]}
        for name in taken[0]
    }


def client_commands(stage: Stage, bundle: Path) -> list:
    return [
        CLIENT, "fetch", "--endpoint", stage.service.url, "--token-url", stage.tokens.url, "--run-id", RUN,
        *(["--ca-file", bundle] if stage.tls else []),
    ]


def client(plain: Stage, secure: Stage, plan: Plan) -> dict:
    """Runs of irsafs-client, interleaved: one that only starts, and fetches from both services."""
    authority = Path(secure.env["IRSAFS_CA_FILE"])
    both = secure.folder / "bundle.pem"
    both.write_bytes(authority.read_bytes() + (SYSTEM_CAS.read_bytes() if SYSTEM_CAS.exists() else b""))
    cases = [("start and end only (`--version`)", [CLIENT, "--version"], None)]
    cases.append(("fetch over http", client_commands(plain, authority), plain))
    cases.append(("fetch over https, CA file with 1 certificate", client_commands(secure, authority), secure))
    certificates = both.read_text().count("BEGIN CERTIFICATE")
    if certificates > 1:
        name = f"fetch over https, CA file with {certificates} certificates"
        cases.append((name, client_commands(secure, both), secure))
    first = {plain: plain.service.count, secure: secure.service.count}
    runs = programs(plan.clients, [command for _, command, _ in cases])
    result = {}
    for (name, _, stage), of in zip(cases, runs):
        fetches = stage.fetches(first[stage]) if stage else []
        own = [end - begin - busy(begin, end, fetches, stage is not None) for begin, end, _ in of]
        result[name] = {
            "ns": Spread.of([end - begin for begin, end, _ in of]).plain(),
            "own_ns": Spread.of(own).plain(), "raw_own_ns": own,
            "max_rss_kib": Spread.of([rss for _, _, rss in of]).plain(),
        }
    for stage in (plain, secure):      # the daemons know nothing of these answers: bring them up to date
        touch(stage, 1)
    return result


def busy(begin: int, end: int, fetches: list, wanted: bool) -> int:
    """How long the stand-ins worked for the one fetch of this run of the client."""
    mine = [f for f in fetches if begin <= f.token_began and f.post_began <= end]
    if len(mine) != int(wanted):
        raise BenchFailed(f"{len(mine)} fetches in one run of the client")
    return sum((f.token_sent - f.token_began) + (f.post_sent - f.post_began) for f in mine)


def measure(stages: dict, before: dict, plan: Plan) -> dict:
    """stages: name -> Stage; the first is http and the last https. before: as stages, of the build before."""
    every = {**stages, **{f"{name}, before": stage for name, stage in before.items()}}
    for stage in every.values():
        stage.service.behave(delay=SERVICE_DELAY)
    result = {"delay_ms": SERVICE_DELAY * 1000, "touch": {name: touch(s, plan.touches) for name, s in every.items()}}
    for stage in every.values():
        stage.service.normal()
    names = list(stages)
    result["client"] = client(stages[names[0]], stages[names[-1]], plan)
    result["own_ms"] = {
        name: statistics.median(of["own"]["raw_ns"]) / 1e6 for name, of in result["touch"].items()
    }
    return result
