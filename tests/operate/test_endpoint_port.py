# SPDX-License-Identifier: Apache-2.0
"""Where the endpoints listen: settings, ports that others have, the default, and what each listener serves."""
from __future__ import annotations

import subprocess

import pytest

from lib.endpoint import free_port, listener, prepare, serve
from lib.inside import Inside
from lib.mount import POSSIBLE_ARGS, refuse
from lib.procs import ports
from lib.program import environment, run
from lib.world import GOLDEN

RETRY_SECONDS = 30.0                   # three times the promise
METRICS_PATHS = ["/metrics", "/livez", "/readyz", "/readyz?verbose"]
CONTROL_PATHS = ["/healthz", "/status", "/refresh", "/config", "/", "/x"]


def listening(endpoint) -> dict:
    return {"address": endpoint.address, "state": "listening", "error": None}


# ---- a port that somebody has

@pytest.mark.slow
def test_taken_port_is_waited_for(world):
    served = prepare(world, "--min-refresh=0s")
    control, mount = served.control, served.mount
    with listener(control.host, control.port):
        mount.start()
        assert mount.read() == GOLDEN
        shown = mount.wait_status(lambda s: s["control"]["state"] == "taken", "a taken port")["control"]
        assert shown["address"] == control.address and shown["error"]
        mount.touch()
        assert mount.read() == GOLDEN
        with pytest.raises(subprocess.TimeoutExpired):
            mount.process.wait(12.0)   # one more try, at least
    control.wait_serving(RETRY_SECONDS)
    assert control.ask("/status").json()["control"] == listening(control)
    assert control.refresh().status == 200
    mount.wait_status(lambda s: s["control"] == listening(control), "the same in the file")
    (warning,) = [line for line in mount.log().splitlines() if "port_taken" in line]
    assert " WARN " in warning and control.address in warning
    assert " listening " in mount.log()


@pytest.mark.slow
def test_second_daemon_with_the_same_port(world):
    """The first is unharmed; when it ends the second takes over."""
    first = serve(world)
    second = prepare(world, port=first.control.port)
    second.mount.start()
    second.mount.wait_status(lambda s: s["control"]["state"] == "taken", "a taken port")
    assert first.control.ask("/status").json()["pid"] == first.mount.process.pid
    assert second.mount.read() == first.mount.read() == GOLDEN
    first.mount.stop()
    second.control.wait_serving(RETRY_SECONDS)
    assert second.control.ask("/status").json()["pid"] == second.mount.process.pid


def test_next_daemon_gets_the_port_at_once(world):
    """Connections that the last one has closed are no obstacle."""
    first = serve(world)
    for _ in range(20):
        first.control.ask("/healthz")
    first.mount.stop()
    second = prepare(world, port=first.control.port)
    second.mount.start()
    assert second.mount.status()["control"]["state"] == "listening"
    assert " port_taken " not in second.mount.log()


def test_address_that_the_machine_has_not(world):
    """Metrics are no reason not to serve."""
    mount = world.mount(f"--metrics=192.0.2.1:{free_port()}")
    assert mount.read() == GOLDEN
    shown = mount.wait_status(lambda s: s["metrics"]["error"], "an error")["metrics"]
    assert shown["state"] == "taken"


# ---- settings

@pytest.mark.parametrize("args, env", [(["--control=off"], {}), ([], {"IRSAFS_CONTROL": "off"})], ids=["flag", "environment"])
def test_off(world, args, env):
    mount = world.mount(*args, env=world.env(**env))
    assert mount.read() == GOLDEN
    status = mount.status()
    assert status["control"] is None and status["metrics"] is None
    assert ports(mount.process.pid) == []


def test_environment(world):
    control, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    mount = world.mount(env=world.env(IRSAFS_CONTROL=control, IRSAFS_METRICS=metrics))
    status = mount.wait_status(lambda s: s["control"]["state"] == "listening", "the endpoint")
    assert (status["control"]["address"], status["metrics"]["address"]) == (control, metrics)
    assert ports(mount.process.pid) == sorted(int(address.split(":")[1]) for address in (control, metrics))


def test_default_is_the_port_of_the_reference(world):
    """In a network of its own: the machine has one port 6003."""
    path = world.folder / "aws"
    path.mkdir()
    mount = Inside(path, [], world.env(IRSAFS_CONTROL=None), world.secrets, "ip link set lo up")
    mount.arguments[0:2] = ["unshare", "-mn"]
    world.mounts.append(mount.start())
    status = mount.wait_status(lambda s: s["control"]["state"] == "listening", "the endpoint")
    assert status["control"]["address"] == "127.0.0.1:6003" and status["metrics"] is None
    ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:6003/healthz').read().decode(), end='')"
    ran = run(["nsenter", "-t", mount.process.pid, "-n", "/usr/bin/python3", "-c", ask], environment())
    assert ran.out == b"{'status': 'Healthy'}", ran.err
    assert ports(mount.process.pid) == [6003]


