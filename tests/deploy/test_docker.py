"""The compose file for real: built, started, asked, its containers killed, and its doors tried.

``pytest -m docker tests/deploy -s`` prints the figures of the README. It needs a Docker Engine, and
some minutes for the first build; with DHESS_IMAGE=NAME it tries an image that is there.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

import dhess
from dhess.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.docker
ROOT: Final = Path(__file__).parents[2]
IMAGE: Final = os.environ.get("DHESS_IMAGE", "dhess:latest")
BASE: Final = "python:3.11-slim-bookworm"
SERVICES: Final = ("scheduler", "worker", "gateway")
# 504 blocks in 252 windows: long enough for something to die in between.
LONG: Final = {
    "source": "/samples/jacksboro.zarr::elevation",
    "chunks": 16,
    "exclude_edges": True,
    "resources": {"window": 2},
}


def run(*words: str | Path, timeout: float = 1800, check: bool = True) -> str:
    """Return what a command prints."""
    done = subprocess.run(
        words, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT
    )
    assert not check or done.returncode == 0, (
        f"{words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    )
    return done.stdout


class Stack:
    """What the compose file starts, under a name of its own."""

    def __init__(self) -> None:
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        words = ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]
        self.project = f"dhess-test-{os.getpid()}"
        self.words = [*words, "--project-name", self.project]
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        os.environ["DHESS_PORT"] = str(self.port)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __call__(self, *words: str, check: bool = True) -> str:
        return run(*self.words, *words, check=check)

    def ids(self, service: str) -> list[str]:
        """Return the containers of a service."""
        return self("ps", "--quiet", service).split()

    def inspect(self, container: str) -> Any:
        return json.loads(run("docker", "inspect", container))[0]

    def inside(self, *words: str | Path, network: str, check: bool = True) -> str:
        """Return what a container prints that is on a network and has the gateway's key."""
        return run(
            "docker", "run", "--rm", "--network", network,
            "--volume", f"{self.project}_tls-gateway:/tls/gateway:ro",
            "--volume", f"{ROOT / 'tests' / 'deploy'}:/here:ro", IMAGE, *words, check=check,
        )  # fmt: skip

    def client(self) -> Client:
        """Return a client on this side, with a token of its own."""
        name = f"test-{time.monotonic_ns()}"
        token = self("exec", "-T", "gateway", "dhess", "token", "add", name).strip()
        return Client(self.url, token)


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """The services, built and started from nothing."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no Docker Engine answers; start one, and look at `docker info`")
    made = Stack()
    try:
        began = time.monotonic()
        if "DHESS_IMAGE" not in os.environ:
            made("build", "certificates")
        built = time.monotonic()
        made("up", "--detach")
        until(lambda: answers(made.url + "/ready"), 300, "the gateway is ready")
        sizes = [
            int(run("docker", "image", "inspect", "--format", "{{.Size}}", name))
            for name in (IMAGE, BASE)
        ]
        print(
            f"\nbuilt in {built - began:.0f} s, ready {time.monotonic() - built:.1f} s after `up`"
        )
        print(f"image {sizes[0] / 1e6:.0f} MB, {(sizes[0] - sizes[1]) / 1e6:.0f} MB above {BASE}")
        yield made
        print(made("logs", "--tail", "5", check=False)[-2000:])
    finally:
        made("down", "--volumes", "--remove-orphans", "--timeout", "20", check=False)


def answers(url: str) -> bool:
    """Tell whether it answers with 200."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def until(condition: Any, seconds: float, what: str) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(1)


def reached(host: str, port: int, authority: str) -> str:
    """Return a Python program that tells whether one of the services answers there.

    To connect is not enough: a proxy on the way may take every connection, and speak TLS. A service
    has a certificate of the cluster's authority, or tells its health.
    """
    return (
        "import socket, ssl, urllib.request\n"
        f"context = ssl.create_default_context(cadata={authority!r})\n"
        "context.check_hostname = False\n"
        "def tls():\n"
        f" with socket.create_connection(({host!r}, {port}), 3) as raw:\n"
        "  context.wrap_socket(raw)\n"
        " return True\n"
        "def health():\n"
        f" with urllib.request.urlopen('http://{host}:{port}/health', timeout=3) as answer:\n"
        "  return b'ok' in answer.read()\n"
        "def answers(ask):\n"
        " try: return ask()\n"
        " except OSError: return False\n"
        "print('open' if answers(tls) or answers(health) else 'closed')\n"
    )


def addresses(stack: Stack, service: str) -> list[str]:
    """Return the addresses of the containers of a service."""
    return [
        network["IPAddress"]
        for each in stack.ids(service)
        for network in stack.inspect(each)["NetworkSettings"]["Networks"].values()
    ]


def test_one_command_gives_the_first_answer(stack: Stack) -> None:
    began = time.monotonic()
    words = ("exec", "-T", "gateway", "dhess", "submit", "flattest.toml", "--wait", "--json", "-")
    told = json.loads(stack(*words))
    print(f"\nfirst answer after {time.monotonic() - began:.1f} s")
    from dhess.demo.data import terrain

    best = dhess.find_minimum(terrain(), "hessian_norm", k=10, exclude_edges=True)
    assert [list(point["index"].values()) for point in told["answers"]] == best[
        "index"
    ].values.tolist()
    np.testing.assert_allclose(
        [p["value"] for p in told["answers"]], best["value"].values, rtol=1e-9
    )


