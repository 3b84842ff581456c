"""What the gateway adds to a job, and how soon it answers while one runs."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import numpy as np
import xarray as xr

import dhess
from tests.benchmarks.report import Ratio, at_most
from tests.benchmarks.timing import pairs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.scale import Scale

DHESS = str(Path(sys.executable).with_name("dhess"))
WORKERS, WINDOWS = 2, 200
PAUSE = 0.02
"""Seconds between two looks at `/health`."""


def gateway(scale: Scale) -> Iterator[Ratio]:
    """One search of 200 windows, by `dhess run` and handed in to a gateway that is there."""
    with tempfile.TemporaryDirectory(prefix="dhess-gateway-") as folder:
        home = Path(folder)
        store = _store(home, scale.edge // 4 if scale.full else 16)
        with _served(home) as url:
            client = dhess.Client(url)
            asked = [0]

            def alone() -> float:
                asked[0] += 1
                return _run(home, store, asked[0])

            def handed_in() -> float:
                asked[0] += 1
                return _submitted(client, store, asked[0])

            alone(), handed_in()  # compile, and fill the disk's cache
            taken = pairs(alone, handed_in, scale.rounds)
            what = f"job of {WINDOWS} windows: the gateway ÷ `dhess run`"
            yield Ratio(what, taken.quotient, taken.ratio, at_most(1.10))
            delays = _delays(client, url, store, asked[0] + 1)
            p99 = 1e3 * statistics.quantiles(delays, n=100)[98]
            what = "`/health` while a job runs, 99th percentile in ms"
            yield Ratio(what, f"{len(delays)} requests", p99, at_most(50))


def _store(home: Path, edge: int) -> Path:
    shape = (8 * edge, 10 * edge, 10 * edge)
    values = np.random.default_rng(1).standard_normal(shape, dtype="f4")
    path = home / "f.zarr"
    array = xr.DataArray(values, dims=["z", "y", "x"], name="f")
    array.to_dataset().to_zarr(
        path, encoding={"f": {"chunks": (edge,) * 3}}, consolidated=False, zarr_format=3
    )
    return path


def _keys(store: Path, number: int) -> dict[str, object]:
    """Return a job that differs from those before: it finds another number of points."""
    return {
        "source": f"{store}::f", "chunks": _chunks(store), "k": number, "resources": {"window": 4},
    }  # fmt: skip


def _chunks(store: Path) -> int:
    meta = json.loads((store / "f" / "zarr.json").read_text())
    return int(meta["chunk_grid"]["configuration"]["chunk_shape"][0])


def _run(home: Path, store: Path, number: int) -> float:
    job = home / f"job-{number}.json"
    keys = _keys(store, number)
    output = home / f"flattest-{number}.json"
    limits = {"workers": WORKERS, "window": 4}
    job.write_text(json.dumps(keys | {"output": str(output), "resources": limits}))
    begin = time.perf_counter()
    subprocess.run([DHESS, "run", str(job)], check=True, capture_output=True)
    return time.perf_counter() - begin


def _submitted(client: dhess.Client, store: Path, number: int) -> float:
    keys = _keys(store, number)
    begin = time.perf_counter()
    view = client.wait(client.submit(keys)["id"])
    taken = time.perf_counter() - begin
    assert (view["state"], view["windows"]) == ("done", WINDOWS), view
    return taken


def _delays(client: dhess.Client, url: str, store: Path, first: int) -> list[float]:
    """Return how long `/health` took while three jobs ran, one after the other."""
    delays: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(PAUSE):
            begin = time.perf_counter()
            with urlopen(f"{url}/health", timeout=10) as answer:
                answer.read()
            delays.append(time.perf_counter() - begin)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for number in range(first, first + 3):
            _submitted(client, store, number)
    finally:
        over.set()
        thread.join()
    return delays


@contextmanager
def _served(home: Path) -> Iterator[str]:
    command = [DHESS, "serve", "--data", str(home / "data"), "--port", "0", "--root", str(home)]
    process = subprocess.Popen(
        [*command, "--workers", str(WORKERS)], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        url = ""
        for line in process.stderr:
            if "http://" in line:
                url = line[line.index("http://") :].split()[0]
                break
        assert url, "the gateway did not start"
        rest = threading.Thread(target=process.stderr.read, daemon=True)
        rest.start()
        yield url
    finally:
        process.terminate()
        process.wait(60)
