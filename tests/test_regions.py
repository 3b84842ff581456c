"""Regions against scipy.ndimage.label, against neighbours followed by hand, and by any chunking."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

import dhess
from dhess import InputError
from dhess import windows as search_windows
from dhess.kernels.labels import label, steps, unite

from .test_options import one_sentence

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

LARGEST = {1: 60, 2: 20, 3: 11, 4: 7}


# ------------------------------------------------------------------------------------ the kernels


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.booleans())
def test_labels_are_those_of_scipy(seed: int, n: int, full: bool) -> None:
    rng = np.random.default_rng(seed)
    values = rng.random(tuple(rng.integers(1, 9, n)))
    limit = float(rng.random())
    found, number = label(values, limit, steps((True,) * n, full=full))
    structure = ndimage.generate_binary_structure(n, n if full else 1)
    expected, count = ndimage.label(values < limit, structure=structure)
    assert number == count
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("batch", [0, 1, 2])
@pytest.mark.parametrize("full", [False, True])
def test_no_neighbours_along_a_batch(batch: int, full: bool) -> None:
    values = np.random.default_rng(1).random((4, 5, 6))
    connected = tuple(d != batch for d in range(3))
    _, number = label(values, 0.5, steps(connected, full=full))
    structure = ndimage.generate_binary_structure(2, 2 if full else 1)
    each = [np.take(values, i, batch) for i in range(values.shape[batch])]
    assert number == sum(ndimage.label(x < 0.5, structure=structure)[1] for x in each)


def test_nan_is_in_no_region() -> None:
    labels, number = label(
        np.array([0.0, np.nan, 0.0, -np.inf]), np.inf, steps((True,), full=False)
    )
    assert (labels.tolist(), number) == ([1, 0, 2, 2], 2)


def test_union_tells_how_often_around() -> None:
    """Three regions in a chain, and one that closes the circle a period further along."""
    pairs, turns = np.array([[2, 1], [1, 0], [0, 2]]), np.array([[0], [1], [-1]])
    root, offset, wraps = unite(3, pairs, turns)
    assert root.tolist() == [0, 0, 0]
    assert not wraps.any()
    assert offset.ravel().tolist() == [0, -1, -1]
    assert unite(3, pairs, np.array([[0], [1], [0]]))[2][0, 0]


# ------------------------------------------------------------------------------- against oracles


def sizes_by_hand(below: Any, wrapped: Sequence[bool], full: bool) -> list[int]:
    """Sizes of the connected sets, by following neighbours one by one."""
    left = set(map(tuple, np.argwhere(below).tolist()))
    near = [s for s in itertools.product((-1, 0, 1), repeat=below.ndim) if any(s)]
    near = [s for s in near if full or sum(map(abs, s)) == 1]
    found = []
    while left:
        queue, size = [left.pop()], 0
        while queue:
            point = queue.pop()
            size += 1
            for step in near:
                other = tuple(
                    (p + s) % n if w else p + s
                    for p, s, n, w in zip(point, step, below.shape, wrapped, strict=True)
                )
                if other in left:
                    left.remove(other)
                    queue.append(other)
        found.append(size)
    return sorted(found, reverse=True)


@settings(max_examples=100)
@given(st.integers(0, 2**32 - 1))
def test_regions_are_those_of_scipy(seed: int) -> None:
    """Sizes, members, boxes; in memory, and in drawn chunks and windows."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    dims, shape = "abcd"[:n], tuple(rng.integers(5, LARGEST[n] + 1, n).tolist())
    values = rng.random(shape).round(1)
    if rng.random() < 0.3:
        values[tuple(rng.integers(0, shape).tolist())] = np.nan
    array = xr.DataArray(values, dims=tuple(dims))
    measure, full = str(rng.choice(["slope", "hessian_norm"])), bool(rng.integers(2))
    field = dhess.measure(array, measure).values
    valid = field[np.isfinite(field)]
    threshold = float(np.quantile(valid, rng.random())) if valid.size else 0.5
    structure = ndimage.generate_binary_structure(n, n if full else 1)
    expected, count = ndimage.label(field < threshold, structure=structure)
    options: dict[str, Any] = {"connectivity": "full" if full else "faces"}
    found, labels = dhess.flat_regions(array, measure, threshold=threshold, labels=True, **options)
    assert found.attrs["regions"] == found.sizes["region"] == count
    # scipy numbers regions by their first points, too
    order = np.argsort(-np.bincount(expected.ravel(), minlength=count + 1)[1:], kind="stable")
    rank = np.zeros(count + 1, int)
    rank[1:][order] = np.arange(1, count + 1)
    np.testing.assert_array_equal(labels, rank[expected])
    for row, at in enumerate(order.tolist()):
        box = ndimage.find_objects(expected)[at]
        assert found["size"][row] == (expected == at + 1).sum() == found["content"][row]
        assert found["low_index"][row].values.tolist() == [each.start for each in box]
        assert found["high_index"][row].values.tolist() == [each.stop - 1 for each in box]
        inside = np.where(expected == at + 1, field, np.inf)
        place = np.unravel_index(inside.argmin(), shape)
        assert found["index"][row].values.tolist() == list(place)
        assert found["value"][row] == inside.min()
        np.testing.assert_array_equal(found["field"][row], values[place])
        mean = ndimage.center_of_mass(np.ones(shape), expected, at + 1)
        centroid = [float(found[f"centroid_{d}"][row]) for d in dims]
        np.testing.assert_allclose(centroid, mean, atol=1e-9)
    chunked = array.chunk(
        {d: int(rng.integers(1, s + 1)) for d, s in zip(dims, shape, strict=True)}
    )
    same(chunked, measure, int(rng.integers(1, 6)), found, labels, threshold=threshold, **options)


