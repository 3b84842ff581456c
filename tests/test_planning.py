"""A plan is kept: tasks are those of the graph, bytes those that the store is asked for."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr

import dhess
from dhess.critical import Asked
from dhess.options import settings
from dhess.regions import Question
from dhess.windows import parts

from .test_fields import FIELDS, random
from .test_options import one_sentence
from .test_windows import LAYOUTS, WAYS, chosen, reads, searched, sizes, tasks, write

if TYPE_CHECKING:
    from collections import Counter
    from pathlib import Path

__all__ = ["reads"]

WHERE: dict[str, Any] = {"workers": 2, "memory_limit": "4GB"}


def cube(path: Path) -> xr.DataArray:
    """512 MB in chunks of 1 MB, none of which is stored."""
    if not path.exists():
        zarr.create_group(path).create_array(
            "f", shape=(512,) * 3, chunks=(64,) * 3, dtype="f4", dimension_names=["z", "y", "x"]
        )
    return dhess.open(path)


# ----------------------------------------------------------------------------------------- by hand


def test_a_search_worked_by_hand(tmp_path: Path) -> None:
    """Blocks of 256³ are the first of whole chunks with 64 MB: eight, and a merge for four."""
    plan = dhess.plan(cube(tmp_path / "f.zarr"), "slope", k=5, rate=1e8, **WHERE)
    assert plan.source == str(tmp_path / "f.zarr")
    assert (plan.work, plan.measure, plan.dims, plan.dtype) == (
        "find", "slope", ("z", "y", "x"), "float32",
    )  # fmt: skip
    assert plan.shape == (512, 512, 512)
    assert plan.block == {"z": 256, "y": 256, "x": 256}
    assert (plan.blocks, plan.windows, plan.tasks) == (8, 1, 8 + 8 + 2 + 1)
    assert plan.nbytes == plan.bytes_read == 4 * 512**3
    assert (plan.read_ratio, plan.bytes_written) == (1.0, 0)
    assert (plan.workers, plan.threads, plan.memory_limit) == (2, 1, 4 * 10**9)
    assert plan.fits is True
    assert plan.chunks is None
    assert plan.advice == ()
    assert plan.rate == 1e8
    assert plan.seconds == pytest.approx(4 * 512**3 / 1e8 / 2)
    assert plan.peak_memory == sum(plan.memory.values())
    assert plan.memory["blocks"] >= 4 * 256**3


@pytest.mark.parametrize(
    ("name", "components"), [("slope", 1), ("gradient", 3), ("hessian", 9), ("eigenvalues", 3)]
)
def test_a_field_worked_by_hand(tmp_path: Path, name: str, components: int) -> None:
    data = cube(tmp_path / "f.zarr")
    plan = dhess.plan(data, name, field=True, workers=2, memory_limit="20GB")
    assert (plan.work, plan.measure, plan.blocks, plan.windows) == ("field", name, 8, 1)
    assert plan.bytes_written == components * 4 * 512**3
    assert plan.bytes_written == FIELDS[name](data).nbytes
    assert (plan.seconds, plan.rate) == (None, None)
    wide = dhess.plan(data, name, field=True, workers=2, memory_limit="20GB", dtype="float64")
    assert wide.bytes_written == 2 * plan.bytes_written


def test_as_json() -> None:
    data = random((40, 30), "yx").chunk({"y": 10})
    for kw in ({}, {"rate": 1e6}, {"field": True}):
        plan = dhess.plan(data, memory_limit="4GB", **kw)
        plain = plan.as_dict()
        assert json.loads(json.dumps(plain)) == plain
        assert plain["shape"] == [40, 30]
        assert plain["dims"] == ["y", "x"]
        assert plain["peak_memory"] == plan.peak_memory


# ------------------------------------------------------------------------------- tasks of the graph


def tasks_of_windows(data: xr.DataArray, **options: Any) -> int:
    whole = searched(data, **options)
    return sum(tasks(parts(whole, window)) for window in itertools.product(*whole.along))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("ndim", "blocks"), [(2, 5), (3, 4), (4, 3)])
def test_tasks_of_a_search(tmp_path: Path, ndim: int, blocks: int, layout: str) -> None:
    array = random((4 * blocks,) * ndim, "wzyx"[-ndim:])
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", (4,) * ndim), chunks=(4,) * ndim)
    for most in (7, 10_000):
        with sizes(most):
            plan = dhess.plan(opened, **WHERE, **options)
            assert plan.blocks == blocks**ndim
            assert plan.tasks == tasks_of_windows(opened, **options)
            assert (plan.windows > 1) == (plan.blocks > most)
    own = opened * 2
    plan = dhess.plan(own, **WHERE, **options)
    # what Dask itself adds, the key of the source, is no task
    assert plan.tasks <= tasks_of_windows(own, **options) <= plan.tasks + 1


def tasks_of_others(task: str, data: xr.DataArray, options: dict[str, Any]) -> int:
    """Tasks of a search for regions or critical points, window by window."""
    if task == "critical":
        whole = Asked.of(data, 1e-9, settings(**options)).searched()
        return sum(tasks(parts(whole, window)) for window in itertools.product(*whole.along))
    question = Question.of(data, "hessian_norm", settings(**options), full=False)
    labelled = question.labelled(question.searched(None), 1.0)
    along = itertools.product(*labelled.searched.along)
    return sum(tasks(labelled.parts(window, "")) for window in along)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("task", ["regions", "critical"])
def test_tasks_of_regions_and_critical_points(tmp_path: Path, layout: str, task: str) -> None:
    """Regions take a task more for each block, and two where others need its rim or its faces."""
    array = random((20, 20, 20), "zyx")
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", (5, 5, 5)), chunks=5)
    for most in (7, 10_000):
        with sizes(most):
            plan = dhess.plan(opened, task=task, **WHERE, **options)
            assert plan.work == task
            assert plan.measure == ("" if task == "critical" else "hessian_norm")
            assert plan.blocks == 64
            assert plan.tasks == tasks_of_others(task, opened, options)
            assert (plan.windows > 1) == (most == 7)
    own = opened * 2
    plan = dhess.plan(own, task=task, **WHERE, **options)
    assert plan.tasks <= tasks_of_others(task, own, options) <= plan.tasks + 1
    assert dhess.plan(array, task=task, **WHERE).blocks == 1


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["slope", "hessian_norm", "hessian"])
@pytest.mark.parametrize(("ndim", "blocks"), [(2, 5), (3, 4), (4, 3)])
def test_tasks_of_a_field(tmp_path: Path, ndim: int, blocks: int, name: str, layout: str) -> None:
    """Each block is read, its rim copied off, computed and stored."""
    array = random((4 * blocks,) * ndim, "wzyx"[-ndim:])
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", (4,) * ndim), chunks=(4,) * ndim)
    plan = dhess.plan(opened, name, field=True, **WHERE, **options)
    assert abs(tasks_of_writing(opened, name, tmp_path, **options) - plan.tasks) <= 8


@pytest.mark.parametrize("name", ["slope", "hessian"])
def test_tasks_of_a_field_without_neighbours(tmp_path: Path, name: str) -> None:
    """Blocks along a batch dimension have no rims."""
    array = random((40, 8, 8), "tyx")
    opened = dhess.open(write(array, tmp_path / "f.zarr", (2, 8, 8)), chunks=None)
    plan = dhess.plan(opened, name, field=True, dims=["y", "x"], **WHERE)
    assert plan.blocks == 20
    assert abs(tasks_of_writing(opened, name, tmp_path, dims=["y", "x"]) - plan.tasks) <= 8


def tasks_of_writing(opened: xr.DataArray, name: str, folder: Path, **options: Any) -> int:
    lazy = FIELDS[name](opened, **options).to_dataset(name="f")
    lazy = lazy.drop_vars(["row", "col"], errors="ignore")
    writes = lazy.to_zarr(folder / "out.zarr", compute=False, consolidated=False)
    (optimized,) = dask.optimize(writes)
    return len(dict(optimized.__dask_graph__()))


# ------------------------------------------------------------------------------ bytes at the store


def bytes_read(reads: Counter[str], shape: tuple[int, ...], chunks: tuple[int, ...]) -> int:
    """Decoded bytes of the points in all chunks that were asked for."""
    total = 0
    for key, count in reads.items():
        place = map(int, key.removeprefix("f/c/").split("/"))
        sides = (min((p + 1) * c, n) - p * c for p, c, n in zip(place, chunks, shape, strict=True))
        total += count * math.prod(sides) * 8
    return total


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("most", [1, 4, 10_000])
@pytest.mark.parametrize("blocks", ["auto", (6, 6, 6), (5, 7, 12), (4, 9, 3)])
def test_bytes_of_a_search(
    tmp_path: Path, reads: Counter[str], blocks: Any, most: int, layout: str
) -> None:
    """Also where blocks cut stored chunks, and where windows read the rims of others."""
    array, kept = random((24, 21, 18), "zyx"), (6, 6, 6)
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", kept), chunks=blocks)
    reads.clear()
    with sizes(most, 8 * 6**3 * 4):
        plan = dhess.plan(opened, **WHERE, **options)
        assert not reads
        dhess.find_minimum(opened, **options)
    assert bytes_read(reads, array.shape, kept) == plan.bytes_read
    assert plan.read_ratio == pytest.approx(plan.bytes_read / array.nbytes, abs=1e-6)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("most", [4, 10_000])
@pytest.mark.parametrize("task", ["regions", "critical"])
def test_bytes_of_regions_and_critical_points(
    tmp_path: Path, reads: Counter[str], most: int, layout: str, task: str
) -> None:
    array, kept = random((24, 21, 18), "zyx"), (6, 6, 6)
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", kept), chunks=(5, 7, 12))
    reads.clear()
    with sizes(most, 8 * 6**3 * 4):
        plan = dhess.plan(opened, task=task, **WHERE, **options)
        assert not reads
        if task == "critical":
            dhess.critical_points(opened, **options)
        else:
            dhess.flat_regions(opened, threshold=0.1, **options)
    assert bytes_read(reads, array.shape, kept) == plan.bytes_read


def test_what_is_no_task() -> None:
    array = random((24, 20), "yx")
    with pytest.raises(dhess.InputError) as caught:
        dhess.plan(array, task="critcal")
    one_sentence(caught.value, "task='critcal'", "'critical'")
    with pytest.raises(dhess.InputError) as caught:
        dhess.plan(array, task="regions", field=True)
    one_sentence(caught.value, "field=True", "'regions'", "leave one of them out")
    assert dhess.plan(array, task="field") == dhess.plan(array, field=True)
    with pytest.raises(dhess.InputError) as caught:
        dhess.plan(array, task="critical", scheme="iterated")
    one_sentence(caught.value, "scheme='iterated'")


@pytest.mark.parametrize("blocks", [None, (12, 12, 12), (5, 7, 12), (4, 9, 3)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_bytes_of_a_field(tmp_path: Path, reads: Counter[str], blocks: Any, layout: str) -> None:
    array, kept = random((24, 21, 18), "zyx"), (6, 6, 6)
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", kept), chunks=blocks)
    reads.clear()
    plan = dhess.plan(opened, field=True, **WHERE, **options)
    dhess.measure(opened, "hessian_norm", **options).compute()
    assert bytes_read(reads, array.shape, kept) == plan.bytes_read
    assert plan.read_ratio == pytest.approx(plan.bytes_read / array.nbytes, abs=1e-6)


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("field", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_computed(tmp_path: Path, reads: Counter[str], way: str, field: bool) -> None:
    path = write(random((24, 20), "yx"), tmp_path / "f.zarr", (6, 5))
    opened = WAYS[way](path, (12, 10))
    reads.clear()
    plan = dhess.plan(opened, field=field, **WHERE)
    assert plan.nbytes == 24 * 20 * 8
    assert not reads


def test_an_array_in_memory_is_one_block() -> None:
    plan = dhess.plan(random((24, 20), "yx"), **WHERE)
    assert (plan.blocks, plan.block, plan.source) == (1, {"y": 24, "x": 20}, "")


# ------------------------------------------------------------------------------- memory and advice


@pytest.mark.parametrize("task", ["find", "field", "regions", "critical"])
def test_what_cannot_fit_and_what_would(tmp_path: Path, task: str) -> None:
    path = tmp_path / "f.zarr"
    cube(path)
    whole = dhess.open(path, chunks=-1)
    plan = dhess.plan(whole, task=task, workers=1, memory_limit="600MB")
    assert plan.fits is False
    assert plan.peak_memory > 4 * 512**3
    assert plan.chunks is not None
    assert all(n % 64 == 0 for n in plan.chunks.values())
    again = dhess.plan(
        dhess.open(path, chunks=plan.chunks), task=task, workers=1, memory_limit="600MB"
    )
    assert again.fits is True
    assert again.block == plan.chunks
    assert again.peak_memory <= 0.7 * 600e6
    free = dhess.plan(dhess.open(path), task=task, workers=1, memory_limit="600MB")
    assert free.fits is True


def test_no_worker_is_too_large_for_itself(tmp_path: Path) -> None:
    """More memory never takes smaller blocks, nor more reading."""
    before = None
    for limit in ("450MB", "600MB", "1GB", "2GB", "8GB"):
        plan = dhess.plan(cube(tmp_path / "f.zarr"), field=True, workers=2, memory_limit=limit)
        size = math.prod(plan.block.values())
        if before is not None:
            assert size >= before[0]
            assert plan.read_ratio <= before[1] or size > before[0]
        before = size, plan.read_ratio
    assert before == (256**3, 1.0)


def test_advice(tmp_path: Path) -> None:
    def advice(opened: xr.DataArray, **kw: Any) -> str:
        (sentence,) = dhess.plan(opened, **{**WHERE, **kw}).advice
        assert "\n" not in sentence
        return sentence

    cube(tmp_path / "f.zarr")
    cut = dhess.open(tmp_path / "f.zarr", chunks=(96, 512, 512))
    plan = dhess.plan(cut, **WHERE)
    # along z: 0:96 reads 0:128, 96:192 reads 64:192, …, 480:512 reads 448:512
    assert plan.read_ratio == (5 * 128 + 64) / 512
    assert f"{plan.read_ratio:.3g} times" in advice(cut)
    zarr.create_group(tmp_path / "g.zarr").create_array(
        "g", shape=(1024,) * 3, chunks=(1024, 1024, 256), dtype="f4", dimension_names=[*"zyx"]
    )
    assert "1074MB" in advice(dhess.open(tmp_path / "g.zarr"), memory_limit="100GB")


# ------------------------------------------------------------------------------------- the workers


def test_workers_that_would_be_started() -> None:
    data = random((24, 20), "yx")
    plan = dhess.plan(data)
    assert (plan.workers, plan.threads) == (dask.system.CPU_COUNT, 1)
    assert plan.memory_limit is not None
    assert plan.memory_limit * plan.workers <= 2**50
    four = dhess.plan(data, workers=4, threads=2, memory_limit=3e9)
    assert (four.workers, four.threads, four.memory_limit) == (4, 2, 3 * 10**9)
    assert dhess.plan(data, memory_limit="2GiB").memory_limit == 2**31


def test_more_workers_take_less_time(tmp_path: Path) -> None:
    data = cube(tmp_path / "f.zarr")
    seconds = [
        dhess.plan(data, rate=1e8, workers=w, threads=t, memory_limit="8GB").seconds or np.nan
        for w, t in ((1, 1), (2, 1), (2, 2))
    ]
    assert seconds[0] == pytest.approx(4 * 512**3 / 1e8)
    assert seconds[0] == pytest.approx(2 * seconds[1])
    assert seconds[1] == pytest.approx(2 * seconds[2])


@pytest.mark.parametrize("field", [False, True])
def test_a_rate_that_is_measured(tmp_path: Path, reads: Counter[str], field: bool) -> None:
    """By a few blocks of it, not by all."""
    array = random((60, 60), "yx")
    opened = dhess.open(write(array, tmp_path / "f.zarr", (6, 6)), chunks=None)
    reads.clear()
    plan = dhess.plan(opened, field=field, rate="measure", **WHERE)
    assert 0 < len(reads) <= 4
    assert plan.rate is not None
    assert plan.rate > 0
    assert plan.seconds == pytest.approx(plan.bytes_read / plan.rate / 2)


# ----------------------------------------------------------------------------------------- refusal


@pytest.mark.parametrize(
    ("kw", "fragments"),
    [
        ({"workers": 0}, ["workers=0"]),
        ({"workers": 1.5}, ["workers=1.5"]),
        ({"workers": True}, ["workers=True"]),
        ({"threads": -1}, ["threads=-1"]),
        ({"memory_limit": "4 potatoes"}, ["'4 potatoes'", "'4GB'"]),
        ({"memory_limit": "-4GB"}, ["'-4GB'"]),
        ({"memory_limit": 0}, ["memory_limit=0"]),
        ({"memory_limit": ""}, ["memory_limit=''"]),
        ({"memory_limit": [4]}, ["[4]"]),
        ({"rate": "fast"}, ["'fast'", "measure"]),
        ({"rate": 0}, ["rate=0"]),
        ({"rate": -1.0}, ["rate=-1.0"]),
        ({"rate": float("nan")}, ["rate=nan"]),
        ({"rate": float("inf")}, ["rate=inf"]),
        ({"k": 0}, ["k=0"]),
        ({"k": 10_001}, ["10,000"]),
        ({"measure": "lapalcian"}, ["'laplacian'"]),
        ({"measure": "lapalcian", "field": True}, ["'laplacian'"]),
        ({"measure": "gradient"}, ["gradient"]),
        ({"order": 3}, ["order=3"]),
        ({"dims": ["q"]}, ["'q'"]),
        ({"shceme": "direct"}, ["'scheme'"]),
    ],
    ids=str,
)
def test_bad_input(kw: dict[str, Any], fragments: list[str]) -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.plan(random((200, 120), "yx"), **{"memory_limit": "4GB", **kw})
    one_sentence(caught.value, *fragments)


@pytest.mark.parametrize("data", [np.zeros((5, 5)), None, "store.zarr"])
def test_what_is_no_labelled_array(data: Any) -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.plan(data)
    one_sentence(caught.value, type(data).__name__)


def test_several_variables() -> None:
    both = xr.Dataset({"height": random((6, 7), "yx"), "depth": random((6, 7), "yx")})
    with pytest.raises(dhess.InputError) as caught:
        dhess.plan(both)
    one_sentence(caught.value, "height", "depth")
    assert dhess.plan(both[["height"]], **WHERE).blocks == 1
