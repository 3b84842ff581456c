"""Pictures of data larger than memory: every point counts, each block is read once and let go."""

from __future__ import annotations

from typing import Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from dhess.plot.thinning import PIXELS, cells, computed, joined, middles, step_of, thin
from tests.counting import Store


def lattice(z: Any, x: Any) -> Any:
    return np.cos(z / 500) + np.sin(x / 700) + 0 * z * x


@given(st.data())
def test_any_blocks_give_the_cells_of_the_whole(data: st.DataObject) -> None:
    """Steps smaller and larger than blocks, blocks that cut cells, short last ones, NaN."""
    shape = tuple(data.draw(st.lists(st.integers(1, 25), min_size=1, max_size=3)))
    steps = tuple(data.draw(st.integers(1, 7)) for _ in shape)
    seed = data.draw(st.integers(0, 2**32 - 1))
    values = np.random.default_rng(seed).integers(-8, 8, shape).astype(float)
    values[values == 7] = np.nan
    cuts = [sorted(data.draw(st.sets(st.integers(1, n), max_size=4)) | {0, n}) for n in shape]
    how: Any = data.draw(st.sampled_from(["mean", "min", "max"]))
    parts = []
    for index in np.ndindex(*(len(cut) - 1 for cut in cuts)):
        block = tuple(slice(cut[i], cut[i + 1]) for cut, i in zip(cuts, index, strict=True))
        parts.append(cells(values[block], tuple(each.start for each in block), steps, how))
    whole = joined(parts, how)
    got = whole.values if whole.counts is None else whole.values / np.maximum(whole.counts, 1)
    for place in np.ndindex(*got.shape):
        inside = tuple(slice(i * s, (i + 1) * s) for i, s in zip(place, steps, strict=True))
        cell = values[inside][~np.isnan(values[inside])]
        if cell.size:
            assert got[place] == pytest.approx(getattr(np, how)(cell))
        else:
            assert how == "mean" or np.isnan(got[place])
    assert got.shape == tuple(-(-n // s) for n, s in zip(shape, steps, strict=True))


@pytest.mark.parametrize("how", ["mean", "min", "max"])
@pytest.mark.parametrize("chunks", [None, (500, 500), (333, 2007), (2501, 100)])
def test_a_large_field(how: Any, chunks: Any) -> None:
    values = np.random.default_rng(1).random((PIXELS * 2 + 501, PIXELS * 2 + 7))
    values[:5, :400] = np.nan
    da = xr.DataArray(values, dims=("y", "x"), name="big")
    small = thin(da if chunks is None else da.chunk(dict(zip(da.dims, chunks, strict=True))), how)
    assert small.shape == (834, 669)
    cells_of_xarray = getattr(da.coarsen(y=3, x=3, boundary="pad"), how)()
    np.testing.assert_allclose(small.values, cells_of_xarray.values, rtol=1e-12)


def test_thin_stays_lazy(lazy_only: None) -> None:
    small = thin(Store((3000, 2007), lattice).opened((500, 500)), "min")
    assert small.shape == (PIXELS, 669)
    assert dask.is_dask_collection(small.data)


def test_a_small_field_is_drawn_as_it_is() -> None:
    da = xr.DataArray(np.arange(6, dtype=np.int16).reshape(2, 3), dims=("y", "x"))
    np.testing.assert_array_equal(thin(da, "mean"), da)
    np.testing.assert_array_equal(computed([thin(da, "mean"), thin(da.chunk(1), "max")])[1], da)


def test_the_middle_of_each_cell() -> None:
    assert step_of(2500) == 3
    np.testing.assert_array_equal(middles(2500)[[0, 1, -1]], [1, 4, 2499])


def test_the_same_field_twice_is_computed_once() -> None:
    store = Store((1200, 1300), lattice)
    da = store.opened((400, 400))
    first, second = computed([thin(da, "mean"), thin(da, "mean")])
    np.testing.assert_array_equal(first, second)
    assert set(store.reads.values()) == {1}


@pytest.mark.parametrize("chunk", [300, 512])
def test_few_blocks_are_held(chunk: int) -> None:
    """However the cells lie across the blocks, and of any number of blocks."""
    store = Store((6000, 6000), lattice)
    with dask.config.set(scheduler="threads", num_workers=2):
        computed([thin(store.opened((chunk, chunk)), "mean")])
    assert len(store.reads) == (-(-6000 // chunk)) ** 2
    assert set(store.reads.values()) == {1}
    assert store.most <= 4