@pytest.mark.parametrize("address", ["0.0.0.0:{}", "10.0.0.1:{}", "192.0.2.1:{}", "[::]:{}", "[2001:db8::1]:{}", "128.0.0.1:{}"])
def test_control_is_for_loopback_only(world, address):
    address = address.format(free_port())
    refuse(world, [f"--control={address}"], 2, "--control", "loopback")
    refuse(world, [], 3, "IRSAFS_CONTROL", "loopback", env=world.env(IRSAFS_CONTROL=address))


BAD = [
    " ", "6003", ":6003", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+80",
    "127.0.0.1:http", "127.0.0.1:6003x", "127.0.0.1: 6003", " 127.0.0.1:6003", "127.0.0.1:6003 ", "127.0.0.1:6003/", "[::1]",
    "::1:6003", "[::1:6003", "[::1]6003", "[127.0.0.1]:6003", "127.1:6003", "300.0.0.1:6003", "on", "OFF ", "evil.example:6003",
    "http://127.0.0.1:6003", "127.0.0.1:06003000", "127.0.0.1:6003,127.0.0.1:6004", "[::1%lo]:6003", "x" * 5000,
]


@pytest.mark.parametrize("value", BAD, ids=lambda value: repr(value[:30]))
def test_bad_address(world, value):
    for setting in ("control", "metrics"):
        refuse(world, [f"--{setting}={value}"], 2, setting)
        name = f"IRSAFS_{setting.upper()}"
        refuse(world, [], 3, name, env=world.env(**{name: value}))


def test_both_listeners_on_one_port(world):
    address = f"127.0.0.1:{free_port()}"
    refuse(world, [f"--control={address}", f"--metrics={address}"], 2, "--metrics", "--control")
    refuse(world, [], 3, "IRSAFS_METRICS", env=world.env(IRSAFS_CONTROL=address, IRSAFS_METRICS=address))


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "127.99.1.1"])
def test_loopback_addresses(world, host):
    served = serve(world, host=host)
    assert served.control.refresh().status == 200
    assert served.mount.read() == GOLDEN
    assert served.mount.status()["control"] == listening(served.control)


# ---- the second listener

@pytest.fixture
def scraped(world):
    served = serve(world, metrics=True)
    served.mount.read()
    return served


@pytest.mark.parametrize("path", METRICS_PATHS)
def test_metrics_listener(scraped, path):
    reply, same = scraped.metrics.ask(path), scraped.control.ask(path)
    assert (reply.status, reply.type) == (same.status, same.type) == (200, same.type)
    assert reply.headers["Connection"] == "close"
    assert scraped.metrics.ask(path, headers={"Host": "10.1.2.3:9090"}).status == 200
    assert scraped.metrics.ask(path, "POST").status == 405
    assert scraped.metrics.ask(path, "HEAD").status == 200


@pytest.mark.parametrize("path", CONTROL_PATHS)
def test_what_the_metrics_listener_has_not(world, scraped, path):
    for method in ("GET", "POST"):
        assert scraped.metrics.ask(path, method).status == 404
    assert world.service.count == 1


def test_metrics_listener_alone(world):
    port = free_port()
    mount = world.mount(f"--metrics=127.0.0.1:{port}")
    mount.wait_status(lambda s: s["metrics"]["state"] == "listening", "the listener")
    assert mount.status()["control"] is None
    assert ports(mount.process.pid) == [port]


def test_metrics_listener_for_everybody(world):
    """Prometheus is in another pod."""
    served = serve(world, f"--metrics=0.0.0.0:{(port := free_port('0.0.0.0'))}")
    status = served.mount.wait_status(lambda s: s["metrics"]["state"] == "listening", "the listener")
    assert status["metrics"] == {"address": f"0.0.0.0:{port}", "state": "listening", "error": None}
    assert served.control.ask("/metrics").status == 200


# ---- another root

def test_endpoint_in_a_user_namespace(world):
    """Root is not root of the machine there, so that not every wall can be had; nobody outside may look into the mount."""
    served = prepare(world, *POSSIBLE_ARGS, prefix=("unshare", "-Urm"))
    served.mount.launch()
    served.control.wait_serving()
    assert served.control.refresh().status == 200
    inside = ["nsenter", "-t", served.mount.process.pid, "-U", "-m", "--preserve-credentials"]
    assert run([*inside, "cat", served.mount.config], environment()).out == GOLDEN.encode()
