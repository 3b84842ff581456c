"""Searches and fields by worker processes: the same bits as in memory, whatever happens to them."""

from __future__ import annotations

import ast
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.budget import FLOOR, SLACK, USABLE
from dhess.running import Progress, watched
from dhess.sink import write_field
from tests.test_fields import FIELDS, same_bits
from tests.test_options import one_sentence
from tests.test_windows import identical, sizes, without_padding, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from distributed import Client

SHAPE, CHUNKS = (60, 54, 48), (12, 18, 12)
BLOCKS = 5 * 3 * 4
OPTIONS: list[dict[str, Any]] = [
    {},
    {"order": 4, "nan": "adapt"},
    {"period": {"y": 60.0, "x": 48.0}, "nan": "adapt"},
    {"dims": ["y", "x"]},
]


def field(dtype: str = "f4") -> xr.DataArray:
    """Random numbers with gaps, and with few different ones, so that there are ties."""
    values = np.random.default_rng(7).standard_normal(SHAPE).round(1)
    values[20:23, 5, 7] = values[0, 0, 0] = np.nan
    return xr.DataArray(values.astype(dtype), dims=["z", "y", "x"], name="f")


# What a worker takes without any data is just more than it may before it writes to disk: no field
# can keep blocks that wait for their neighbours.
SHORT = int(SLACK * FLOOR / USABLE) - 10**6


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """Workers with little memory."""
    with dhess.local_cluster(2, memory_limit=SHORT) as client:
        yield client


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(field(), tmp_path_factory.mktemp("store") / "f.zarr", CHUNKS)


# ------------------------------------------------------------------------------------ the same bits


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("most", [8, 10_000])
def test_searches(path: Path, options: dict[str, Any], most: int) -> None:
    want = dhess.find_minimum(field(), k=7, **options)
    with sizes(most, 20_000):
        for opened in (dhess.open(path), dhess.open(path, chunks=None) * 1):
            identical(dhess.find_minimum(opened, k=7, **options), want)
    lazy = dhess.find_minimum(dhess.open(path, chunks=None), k=7, compute=False, **options)
    identical(without_padding(lazy), want)


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["hessian_norm", "gradient"])
def test_fields(path: Path, tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    """Of blocks that are read twice, and of those that a graph brings."""
    want = FIELDS[name](field(), **options)
    opened = dhess.open(path, chunks=None)
    assert dhess.plan(opened, name, field=True, **options).read_ratio == 2.0
    for data in (opened, opened * 1):
        lazy = FIELDS[name](data, **options)
        write_field(lazy, tmp_path / "out.zarr", overwrite=True)
        same_bits(dhess.open(tmp_path / "out.zarr"), want)


def test_fields_where_blocks_are_read_once(path: Path, tmp_path: Path) -> None:
    with dhess.local_cluster(2, memory_limit="1GB"):
        opened = dhess.open(path, chunks=None)
        assert dhess.plan(opened, field=True).read_ratio == 1.0
        write_field(dhess.measure(opened, "hessian_norm"), tmp_path / "out.zarr")
    same_bits(dhess.open(tmp_path / "out.zarr"), dhess.measure(field(), "hessian_norm"))


# ------------------------------------------------------------------------- workers that are killed


class Killing:
    """Kill one worker in the middle of a search, as the system would for its memory."""

    def __init__(self, client: Client) -> None:
        self.pids = list(client.run(os.getpid).values())
        self.at = 0

    def __call__(self, progress: Progress) -> None:
        if progress.blocks and not self.at:
            self.at = progress.blocks
            os.kill(self.pids[0], signal.SIGKILL)


@pytest.mark.parametrize("brought", [False, True])
def test_a_killed_worker_in_the_middle_of_a_search(
    client: Client, path: Path, brought: bool
) -> None:
    want = dhess.find_minimum(field(), k=7)
    opened = dhess.open(path, chunks=(12, 9, 6))
    killing = Killing(client)
    with watched(killing):
        found = dhess.find_minimum(opened * 1 if brought else opened, k=7)
    assert 0 < killing.at < 4 * BLOCKS
    identical(found, want)
    client.wait_for_workers(2, timeout=180)
    assert killing.pids[0] not in client.run(os.getpid).values()


def test_a_killed_worker_while_a_field_is_written(
    client: Client, path: Path, tmp_path: Path
) -> None:
    """One task ends its worker, the first time that it runs."""
    mark = tmp_path / "killed"
    want = dhess.measure(field(), "slope")

    def kill_once(block: Any, block_id: Any = None) -> Any:
        if block_id == (2, 1, 1) and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    opened = dhess.open(path, chunks=None)
    own = opened.copy(data=opened.data.map_blocks(kill_once, meta=opened.data._meta))
    write_field(dhess.measure(own, "slope"), tmp_path / "out.zarr")
    assert mark.exists()
    same_bits(dhess.open(tmp_path / "out.zarr"), want)
    client.wait_for_workers(2, timeout=180)


def test_a_task_that_kills_every_worker() -> None:
    def leave(block: Any, block_id: Any = None) -> Any:
        if block_id == (1, 1):
            os._exit(3)
        return block

    data = xr.DataArray(np.zeros((20, 20)), dims=["y", "x"]).chunk(10)
    own = data.copy(data=data.data.map_blocks(leave, dtype=float, meta=np.empty((0, 0))))
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 1}),
        dhess.local_cluster(1, memory_limit="1GB"),
        pytest.raises(dhess.errors.ClusterError) as caught,
    ):
        dhess.find_minimum(own)
    one_sentence(caught.value, "workers died 2 times", "ran out of memory", "chunks=")
    assert caught.value.exit_code == 2