def above(level: Any, field: Any) -> float:
    """Return the next float of the field's own type."""
    return float(np.nextafter(field.dtype.type(level), field.dtype.type(np.inf)))


def same(
    chunked: xr.DataArray, measure: str, most: int, found: xr.Dataset, labels: Any, **options: Any
) -> None:
    """Find the same in windows of at most so many blocks."""
    with pytest.MonkeyPatch.context() as patch, dask.config.set(scheduler="synchronous"):
        patch.setattr(search_windows, "window_blocks", lambda *_: most)
        table, field = dhess.flat_regions(chunked, measure, labels=True, **options)
        assert field.chunks
        xr.testing.assert_identical(table, found)
        xr.testing.assert_identical(field.compute(), labels)


@given(st.integers(0, 2**32 - 1))
@example(2210)  # touch at a corner of a block without any region, at the border of two windows
def test_regions_go_on_at_the_other_end(seed: int) -> None:
    """Axes that wrap, even and uneven, under drawn chunks and windows, below an exact quantile."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 4))
    dims, shape = "abc"[:n], tuple(rng.integers(6, {1: 40, 2: 16, 3: 10}[n] + 1, n).tolist())
    coords = {
        d: np.cumsum(rng.random(s) + 0.2) for d, s in zip(dims, shape, strict=True)
        if rng.random() < 0.5
    }  # fmt: skip
    array = xr.DataArray(rng.random(shape).round(1), coords, tuple(dims))
    wrapped = [bool(rng.integers(2)) for _ in dims]
    period: dict[Hashable, float] = {
        d: 1.0 + float(np.ptp(coords[d]) if d in coords else s - 1)
        for d, s, w in zip(dims, shape, wrapped, strict=True)
        if w
    }
    options: dict[str, Any] = {"period": period, "quantile": float(rng.random())}
    full = bool(rng.integers(2))
    options["connectivity"] = "full" if full else "faces"
    found, labels = dhess.flat_regions(array, "slope", labels=True, **options)
    field = dhess.measure(array, "slope", period=period).values
    level = np.quantile(field, options["quantile"], method="inverted_cdf")
    assert found.attrs["threshold"] == above(level, field)
    assert found["size"].values.tolist() == sizes_by_hand(field <= level, wrapped, full)
    np.testing.assert_array_equal(labels > 0, field <= level)
    chunked = array.chunk(
        {d: int(rng.integers(1, s + 1)) for d, s in zip(dims, shape, strict=True)}
    )
    same(chunked, "slope", int(rng.integers(1, 6)), found, labels, **options)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@given(seed=st.integers(0, 2**32 - 1), quantile=st.sampled_from([0.0, 1e-3, 0.1, 0.5, 0.999, 1.0]))
@example(seed=0, quantile=0.25)
def test_quantiles_are_exact(dtype: str, seed: int, quantile: float) -> None:
    rng = np.random.default_rng(seed)
    values = (rng.standard_normal((40, 50)) * 10.0 ** rng.integers(-20, 20)).astype(dtype)
    values[3, 4] = np.nan
    array = xr.DataArray(values, dims=("y", "x"))
    field = dhess.measure(array, "laplacian").values
    level = np.nanquantile(field.astype("f8"), quantile, method="inverted_cdf")
    found = dhess.flat_regions(array.chunk(y=7), "laplacian", quantile=quantile)
    assert found.attrs["threshold"] == above(level, field)
    assert found.attrs["points_below"] == (field <= level).sum()


# ------------------------------------------------------------------------------ known by thinking


def plateau(mask: Any) -> xr.DataArray:
    """A field that is flat exactly at those points that a mask and its neighbours leave alone."""
    noise = np.random.default_rng(0).random(mask.shape) + 1.0
    return xr.DataArray(np.where(mask, 0.0, noise), dims=("y", "x"))


def test_a_spiral_and_a_comb_through_every_block_are_one_region() -> None:
    n = 61
    spiral = np.ones((n, n), bool)
    low, high = 0, n
    while high - low > 12:  # walls of one point leave a corridor of five, wide enough to be flat
        spiral[low + 5, low : high - 6] = False
        spiral[low + 5 : high - 5, high - 6] = False
        spiral[high - 6, low + 5 : high - 5] = False
        spiral[low + 11 : high - 5, low + 5] = False
        low, high = low + 6, high - 6
    comb = np.ones((n, n), bool)
    comb[:50, 5::6] = False
    for mask in (spiral, comb):
        array = plateau(mask)
        for chunks in (7, 13, -1):
            found = dhess.flat_regions(array.chunk(y=chunks, x=chunks), "slope", threshold=1e-9)
            flat = dhess.measure(array, "slope").values < 1e-9
            assert found.attrs["regions"] == ndimage.label(flat)[1]
            largest = int(found["size"][0])
            assert largest == np.bincount(ndimage.label(flat)[0].ravel())[1:].max()
            assert (found["low_index"][0] <= 1).all()
            assert (found["high_index"][0] >= n - 2).all()


def test_a_ring_around_the_equator_is_one_region_of_true_area() -> None:
    latitude, longitude = np.linspace(-89.5, 89.5, 180), np.arange(0.0, 360.0, 2.0)
    array = xr.DataArray(
        np.cos(np.deg2rad(latitude))[:, None] * np.ones(longitude.size),
        {"lat": latitude, "lon": longitude},
        ("lat", "lon"),
    )
    options: dict[str, Any] = {"geometry": "sphere", "period": {"lon": 360.0}}
    for each in (array, array.chunk(lat=50, lon=70)):
        found = dhess.flat_regions(each, "slope", threshold=2e-8, **options)
        # slope = |sin φ| / r < 2e-8
        edge = np.floor(np.rad2deg(np.arcsin(2e-8 * 6371008.8)))
        assert found.sizes["region"] == 1
        assert found["wraps"].values.tolist() == [[False, True]]
        area = 4 * np.pi * 6371008.8**2 * np.sin(np.deg2rad(edge))
        np.testing.assert_allclose(found["content"], [area], rtol=1e-12)
        assert found["content"].attrs == {"long_name": "area", "units": "m2"}
        assert np.isnan(found["centroid_lon"][0])
        assert abs(found["centroid_lat"][0]) < 1e-9
        whole = dhess.flat_regions(each, "slope", threshold=1.0, **options)
        np.testing.assert_allclose(whole["content"], [4 * np.pi * 6371008.8**2], rtol=1e-12)


def test_a_region_over_the_seam_has_one_box_and_one_centroid() -> None:
    x = np.arange(0.0, 360.0, 5.0)
    bump = xr.DataArray(-np.cos(np.deg2rad(x - 10)), {"x": x}, "x")
    for each in (bump, bump.chunk(x=11)):
        found = dhess.flat_regions(each, "slope", threshold=0.005, period={"x": 360.0}, k=2)
        near = [row for row in range(2) if abs(float(found["x"][row]) - 10) < 1]
        (row,) = near
        assert (float(found["low_x"][row]), float(found["high_x"][row])) == (355.0, 25.0)
        np.testing.assert_allclose(float(found["centroid_x"][row]), 10.0)
        assert not found["wraps"].any()


@pytest.mark.parametrize("start", [0, 20, 60])
def test_what_winds_around_without_closing_has_all_of_the_axis(start: int) -> None:
    """A valley around a cylinder, 1.6 turns of it, whose ends are 20 rows from each other."""
    lon, turns = np.arange(72) * 5.0, int(1.6 * 72)
    values = np.random.default_rng(0).random((61, 72)) + 9.0
    for k in range(turns):
        values[8 + 45 * k // turns + np.arange(4), (start + k) % 72] = 0.0
    field = xr.DataArray(values, {"lon": lon}, ("y", "lon"))
    for each in (field, field.chunk(y=20, lon=25)):
        found, labels = dhess.flat_regions(
            each, "slope", threshold=1e-9, period={"lon": 360.0}, connectivity="full", k=1,
            labels=True,
        )  # fmt: skip
        assert (labels == 1).any("y").all()
        assert not found["wraps"].any()
        assert (float(found["low_lon"][0]), float(found["high_lon"][0])) == (0.0, 355.0)
        assert 0 <= float(found["centroid_lon"][0]) < 360


def test_a_centroid_over_the_seam_lies_within_the_turn() -> None:
    lon = np.arange(0.0, 360.0, 6.0)
    depth = np.minimum(np.abs(lon), 360 - lon)  # flat from 342 to 18
    field = xr.DataArray(np.maximum(depth, 24.0), {"lon": lon}, "lon")
    found = dhess.flat_regions(field, "slope", threshold=1e-9, period={"lon": 360.0}, k=1)
    assert (float(found["low_lon"][0]), float(found["high_lon"][0])) == (342.0, 18.0)
    np.testing.assert_allclose(np.cos(np.deg2rad(float(found["centroid_lon"][0]))), 1.0)
    assert 0 <= float(found["centroid_lon"][0]) < 360


@pytest.mark.parametrize("decades", [3, 4, 5])
def test_cells_that_grow_over_many_decades_keep_their_digits(decades: int) -> None:
    """The smallest cells, against the sums of their sizes in floats."""
    x = np.logspace(-decades, decades, 20 * decades + 1)
    values = np.random.default_rng(0).uniform(0, 10.0 ** (2 * decades), (x.size, x.size))
    values[:9, :9] = 1.0
    f = xr.DataArray(values, {"y": x, "x": x}, ("y", "x"))
    found = dhess.flat_regions(f, "slope", threshold=1e-9)
    assert found["size"].values.tolist() == [64]
    widths = np.diff(x)[:8] / 2 + np.concatenate([np.diff(x)[:1], np.diff(x)[:7]]) / 2
    np.testing.assert_allclose(found["content"], [widths.sum() ** 2], rtol=1e-12)
    mean = (x[:8] * widths).sum() / widths.sum()
    np.testing.assert_allclose(found["centroid_x"], [mean], rtol=1e-9)
    assert found.identical(dhess.flat_regions(f.chunk(x=3, y=5), "slope", threshold=1e-9))


def test_uneven_axes_and_time_measure_in_their_own_coordinates() -> None:
    x = np.array([0.0, 1.0, 3.0, 4.0, 8.0, 9.0])
    time = np.datetime64("2020-01-01", "s") + np.array([0, 60, 120, 180, 240]).astype("m8[s]")
    flat = xr.DataArray(
        np.zeros((5, 6)), {"time": time, "x": ("x", x, {"units": "m"})}, ("time", "x")
    )
    found = dhess.flat_regions(flat, "laplacian_abs", threshold=1.0, scale={"time": 60.0})
    widths = np.array([1.0, 1.5, 1.5, 2.5, 2.5, 1.0])
    np.testing.assert_allclose(found["content"], [5 * widths.sum()])
    np.testing.assert_allclose(found["centroid_x"], [(x * widths).sum() / widths.sum()])
    assert found["centroid_time"].values[0] == time[2]
    assert found["touches_edge"].values.tolist() == [True]


def test_batches_have_regions_of_their_own() -> None:
    array = xr.DataArray(np.zeros((3, 8, 9)), dims=("time", "y", "x"))
    for each in (array, array.chunk(time=2, y=5, x=4)):
        found = dhess.flat_regions(each, threshold=1.0, dims=["y", "x"])
        assert found["size"].values.tolist() == [72, 72, 72]
        assert found["time"].values.tolist() == [0, 1, 2]
        assert found["low_index"].values[:, 0].tolist() == [0, 1, 2]


def test_corners_of_windows_join_across_an_empty_block() -> None:
    """Two flat squares that touch at one corner only, a window each, and empty ones beside."""
    mask = np.zeros((12, 12), bool)
    mask[2:6, 6:10] = mask[6:10, 2:6] = True
    field = xr.DataArray(np.where(mask, 0.0, 1.0), dims=("y", "x")).chunk(y=6, x=6)
    raised = field + np.random.default_rng(0).random(mask.shape) * ~mask
    for most in (1, 2, 4):
        with pytest.MonkeyPatch.context() as patch, dask.config.set(scheduler="synchronous"):
            patch.setattr(search_windows, "window_blocks", lambda *_, most=most: most)
            wide = plain_regions(raised, connectivity="full")
        assert wide == plain_regions(raised.compute(), connectivity="full")


def plain_regions(field: xr.DataArray, **options: Any) -> list[int]:
    found = dhess.flat_regions(field, "slope", threshold=0.3, **options)
    return [int(size) for size in found["size"]]


def test_many_regions() -> None:
    """None is lost where nearly every few points are one."""
    values = np.random.default_rng(0).random((100, 200, 200)).astype("f4")
    array = xr.DataArray(values, dims=("z", "y", "x"))
    found = dhess.flat_regions(array.chunk(z=50, y=100, x=200), "slope", quantile=0.3)
    below = dhess.measure(array, "slope").values < found.attrs["threshold"]
    expected, count = ndimage.label(below)
    assert found.sizes["region"] == count > 100_000
    sizes = np.sort(np.bincount(expected.ravel())[1:])[::-1]
    np.testing.assert_array_equal(found["size"], sizes)


# ----------------------------------------------------------------------------- what is left out


def test_the_largest_and_the_large() -> None:
    array = xr.DataArray(np.random.default_rng(3).random((30, 30)), dims=("y", "x"))
    every = dhess.flat_regions(array, "slope", quantile=0.3)
    few, labels = dhess.flat_regions(array.chunk(y=8), "slope", quantile=0.3, k=3, labels=True)
    xr.testing.assert_identical(few.drop_attrs(), every.isel(region=slice(3)).drop_attrs())
    assert few.attrs["regions"] == every.sizes["region"]
    assert np.bincount(labels.values.ravel())[1:].tolist() == few["size"].values.tolist()
    large = dhess.flat_regions(array, "slope", quantile=0.3, min_size=5)
    assert large["size"].values.tolist() == [s for s in every["size"].values if s >= 5]


def test_nothing_below_is_an_answer_that_says_the_smallest_value() -> None:
    array = xr.DataArray(np.arange(6.0) ** 2, dims="x")
    for each in (array, array.chunk(x=3)):
        found, labels = dhess.flat_regions(each, "laplacian", threshold=2.0, labels=True)
        assert found.sizes["region"] == 0
        assert found.attrs["smallest"] == 2.0
        assert not labels.values.any()


def test_all_nan_has_no_region() -> None:
    found = dhess.flat_regions(xr.DataArray(np.full(8, np.nan), dims="x"), quantile=0.5)
    assert found.sizes["region"] == 0
    assert found.attrs["nan_points"] == 8
    assert np.isnan(found.attrs["smallest"])
    assert np.isnan(found.attrs["threshold"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ("threshold", "quantile", "neither")),
        ({"threshold": 1.0, "quantile": 0.5}, ("both",)),
        ({"threshold": np.nan}, ("threshold=nan",)),
        ({"threshold": "low"}, ("threshold='low'",)),
        ({"threshold": -np.inf}, ("threshold=-inf", "finite")),
        ({"threshold": 10**400}, ("threshold=1000", "finite")),
        ({"threshold": 1.0, "min_size": None}, ("min_size=None", "from 1 on")),
        ({"quantile": 1.5}, ("1.5", "from 0 to 1")),
        ({"quantile": -0.1}, ("-0.1", "from 0 to 1")),
        ({"quantile": 0.5, "connectivity": "face"}, ("did you mean 'faces'",)),
        ({"quantile": 0.5, "min_size": 0}, ("min_size=0", "from 1 on")),
        ({"quantile": 0.5, "k": 1.5}, ("k=1.5", "from 1 on")),
        ({"quantile": 0.5, "k": 2**63}, ("k=9223372036854775808", "below 2**63")),
        ({"quantile": 0.5, "min_size": 10**30}, ("min_size=1000", "below 2**63")),
        ({"quantile": 0.5, "labels": "yes"}, ("labels='yes'", "True nor False")),
        ({"quantile": 0.5, "dims": ["z"]}, ("no dimension 'z'",)),
    ],
)
def test_bad_input(options: dict[str, Any], words: tuple[str, ...]) -> None:
    array = xr.DataArray(np.zeros((5, 5)), dims=("y", "x"))
    with pytest.raises(InputError) as caught:
        dhess.flat_regions(array, **options)
    one_sentence(caught.value, *words)


def test_more_than_there_are_can_be_asked_for(tmp_path: Path) -> None:
    array = xr.DataArray(np.zeros((5, 5)), dims=("y", "x"))
    found = dhess.flat_regions(array, threshold=1.0, k=2**63 - 1)
    assert found["size"].values.tolist() == [25]
    found.to_netcdf(tmp_path / "regions.nc", engine="h5netcdf")


@pytest.mark.parametrize("name", ["size", "centroid_x", "dim"])
def test_names_that_the_answer_needs(name: str) -> None:
    array = xr.DataArray(np.zeros((5, 5)), dims=(name, "x"))
    with pytest.raises(InputError) as caught:
        dhess.flat_regions(array, threshold=1.0)
    one_sentence(caught.value, name, "rename")
