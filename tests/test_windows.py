"""A search of what lies in a store is the search of the same numbers in memory, bit by bit.

However it was opened, cut and arithmetically touched, in one window or in many.
"""

from __future__ import annotations

import itertools
import math
import tempfile
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr
import zarr.storage
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess
from dhess.grid import Grid
from dhess.measures import find_measure
from dhess.options import settings as chosen_settings
from dhess.stencil import EVERYTHING, Stencil
from dhess.sweep import Query
from dhess.windows import Searched, parts

from .strategies import Case, cases, holes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

DTYPES = ["f4", "f8", "i2", ">f4", ">f8", ">i4"]


@contextmanager
def sizes(most: int = 10_000, nbytes: int = 64 * 10**6) -> Iterator[None]:
    """Have windows of so many blocks, and free blocks of so many bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dhess.budget.MOST", most)
        patch.setattr("dhess.budget.LEAST", min(most, 64))
        patch.setattr("dhess.budget.BLOCK_BYTES", nbytes)
        patch.setattr("dhess.shapes.LEAST_BYTES", 1)
        yield


def write(array: xr.DataArray, path: Path, chunks: tuple[int, ...], **encoding: Any) -> Path:
    """Store an array, every chunk of it; the other byte order is a matter of format 2."""
    array.to_dataset(name="f").to_zarr(
        path,
        encoding={"f": {"chunks": chunks, **encoding}},
        zarr_format=3 if array.dtype.isnative else 2,
        consolidated=False,
        write_empty_chunks=True,
    )
    return path


def plain(path: Path, chunks: tuple[int, ...] | None = None) -> xr.DataArray:
    """Open a store as users of xarray do."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # chunks that are no whole stored ones
        array: xr.DataArray = xr.open_zarr(path, consolidated=False)["f"]
        if chunks is not None:
            array = xr.open_zarr(path, chunks=by_dim(array, chunks), consolidated=False)["f"]
        return array


def by_dim(array: xr.DataArray, chunks: tuple[int, ...]) -> dict[Any, int]:
    return dict(zip(array.dims, chunks, strict=True))


WAYS: dict[str, Callable[[Path, tuple[int, ...]], xr.DataArray]] = {
    "free blocks": lambda path, _: dhess.open(path),
    "stored chunks": lambda path, _: dhess.open(path, chunks=None),
    "blocks of one point": lambda path, _: dhess.open(path, chunks=1),
    "chosen blocks": lambda path, chunks: dhess.open(path, chunks=chunks),
    "one block": lambda path, _: dhess.open(path, chunks=-1),
    "xarray": lambda path, _: plain(path),
    "xarray, chosen blocks": plain,
    "arithmetic": lambda path, _: plain(path) * np.int8(1),
    "turned twice": lambda path, _: dhess.open(path)[::-1][::-1],
    "cut anew": lambda path, chunks: (a := dhess.open(path)).chunk(by_dim(a, chunks)),
}


@st.composite
def stored(draw: st.DrawFn, order: int) -> tuple[Case, xr.DataArray]:
    """A grid that may wrap, and numbers on it of a drawn type, with ties and NaN."""
    case = draw(cases(max_n=4, min_size=order + 3, max_size=24, max_points=2500, periodic=None))
    values = case.random() * 3
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind == "i" or draw(st.booleans()):
        values = np.round(values)  # few different numbers: ties everywhere
    if dtype.kind == "f":
        values[draw(holes(case.shape))] = np.nan
    return case, case.array(values.astype(dtype))


