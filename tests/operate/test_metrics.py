# SPDX-License-Identifier: Apache-2.0
"""/metrics of a running irsafs: what each metric counts, and that it is the truth."""
from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import re
import signal
import subprocess
import time

import pytest

from lib import procs
from lib.endpoint import serve
from lib.metrics import promtool, scrape, wait_scrape
from lib.program import TESTS, environment
from lib.trouble import Repeat
from lib.wait import wait_until
from lib.world import GOLDEN, RUN
from standin.mapping import MappingService
from standin.tls import DAY, Authority

QUICK = ("--min-refresh=0s", "--ttl=100s")
CLASSES = {"config", "token", "unreachable", "denied", "no_run", "service", "bad_answer", "local"}
DOC = TESTS.parent / "docs/metrics.md"


def look(served) -> str:
    """A look that is not answered by what was there before."""
    served.mount.touch()
    return served.mount.read()


def unix(text: str) -> float:
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc).timestamp()


def reader(served) -> subprocess.Popen:
    return subprocess.Popen(["cat", served.mount.config], stdout=subprocess.DEVNULL, env=environment())


# --- form -----------------------------------------------------------------------------------------


def test_promtool_has_nothing_to_criticise(world):
    served = serve(world, *QUICK, metrics=True)
    for what in (lambda: None, served.mount.read, lambda: world.service.behave(status=500), lambda: look(served)):
        what()
        assert promtool("check", "metrics", text=scrape(served.control).text) == ""
    assert promtool("check", "metrics", text=scrape(served.metrics).text) == ""


def test_promtool_would_say_so():
    assert "no help text" in promtool("check", "metrics", text="# TYPE a counter\na 1\n")


def test_every_metric_is_in_the_manual(world):
    """By name and type; and the manual has no other."""
    seen = scrape(serve(world).control)
    manual = dict(re.findall(r"^\| `(\w+)` \| (\w+) \| \S", DOC.read_text(), re.M))
    assert manual == seen.types
    assert set(seen.helps) == set(seen.types)


def test_no_label_tells_of_a_user_or_host(world):
    served = serve(world, *QUICK)
    served.mount.read()
    world.service.behave(status=500)
    look(served)
    seen = scrape(served.control)
    labels = {label for _, pairs in seen.samples for label, _ in pairs}
    assert labels == {"version", "state", "result", "reason", "source", "outcome", "process", "le"}
    for word in ("jane", "acme", "127.0.0.1", "63d1a0b2", "/aws"):
        assert word not in seen.text
    assert len(seen.samples) < 100


# --- the text -------------------------------------------------------------------------------------


def test_before_the_first_look(world):
    seen = scrape(serve(world).control)
    assert seen("irsafs_config_state", state="empty") == 1 and seen("irsafs_config_state", state="fresh") == 0
    for name in (
        "irsafs_config_age_seconds", "irsafs_last_success_timestamp_seconds", "irsafs_tls_unverified",
        "irsafs_certificate_expiry_timestamp_seconds", "irsafs_token_expiry_timestamp_seconds",
    ):
        assert seen.get(name) is None, name
    for name in ("irsafs_fetches_total", "irsafs_config_generation", "irsafs_config_profiles", "irsafs_waiters"):
        assert seen(name) == 0, name
    assert world.service.count == 0    # a scrape asks nobody


