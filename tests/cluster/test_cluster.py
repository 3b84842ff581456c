"""Real processes: what workers are started with, what is left of them, and who does not answer."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import dask.array
import distributed
import numpy as np
import psutil
import pytest
import xarray as xr

from dhess.cluster import connect, local_cluster, tls
from dhess.errors import ClusterError, InputError
from dhess.sink import write_field
from dhess.source import open as dhess_open

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEEP = "2147483648"
TRIM, MMAP, ARENAS = "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_ARENA_MAX"


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with local_cluster(2, memory_limit="400MB") as client:
        yield client


def variables(client: Any, *names: str) -> list[tuple[str | None, ...]]:
    """Return these environment variables of every worker."""
    return list(client.run(lambda: tuple(os.environ.get(name) for name in names)).values())


# --------------------------------------------------------------------------------- what is started


def test_processes_of_one_thread(client: Any) -> None:
    workers = client.scheduler_info()["workers"].values()
    assert len(workers) == 2
    assert {worker["nthreads"] for worker in workers} == {1}
    assert {worker["memory_limit"] for worker in workers} == {400_000_000}
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert distributed.default_client() is client


def test_the_allocator_keeps_large_blocks(client: Any) -> None:
    assert variables(client, TRIM, MMAP, ARENAS) == [(KEEP, KEEP, "1")] * 2


def test_only_the_loopback_interface(client: Any) -> None:
    listening = client.run(
        lambda: [
            c.laddr.ip for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"
        ]
    )
    assert {ip for ips in listening.values() for ip in ips} == {"127.0.0.1"}
    assert client.cluster.scheduler.http_server.address == "127.0.0.1"
    assert client.scheduler.address.startswith("tcp://127.0.0.1:")


def test_as_many_workers_as_cpus() -> None:
    with local_cluster() as client:
        assert len(client.scheduler_info()["workers"]) == dask.system.CPU_COUNT


def test_settings_of_the_user_win(monkeypatch: pytest.MonkeyPatch) -> None:
    """In Dask's configuration, and in the environment of this process."""
    monkeypatch.setenv(MMAP, "77777")
    key = f"distributed.nanny.pre-spawn-environ.{TRIM}"
    with dask.config.set({key: 123456}), local_cluster(1) as client:
        assert variables(client, TRIM, MMAP) == [("123456", "77777")]


