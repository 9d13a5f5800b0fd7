# SPDX-License-Identifier: Apache-2.0
"""docs/performance.md from the results of a run."""
from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Optional

from takeover.storm import FAULTS

from .refresh import SETTLE_MS
from .stage import LABELS

TEMPLATE = Path(__file__).with_name("performance.md.in")
CONTROL, SUBJECT = LABELS[1], LABELS[2]
RATIO_GOALS = {
    "open, read, close, 2 KiB": 1.5, "open, read, close, 64 KiB": 1.1, "stat": 1.1,
    "opendir, getdents, close": 1.3,
}
REQUEST_GOALS = ("`cat`, one process each", "C program, open, read, close")
PSS_GOAL_KIB = 6 * 1024
LOOK_GOAL_MS = 250
UNMEASURED = "Not measured in this run: it had no `--before`."
SHORT = "Not measured in this run: it had no `--long`."


GAPS = {"quiet": "nobody else looks", "storm_gap": "under the readers"}
KINDS = {
    "all": "**all**", "plain": "open, read, close", "held": "read of a held handle, pages dropped",
    "sized": "stat, then read", "mapped": "mmap", "listing": "`status`, list of the folder",
    "missing": "a name that is not there: always a request", "touch": "touch; then a look that waits for the new text",
}


def table(head: list, rows: list) -> str:
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def ratio(spread: dict) -> str:
    return f"{spread['median']:.2f} ({spread['low']:.2f} to {spread['high']:.2f})"


def fine(spread: dict) -> str:
    return f"{spread['median']:.3f} ({spread['low']:.3f} to {spread['high']:.3f})"


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
    for name, seen in (result["files"]["sides"] or dict.fromkeys(RATIO_GOALS)).items():
        if name in RATIO_GOALS:
            cells = side_goal(seen) if seen else ["not measured", "", "", ""]
            rows.append([f"cached {name}, against the build before", "≤ 1.000, or noise", *cells])
    found = idle(result)
    for when, of in (*found[:3], *found[3:][-1:]):
        pss = of["together"]["pss"]
        rows.append([
            f"PSS of supervisor, worker, notifier, {when}", f"≤ {PSS_GOAL_KIB:,} KiB", f"{pss:,} KiB", "", "",
            verdict(pss, PSS_GOAL_KIB, 0, 0),
        ])
    storm = result["kills"]["storm"]
    middle, high, slowest = (us / 1000 for us in storm["us_of"]["all"])
    kills, calm = result["kills"]["storm_gap"]["kills"], result["kills"]["calm"]["us_of"]["all"][2] / 1000
    rows.append([
        f"slowest of {storm['looks']:,} looks during {kills:,} kills", f"< {LOOK_GOAL_MS} ms",
        f"{slowest:.1f} ms (median {middle:.3f})", f"{high:.2f} ms", f"without kills {calm:.1f} ms",
        verdict(slowest, LOOK_GOAL_MS, 0, 0),
    ])
    rows.append(["faults among these looks", "0", sum(storm[fault] for fault in FAULTS), "", "", "met"])
    for name in ("quiet", "storm_gap"):
        gap = result["kills"][name]["gap_ns"]
        slowest = f"slowest {gap['max'] / 1e6:.2f} ms"
        rows.append([f"SIGKILL to first answer, {GAPS[name]}", "none", *plain_ms(gap), slowest, ""])
    for name, of in result["refresh"]["touch"].items():
        rows.append([f"touch and look, {name}, less the service", "none", *plain_ms(of["total less service"]), "", ""])
    rows.append(["start to first `stat status`", "none", *plain_ms(result["start"]["`stat status`"]), "", ""])
    return table(["what", "goal", "median", "p99", "noise", "verdict"], rows)


def side_goal(seen: dict) -> list:
    """The limit is what a second daemon of the same build shows: the middle 90 % of the rounds."""
    value, noise = seen["now_to_before"], seen["now_to_again"]
    word = "met" if value["median"] <= 1 else "met within noise" if value["median"] <= noise["high"] else "missed"
    return [fine(value), "", fine(noise), word]


def idle(result: dict) -> list:
    """Pairs of when and family: what is there while nothing happens."""
    now = result["memory"]["now"]
    found = [("after 1 fetch", now["first"]), (f"after {now['fetches'] - 1} fetches", now["many"])]
    parts = [*result["kills"]["memory"], *(result["kills"]["flat"] or [])]
    return found + [(f"after {of['take_overs']:,} take-overs", of["memory"]) for of in parts if of["take_overs"]]


def build(of: dict) -> str:
    return f"{of['irsafs']}; CMAKE_BUILD_TYPE {of['build_type']}; commit {of['commit']}"


