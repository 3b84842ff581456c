"""Critical points block by block: the same bits as in memory; plateaus and NaN by plain NumPy."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess
from dhess.critical.found import Found
from dhess.errors import Interrupted, NoValidPoint
from dhess.running import watched

from .strategies import chunkings
from .test_critical import waves
from .test_windows import WAYS, identical, sizes, stored, write

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    Period = dict[Hashable, float]


@given(data=st.data(), order=st.sampled_from([2, 2, 4]), way=st.sampled_from(list(WAYS)))
@settings(max_examples=60)
def test_the_same_bits_as_in_memory(data: st.DataObject, order: int, way: str) -> None:
    case, array = data.draw(stored(order))
    kept = tuple(data.draw(st.integers(2, size)) for size in case.shape)
    chunks = tuple(data.draw(st.integers(1, size)) for size in case.shape)
    dims = data.draw(st.sets(st.sampled_from(case.dims), min_size=1, max_size=3).map(sorted))
    options: dict[str, Any] = {
        "dims": dims,
        "order": order,
        "period": {name: length for name, length in case.period.items() if name in dims},
        "nan": data.draw(st.sampled_from(["propagate", "adapt"])),
    }
    most = data.draw(st.sampled_from([1, 2, 5, 20, 10_000]))
    nbytes = data.draw(st.sampled_from([200, 1000, 10_000]))
    with (
        tempfile.TemporaryDirectory() as folder,
        dask.config.set(scheduler="synchronous"),
        sizes(most, nbytes),
    ):
        opened = WAYS[way](write(array, Path(folder, "f.zarr"), kept), chunks)
        try:
            want = dhess.critical_points(array.astype(opened.dtype), **options)
        except NoValidPoint:
            with pytest.raises(NoValidPoint):
                dhess.critical_points(opened, **options)
            return
        identical(dhess.critical_points(opened, **options), want)


@pytest.mark.parametrize("workers", [1, 3])
def test_any_number_of_threads(workers: int) -> None:
    array = waves(5, (1300, 1000), 2)  # too many points for one thread's share
    want = dhess.critical_points(array)
    with dask.config.set(num_workers=workers):
        identical(dhess.critical_points(array), want)
        identical(dhess.critical_points(array.chunk({"y": 701, "z": 300})), want)


def test_batch_dimensions_are_fields_of_their_own() -> None:
    fields = [waves(seed, (9, 11)) for seed in range(3)]
    array = xr.concat(fields, "t").assign_coords(t=["a", "b", "c"])
    period: Period = {"y": 9.0, "z": 11.0}
    for turned in (array, array.transpose("y", "t", "z"), array.transpose("y", "z", "t")):
        for each in (turned, turned.chunk(4)):
            found = dhess.critical_points(each, dims=["y", "z"], period=period)
            for name, field in zip("abc", fields, strict=True):
                want = dhess.critical_points(field, period=period)
                got = found.isel(rank=found["t"].values == name)
                for each_name in ("y", "z", "field", "gradient", "hessian", "morse_index"):
                    np.testing.assert_array_equal(got[each_name], want[each_name])


# ------------------------------------------------------------------------------ plateaus and NaN


def flat_cells(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Cells all of whose samples are equal, away from the ends."""
    padded = np.pad(values, 1, constant_values=np.nan)
    flat = np.ones(values.shape, bool)
    for corner in itertools.product(range(3), repeat=values.ndim):
        part = tuple(slice(c, c + size) for c, size in zip(corner, values.shape, strict=True))
        flat &= padded[part] == values
    return flat


def plateaus(found: xr.Dataset) -> list[tuple[float, int, Any]]:
    """Field, cells and extent of the rows of more than one point."""
    rows = found.isel(rank=found["cells"].values > 1)
    assert set(rows["kind"].values.tolist()) <= {"degenerate"}
    numbers = rows["field"].values.tolist(), rows["cells"].values.tolist()
    return sorted(zip(*numbers, rows["extent"].values.tolist(), strict=True))


@pytest.mark.parametrize("chunks", [None, 1, 3, 5, (4, 9, 2)])
@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("wraps", [False, True])
def test_a_constant_field_is_one_plateau(ndim: int, wraps: bool, chunks: Any) -> None:
    array = xr.DataArray(np.full((9,) * ndim, 2.5), dims=list("xyz"[:ndim]))
    if chunks is not None:
        array = array.chunk(chunks[0] if isinstance(chunks, tuple) else chunks)
    period: Period = dict.fromkeys(map(str, array.dims), 9.0) if wraps else {}
    found = dhess.critical_points(array, period=period)
    assert plateaus(found) == [(2.5, 9**ndim, [[0, 8]] * ndim)]
    assert found["morse_index"].values.tolist() == [-1]
    assert not found["gradient"].values.any()
    assert not found["hessian"].values.any()


