"""Fields of blocks with the rims of their neighbours: the bits of the whole, however it is cut."""

from __future__ import annotations

import ast
import math
import re
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

import dhess
from dhess import halo
from dhess.budget import USABLE, Blocks, field_memory
from dhess.fields import FieldWork, fitting
from dhess.fields.quantity import quantity_named
from dhess.grid import Grid
from dhess.options import settings
from dhess.running import Workers
from dhess.stencil import Stencil
from dhess.stored import stored_of

from .strategies import Case, cases, chunkings, holes
from .test_fields import FIELDS, random, same_bits
from .test_options import one_sentence
from .test_windows import reads, write

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dhess.stored import Stored

__all__ = ["reads"]

DTYPES = ["f4", "f8", "i2", ">f4", ">f8"]
NAMES = ["gradient", "hessian", "eigenvalues", "laplacian", "hessian_norm", "slope"]


@st.composite
def numbers(draw: st.DrawFn, order: int) -> tuple[Case, xr.DataArray]:
    """A grid that may wrap, and numbers of a drawn type on it, with NaN."""
    case = draw(cases(max_n=4, min_size=order + 3, max_size=20, max_points=2500, periodic=None))
    values = 3 * case.random()
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    if dtype.kind == "i":
        values = np.round(values)
    else:
        values[draw(holes(case.shape))] = np.nan
    return case, case.array(values.astype(dtype))


def chosen(data: st.DataObject, case: Case, order: int) -> dict[str, Any]:
    dims = data.draw(st.sets(st.sampled_from(case.dims), min_size=1).map(sorted))
    return {
        "dims": dims,
        "order": order,
        "period": {name: length for name, length in case.period.items() if name in dims},
        "nan": data.draw(st.sampled_from(["propagate", "adapt"])),
    }


@given(data=st.data(), order=st.sampled_from([2, 2, 4]), name=st.sampled_from(NAMES))
@examples(max_examples=100)
def test_same_bits_for_any_chunking(data: st.DataObject, order: int, name: str) -> None:
    """Wrapped axes, gaps, four dimensions, blocks of one point, dimensions only looked through."""
    case, array = data.draw(numbers(order))
    options = chosen(data, case, order)
    chunks = data.draw(chunkings(case.shape))
    blocks = array.chunk(dict(zip(array.dims, chunks, strict=True)))
    got = FIELDS[name](blocks, **options)
    same_bits(got.compute(scheduler="synchronous"), FIELDS[name](array, **options))


def twice_read(
    array: xr.DataArray, name: str, chunks: Any, path: Path, **options: Any
) -> tuple[xr.DataArray, Stored]:
    """The field as it is made where blocks that wait for their neighbours would not fit."""
    opened = dhess.open(path, chunks=chunks)
    stored = stored_of(opened.data)
    assert stored is not None
    said = settings(**options)
    quantity = quantity_named(name)
    stencil = Stencil.of(Grid.of(array, said), said, quantity.need)
    leading = (len(stencil.axes),) * len(quantity.leading)
    dtype = said.result_dtype(array.dtype)
    lazy = halo.field(
        opened.data, stencil, FieldWork(quantity, dtype), leading=leading,
        meta=np.empty((0,) * (len(leading) + array.ndim), dtype), name=name, stored=stored,
    )  # fmt: skip
    return xr.DataArray(lazy, dims=(*quantity.leading, *array.dims)), stored