def test_a_field_is_written_and_can_be_searched(stack: Stack) -> None:
    client = stack.client()
    view = client.submit({
        "source": "/samples/jacksboro.zarr::elevation", "task": "field", "measure": "slope",
        "output": "/outputs/slope.zarr",
    })  # fmt: skip
    assert client.wait(view["id"])["state"] == "done"
    view = client.submit({"source": "/outputs/slope.zarr", "measure": "slope"})
    assert client.wait(view["id"])["state"] == "done"


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_that_is_killed_changes_nothing(stack: Stack, service: str) -> None:
    client = stack.client()
    k = 5 + SERVICES.index(service)
    view = client.submit({**LONG, "k": k})
    until(lambda: client.show(view["id"])["done"] > 5, 300, "some windows are done")
    assert client.show(view["id"])["state"] == "running"
    victim = stack.ids(service)[0]
    before = stack.inspect(victim)["State"]["Pid"]
    run("docker", "exec", victim, "sh", "-c", "kill -9 -1", check=False)
    until(
        lambda: stack.inspect(victim)["State"]["Pid"] not in (0, before), 120, "it is started again"
    )
    until(lambda: answers(stack.url + "/health"), 120, "the gateway answers")
    assert client.wait(view["id"], patience=300)["state"] == "done"
    told = client.result(view["id"])
    from dhess.demo.data import terrain

    best = dhess.find_minimum(terrain(), k=k, exclude_edges=True)
    assert [list(point["index"].values()) for point in told["answers"]] == best[
        "index"
    ].values.tolist()
    until(lambda: answers(stack.url + "/ready"), 120, "all is well again")


def test_only_the_gateways_port_is_published(stack: Stack) -> None:
    published = {}
    for service in SERVICES:
        for each in stack.ids(service):
            ports = stack.inspect(each)["NetworkSettings"]["Ports"]
            published[service] = {name: bound for name, bound in ports.items() if bound}
    bound = {"HostIp": "127.0.0.1", "HostPort": str(stack.port)}
    assert published == {"scheduler": {}, "worker": {}, "gateway": {"8765/tcp": [bound]}}
    assert answers(stack.url + "/health")


def test_from_another_network_nothing_answers(stack: Stack) -> None:
    def seen(host: str, port: int, network: str) -> str:
        program = reached(host, port, authority)
        return stack.inside("python", "-c", program, network=network).strip()

    authority = stack.inside("cat", "/tls/gateway/ca.pem", network="none")
    ports = {"scheduler": (8786, 8787), "worker": (8788,), "gateway": (8765,)}
    for service in SERVICES:
        for host in addresses(stack, service):
            for port in ports[service]:
                assert seen(host, port, "bridge") == "closed", f"{service} {host}:{port}"
    assert seen("scheduler", 8786, f"{stack.project}_cluster") == "open"
    assert seen("gateway", 8765, f"{stack.project}_cluster") == "open"


def test_from_the_host_itself_only_the_gateway_answers(stack: Stack) -> None:
    def seen(host: str, port: int) -> str:
        return run(sys.executable, "-c", reached(host, port, authority)).strip()

    authority = stack.inside("cat", "/tls/gateway/ca.pem", network="none")
    for service, ports in {"scheduler": (8786, 8787), "worker": (8788,)}.items():
        for host in addresses(stack, service):
            for port in ports:
                assert seen(host, port) == "closed", f"{service} {host}:{port}"
    assert seen("127.0.0.1", stack.port) == "open"


def test_a_client_without_a_certificate_is_refused(stack: Stack) -> None:
    told = stack.inside(
        "sh", "-c", "certificates /tmp/foreign >/dev/null && "
        "python /here/strangers.py scheduler /tls/gateway /tmp/foreign/gateway",
        network=f"{stack.project}_cluster",
    )  # fmt: skip
    guises = dict(line.split(maxsplit=1) for line in told.splitlines())
    assert guises.pop("own") == "Scheduler"
    assert set(guises) == {"plain", "nameless", "foreign"}
    assert all(answer.startswith("refused") for answer in guises.values()), guises


def test_containers_can_do_little(stack: Stack) -> None:
    for service in SERVICES:
        for each in stack.ids(service):
            host = stack.inspect(each)["HostConfig"]
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert host["Memory"] > 0
            seen = run(
                "docker",
                "exec",
                each,
                "sh",
                "-c",
                "touch /x 2>&1; id -u; cat /tls/*/key.pem | grep -c BEGIN",
            )
            assert "Read-only" in seen
            assert seen.split()[-2:] == ["10001", "1"]


def test_no_kernel_is_compiled_when_the_image_runs(stack: Stack) -> None:
    script = (
        "dhess find /samples/jacksboro.zarr --k 2; "
        "dhess find /samples/jacksboro.zarr --nan adapt --dtype float32; "
        "dhess regions /samples/jacksboro.zarr --quantile 0.1; "
        "dhess critical /samples/jacksboro.zarr --dtype float32; "
        "dhess field /samples/jacksboro.zarr --measure hessian --out /tmp/h.zarr"
    )
    told = run(
        "docker", "run", "--rm", "--read-only", "--network", "none", "--cap-drop", "ALL",
        "--tmpfs", "/tmp:size=256m,mode=1777", "--env", "NUMBA_DEBUG_CACHE=1",
        IMAGE, "sh", "-c", f"({script}) 2>&1",
    )  # fmt: skip
    assert "data loaded from" in told
    assert "data saved" not in told