def machine(of: dict, before: Optional[dict]) -> str:
    kind = "virtual machine" if of["virtual"] else "no hypervisor"
    return "\n".join([
        f"- {of['date']}, {of['system']}, Linux {of['kernel']}; {build(of)}",
        f"- the build before: {build(before)}"
        if before else "- no build before to compare with",
        f"- {of['cpus']} CPUs ({of['cpu']}), {of['memory_gib']} GiB, {kind}, clock source {of['clock']}",
        f"- load average {of['load_before']} before, {of['load_after']} after"
        " (the benchmark itself makes about 1, the readers of the take-overs more);"
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


def links(of: dict) -> str:
    rows = []
    for name, seen in of.items():
        times = [f"{seen[label]['ns']['median']:.0f}" for label in (*LABELS, "links")]
        rows.append([name, *times, *(ratio(seen[label]["ratio"]) for label in ("links", SUBJECT, CONTROL))])
    head = [
        "ns, median", "tmpfs", "tmpfs again", "irsafs, root", "irsafs, subdir", "ratio, subdir", "ratio, root", "noise",
    ]
    return table(head, rows)


def sides(of: Optional[dict]) -> str:
    if not of:
        return UNMEASURED
    rows = []
    for name, seen in of.items():
        at = {label: seen["of"][label] for label in (CONTROL, SUBJECT, "before")}
        rows.append([
            name, ratio(at["before"]["ratio"]), ratio(at[SUBJECT]["ratio"]), fine(seen["now_to_before"]),
            fine(seen["now_to_again"]), ratio(at[CONTROL]["ratio"]), f"{at['before']['p99_ratio']:.2f}",
            f"{at[SUBJECT]['p99_ratio']:.2f}",
        ])
    head = [
        "ratio to tmpfs", "before", "now", "now / before", "noise: now / now again", "noise: tmpfs", "p99 before",
        "p99 now",
    ]
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


def start(of: dict, before: Optional[dict]) -> str:
    rows = [[name, ms(before[name]) if before else "not measured", ms(spread)] for name, spread in of.items()]
    return table(["ms, median (p99)", "before", "now"], rows)


def memory(result: dict) -> str:
    then = result["memory"].get("before")
    kept = [*idle(result)[:3], *([(f"before, after {then['fetches'] - 1} fetches", then["many"])] if then else [])]
    keys = ("rss", "pss", "private", "peak")
    rows = []
    for when, of in kept:
        rows += [
            [f"{process}, {when}", *(f"{used[key]:,}" for key in keys), ""]
            for process, used in of.items() if process != "together"
        ]
        pss, private, frames = (f"{of['together'][key]:,}" for key in ("pss", "private", "frames_kib"))
        rows.append([f"**together**, {when}", "", f"**{pss}**", private, "", frames])
    clients = {"client, waiting for the service": result["memory"]["now"]["client"]}
    if then:
        clients["before, client, waiting for the service"] = then["client"]
    rows += [[name, *(f"{used[key]:,}" for key in keys), ""] for name, used in clients.items()]
    return table(["process", "RSS", "PSS", "private", "peak RSS", "each page once"], rows)


# --- take-overs -------------------------------------------------------------------------------------


def gaps(of: dict) -> str:
    rows = []
    for name, shown in GAPS.items():
        seen = of[name]
        times = [f"{seen['gap_ns'][key] / 1e6:.2f}" for key in ("median", "p99", "max")]
        rows.append([shown, f"{seen['kills']:,}", *times, ms(seen["next_ns"])])
    return table(["SIGKILL to first answer, ms", "kills", "median", "p99", "slowest", "the next answer"], rows)


def looks(of: dict) -> str:
    rows = []
    for kind, shown in KINDS.items():
        cells = []
        for part in (of["calm"], of["storm"]):
            middle, high, slowest = (us / 1000 for us in part["us_of"][kind])
            count = part["looks"] if kind == "all" else part["looks_of"][kind]
            cells += [f"{count:,}", f"{middle:.3f} / {high:.2f} / {slowest:.1f}"]
        rows.append([shown, *cells])
    head = ["ms, median / p99 / slowest", "looks without kills", "time", "looks during kills", "time"]
    return table(head, rows)


def flat(of: dict) -> str:
    keep = ("supervisor", "worker", "notifier")
    rows = []
    for part in [*of["memory"], *(of["flat"] or [])]:
        family = part["memory"]
        total = family["together"]
        rows.append([
            f"{part['take_overs']:,}",
            *(f"{family[process]['rss']:,} / {family[process]['pss']:,}" for process in keep),
            f"{total['pss']:,}", f"{total['frames_kib']:,}",
            " / ".join(str(family[process]["descriptors"]) for process in keep),
            f"{total['memfds']['count']} / {total['memfds']['kib']:,}",
        ])
    head = [
        "take-overs", *(f"{process}, RSS / PSS" for process in keep), "PSS together", "each page once",
        "descriptors of each", "memfds, count / KiB",
    ]
    return table(head, rows) + ("" if of["flat"] else f"\n\nThe longer part: {SHORT[0].lower()}{SHORT[1:]}")


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
        minutes=f"{result['seconds'] / 60:.1f}", goals=goals(result),
        machine=machine(result["machine"], result["before"]),
        cpu=result["files"]["cpu"], clock_ns=f"{result['files']['clock_ns']:.0f}",
        files=files(result["files"]["hot"]), sparse=files(result["files"]["sparse"]),
        sides=sides(result["files"]["sides"]), links=links(result["files"]["links"]),
        control_looks=f"{result['requests']['control']['looks']:,}",
        control_reads=f"{result['requests']['control']['daemon_reads']:,}", requests=requests(result["requests"]),
        settle_ms=SETTLE_MS, delay_ms=f"{result['refresh']['delay_ms']:.0f}",
        touch=touch(result["refresh"]["touch"]), client=client(result["refresh"]["client"]),
        start=start(result["start"], result["start_before"]), memory=memory(result),
        asked=f"{result['memory']['now']['asked']:,}",
        programs=programs(result["programs"]),
        readers=result["kills"]["readers"], touchers=result["kills"]["touchers"],
        fetches=f"{result['kills']['storm_fetches']:,}", touched=f"{result['kills']['storm']['touches']:,}",
        storm_seconds=f"{result['kills']['storm_seconds']:.0f}",
        gaps=gaps(result["kills"]), looks=looks(result["kills"]),
        flat=flat(result["kills"]),
    )