@given(data=st.data(), order=st.sampled_from([2, 2, 4]), name=st.sampled_from(NAMES))
@examples(max_examples=60)
def test_same_bits_where_blocks_are_read_twice(data: st.DataObject, order: int, name: str) -> None:
    case, array = data.draw(numbers(order))
    options = chosen(data, case, order)
    kept = tuple(data.draw(st.integers(2, size)) for size in case.shape)
    chunks = tuple(data.draw(st.integers(max(1, size // 4), size)) for size in case.shape)
    with tempfile.TemporaryDirectory() as folder:
        path = write(array, Path(folder, "f.zarr"), kept)
        lazy, _ = twice_read(array, name, chunks, path, **options)
        got = lazy.compute(scheduler="synchronous")
    same_bits(got, FIELDS[name](array, **options))


@pytest.mark.parametrize("name", ["gradient", "hessian", "eigenvalues", "hessian_norm"])
@pytest.mark.parametrize("nan", ["propagate", "adapt"])
@pytest.mark.parametrize("chunks", [(5, 5), (8, 2), (1, 9), (2,) * 5, (1,) * 10, (3, 4, 3)])
def test_a_wrapped_axis_in_pieces(name: str, nan: str, chunks: tuple[int, ...]) -> None:
    """Of two pieces each is the neighbour of the other on both sides."""
    array = random((10, 10), "yx")
    array[3, 4] = array[0, 9] = np.nan
    options: dict[str, Any] = {"period": {"y": 10.0, "x": 10.0}, "nan": nan}
    for cut in ({"y": chunks}, {"x": chunks}, {"y": chunks, "x": chunks}):
        got = FIELDS[name](array.chunk(cut), **options).compute(scheduler="synchronous")
        same_bits(got, FIELDS[name](array, **options))


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("wraps", [False, True])
@pytest.mark.parametrize("nan", ["propagate", "adapt"])
def test_blocks_smaller_than_the_halo(order: int, wraps: bool, nan: str) -> None:
    array = random((24, 21), "yx").assign_coords(x=np.arange(21.0) ** 1.5)
    array[11, 7] = np.nan
    options: dict[str, Any] = {"order": order, "nan": nan}
    if wraps:
        options["period"] = {"y": 24.0, "x": 100.0}
    for size in (1, 3):
        got = dhess.hessian(array.chunk(size), **options).compute(scheduler="synchronous")
        same_bits(got, dhess.hessian(array, **options))


# ----------------------------------------------------------------------------------- what it costs


def cubes(ndim: int) -> tuple[xr.DataArray, tuple[int, ...]]:
    shape = {2: (24, 20), 3: (12, 12, 9), 4: (8, 8, 9, 8)}[ndim]
    chunks = {2: (4, 5), 3: (4, 4, 3), 4: (4, 4, 3, 4)}[ndim]
    return random(shape, "wzyx"[-ndim:]), chunks


@pytest.mark.parametrize("wraps", [False, True])
@pytest.mark.parametrize("name", ["slope", "hessian_norm", "hessian"])
@pytest.mark.parametrize("ndim", [2, 3, 4])
def test_three_tasks_per_block(tmp_path: Path, ndim: int, name: str, wraps: bool) -> None:
    """The source's own, the rim, the field; and what all of them share."""
    array, chunks = cubes(ndim)
    blocks = math.prod(-(-n // c) for n, c in zip(array.shape, chunks, strict=True))
    period = dict.fromkeys(map(str, array.dims), 30.0) if wraps else None
    opened = dhess.open(write(array, tmp_path / "f.zarr", chunks), chunks=None)
    (lazy,) = dask.optimize(FIELDS[name](opened, period=period).data)
    assert len(dict(lazy.__dask_graph__())) <= 3 * blocks + 2
    again, _ = twice_read(array, name, chunks, tmp_path / "f.zarr", period=period)
    (lazy,) = dask.optimize(again.data)
    assert len(dict(lazy.__dask_graph__())) <= 2 * blocks + 2


@pytest.mark.parametrize("ndim", [2, 3, 4])
def test_each_stored_chunk_is_read_once_or_twice(
    tmp_path: Path, reads: Counter[str], ndim: int
) -> None:
    array, chunks = cubes(ndim)
    path = write(array, tmp_path / "f.zarr", chunks)
    reads.clear()
    dhess.hessian(dhess.open(path, chunks=None)).compute(scheduler="synchronous")
    assert set(reads.values()) == {1}
    assert len(reads) == math.prod(-(-n // c) for n, c in zip(array.shape, chunks, strict=True))
    reads.clear()
    twice_read(array, "hessian", chunks, path)[0].compute(scheduler="synchronous")
    assert set(reads.values()) == {2}


@pytest.mark.parametrize("nan", ["propagate", "adapt"])
@pytest.mark.parametrize("wraps", [False, True])
def test_blocks_of_the_user_are_made_once(nan: str, wraps: bool) -> None:
    array, chunks = cubes(3)
    made: Counter[Any] = Counter()

    def block(part: Any, block_info: Any = None) -> Any:
        made[tuple(block_info[0]["chunk-location"])] += 1
        return part

    cut = array.chunk(dict(zip(array.dims, chunks, strict=True)))
    own = cut.copy(data=cut.data.map_blocks(block, dtype=float, meta=np.empty((0, 0, 0))))
    period: dict[Hashable, float] = dict.fromkeys("zyx", 30.0) if wraps else {}
    field = dhess.measure(own, "hessian_norm", nan=nan, period=period)
    same_bits(
        field.compute(scheduler="synchronous"),
        dhess.measure(array, "hessian_norm", nan=nan, period=period),
    )
    assert made == Counter(np.ndindex(*own.data.numblocks))


# ---------------------------------------------------------------------------------- small workers


def large(path: Path, chunks: Any) -> tuple[dask.array.Array, Stencil]:
    """2 GB of which no byte is stored, and what its norm needs."""
    zarr.create_group(path).create_array(
        "f", shape=(16_000, 16_000), chunks=(1000, 1000), dtype="f8", dimension_names=["y", "x"]
    )
    opened, said = dhess.open(path, chunks=chunks), settings()
    return opened.data, Stencil.of(Grid.of(opened, said), said, quantity_named("hessian_norm").need)


def needs(values: dask.array.Array, stencil: Stencil, *, reread: bool) -> int:
    blocks = Blocks.of(values.chunks, values.dtype, stored_of(values))
    parts = field_memory(blocks, stencil, 8, Workers(2, 1, None), reread=reread)
    return sum(parts.values())


@pytest.mark.parametrize("chunks", ["auto", (4000, 4000), None])
def test_enough_memory_leaves_blocks_as_they_are(tmp_path: Path, chunks: Any) -> None:
    values, stencil = large(tmp_path / "f.zarr", chunks)
    enough = math.ceil(needs(values, stencil, reread=False) / USABLE)
    for workers in (None, Workers(2, 1, None), Workers(2, 1, enough)):
        same, again = fitting(values, stencil, 8, workers)
        assert same is values
        assert again is None


def test_blocks_are_read_twice_where_those_that_wait_would_not_fit(tmp_path: Path) -> None:
    values, stencil = large(tmp_path / "f.zarr", (4000, 4000))
    once, twice = (math.ceil(needs(values, stencil, reread=r) / USABLE) for r in (False, True))
    assert twice < once - 10**6
    same, again = fitting(values, stencil, 8, Workers(2, 1, once - 10**6))
    assert same.chunks == values.chunks
    assert again is stored_of(values)


def test_blocks_that_nobody_chose_become_smaller_first(tmp_path: Path) -> None:
    values, stencil = large(tmp_path / "f.zarr", "auto")
    assert values.chunksize == (3000, 3000)
    memory = needs(values, stencil, reread=False)  # more than the share that may be used
    cut, again = fitting(values, stencil, 8, Workers(2, 1, memory))
    assert again is None
    assert cut.shape == values.shape
    assert all(n % 1000 == 0 for n in cut.chunksize)
    assert math.prod(cut.chunksize) < math.prod(values.chunksize)
    assert needs(cut, stencil, reread=False) <= USABLE * memory


def test_a_field_that_cannot_fit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, stencil = large(tmp_path / "f.zarr", (8000, 8000))
    memory = 600 * 10**6
    monkeypatch.setattr(dhess.fields, "workers", lambda: Workers(2, 1, memory))
    whole = dhess.open(tmp_path / "f.zarr", chunks=(8000, 8000))
    with pytest.raises(dhess.InputError) as caught:
        dhess.measure(whole, "hessian_norm")
    least = math.ceil(needs(values, stencil, reread=True) / 1e6)
    one_sentence(caught.value, "8000 × 8000", f"{least}MB", "600MB", "chunks={'y': ")
    (found,) = re.findall(r"chunks=(\{.*?\})", str(caught.value))
    smaller = dhess.open(tmp_path / "f.zarr", chunks=ast.literal_eval(found)).data
    cut, _ = fitting(smaller, stencil, 8, Workers(2, 1, memory))
    assert cut.chunks == smaller.chunks


def test_what_the_user_computes_is_left_alone(tmp_path: Path) -> None:
    """What it reads is not known, so it can neither be cut nor read twice."""
    values, stencil = large(tmp_path / "f.zarr", None)
    own = values + 1
    assert fitting(own, stencil, 8, Workers(2, 1, 10**6)) == (own, None)