@given(data=st.data(), order=st.sampled_from([2, 2, 4]), way=st.sampled_from(list(WAYS)))
@settings(max_examples=80)
def test_the_same_bits_as_in_memory(data: st.DataObject, order: int, way: str) -> None:
    case, array = data.draw(stored(order))
    kept = tuple(data.draw(st.integers(2, size)) for size in case.shape)
    chunks = tuple(data.draw(st.integers(1, size)) for size in case.shape)
    dims = data.draw(st.sets(st.sampled_from(case.dims), min_size=1).map(sorted))
    options: dict[str, Any] = {
        "dims": dims,
        "order": order,
        "period": {name: length for name, length in case.period.items() if name in dims},
        "nan": data.draw(st.sampled_from(["propagate", "adapt"])),
        "k": data.draw(st.sampled_from([1, 5, 50, array.size])),
        "exclude_edges": min(array.shape) > 2 * order + 6 and data.draw(st.booleans()),
    }
    measure = data.draw(st.sampled_from(["hessian_norm", "slope", "laplacian", "eigenvalue_min"]))
    most = data.draw(st.sampled_from([1, 2, 5, 20, 10_000]))
    nbytes = data.draw(st.sampled_from([200, 1000, 10_000]))
    lazily = data.draw(st.booleans())
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set(scheduler="synchronous"),
        sizes(most, nbytes),
    ):
        opened = WAYS[way](write(array, Path(folder, "f.zarr"), kept), chunks)
        try:
            want = dhess.find_minimum(array.astype(opened.dtype), measure, **options)
        except dhess.NoValidPoint:
            with pytest.raises(dhess.NoValidPoint):
                dhess.find_minimum(opened, measure, **options)
            return
        got = dhess.find_minimum(opened, measure, compute=not lazily, **options)
        identical(without_padding(got) if lazily else got, want)


def without_padding(lazy: xr.Dataset) -> xr.Dataset:
    """Compute a lazy answer and bring it to the form of one that was computed at once."""
    found = lazy.compute()
    nans = int(found["nan_points"])
    kept = found.drop_vars("nan_points").isel(rank=found["index"][:, 0].values >= 0)
    return kept.assign_attrs(nan_points=nans)


def identical(got: xr.Dataset, want: xr.Dataset) -> None:
    """The same in everything but where it came from."""
    xr.testing.assert_identical(got.assign_attrs(source=""), want.assign_attrs(source=""))
    for name, variable in want.variables.items():
        assert got[name].dtype == variable.dtype, name
        assert got[name].values.tobytes() == variable.values.tobytes(), name


def random(shape: tuple[int, ...], seed: int = 0) -> xr.DataArray:
    data = np.random.default_rng(seed).standard_normal(shape)
    return xr.DataArray(data, dims=list("vwxyz"[-len(shape) :]), name="f")


GRIDS = {
    2: ((24, 20), (4, 5)),
    3: ((13, 12, 9), (4, 4, 3)),
    4: ((8, 9, 7, 8), (3, 3, 4, 4)),
}
LAYOUTS = ["open", "wrapped", "all wrapped", "batch"]


def chosen(layout: str, array: xr.DataArray) -> dict[str, Any]:
    """Options of that name; the period of an axis is longer than it is."""
    last = [str(array.dims[-1])]
    if layout == "batch":
        return {"dims": [str(array.dims[0]), *last]}
    wrapped = {"wrapped": last, "all wrapped": map(str, array.dims)}.get(layout, [])
    return {"period": dict.fromkeys(wrapped, 50.0)} if layout != "open" else {}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("ndim", "most"), [(2, 1), (2, 3), (3, 2), (3, 8), (4, 4)])
def test_every_point_is_found_once_in_many_windows(
    tmp_path: Path, ndim: int, layout: str, most: int
) -> None:
    """A search for all points: each index once, whatever window it lies in."""
    shape, chunks = GRIDS[ndim]
    array = random(shape).round(1)
    options = chosen(layout, array)
    want = dhess.find_minimum(array, k=array.size, **options)
    assert want.sizes["rank"] == array.size
    path = write(array, tmp_path / "f.zarr", chunks)
    with sizes(most), dask.config.set(scheduler="synchronous"):
        for opened in (dhess.open(path, chunks=None), dhess.open(path, chunks=None) * 1):
            identical(dhess.find_minimum(opened, k=array.size, **options), want)