def test_fresh_text(world):
    begin = time.time()
    served = serve(world, *QUICK)
    assert served.mount.read() == GOLDEN
    status = served.mount.status()
    seen = wait_scrape(served.control, lambda s: s("irsafs_config_age_seconds") > 0, "an age")
    assert seen("irsafs_build_info", version=status["version"]) == 1
    assert seen("irsafs_config_state", state="fresh") == 1 and sum(seen.series("irsafs_config_state").values()) == 1
    assert seen("irsafs_config_stale") == 0
    assert seen("irsafs_config_ttl_seconds") == status["ttl_ms"] / 1000
    assert seen("irsafs_config_profiles") == 6 and seen("irsafs_config_bytes") == len(GOLDEN)
    assert seen("irsafs_config_generation") == status["generation"] > 0
    assert int(begin) <= seen("irsafs_last_success_timestamp_seconds") <= time.time()
    assert seen("irsafs_generations_total", result="ok", reason="none") == 1
    assert seen("irsafs_fetches_total") == 1 and seen("irsafs_fetches_in_flight") == 0
    assert seen("irsafs_fetch_duration_seconds_count") == 1 and seen("irsafs_fetch_duration_seconds_sum") > 0
    assert seen("irsafs_fetch_duration_seconds_bucket", le="+Inf") == 1
    assert seen("irsafs_fetch_failing") == 0 and seen("irsafs_backoff_seconds") == 0
    assert seen("irsafs_token_expiry_timestamp_seconds") == unix(status["token"]["expires_at"])
    assert seen("irsafs_tls_unverified") == 1       # plain http


def test_duration_falls_into_its_bucket(world):
    served = serve(world, *QUICK)
    world.service.queue(delay=0.6)
    served.mount.read()
    seen = scrape(served.control)
    took = seen("irsafs_fetch_duration_seconds_sum")
    assert took >= 0.6 and seen("irsafs_fetch_duration_seconds_bucket", le="0.5") == 0
    for (bound,), count in seen.series("irsafs_fetch_duration_seconds_bucket").items():
        assert count == (1 if took <= float(bound) else 0), bound


def test_stale_text(world):
    served = serve(world, *QUICK)
    served.mount.read()
    world.service.behave(status=500)
    look(served)
    seen = scrape(served.control)
    assert seen("irsafs_config_stale") == 1 and seen("irsafs_config_state", state="stale") == 1
    assert seen("irsafs_config_profiles") == 6 and seen("irsafs_fetch_failing") == 1
    assert seen("irsafs_backoff_seconds") > 0
    world.service.normal()
    assert look(served) == GOLDEN
    assert scrape(served.control)("irsafs_config_stale") == scrape(served.control)("irsafs_fetch_failing") == 0


def test_results_and_reasons(world):
    """One attempt each; the class is that of `status`."""
    served = serve(world, *QUICK)
    served.mount.read()
    fails = {
        "token": lambda: world.tokens.behave(body=b"no token\n"),
        "unreachable": world.service.refuse,
        "denied": lambda: world.service.behave(status=403),
        "no_run": lambda: world.service.behave(status=404),
        "service": lambda: world.service.behave(status=503),
        "bad_answer": lambda: world.service.behave(body=b"<html>"),
        "config": lambda: world.labels.write({"a": "b"}),
    }
    for reason, break_it in fails.items():
        break_it()
        look(served)
        assert served.mount.wait_idle()["error"]["class"] == reason
        seen = scrape(served.control)
        assert seen("irsafs_generations_total", result="failed", reason=reason) >= 1, reason
        world.tokens.normal()
        world.service.normal()
        if reason == "unreachable":
            world.service.accept()
    world.labels.run(RUN)
    world.service.roles = []
    look(served)
    seen = scrape(served.control)
    assert seen("irsafs_generations_total", result="empty", reason="none") == 1
    assert {reason for reason, result in seen.series("irsafs_generations_total") if result == "failed"} == CLASSES
    assert sum(seen.series("irsafs_generations_total").values()) == seen("irsafs_fetches_total")
    assert seen("irsafs_fetch_duration_seconds_count") == seen("irsafs_fetches_total")


def test_client_that_cannot_be_started_is_a_local_failure(world):
    client = world.folder / "client"
    client.write_text("#!/bin/sh\nexit 1\n")
    client.chmod(0o755)
    served = serve(world, f"--client={client}")
    served.mount.read()
    assert scrape(served.control)("irsafs_generations_total", result="failed", reason="local") == 1


