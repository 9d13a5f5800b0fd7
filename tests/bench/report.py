# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md from the results of a run."""
from __future__ import annotations

from pathlib import Path
from string import Template

from .refresh import SETTLE_MS
from .stage import LABELS

TEMPLATE = Path(__file__).with_name("performance.md.in")
CONTROL, SUBJECT = LABELS[1], LABELS[2]
RATIO_GOALS = {
    "open, read, close, 2 KiB": 1.5, "open, read, close, 64 KiB": 1.1, "stat": 1.1,
    "opendir, getdents, close": 1.3,
}
REQUEST_GOALS = ("`cat`, one process each", "C program, open, read, close")
RSS_GOAL_KIB = 4096


def table(head: list, rows: list) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def ratio(spread: dict) -> str:
    return f"{spread['median']:.2f} ({spread['low']:.2f} to {spread['high']:.2f})"


def ms(spread: dict) -> str:
    return f"{spread['median'] / 1e6:.2f} ({spread['p99'] / 1e6:.2f})"


def plain_ms(spread: dict) -> list:
    return [f"{spread[key] / 1e6:.2f} ms" for key in ("median", "p99")]


def verdict(value: float, goal: float, low: float, high: float) -> str:
    word = "met" if value <= goal else "missed"
    return word + (", noise reaches the goal" if low <= goal <= high and low != high else "")


# --- the tables -------------------------------------------------------------------------------------


def goals(result: dict) -> str:
    rows = []
    for name, goal in RATIO_GOALS.items():
        seen = result["files"]["hot"][name]
        of = seen[SUBJECT]["ratio"]
        rows.append([
            f"cached {name}", f"≤ {goal:.1f} × tmpfs", ratio(of), f"{seen[SUBJECT]['p99_ratio']:.2f}",
            ratio(seen[CONTROL]["ratio"]), verdict(of["median"], goal, of["low"], of["high"]),
        ])
    for name in REQUEST_GOALS:
        seen = result["requests"]["looks"][name]
        rows.append([
            f"requests of {seen['looks']:,} cached looks: {name}", "0", f"{seen['daemon_reads']} read(2) calls", "", "",
            verdict(seen["daemon_reads"], 0, 0, 0),
        ])
    rss = max(of["daemon"]["rss"] for of in result["memory"].values())
    rows.append([
        "RSS of the daemon after fetches over https", f"≤ {RSS_GOAL_KIB} KiB", f"{rss} KiB", "", "",
        verdict(rss, RSS_GOAL_KIB, 0, 0),
    ])
    for name, of in result["refresh"]["touch"].items():
        rows.append([f"touch and look, {name}, less the service", "none", *plain_ms(of["total less service"]), "", ""])
    rows.append(["start to first `stat status`", "none", *plain_ms(result["start"]["`stat status`"]), "", ""])
    return table(["what", "goal", "median", "p99", "noise", "verdict"], rows)


def machine(of: dict) -> str:
    kind = "virtual machine" if of["virtual"] else "no hypervisor"
    return "\n".join([
        f"- {of['date']}, {of['system']}, Linux {of['kernel']}; {of['irsafs']}; CMAKE_BUILD_TYPE {of['build_type']}",
        f"- {of['cpus']} CPUs ({of['cpu']}), {of['memory_gib']} GiB, {kind}, clock source {of['clock']}",
        f"- load average {of['load_before']} before, {of['load_after']} after (the benchmark itself makes about 1);"
        f" CPUs busy {of['busy_percent']} %, steal {of['steal_percent']} %",
    ])


def files(of: dict) -> str:
    rows = []
    for name, seen in of.items():
        times = [f"{seen[label]['ns']['median']:.0f} / {seen[label]['p99_ns']:.0f}" for label in LABELS]
        rows.append([
            name, *times, ratio(seen[SUBJECT]["ratio"]), f"{seen[SUBJECT]['p99_ratio']:.2f}",
            ratio(seen[CONTROL]["ratio"]), f"{seen[CONTROL]['p99_ratio']:.2f}",
        ])
    head = ["ns, median / p99", "tmpfs", "tmpfs again", "irsafs", "ratio", "p99 ratio", "noise", "p99 noise"]
    return table(head, rows)


def requests(of: dict) -> str:
    rows = [[name, f"{seen['looks']:,}", f"{seen['daemon_reads']:,}"] for name, seen in of["looks"].items()]
    return table(["cached look", "looks", "read(2) calls of the daemon"], rows)


def touch(of: dict) -> str:
    names = {
        "touch acknowledged": "touch acknowledged", "touch to token request": "touch to token request (client start)",
        "token endpoint": "token endpoint's own", "token to POST": "token to POST (TLS handshake)",
        "service": "service's own", "answer to text": "answer sent to text read", "total": "total",
        "total less service": "**total less service**", "own": "**irsafs**",
    }
    return table(["step", *of], [[shown, *(ms(steps[key]) for steps in of.values())] for key, shown in names.items()])


def client(of: dict) -> str:
    rows = [[name, ms(run["own_ns"]), f"{run['max_rss_kib']['median']:,.0f}"] for name, run in of.items()]
    return table(["irsafs-client", "ms, median (p99)", "peak RSS, KiB"], rows)


def start(of: dict) -> str:
    return table(["", "ms, median (p99)"], [[name, ms(spread)] for name, spread in of.items()])


def memory(of: dict) -> str:
    keys = ("rss", "pss", "private", "peak")
    rows = [
        [f"{process}, {when}", *(f"{processes[process][key]:,}" for key in keys)]
        for process in ("daemon", "notifier") for when, processes in of.items()
    ]
    return table(["process", "RSS", "PSS", "private", "peak RSS"], rows)


def programs(of: dict) -> str:
    rows = []
    for name, seen in of.items():
        differences = [
            f"{seen[label]['difference_ns'] / 1e6:+.3f} ({low / 1e6:+.3f} to {high / 1e6:+.3f})"
            for label in (SUBJECT, CONTROL) for low, high in [seen[label]["interval_ns"]]
        ]
        rows.append([name, *(ms(seen[label]["ns"]) for label in LABELS), *differences, f"{seen[SUBJECT]['ratio']:.3f}"])
    head = ["ms, median (p99)", "tmpfs", "tmpfs again", "irsafs", "difference of irsafs", "noise", "ratio"]
    return table(head, rows)


def report(result: dict) -> str:
    plan = result["plan"]
    return Template(TEMPLATE.read_text()).substitute(
        {name: f"{count:,}" for name, count in plan.items()},
        goals=goals(result), machine=machine(result["machine"]),
        cpu=result["files"]["cpu"], clock_ns=f"{result['files']['clock_ns']:.0f}",
        files=files(result["files"]["hot"]), sparse=files(result["files"]["sparse"]),
        control_looks=f"{result['requests']['control']['looks']:,}",
        control_reads=f"{result['requests']['control']['daemon_reads']:,}", requests=requests(result["requests"]),
        settle_ms=SETTLE_MS, delay_ms=f"{result['refresh']['delay_ms']:.0f}",
        touch=touch(result["refresh"]["touch"]), client=client(result["refresh"]["client"]),
        start=start(result["start"]), memory=memory(result["memory"]), programs=programs(result["programs"]),
    )