def test_settings_of_the_user_win_in_a_file_or_dask_variable(
    tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    """Dask lower-cases what it reads from its variables; the name that glibc knows is meant."""
    (tmp_path / "own.yaml").write_text(
        f"distributed:\n  nanny:\n    pre-spawn-environ:\n      {MMAP}: 55555\n"
    )
    code = f"""
import dhess.cluster
found = dhess.cluster._worker_environment()
print(found["{TRIM}"], found["{MMAP}"], found.get("DASK_LOGGING__DISTRIBUTED"))
"""
    own = {
        "DASK_CONFIG": str(tmp_path),
        f"DASK_DISTRIBUTED__NANNY__PRE_SPAWN_ENVIRON__{TRIM}": "44444",
        "DASK_LOGGING__DISTRIBUTED": "info",
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=fresh_process_environment | own,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["44444", "55555", "None"]


# ------------------------------------------------------------------------------------- what is left


def test_nothing_is_left(tmp_path: Path) -> None:
    environment = dict(os.environ)
    threads = set(threading.enumerate())
    with local_cluster(1) as client:
        (pid,) = client.run(os.getpid).values()
        scheduler = client.scheduler.address
    assert not psutil.pid_exists(pid)
    assert dict(os.environ) == environment
    left = [thread for thread in threading.enumerate() if thread not in threads]
    own = [thread for thread in left if "Dask-Offload" not in thread.name]
    for thread in own:  # the one that saw the worker's process end may itself be ending
        thread.join(10)
    assert not [thread.name for thread in own if thread.is_alive()]
    with pytest.raises(ClusterError), connect(scheduler, timeout=0.5):
        pass


def test_nothing_is_left_of_a_failure_inside() -> None:
    pids: list[int] = []

    def fail() -> None:
        with local_cluster(1) as client:
            pids.extend(client.run(os.getpid).values())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert pids
    assert not any(map(psutil.pid_exists, pids))


SILENT = """
import sys
from dhess.cluster import connect, local_cluster

def fail():
    raise ZeroDivisionError

if __name__ == "__main__":
    with local_cluster(2) as client:
        assert client.submit(sum, [1, 2]).result() == 3
        assert isinstance(client.submit(fail).exception(), ZeroDivisionError)
        with connect(client.scheduler.address) as other:
            other.submit(sum, [1, 2]).result()
    print("done")
"""


def test_nothing_is_said(tmp_path: Path, fresh_process_environment: dict[str, str]) -> None:
    """Not by a failing task either: its exception reaches the client."""
    script = tmp_path / "script.py"
    script.write_text(SILENT)
    done = subprocess.run(
        [sys.executable, "-W", "error", script],
        env=fresh_process_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "done\n"


# -------------------------------------------------------------------------------- what is computed


@pytest.mark.parametrize("suffix", ["zarr", "nc"])
def test_stores_are_read_by_the_workers(client: Any, tmp_path: Path, suffix: str) -> None:
    data = xr.Dataset({"f": (("y", "x"), np.arange(600.0).reshape(20, 30))})
    if suffix == "nc":
        data.to_netcdf(tmp_path / "f.nc", engine="h5netcdf")
    else:
        data.to_zarr(tmp_path / "f.zarr", consolidated=False)
    with dhess_open(tmp_path / f"f.{suffix}", chunks=10) as array:
        assert array.sum().compute().item() == 600 * 599 / 2


def test_fields_are_written_by_the_workers(client: Any, tmp_path: Path) -> None:
    numbers = np.random.default_rng(3).normal(size=(20, 30))
    data = dask.array.from_array(numbers, chunks=(10, 10))
    write_field(xr.DataArray(data, dims=("y", "x"), name="f"), tmp_path / "f.zarr")
    assert dhess_open(tmp_path / "f.zarr").to_numpy().tobytes() == numbers.tobytes()


def test_a_failing_write_leaves_nothing(client: Any, tmp_path: Path) -> None:
    def divide(block: Any, block_id: Any = None) -> Any:
        time.sleep(0.2 * block_id[0])  # the others are still at work when the first one fails
        if block_id == (0, 0):
            raise ZeroDivisionError
        return block

    data = dask.array.ones((20, 10), chunks=(5, 10)).map_blocks(divide, meta=np.empty((0, 0)))
    with pytest.raises(ZeroDivisionError):
        write_field(xr.DataArray(data, dims=("y", "x"), name="f"), tmp_path / "f.zarr")
    time.sleep(0.5)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------ a given scheduler


def test_connect_by_address_and_by_file(client: Any, tmp_path: Path) -> None:
    address = client.scheduler.address
    (tmp_path / "scheduler.json").write_text(json.dumps({"type": "Scheduler", "address": address}))
    for way in (address, address.removeprefix("tcp://"), tmp_path / "scheduler.json"):
        with connect(way) as other:
            assert other.submit(sum, [1, 2]).result() == 3
    assert client.submit(sum, [1, 2]).result() == 3  # leaving does not end what was given


def test_connect_where_an_event_loop_runs(client: Any) -> None:
    """As in a notebook."""

    async def cell() -> int:
        with connect(client.scheduler.address) as other:
            return len(other.scheduler_info()["workers"])

    assert asyncio.run(cell()) == 2


def unreachable(address: Any, timeout: float = 1.0) -> str:
    """Return the one sentence that says so, and make sure that nothing goes on."""
    threads = set(threading.enumerate())
    begin = time.monotonic()
    with pytest.raises(ClusterError) as caught, connect(address, timeout=timeout):
        pass
    assert time.monotonic() - begin < 10
    assert caught.value.exit_code == 2
    assert set(threading.enumerate()) <= threads
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(address) in sentence
    return sentence


def test_the_default_patience() -> None:
    assert inspect.signature(connect).parameters["timeout"].default == 10.0


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "no scheduler answered" in unreachable(f"tcp://127.0.0.1:{port}")


def test_somebody_listens_and_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert "no scheduler answered" in unreachable(f"tcp://127.0.0.1:{port}")
        assert "no scheduler answered" in unreachable(f"127.0.0.1:{port}")


def test_somebody_else_answers(client: Any) -> None:
    worker = next(iter(client.scheduler_info()["workers"]))
    assert "a Worker answers, not a scheduler" in unreachable(worker)


def test_addresses_that_are_none(tmp_path: Path) -> None:
    assert "unknown address scheme 'foo'" in unreachable("foo://127.0.0.1:8786")
    assert "missing port number" in unreachable("tcp://127.0.0.1")
    assert "perhaps check your TLS configuration" in unreachable("tls://127.0.0.1:8786")
    assert "(No such file or directory)" in unreachable(tmp_path / "none.json")
    assert "neither a scheduler's address" in unreachable("localhost")
    assert "(Is a directory)" in unreachable(tmp_path)


@pytest.mark.parametrize("text", ['{"address": "tcp', "{}", '{"address": 3}', "[]", "\x00"])
def test_garbled_scheduler_files(tmp_path: Path, text: str) -> None:
    (tmp_path / "scheduler.json").write_text(text)
    assert "is not a scheduler file" in unreachable(tmp_path / "scheduler.json")


def test_a_scheduler_file_that_has_outlived_its_scheduler(tmp_path: Path) -> None:
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": "tcp://127.0.0.1:1"}))
    with pytest.raises(ClusterError, match=r"'tcp://127\.0\.0\.1:1'"):
        connect(tmp_path / "scheduler.json", timeout=0.5).__enter__()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that signs itself, so that it is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("makes its certificate with openssl")
    folder = tmp_path_factory.mktemp("tls")
    cert, key = folder / "cert.pem", folder / "key.pem"
    request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=test"
    subprocess.run(
        ["openssl", *request.split(), "-out", cert, "-keyout", key], check=True, capture_output=True
    )
    return cert, key


def test_tls(certificate: tuple[Path, Path]) -> None:
    cert, key = certificate
    both = {
        f"tls_{role}_{part}": str(path)
        for role in ("scheduler", "worker", "client")
        for part, path in (("cert", cert), ("key", key))
    }
    security = distributed.Security(tls_ca_file=str(cert), require_encryption=True, **both)
    with local_cluster(1, security=security) as own:
        address = own.scheduler.address
        assert address.startswith("tls://")
        with connect(address, security=tls(cert, cert, key)) as other:
            assert other.submit(sum, [1, 2]).result() == 3
        unreachable(address.replace("tls://", "tcp://"))


# ------------------------------------------------------------------------------------- wrong input


@pytest.mark.parametrize("n_workers", [0, -1, 2.5, "2", True])
def test_worker_counts_that_are_none(n_workers: Any) -> None:
    with pytest.raises(InputError, match=rf"at least 1, not {n_workers!r}"):
        local_cluster(n_workers).__enter__()


@pytest.mark.parametrize("limit", ["4 potatoes", "-4GB", "", 0, -1, True, [4]])
def test_memory_limits_that_cannot_be_read(limit: Any) -> None:
    with pytest.raises(InputError, match="cannot be read; give the bytes of one worker, as '4GB'"):
        local_cluster(1, memory_limit=limit).__enter__()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_timeouts_that_are_none(timeout: float) -> None:
    with pytest.raises(InputError, match="more than 0 seconds"):
        connect("tcp://127.0.0.1:8786", timeout=timeout).__enter__()


def test_options_that_no_worker_has() -> None:
    with pytest.raises(ClusterError, match=r"did not start: .*'unheard'"):
        local_cluster(1, unheard=1).__enter__()


def test_certificates_that_are_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"TLS ca file '.*ca.pem' does not exist"):
        tls(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