def test_dropped_keys(world):
    served = serve(world, *QUICK)
    world.service.behave(body=GOLDEN.encode() + b"bad_key_1 = x\nbad_key_2 = x\n")
    served.mount.read()
    dropped = served.mount.status()["dropped"]["total"]
    assert dropped == 2 and scrape(served.control)("irsafs_dropped_keys_total") == dropped
    look(served)
    assert scrape(served.control)("irsafs_dropped_keys_total") == 2 * dropped
    world.service.behave(status=500)
    look(served)                       # brings nothing: nothing more is dropped
    assert scrape(served.control)("irsafs_dropped_keys_total") == 2 * dropped


def test_certificate(world):
    """Its end, also when it is over; and whether it was verified."""
    authority = Authority(world.folder)
    for leaf, flags, unverified in (
        ({}, (f"--ca-file={authority.bundle}",), 0),
        ({"start": -3 * DAY, "end": -DAY}, (f"--ca-file={authority.bundle}",), 0),
        ({"own_issuer": True}, ("--insecure-skip-tls-verify",), 1),
    ):
        service = MappingService(world.tokens, tls=authority.context(**leaf))
        served = serve(world, *flags, f"--endpoint={service.url}")
        served.mount.read()
        seen = scrape(served.control)
        assert seen("irsafs_certificate_expiry_timestamp_seconds") == unix(authority.last_leaf_ends())
        assert seen("irsafs_tls_unverified") == unverified
        service.close()


# --- readers --------------------------------------------------------------------------------------


def test_waiting_and_interrupted_readers(world):
    gate = world.service.hold()
    served = serve(world, "--wait=60s")
    readers = [reader(served) for _ in range(3)]
    gate.wait_arrived()
    seen = wait_scrape(served.control, lambda s: s("irsafs_waiters") >= 3, "three waiting readers")
    assert seen("irsafs_fetches_in_flight") == 1 and seen("irsafs_interrupts_total") == 0
    assert seen("irsafs_config_state", state="pending") == 1
    readers[0].kill()
    wait_scrape(
        served.control, lambda s: s("irsafs_interrupts_total") == 1 and s("irsafs_waiters") == 2, "an interrupt"
    )
    gate.release()
    assert [process.wait(10) for process in readers] == [-signal.SIGKILL, 0, 0]
    assert scrape(served.control)("irsafs_waiters") == 0


def test_refreshes_by_source_and_outcome(world):
    served = serve(world, "--min-refresh=0s")
    served.mount.read()

    def counts() -> dict:
        seen = scrape(served.control).series("irsafs_refreshes_total")
        return {pair: int(n) for pair, n in seen.items() if n > 0}   # (outcome, source)

    assert counts() == {}
    assert look(served) == GOLDEN
    assert counts() == {("fetched", "touch"): 1}
    assert served.control.refresh().status == 200
    assert counts() == {("fetched", "touch"): 1, ("fetched", "endpoint"): 1}
    gate = world.service.hold()
    served.mount.touch()
    gate.wait_arrived()
    served.mount.touch()               # while another fetch runs: one more of its own, which the next one joins
    served.mount.touch()
    assert counts() == {
        ("fetched", "touch"): 2, ("fetched", "endpoint"): 1, ("delayed", "touch"): 1, ("joined", "touch"): 1,
    }
    gate.release()
    world.service.normal()
    assert served.mount.read() == GOLDEN
    served.mount.wait_idle()
    world.service.queue(status=429, headers=(("Retry-After", "100"),))
    look(served)
    served.mount.wait_idle()
    before = counts()
    served.mount.touch()
    assert counts()[("put_off", "touch")] == 1 and sum(counts().values()) == sum(before.values()) + 1


# --- processes ------------------------------------------------------------------------------------


def signal_workers(served, number: int) -> None:
    for worker in procs.named(served.mount.process.pid, "irsafs-worker"):
        with contextlib.suppress(ProcessLookupError):    # it has ended meanwhile
            os.kill(worker, number)


def kill(served, name: str) -> None:
    """Kills a process of the daemon and waits until the next one is there."""
    pid, = procs.named(served.mount.process.pid, name)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: procs.named(served.mount.process.pid, name) not in ([], [pid]), f"the next {name}")
    served.control.wait_serving()