@pytest.mark.parametrize("kind", ["sharded", "chunked.nc", "contiguous.nc", "memory"])
def test_stores_of_other_kinds(tmp_path: Path, memory_files: Any, kind: str) -> None:
    array = random((30, 28))
    want = dhess.find_minimum(array, k=9, order=4)
    path: Path | str = tmp_path / "f.nc"
    if kind == "sharded":
        path = write(array, tmp_path / "f.zarr", (5, 7), shards=(10, 14))
    elif kind == "memory":
        path = "memory://f.zarr"
        array.to_dataset().to_zarr(path, encoding={"f": {"chunks": (5, 7)}}, consolidated=False)
    else:
        encoding = {"chunksizes": (5, 7), "zlib": True} if kind == "chunked.nc" else {}
        array.to_netcdf(path, engine="h5netcdf", encoding={"f": encoding})
    for most in (2, 10_000):
        with sizes(most, 500):
            identical(dhess.find_minimum(dhess.open(path), k=9, order=4), want)


@pytest.mark.parametrize("blocks", ["auto", None, (12, 12), (8, 8), (5, 24)])
@pytest.mark.parametrize("most", [1, 10_000])
@pytest.mark.parametrize("wraps", [False, True])
def test_each_missing_chunk_is_counted_once(
    tmp_path: Path, blocks: Any, most: int, wraps: bool
) -> None:
    """Also one that several blocks or windows read. By Zarr's rule it is fill value: NaN."""
    array = random((24, 24))
    path = write(array, tmp_path / "f.zarr", (6, 6))
    for place in ((1, 0), (1, 2), (3, 3)):
        path.joinpath("f", "c", *map(str, place)).unlink()
        array[tuple(slice(6 * p, 6 * p + 6) for p in place)] = np.nan
    options: dict[str, Any] = {"k": 5, "period": {"y": 30.0, "z": 30.0} if wraps else None}
    with sizes(most, 8 * 144):
        found = dhess.find_minimum(dhess.open(path, chunks=blocks), **options)
    assert found.attrs.pop("missing_chunks") == 3
    identical(found, dhess.find_minimum(array, **options))