# ----------------------------------------------------------------------- workers that are too small


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """268 MB in chunks of 1 MB."""
    values = np.random.default_rng(8).standard_normal((64, 64, 64)).astype("f4")
    array = xr.DataArray(np.tile(values, (4, 8, 8)), dims=["z", "y", "x"], name="f")
    return write(array, tmp_path_factory.mktemp("wide") / "f.zarr", (64, 64, 64))


def named(error: BaseException, *fragments: str) -> dict[str, int]:
    """The blocks that a sentence recommends."""
    one_sentence(error, "256 × 512 × 512", *fragments)
    (found,) = re.findall(r"chunks=(\{.*?\})", str(error))
    chunks: dict[str, int] = ast.literal_eval(found)
    assert all(n % 64 == 0 for n in chunks.values())
    return chunks


def test_what_is_refused_runs_with_the_blocks_that_are_named(wide: Path, tmp_path: Path) -> None:
    """It is refused before anything runs, and the plan has said so."""
    in_memory = dhess.open(wide).load(scheduler="threads")
    with dhess.local_cluster(2, memory_limit="600MB"):
        whole = dhess.open(wide, chunks=-1)
        plan = dhess.plan(whole)
        assert plan.fits is False
        with pytest.raises(dhess.InputError) as caught:
            dhess.find_minimum(whole, k=3)
        chunks = named(caught.value, "600MB", f"{-(-plan.peak_memory // 10**6)}MB")
        assert chunks == plan.chunks
        cut = dhess.open(wide, chunks=chunks)
        assert dhess.plan(cut).fits is True
        identical(dhess.find_minimum(cut, k=3), dhess.find_minimum(in_memory, k=3))
        with pytest.raises(dhess.InputError) as caught:
            dhess.measure(whole, "slope")
        chunks = named(caught.value, "600MB")
        write_field(dhess.measure(dhess.open(wide, chunks=chunks), "slope"), tmp_path / "out.zarr")
    written = dhess.open(tmp_path / "out.zarr").load(scheduler="threads")
    same_bits(written, dhess.measure(in_memory, "slope"))


def test_blocks_that_nobody_chose_are_cut_to_fit(wide: Path) -> None:
    with dhess.local_cluster(2, memory_limit="600MB"):
        free = dhess.open(wide)
        plan = dhess.plan(free)
        assert plan.fits is True
        assert plan.peak_memory <= USABLE * 600e6
        found = dhess.find_minimum(free, k=3)
    identical(found, dhess.find_minimum(free.load(scheduler="threads"), k=3))


@pytest.mark.usefixtures("client")
def test_the_plan_knows_the_cluster(path: Path) -> None:
    plan = dhess.plan(dhess.open(path))
    assert (plan.workers, plan.threads, plan.memory_limit) == (2, 1, SHORT)
    elsewhere = dhess.plan(dhess.open(path), workers=5, memory_limit="9GB")
    assert (elsewhere.workers, elsewhere.memory_limit) == (5, 9 * 10**9)


# Between what makes a worker pause and what ends it, there is nothing it could give back.
PAUSED = 0.8


def test_no_worker_pauses_for_good(path: Path) -> None:
    """What a plan lets run has room below the share at which Dask stops giving a worker tasks."""
    opened = dhess.open(path)
    peak = dhess.plan(opened, workers=1, memory_limit="4GB").peak_memory
    tight = int(peak / (PAUSED + 0.02))
    assert dhess.plan(opened, workers=1, memory_limit=tight).fits is False
    with dhess.local_cluster(1, memory_limit=tight), pytest.raises(dhess.InputError) as caught:
        dhess.find_minimum(opened)
    one_sentence(caught.value, f"{-(-tight // 10**6)}MB")