def test_restarts_and_take_overs(world):
    served = serve(world, *QUICK)
    assert served.mount.read() == GOLDEN
    kept = scrape(served.control)
    kill(served, "irsafs-worker")
    kill(served, "irsafs-notifier")
    seen = scrape(served.control)
    assert seen("irsafs_process_restarts_total", process="worker") == 1
    assert seen("irsafs_take_overs_total") == 1
    assert seen("process_start_time_seconds") > kept("process_start_time_seconds")
    for name in ("irsafs_fetches_total", "irsafs_fetch_duration_seconds_sum", "irsafs_last_success_timestamp_seconds"):
        assert seen(name) == kept(name) > 0, name
    assert seen("irsafs_generations_total", result="ok", reason="none") == 1


def test_deaths_lose_and_double_nothing(world):
    """Fetches and touches are counted once, however many workers die."""
    served = serve(world, "--min-refresh=0s", "--wait=60s")
    touches = 0

    with Repeat(lambda: signal_workers(served, signal.SIGKILL), 0.02):
        for _ in range(40):
            touches += 1
            look(served)
    served.mount.wait_idle()
    served.control.wait_serving()
    seen = scrape(served.control)
    assert seen("irsafs_take_overs_total") > 5
    assert sum(seen.series("irsafs_refreshes_total").values()) == touches
    assert seen("irsafs_generations_total", result="ok", reason="none") == world.service.count
    assert seen("irsafs_fetch_duration_seconds_count") == seen("irsafs_fetches_total") == world.service.count


@pytest.mark.slow
def test_connection_given_up(world):
    """Two workers in a row hang: the mount is made anew; what the supervisor counts goes on."""
    served = serve(world, *QUICK)
    served.mount.read()

    def stop() -> bool:
        over = "connection_given_up" in served.mount.log()
        if not over:
            signal_workers(served, signal.SIGSTOP)
        return over

    wait_until(stop, "the end of the connection", timeout=60)
    served.control.wait_serving()
    seen = scrape(served.control)
    assert seen("irsafs_connections_given_up_total") == 1
    assert seen("irsafs_process_restarts_total", process="worker") >= 2
    assert seen("irsafs_process_restarts_total", process="notifier") >= 1
    assert seen("irsafs_fetches_total") == 0
    assert served.mount.read() == GOLDEN


def test_lost_log_lines(world):
    """Nobody reads the log: what did not fit is counted."""
    served = serve(world)
    mount = served.mount
    mount.stop()
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(ends[1], b"x" * 4096)
    os.set_blocking(ends[1], True)
    mount.process = subprocess.Popen(
        mount.arguments, env={"IRSAFS_CONTROL": "off", **world.env()}, cwd="/", stdin=subprocess.DEVNULL, stderr=ends[1]
    )
    mount.wait_mounted()
    served.control.wait_serving()
    before = scrape(served.control)("irsafs_log_lines_lost_total")
    assert mount.read() == GOLDEN      # `fetched` and `tls_not_verified`
    assert scrape(served.control)("irsafs_log_lines_lost_total") == before + 2
    mount.stop()
    for end in ends:
        os.close(end)


def test_process_metrics_are_those_of_the_worker(world):
    served = serve(world)
    served.mount.read()
    begin = scrape(served.control)
    pid = served.mount.worker
    with open(f"/proc/{pid}/statm") as file:
        pages = file.read().split()
    page = os.sysconf("SC_PAGESIZE")
    assert begin("process_virtual_memory_bytes") == pytest.approx(int(pages[0]) * page, rel=0.2)
    assert begin("process_resident_memory_bytes") == pytest.approx(int(pages[1]) * page, rel=0.5)
    connections = begin("process_open_fds") - len(os.listdir(f"/proc/{pid}/fd"))
    assert 0 <= connections <= 2       # that of the scrape, and perhaps the one before
    assert time.time() - 600 < begin("process_start_time_seconds") < time.time()
    wait_scrape(
        served.control, lambda s: s("process_cpu_seconds_total") > begin("process_cpu_seconds_total"), "CPU time"
    )