# ------------------------------------------------------------------------------ what it costs


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often zarr has asked the disk for each chunk."""
    counts: Counter[str] = Counter()
    get = zarr.storage.LocalStore.get

    async def counting(store: Any, key: str, *args: Any, **kwargs: Any) -> Any:
        if key.startswith("f/c/"):
            counts[key] += 1
        return await get(store, key, *args, **kwargs)

    monkeypatch.setattr(zarr.storage.LocalStore, "get", counting)
    return counts


@pytest.mark.parametrize("way", ["free blocks", "stored chunks", "xarray", "arithmetic"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("ndim", [2, 3, 4])
def test_each_stored_chunk_is_read_once(
    tmp_path: Path, reads: Counter[str], ndim: int, layout: str, way: str
) -> None:
    shape, chunks = GRIDS[ndim]
    array = random(shape)
    options = chosen(layout, array)
    path = write(array, tmp_path / "f.zarr", chunks)
    opened = WAYS[way](path, chunks)
    reads.clear()
    with sizes(nbytes=8 * 250):
        dhess.find_minimum(opened, k=3, **options)
    assert set(reads.values()) == {1}
    assert len(reads) == math.prod(-(-n // c) for n, c in zip(shape, chunks, strict=True))


@pytest.mark.parametrize("compute", [True, False])
@pytest.mark.parametrize("layout", ["open", "all wrapped"])
def test_blocks_of_the_user_are_made_once(layout: str, compute: bool) -> None:
    shape, chunks = GRIDS[3]
    made: Counter[Any] = Counter()

    def block(part: Any, block_info: Any = None) -> Any:
        made[tuple(block_info[0]["chunk-location"])] += 1
        return part + 1

    array = random(shape).chunk(dict(zip("xyz", chunks, strict=True)))
    own = array.copy(data=array.data.map_blocks(block, dtype=float, meta=np.empty((0, 0, 0))))
    period: dict[Hashable, float] = dict.fromkeys("xyz", 30.0) if layout == "all wrapped" else {}
    with dask.config.set(scheduler="synchronous"):
        got = dhess.find_minimum(own, k=3, period=period, compute=compute)
        got = got if compute else without_padding(got)
    identical(got, dhess.find_minimum(random(shape) + 1, k=3, period=period))
    assert made == Counter(np.ndindex(*own.data.numblocks))


def searched(array: xr.DataArray, **options: Any) -> Searched:
    chosen = chosen_settings(**options)
    stencil = Stencil.of(Grid.of(array, chosen), chosen, EVERYTHING)
    everywhere = tuple((0, size) for size in array.shape)
    query = Query(find_measure("hessian_norm"), 1, np.dtype(float), everywhere)
    return Searched.of(array.data, stencil, query)


def tasks(found: Any) -> int:
    """Tasks that Dask would run: of a lazy answer, or of all parts of a window."""
    if isinstance(found, list):
        return len(dict(found[0].__dask_graph__()))  # they share one graph
    (optimized,) = dask.optimize(found)
    return len(dict(optimized.__dask_graph__()))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("ndim", "blocks"), [(2, 9), (3, 5), (4, 3), (5, 3)])
def test_tasks_per_block(tmp_path: Path, ndim: int, blocks: int, layout: str) -> None:
    """Two and a merge for four where a task reads its block, one more where Dask brings it.

    What puts a lazy answer together does not grow with the blocks.
    """
    chunks = (4,) * ndim
    array = random((4 * blocks,) * ndim)
    options = chosen(layout, array)
    opened = dhess.open(write(array, tmp_path / "f.zarr", chunks), chunks=chunks)
    direct, brought = searched(opened, **options), searched(opened + 1, **options)
    assert direct.stored is not None
    assert brought.stored is None
    number = blocks**ndim
    assert direct.blocks.number == brought.blocks.number == number
    assert tasks(parts(direct)) <= 2.25 * number + 2
    assert tasks(parts(brought)) <= 3.25 * number + 3
    assert tasks(dhess.find_minimum(opened, compute=False, **options)) <= 4 * number
    assert tasks(dhess.find_minimum(opened * 2, compute=False, **options)) <= 4 * number


def test_the_graph_of_ten_thousand_blocks(tmp_path: Path) -> None:
    """Nothing is read to build it: the store has none of its chunks."""
    zarr.create_group(tmp_path / "f.zarr").create_array(
        "f", shape=(400, 400, 4), chunks=(4, 4, 4), dtype="f4", dimension_names=["z", "y", "x"]
    )
    opened = dhess.open(tmp_path / "f.zarr", chunks=None)
    whole = searched(opened)
    assert whole.blocks.number == 10_000
    assert [len(row) for row in whole.along] == [1, 1, 1]
    assert tasks(parts(whole, tuple(row[0] for row in whole.along))) <= 22_502
    assert tasks(dhess.find_minimum(opened, compute=False)) <= 40_000


def test_windows_know_nothing_of_each_other(tmp_path: Path) -> None:
    """So a scheduler never holds more than one: the graph of each has its own blocks only."""
    made: set[Any] = set()

    def block(part: Any, block_info: Any = None) -> Any:
        made.add(tuple(block_info[0]["chunk-location"]))
        return part

    array = random((40, 40))
    opened = dhess.open(write(array, tmp_path / "f.zarr", (4, 4)), chunks=None)
    own = opened.copy(data=opened.data.map_blocks(block, dtype=float, meta=np.empty((0, 0))))
    with sizes(most=9), dask.config.set(scheduler="synchronous"):
        direct, brought = searched(opened), searched(own)
        for window in itertools.product(*direct.along):
            number = math.prod(b - a for a, b in window)
            assert number <= 9
            assert tasks(parts(direct, window)) <= 2.25 * number + 2
            made.clear()
            dask.compute(*parts(brought, window))
            # its blocks, and those before it for their rims
            assert made == set(np.ndindex(10, 10)) & set(
                itertools.product(*(range(a - 1, b) for a, b in window))
            )
