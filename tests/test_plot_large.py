"""Pictures of fields larger than memory: what is read, what is held, and that no mark is lost."""

from __future__ import annotations

from itertools import product
from typing import Any

import dask
import dask.array
import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import plot
from tests.counting import Store
from tests.test_plot import drawn, is_red, pixel, red

SPOTS = [(17, 4001), (5003, 7), (3333, 2222), (5985, 7980)]
"""Points of a field of 6000 × 8000: cells of 6 × 8 points are drawn."""


def hills(y: Any, x: Any) -> Any:
    return np.sin(y / 900) * np.cos(x / 700)


def found(da: xr.DataArray, spots: Any) -> xr.Dataset:
    """Return an answer with points at such indices."""
    dims, index = [str(dim) for dim in da.dims], np.array(spots)
    return xr.Dataset(
        {"index": (("rank", "dim"), index), "value": ("rank", np.zeros(len(index)))},
        {"rank": np.arange(len(index)), "dim": dims, "row": dims}
        | {dim: ("rank", index[:, k]) for k, dim in enumerate(dims)},
        {"measure": "slope"},
    )


def test_a_map_reads_each_block_once_and_draws_every_point() -> None:
    store = Store((6000, 8000), hills)
    da = store.opened((500, 500))
    with dask.config.set(scheduler="threads", num_workers=2):
        figure = plot.map(da, found(da, SPOTS))
    assert len(store.reads) == 12 * 16
    assert set(store.reads.values()) == {1}
    assert store.most <= 4
    for y, x in SPOTS:
        assert is_red(figure, 0, x, y, reach=1)
    mesh = figure.axes[0].collections[0]
    assert np.asarray(mesh.get_array()).shape[:2] == (1000, 1000)


def test_thousands_of_points_are_all_drawn() -> None:
    store = Store((6000, 8000), hills)
    da = store.opened((1000, 1000))
    rng = np.random.default_rng(3)
    spots = np.stack([rng.integers(0, 6000, 3000), rng.integers(0, 8000, 3000)], axis=1)
    figure = plot.map(da, found(da, spots))
    marked = red(drawn(figure))
    places = [pixel(figure, 0, x, y) for y, x in spots]
    assert all(marked[r - 2 : r + 3, c - 2 : c + 3].any() for r, c in places)


def test_labels_and_field_are_read_once_and_single_points_of_regions_stay() -> None:
    def single(y: Any, x: Any) -> Any:
        return sum((y == a) * (x == b) for a, b in SPOTS)

    field, labels = Store((6000, 8000), hills), Store((6000, 8000), single)
    da = field.opened((500, 500))
    figure = plot.map(da, regions=labels.opened((750, 400)).astype(np.int64))
    assert set(field.reads.values()) == set(labels.reads.values()) == {1}
    for y, x in SPOTS:
        assert is_red(figure, 0, x, y, reach=3)


def test_a_threshold_reads_no_block_twice() -> None:
    store = Store((6000, 8000), hills)
    da = store.opened((1000, 1000))
    figure = plot.map(da, threshold=2e-4, measure="slope")
    assert len(store.reads) == 48
    assert set(store.reads.values()) == {1}
    # flat where sin(y/900) and cos(x/700) have an extremum each
    assert is_red(figure, 0, 0.0, 450 * np.pi, reach=40)


def test_cuts_read_only_the_blocks_that_they_cross() -> None:
    def ball(z: Any, y: Any, x: Any) -> Any:
        return (z - 250) ** 2 + (y - 30) ** 2 + (x - 130.0) ** 2

    store = Store((400, 300, 200), ball)
    da = store.opened((100, 100, 50))
    figure = plot.slices(da, found(da, [(250, 30, 130)]))
    every = product((0, 100, 200, 300), (0, 100, 200), (0, 50, 100, 150))
    crossed = {at for at in every if at[0] == 200 or at[1] == 0 or at[2] == 100}
    touched = {
        tuple(n // size * size for n, size in zip(at, (100, 100, 50), strict=True))
        for at in store.reads
    }
    assert touched == crossed
    assert is_red(figure, 0, 250, 30, reach=1)


def test_a_threshold_on_cuts_reads_little_more() -> None:
    def ball(z: Any, y: Any, x: Any) -> Any:
        return (z - 250) ** 2 + (y - 30) ** 2 + (x - 130.0) ** 2

    store = Store((400, 300, 200), ball)
    da = store.opened((50, 50, 50))

    def near(z: int, y: int, x: int) -> bool:
        return z == 4 or y == 0 or x == 2

    plot.slices(da, found(da, [(225, 30, 130)]), threshold=9.0, measure="laplacian")
    touched = {tuple(n // 50 for n in at) for at in store.reads}
    assert touched == {at for at in product(range(8), range(6), range(4)) if near(*at)}


def test_workers_of_a_cluster_thin_their_blocks() -> None:
    values = dask.array.random.default_rng(0).random((1500, 2100), chunks=400)
    da = xr.DataArray(values, dims=("y", "x"), name="f")
    best = found(da, [(700, 800)])
    here = plot.map(da, best, threshold=0.2, measure="slope")
    with dhess.local_cluster(1):
        there = plot.map(da, best, threshold=0.2, measure="slope")
    np.testing.assert_array_equal(drawn(there), drawn(here))


@pytest.mark.parametrize("chunks", [None, 300], ids=["in memory", "in blocks"])
def test_a_fiftieth_of_the_largest_value_is_of_all_points(chunks: int | None) -> None:
    """A spike of 1 has a Laplacian of 4 there, 1 beside it, and 0 somewhere in every cell."""
    values = np.zeros((1200, 1100))
    values[600, 500] = 1.0
    da = xr.DataArray(values, dims=("y", "x"), name="f")
    da = da if chunks is None else da.chunk(chunks)
    text = plot.alt_text(plot.compare(da, ["laplacian_abs"]))
    assert "below 0.08, that is laplacian_abs somewhere in 1e+02 % of the cells of 2 × 2" in text


def test_the_largest_value_costs_no_second_reading() -> None:
    store = Store((3000, 2000), hills)
    plot.compare(store.opened((1000, 1000)), ["slope"])
    assert max(store.reads.values()) <= 1


def test_shares_of_a_thinned_picture_are_of_its_cells() -> None:
    """Every twentieth row is flat, 5 % of the points, and so every tenth row of cells."""
    da = xr.DataArray(np.zeros((1200, 40)), dims=("y", "x"), name="f")
    labels = xr.zeros_like(da, dtype=np.int64)
    labels[::20] = 1
    text = plot.alt_text(plot.map(da, regions=labels))
    assert "flat regions, somewhere in 10 % of the cells of 2 × 1 points." in text