@given(data=st.data(), seed=st.integers(0, 2**16), wraps=st.booleans())
@settings(max_examples=40)
def test_plateaus_are_blocks_of_equal_numbers(data: st.DataObject, seed: int, wraps: bool) -> None:
    """One in each corner, of its own value; on a torus all are turned by any number of points.

    The cells of a block are all but those of its outer points, which have another number around
    them; at an end of the grid the parabola goes on, so there the outer ones are flat too.
    """
    shape = (data.draw(st.integers(12, 20)), data.draw(st.integers(12, 20)))
    rng = np.random.default_rng(seed)
    values = rng.uniform(10, 20, shape)
    shift = rng.integers(0, shape) if wraps else np.zeros(2, int)
    want = []
    for level, corner in enumerate(itertools.product((0, 1), repeat=2)):
        halves = [
            (c * size // 2, (c + 1) * size // 2) for c, size in zip(corner, shape, strict=True)
        ]
        sides = [np.sort(rng.choice(np.arange(a, b - 1), 2, replace=False)) for a, b in halves]
        box = [(int(a), max(int(b), int(a) + 2)) for a, b in sides]  # first and last point
        values[tuple(slice(a, b + 1) for a, b in box)] = level
        ends = [
            (a + (wraps or a > 0), b - (wraps or b < size - 1))
            for (a, b), size in zip(box, shape, strict=True)
        ]
        turned = [
            [int(a + s) % size, int(b + s) % size]
            for (a, b), s, size in zip(ends, shift, shape, strict=True)
        ]
        want.append((float(level), int(np.prod([b - a + 1 for a, b in ends])), turned))
    array = xr.DataArray(np.roll(values, shift, (0, 1)), dims=["y", "x"])
    period: Period = {"y": float(shape[0]), "x": float(shape[1])} if wraps else {}
    chunked = array.chunk(dict(zip("yx", data.draw(chunkings(shape)), strict=True)))
    found = dhess.critical_points(chunked, period=period)
    identical(found, dhess.critical_points(array, period=period))
    kept = found.isel(rank=np.isin(found["field"].values, range(4)))
    got = zip(*(kept[name].values.tolist() for name in ("field", "cells", "extent")), strict=True)
    assert sorted(got) == want


def test_a_table_mountain_has_one_top() -> None:
    """min(f, c): the cells on top are one plateau, and its rim is no point of its own."""
    x = np.linspace(-2, 2, 60)
    values = np.minimum(2 - x**2 - x[:, None] ** 2, 1.5)
    array = xr.DataArray(values, {"y": x, "x": x}, ("y", "x"))
    flat = flat_cells(values)
    rows, columns = np.nonzero(flat)
    want = [(1.5, len(rows), [[rows.min(), rows.max()], [columns.min(), columns.max()]])]
    for each in (array, array.chunk(7)):
        found = dhess.critical_points(each)
        assert found.sizes["rank"] == 1
        assert plateaus(found) == want


def test_a_plateau_over_the_seam_says_so() -> None:
    """Last before first: from index 17 over the seam to 2."""
    values = np.sin(np.arange(20.0)) + 5
    values[[16, 17, 18, 19, 0, 1, 2, 3]] = 0.0
    array = xr.DataArray(values, dims="x")
    for each in (array, array.chunk(6), array.chunk(1)):
        found = dhess.critical_points(each, period={"x": 20.0})
        assert plateaus(found) == [(0.0, 6, [[17, 2]])]


def test_a_ridge_along_an_axis_is_one_row() -> None:
    x = np.arange(11.0)
    values = np.repeat(-((x - 4.3) ** 2)[:, None], 8, axis=1)
    found = dhess.critical_points(xr.DataArray(values, dims=["y", "x"]).chunk(3))
    assert plateaus(found) == [(values[4, 0], 8, [[4, 4], [0, 7]])]


def test_terraces_take_no_time() -> None:
    """A field rounded to few numbers: most of its cells hold lines of zeros, told by few boxes."""
    rounded = (3 * waves(1, (80, 80), 2)).round() % 5
    found = dhess.critical_points(rounded, period={"y": 80.0, "z": 80.0})
    begin = time.process_time()
    again = dhess.critical_points(rounded, period={"y": 80.0, "z": 80.0})
    took = time.process_time() - begin
    xr.testing.assert_identical(again, found)
    # A line followed to its end takes some 10 ms in each cell, and there are hundreds.
    assert took < 1.0
    assert (found["kind"].values == "degenerate").sum() > 50


@pytest.mark.parametrize("chunks", [None, 4])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_cells_around_what_is_not_finite_are_left_out(chunks: int | None, bad: float) -> None:
    array = waves(3, (20, 24))
    period: Period = {"y": 20.0, "z": 24.0}
    whole = dhess.critical_points(array, period=period)
    hole = tuple(whole["index"].values[3])
    away = np.minimum(
        *(
            np.abs((whole["index"].values - each + (10, 12)) % (20, 24) - (10, 12)).max(axis=1)
            for each in (hole, (0, 0))
        )
    )
    array[hole] = bad
    array[0, 0] = bad
    each = array if chunks is None else array.chunk(chunks)
    found = dhess.critical_points(each, period=period)
    assert found.attrs["nan_cells"] == 18
    # Refined points may lie beyond their cells, by little.
    got, kept = (
        {tuple(i) for i in each}
        for each in (found["index"].values, whole["index"].values[away > 2])
    )
    assert hole not in got
    assert got >= kept
    with pytest.raises(NoValidPoint, match="not finite"):
        dhess.critical_points(each * np.nan)


def test_beside_a_gap_only_adapting_refines() -> None:
    """A minimum whose cell is whole, three points from a NaN: its polynomial would reach it.

    Five points along each axis do not, and are enough for a cubic.
    """
    x = np.arange(12.0)
    values = (x[:, None] - 5.2) ** 2 + (x - 5.4) ** 2 + 0.01 * (x - 5.4) ** 3
    values[5, 8] = np.nan
    array = xr.DataArray(values, dims=["y", "x"])
    stays = dhess.critical_points(array, order=4)
    moves = dhess.critical_points(array, order=4, nan="adapt")
    for found in (stays, moves):
        assert found["kind"].values.tolist() == ["minimum"]
        assert found.attrs["nan_cells"] == 9
    assert (stays["refined"].item(), moves["refined"].item()) == (False, True)
    assert abs(stays["x"].item() - 5.4) > 1e-4
    assert abs(moves["x"].item() - 5.4) < 1e-9


# ------------------------------------------------------------------------------ out of core


@pytest.mark.parametrize("wraps", [False, True])
def test_blocks_are_made_once(wraps: bool) -> None:
    made: Counter[Any] = Counter()

    def block(part: Any, block_info: Any = None) -> Any:
        made[tuple(block_info[0]["chunk-location"])] += 1
        return part + 1

    array = waves(2, (21, 18, 17), 2)
    lazy = array.chunk(6)
    own = array.copy(data=lazy.data.map_blocks(block, dtype=float, meta=np.empty((0, 0, 0))))
    period: Period = dict.fromkeys(map(str, array.dims), 30.0) if wraps else {}
    with dask.config.set(scheduler="synchronous"):
        got = dhess.critical_points(own, period=period)
    identical(got, dhess.critical_points(array + 1, period=period))
    assert made == Counter(np.ndindex(*own.data.numblocks))


def test_watchers_are_told_and_ctrl_c_is_heeded() -> None:
    array = waves(2, (40, 40)).chunk(10)
    told: list[Any] = []

    def stop(progress: Any) -> None:
        told.append(progress)
        if progress.blocks:
            raise KeyboardInterrupt

    with dask.config.set(scheduler="synchronous"):
        with watched(told.append):
            whole = dhess.critical_points(array)
        assert told[-1].blocks == told[-1].of_blocks == 16
        assert told[-1].value == pytest.approx(whole["field"].values.min(), rel=1e-6)
        with watched(stop), pytest.raises(Interrupted) as caught:
            dhess.critical_points(array)
    partial = caught.value.partial
    assert "of 16 blocks searched" in partial.attrs["partial"]
    assert 0 < partial.sizes["rank"] < whole.sizes["rank"]


def test_finds_are_put_together_in_any_order() -> None:
    """Rows of plateaus are numbered anew, and nothing is lost."""
    empty = {"cell": np.zeros(0, np.int64)}
    one = Found(empty, {"cell": np.array([3, 7])}, (np.array([4, 8]), np.array([0, 1])), 2)
    two = Found(empty, {"cell": np.array([5])}, (np.array([6]), np.array([0])), 1)
    whole = Found.merge([one, two])
    assert whole.plateaus["cell"].tolist() == [3, 7, 5]
    assert whole.rim[1].tolist() == [0, 1, 2]
    assert whole.nans == 3
