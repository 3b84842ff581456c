"""Smoothing: the definition written out, closed forms, the same bits however the data are cut."""

from __future__ import annotations

import datetime as dt
import itertools
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dask
import dask.array
import numpy as np
import pytest
import scipy.ndimage
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from dhess.errors import DhessError, GridError, InputError
from dhess.smoothing import smooth
from dhess.tiles import TILE

from .strategies import chunkings, holes

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from numpy.typing import NDArray

Array = Any
LOST = 1.3e-4
"""Twice the share of a Gaussian beyond four standard deviations, erfc(4/√2) = 6.3e-5: no wave is
damped more differently than that by a kernel that ends there."""


# The definition, in plain NumPy ------------------------------------------------------------------


def weights(sigma: float) -> NDArray[np.float64]:
    """w_k ∝ exp(−k²/2σ²) for |k| up to 4 σ, σ in steps."""
    radius = int(4 * sigma + 0.5)
    w = np.array([np.exp(-(k * k) / (2 * sigma * sigma)) for k in range(-radius, radius + 1)])
    normal: NDArray[np.float64] = w / w.sum()
    return normal


def place(j: int, size: int, *, wraps: bool) -> int:
    """Which point stands at index j, which may lie past the ends: d c b a | a b c d | d c b a."""
    if wraps:
        return j % size
    j %= 2 * size
    return j if j < size else 2 * size - 1 - j


def matrix(size: int, sigma: float, *, wraps: bool) -> NDArray[np.float64]:
    w = weights(sigma)
    dense = np.zeros((size, size))
    for i in range(size):
        for t, weight in enumerate(w):
            dense[i, place(i + t - len(w) // 2, size, wraps=wraps)] += weight
    return dense


def along(dense: Array, data: Array, axis: int) -> Array:
    return np.moveaxis(np.tensordot(dense, data, (1, axis)), 0, axis)


def oracle(data: Array, sigmas: dict[int, float], wraps: set[int], *, adapt: bool) -> Array:
    """Σ w f over the box of points below the kernel; NaN by asking which points are below it."""
    nan = np.isnan(data)
    total, share, touched = np.where(nan, 0.0, data), (~nan).astype(float), nan.astype(float)
    for axis, sigma in sigmas.items():
        dense = matrix(data.shape[axis], sigma, wraps=axis in wraps)
        total, share = along(dense, total, axis), along(dense, share, axis)
        touched = along(dense > 0, touched, axis)
    if adapt:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(nan, np.nan, total / share)
    return np.where(touched > 0, np.nan, total)


@dataclass(frozen=True)
class Case:
    """An array with steps, scales and periods, as Hypothesis draws them."""

    array: xr.DataArray
    sigma: dict[str, float]
    steps: dict[str, float]
    period: dict[Hashable, float]

    def options(self) -> dict[str, Any]:
        return {"sigma": self.sigma, "period": self.period}

    def oracle(self, *, adapt: bool) -> Array:
        dims = list(self.array.dims)
        sigmas = {dims.index(d): s / self.steps[d] for d, s in self.sigma.items()}
        wraps = {dims.index(str(d)) for d in self.period}
        return oracle(np.asarray(self.array.values, float), sigmas, wraps, adapt=adapt)


@st.composite
def cases(draw: st.DrawFn, max_n: int = 4, max_points: int = 700) -> Case:
    """Up to four dimensions, some smoothed, some periodic, some descending, some of one point."""
    n = draw(st.integers(1, max_n))
    largest = max(3, min(40, int(max_points ** (1 / n))))
    shape = tuple(draw(st.integers(1, largest)) for _ in range(n))
    dims = "tzyx"[-n:]
    steps = {d: draw(st.sampled_from([0.25, 0.5, 1.0, 3.0])) for d in dims}
    signs = {d: draw(st.sampled_from([1, -1])) for d in dims}
    sizes = dict(zip(dims, shape, strict=True))
    coords = {d: signs[d] * steps[d] * (np.arange(sizes[d]) - 2.0) for d in dims}
    some = [d for d in dims if sizes[d] > 1]
    smoothed = draw(st.sets(st.sampled_from(some), min_size=1)) if some else set()
    sigma: dict[str, float] = {}
    period: dict[Hashable, float] = {}
    for d in sorted(smoothed):
        longest = sizes[d] - 1
        share = draw(st.sampled_from([0.1, 0.3, 0.5, 0.8, 1.3, 2.0, float(longest)]))
        sigma[d] = steps[d] * min(share, longest)
        if draw(st.booleans()):
            period[d] = steps[d] * sizes[d]
    if not sigma:
        d = dims[-1]
        sigma, period = {d: steps[d]}, {d: steps[d]}  # one point, wrapped
    data = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal(shape)
    array = xr.DataArray(data, coords, list(dims), "f")
    return Case(array.where(~draw(holes(shape))), sigma, steps, period)


def same_bits(got: xr.DataArray, want: xr.DataArray) -> None:
    assert got.dtype == want.dtype
    assert got.dims == want.dims
    nan = np.isnan(want.values)
    np.testing.assert_array_equal(np.isnan(got.values), nan)
    plain = f"u{want.dtype.itemsize}"
    np.testing.assert_array_equal(got.values[~nan].view(plain), want.values[~nan].view(plain))


def random(shape: tuple[int, ...], dims: str, seed: int = 0) -> xr.DataArray:
    data = np.random.default_rng(seed).standard_normal(shape)
    return xr.DataArray(data, dims=list(dims), name="f")


# Right -------------------------------------------------------------------------------------------


@given(case=cases(), adapt=st.booleans())
@settings(max_examples=150)
def test_is_the_definition(case: Case, adapt: bool) -> None:
    got = smooth(case.array, nan="adapt" if adapt else "propagate", **case.options())
    want = case.oracle(adapt=adapt)
    np.testing.assert_array_equal(np.isnan(got.values), np.isnan(want))
    np.testing.assert_allclose(got.values, want, rtol=0, atol=2e-15 * 5 * case.array.ndim)


@pytest.mark.parametrize("shape", [(50,), (30, 20), (9, 10, 11), (5, 6, 7, 8)])
@pytest.mark.parametrize("wraps", [False, True])
def test_agrees_with_scipy_on_the_whole_array(shape: tuple[int, ...], wraps: bool) -> None:
    array = random(shape, "tzyx"[: len(shape)])
    period = {d: float(array.sizes[d]) for d in array.dims} if wraps else {}
    want = scipy.ndimage.gaussian_filter(array.values, 1.7, mode="wrap" if wraps else "reflect")
    np.testing.assert_allclose(smooth(array, 1.7, period=period), want, rtol=0, atol=4e-15)


@pytest.mark.parametrize(("a", "b"), [(3.0, 4.0), (0.5, 1.2), (2.0, 0.5)])
def test_a_gaussian_becomes_a_wider_one(a: float, b: float) -> None:
    """Variances add: exp(−x²/2a²) becomes a/c exp(−x²/2c²), c² = a² + b²."""
    x = np.arange(-40, 40.01, 0.125)
    hill = xr.DataArray(np.exp(-(x**2) / (2 * a * a)), {"x": x}, "x")
    c = np.hypot(a, b)
    want = a / c * np.exp(-(x**2) / (2 * c * c))
    np.testing.assert_allclose(smooth(hill, b).values, want, rtol=0, atol=LOST)


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("sigma", [6.0, 15.0, 40.0])
def test_a_periodic_wave_is_damped(k: int, sigma: float) -> None:
    lon = np.arange(-180.0, 180.0, 1.5)
    wave = xr.DataArray(np.sin(np.radians(k * lon)), {"lon": lon}, "lon")
    got = smooth(wave, {"lon": sigma}, period={"lon": 360.0})
    kept = np.exp(-((k * np.radians(sigma)) ** 2) / 2)
    np.testing.assert_allclose(got.values, kept * wave.values, rtol=0, atol=LOST)


def test_axes_have_scales_of_their_own() -> None:
    y, x = np.arange(0, 8, 0.1), np.arange(0, 30, 0.5)
    wave = np.sin(2 * np.pi * y / 8)[:, None] * np.cos(2 * np.pi * x / 10)
    array = xr.DataArray(wave, {"y": y, "x": x}, ("y", "x"))
    got = smooth(array, {"x": 1.5, "y": 0.4}, period={"y": 8.0, "x": 30.0})
    kept = np.exp(-0.5 * (2 * np.pi * 0.4 / 8) ** 2) * np.exp(-0.5 * (2 * np.pi * 1.5 / 10) ** 2)
    np.testing.assert_allclose(got.values, kept * wave, rtol=0, atol=2 * LOST)


@pytest.mark.parametrize("value", [1.0, -0.1, 1013.25, 1e-300, 1e300, 0.0])
@pytest.mark.parametrize("sigma", [0.7, 3.0, 11.0])
def test_constants_stay_constant(value: float, sigma: float) -> None:
    """The same bits everywhere; off by at most 6 units in the last place per axis."""
    flat = xr.DataArray(np.full((40, 30, 12), value), dims=list("zyx"))
    each: list[dict[str, Any]] = [{}, {"period": {"x": 12.0, "z": 40.0}}]
    for options in each:
        got = smooth(flat, sigma, **options).values
        assert (got == got[0, 0, 0]).all()
        assert abs(got[0, 0, 0] - value) <= 3 * 6 * np.spacing(abs(value))
        if abs(value) < 1e30:
            single = smooth(flat.astype(np.float32), sigma, **options)
            assert (single.values == np.float32(value)).all()


def test_a_plateau_stays_flat_to_the_bit() -> None:
    data = np.random.default_rng(0).standard_normal((60, 70))
    data[10:50, 15:60] = 271.3
    got = smooth(xr.DataArray(data, dims=("y", "x")), 1.5).values
    inside = got[16:44, 21:54]  # six points on each side are within the kernel
    assert (inside == inside[0, 0]).all()


@pytest.mark.parametrize("period", [{}, {"y": 20.0, "x": 30.0}])
def test_the_sum_is_kept(period: dict[Hashable, float]) -> None:
    array = random((20, 30), "yx")
    got = smooth(array, {"y": 4.0, "x": 25.0}, period=period)
    assert float(got.sum()) == pytest.approx(float(array.sum()), abs=1e-11)


def test_a_scale_below_an_eighth_of_the_step_changes_nothing() -> None:
    array = random((5, 6), "yx").where(random((5, 6), "yx") < 1)
    same_bits(smooth(array, {"x": 0.124}), array)
    assert not (smooth(array, {"x": 0.126}) == array).all()


# NaN ---------------------------------------------------------------------------------------------


def test_propagated_nan_is_the_kernel() -> None:
    array = random((21, 25), "yx")
    array[10, 12] = np.nan
    got = np.isnan(smooth(array, {"y": 0.5, "x": 1.0}).values)  # radius 2 and 4
    want = np.zeros((21, 25), bool)
    want[8:13, 8:17] = True
    np.testing.assert_array_equal(got, want)


@given(case=cases())
def test_without_nan_both_rules_give_the_same_bits(case: Case) -> None:
    array = case.array.fillna(0.3)
    same_bits(smooth(array, nan="adapt", **case.options()), smooth(array, **case.options()))


@given(case=cases())
def test_far_from_nan_both_rules_give_the_same_bits(case: Case) -> None:
    far = smooth(case.array, **case.options())
    near = smooth(case.array, nan="adapt", **case.options())
    same_bits(near.where(far.notnull()), far)
    np.testing.assert_array_equal(near.isnull(), case.array.isnull())


def test_nothing_under_the_mask_enters() -> None:
    sea = random((40, 50), "yx")
    land = random((40, 50), "yx", seed=1) > 0.3
    want = smooth(sea.where(~land), 2.0, nan="adapt")
    filled = sea.where(~land, 1e30)
    same_bits(smooth(filled.where(~land), 2.0, nan="adapt"), want)
    assert float(abs(want).max()) < 4
    odd = sea.where(~land)  # a NaN with other bits: negative, signalling
    odd.values[land.values] = np.array(0xFFF4000000000001, np.uint64).view(np.float64)
    same_bits(smooth(odd, 2.0, nan="adapt"), want)


def test_a_constant_sea_stays_constant_at_the_coast() -> None:
    land = random((40, 50), "yx", seed=1) > 0.3
    sea = xr.full_like(land, 7.5, dtype=float).where(~land)
    got = smooth(sea, 2.0, nan="adapt").values
    np.testing.assert_allclose(got[~land.values], 7.5, rtol=1e-15)
    assert np.isnan(got[land.values]).all()


def test_a_mean_over_what_is_valid() -> None:
    """By hand: σ = 0.3 steps reaches one neighbour, v = exp(−1/0.18); weights v, 1, v."""
    v = np.exp(-1 / 0.18)
    array = xr.DataArray([1.0, np.nan, 2.0, 5.0], dims="x")
    got = smooth(array, 0.3, nan="adapt").values
    want = [1.0, np.nan, (2 + 5 * v) / (1 + v), (5 + 5 * v + 2 * v) / (1 + 2 * v)]
    np.testing.assert_allclose(got, want, rtol=1e-15)


@pytest.mark.parametrize("chunks", [{}, {"y": 2}])
def test_all_nan(chunks: dict[str, int]) -> None:
    array = xr.DataArray(np.full((6, 5), np.nan), dims=("y", "x")).chunk(chunks)
    for nan in ("adapt", "propagate"):
        assert smooth(array, 1.0, nan=nan).isnull().all()


def test_infinity_spreads_and_warns_not() -> None:
    array = random((30,), "x")
    array[10] = np.inf
    for nan in ("adapt", "propagate"):
        got = smooth(array, 1.0, nan=nan).values
        assert np.isposinf(got[6:15]).all()
        assert np.isfinite(np.delete(got, np.s_[6:15])).all()


def test_beyond_float32() -> None:
    array = xr.DataArray([1e38, 1e39, 1e308], dims="x")
    got = smooth(array, 0.1, dtype="float32")
    assert got.dtype == np.float32
    assert got.values.tolist() == [np.float32(1e38), np.inf, np.inf]


# The same bits -----------------------------------------------------------------------------------


@given(data=st.data(), case=cases(), nan=st.sampled_from(["propagate", "adapt"]))
@settings(max_examples=150)
def test_same_bits_for_any_chunking(data: st.DataObject, case: Case, nan: str) -> None:
    dtype = data.draw(st.sampled_from(["f8", "f4", ">f8", "i2"]))
    array = (case.array.fillna(0) * 100 if dtype == "i2" else case.array).astype(dtype)
    chunks = data.draw(chunkings(array.shape))
    cut = array.chunk(dict(zip(array.dims, chunks, strict=True)))
    blocks = smooth(cut, nan=nan, **case.options())
    same_bits(blocks.compute(scheduler="synchronous"), smooth(array, nan=nan, **case.options()))


@pytest.mark.parametrize("nan", ["propagate", "adapt"])
@pytest.mark.parametrize("period", [{}, {"x": 13.0}, {"y": 11.0, "x": 13.0}])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.9, 10.0])
def test_same_bits_for_blocks_of_one_point(
    nan: str, period: dict[Hashable, float], sigma: float
) -> None:
    array = random((11, 13), "yx").where(random((11, 13), "yx", 1) < 1.5)
    got = smooth(array.chunk({"y": 1, "x": 1}), sigma, period=period, nan=nan)
    same_bits(got.compute(scheduler="threads"), smooth(array, sigma, period=period, nan=nan))


@pytest.mark.parametrize("shape", [(TILE + 70_001,), (3, 600_000), (1100, 1000), (9, 400, 300)])
@pytest.mark.parametrize("nan", ["propagate", "adapt"])
def test_same_bits_for_any_number_of_threads(shape: tuple[int, ...], nan: str) -> None:
    array = random(shape, "zyx"[: len(shape)])
    array.values.flat[::40_001] = np.nan
    sigma = dict.fromkeys(array.dims, 1.2)
    want = smooth(array.chunk(), sigma, nan=nan).compute(scheduler="synchronous")
    for workers in (1, 2, 5):
        with dask.config.set(num_workers=workers):
            same_bits(smooth(array, sigma, nan=nan), want)


def test_the_order_of_names_does_not_matter() -> None:
    array = random((12, 13, 14), "zyx")
    want = smooth(array, {"z": 1.0, "y": 1.5, "x": 2.0})
    for names in itertools.permutations("zyx"):
        sigma = {name: {"z": 1.0, "y": 1.5, "x": 2.0}[name] for name in names}
        got = smooth(array, sigma, dims=names)
        same_bits(got, want)
        assert got.attrs == want.attrs


def test_batch_dimensions_get_no_halo() -> None:
    array = random((4, 10, 12), "tyx").chunk({"t": 1, "y": 5, "x": 6})
    got = smooth(array, {"y": 1.0, "x": 1.0})
    one = got.isel(t=2).compute(scheduler="synchronous")
    same_bits(one, smooth(array.isel(t=2).compute(), 1.0))
    times = {key[1] for key in got.isel(t=2).data.dask.cull(got.isel(t=2).data.__dask_keys__())
             if isinstance(key, tuple) and key[0] == array.data.name}  # fmt: skip
    assert times == {2}


def test_one_task_per_block_beside_the_ghost_cells() -> None:
    array = random((24, 24), "yx").chunk({"y": 8, "x": 8})
    graph = dict(smooth(array, 1.0).data.dask)
    smoothing = [key for key in graph if str(key[0]).startswith("smooth")]
    assert len(smoothing) == 9


def test_names_of_tasks_are_told_by_what_they_do() -> None:
    array = random((24, 24), "yx").chunk({"y": 8, "x": 8})
    want = smooth(array, 1.0).data.name
    assert smooth(array, 1.0).data.name == want
    assert smooth(array, 1.1).data.name != want
    assert smooth(array, 1.0, nan="adapt").data.name != want
    assert smooth(array, 1.0, period={"x": 24.0}).data.name != want


def test_a_graph_can_be_sent() -> None:
    array = random((24, 24), "yx").chunk({"y": 8, "x": 8})
    lazy = smooth(array, 1.0, nan="adapt")
    sent = pickle.loads(pickle.dumps(lazy))
    same_bits(sent.compute(scheduler="synchronous"), lazy.compute(scheduler="synchronous"))


# Lazy, labelled ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("chunks", [{}, {"y": 1, "x": 1}, {"y": 4}, {"x": (2, 1, 4)}])
@pytest.mark.parametrize("options", [{}, {"nan": "adapt"}, {"period": {"x": 7.0}}])
def test_dask_in_dask_out_and_nothing_computed(
    chunks: dict[str, Any], options: dict[str, Any]
) -> None:
    array = random((6, 7), "yx").chunk(chunks)
    got = smooth(array, 1.0, **options)
    assert isinstance(got.data, dask.array.Array)
    assert got.dtype == np.float64
    assert isinstance(smooth(array.to_dataset(), 1.0, **options)["f"].data, dask.array.Array)


@pytest.mark.usefixtures("lazy_only")
def test_numpy_in_numpy_out_whatever_the_scheduler() -> None:
    assert type(smooth(random((6, 7), "yx"), 1.0).data) is np.ndarray
    assert type(smooth(random((TILE + 1,), "x"), 1.0).data) is np.ndarray


@pytest.mark.parametrize("chunks", [None, {"t": 1, "y": 2, "x": 3}])
def test_labels_are_kept(chunks: dict[str, int] | None) -> None:
    array = random((3, 6, 7), "tyx")
    array = array.assign_coords(
        t=["one", "two", "three"],
        y=("y", np.arange(6.0) * 2, {"units": "m"}),
        x=("x", 10 - np.arange(7.0), {"units": "km"}),
        lat=(("y", "x"), np.random.default_rng(1).random((6, 7))),
        run=42,
    ).assign_attrs(long_name="height", units="hPa", note="kept")
    data = array if chunks is None else array.chunk(chunks)
    before = data.copy(deep=True)
    got = smooth(data, {"x": 2, "y": 3})
    attrs = got.attrs
    assert attrs.pop("smoothed") == "y=3.0 m, x=2.0 km"
    xr.testing.assert_identical(got * 0, data * 0)
    assert attrs == array.attrs
    xr.testing.assert_identical(data, before)


def test_twice_is_told_twice() -> None:
    array = random((9, 9), "yx")
    got = smooth(smooth(array, {"x": 1.5}), {"x": 2.0, "y": 1.0})
    assert got.attrs["smoothed"] == "x=1.5; y=1.0, x=2.0"
    assert "smoothed" not in array.attrs


@pytest.mark.parametrize("dims", ["x", ["y", "x"], None])
def test_one_number_is_for_dims(dims: Any) -> None:
    array = random((6, 7, 8), "zyx")
    names = array.dims if dims is None else tuple(dims)
    same_bits(smooth(array, 1.5, dims=dims), smooth(array, {str(d): 1.5 for d in names}))


def test_spacing_and_what_is_said_of_other_dimensions() -> None:
    array = random((6, 30), "yx")
    want = smooth(array, {"x": 2.0})
    options: dict[str, Any] = {"order": 6, "scheme": "direct", "dims": ["y", "x"]}
    got = smooth(array, {"x": 0.2}, spacing={"x": 0.1, "y": 3.0}, period={"y": 90.0}, **options)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-14)
    ragged = array.assign_coords(y=np.arange(6.0) ** 2)
    same_bits(smooth(ragged, {"x": 2.0}), want)


def test_a_float32_longitude_is_even() -> None:
    lon = np.arange(0, 360, 0.1).astype(np.float32)
    wave = xr.DataArray(np.cos(np.radians(lon.astype(float))), {"lon": lon}, "lon")
    got = smooth(wave, {"lon": 10.0}, period={"lon": 360.0})
    kept = np.exp(-(np.radians(10.0) ** 2) / 2)
    np.testing.assert_allclose(got, kept * wave, rtol=0, atol=LOST)


@pytest.mark.parametrize("resolution", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("sigma", [36.0, np.timedelta64(36, "h"), np.timedelta64(2160, "m"),
                                   np.timedelta64(36 * 3600 * 10**9, "ns"),
                                   dt.timedelta(days=1.5)])  # fmt: skip
def test_times(resolution: str, sigma: Any) -> None:
    plain = random((40,), "t")
    times = np.array("2026-01-30T00", f"M8[{resolution}]") + np.arange(40) * np.timedelta64(6, "h")
    got = smooth(plain.assign_coords(t=times), sigma, datetime_unit="h")
    assert got.attrs["smoothed"] == "t=36.0 h"
    same_bits(got.drop_vars("t"), smooth(plain, 6.0))


def test_a_calendar_without_leap_days() -> None:
    plain = random((40,), "t")
    times = xr.date_range("2024-02-20", periods=40, freq="D", calendar="noleap", use_cftime=True)
    got = smooth(plain.assign_coords(t=times), np.timedelta64(3, "D"), datetime_unit="D")
    same_bits(got.drop_vars("t"), smooth(plain, 3.0))


def test_dataset() -> None:
    data = xr.Dataset(
        {
            "a": random((6, 7), "yx"),
            "b": random((3, 6, 7), "tyx").astype(np.float32),
            "c": random((6,), "y"),
            "text": ("x", list("abcdefg")),
            "scalar": 3.0,
        },
        attrs={"title": "kept"},
    )
    got = smooth(data, {"x": 1.0})
    assert list(got) == ["a", "b"]
    assert got.attrs == data.attrs
    same_bits(got["a"], smooth(data["a"], {"x": 1.0}))
    same_bits(got["b"], smooth(data["b"], {"x": 1.0}))
    assert list(smooth(data, 0.5)) == ["a", "b", "c"]


@pytest.mark.parametrize("chunks", [{}, {"x": 4}])
def test_quantities_stay_quantities(chunks: dict[str, int]) -> None:
    registry = pytest.importorskip("pint").UnitRegistry()
    bare = random((12,), "x").assign_coords(x=("x", np.arange(12.0), {"units": "km"}))
    bare = bare.chunk(chunks) if chunks else bare
    got = smooth(bare.copy(data=registry.Quantity(bare.data, "degC")), {"x": 2.0})
    assert got.data.units == registry.Unit("degC")
    assert got.attrs["smoothed"] == "x=2.0 km"
    np.testing.assert_array_equal(got.data.magnitude, smooth(bare, {"x": 2.0}).data)


# Dtypes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "result"),
    [("f8", "f8"), (">f8", "f8"), ("f4", "f4"), (">f4", "f4"), ("f2", "f4"), ("g", "f8"),
     ("i2", "f8"), (">i2", "f8"), ("u1", "f8"), ("i8", "f8"), ("u8", "f8"), ("?", "f8")],
)  # fmt: skip
@pytest.mark.parametrize("lazy", [False, True])
def test_dtypes(dtype: str, result: str, lazy: bool) -> None:
    """Whatever comes in, the arithmetic is that of float64, rounded once at the end."""
    raw = (random((12, 13), "yx") * 50 + 100).astype(dtype)
    want = smooth(raw.astype(np.float64), 1.5)
    for nan in ("propagate", "adapt"):
        got = smooth(raw.chunk({"y": 5}) if lazy else raw, 1.5, nan=nan).compute()
        assert got.dtype == np.dtype(result)
        assert got.dtype.isnative
        same_bits(got, want.astype(result))
        for chosen in ("float32", "float64"):
            same_bits(smooth(raw, 1.5, nan=nan, dtype=chosen), want.astype(chosen))


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "g"])
def test_holes_in_dtypes(dtype: str) -> None:
    raw = random((12, 13), "yx").where(random((12, 13), "yx", 1) < 1).astype(dtype)
    want = smooth(raw.astype(np.float64), 1.5, nan="adapt")
    got = smooth(raw, 1.5, nan="adapt")
    same_bits(got, want.astype(got.dtype))


@pytest.mark.parametrize("nan", ["propagate", "adapt"])
def test_views_of_memory(nan: str) -> None:
    base = random((24, 26), "yx").where(random((24, 26), "yx", 1) < 1)
    base.values.flags.writeable = False
    views = [
        base[::2, ::-2],
        base.T[1:],
        base[:, 3:4],
        xr.DataArray(base.values.T, dims=("x", "y")),
    ]
    for view in views:
        copy = xr.DataArray(view.values.copy(order="C"), view.coords, view.dims)
        sigma = {d: 1.3 for d in view.dims if view.sizes[d] > 1}
        same_bits(smooth(view, sigma, nan=nan), smooth(copy, sigma, nan=nan))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_result_is_memory_of_its_own(dtype: str) -> None:
    array = random((12, 13), "yx").astype(dtype)
    got = smooth(array, 0.01)  # no kernel at all
    assert not np.shares_memory(got.values, array.values)
    assert got.values.flags.c_contiguous
    assert got.values.flags.writeable
    block = smooth(array.chunk({"y": 6}), 1.0).data.blocks[1].compute(scheduler="synchronous")
    assert block.base is None  # the ghost cells are freed


# Refused -----------------------------------------------------------------------------------------

WRONG: list[tuple[Any, dict[str, Any], str]] = [
    (0, {}, r"sigma is 0; it must be a finite number above 0"),
    (-2.0, {}, r"sigma is -2\.0; it must be a finite number above 0"),
    (float("nan"), {}, r"sigma is nan; it must be"),
    (float("inf"), {}, r"sigma is inf; it must be"),
    (10**400, {}, r"sigma is 10+\.\.\.0+; it must be"),
    ({"x": 0.0}, {}, r"sigma of 'x' is 0\.0; it must be"),
    ("2", {}, r"sigma is '2', which is no number; give a number"),
    (None, {}, r"sigma is None, which is no number"),
    (True, {}, r"sigma is True, which is no number"),
    ([1.0, 2.0], {}, r"sigma is \[1\.0, 2\.0\], which is no number.*sigma=\{\"x\": 2\.0\}"),
    ({"x": "far"}, {}, r"sigma of 'x' is 'far', which is no number"),
    ({}, {}, r"sigma=\{\} names no dimension; write"),
    ({"q": 1.0}, {}, r"no dimension 'q' in variable 'f'; known: y, x"),
    ({"x": 1.0}, {"dims": ["x", "q"]}, r"no dimension 'q' in variable 'f'"),
    (1.0, {"dims": "q"}, r"no dimension 'q' in variable 'f'"),
    ({"x": 1.0, "y": 1.0}, {"dims": "x"}, r"sigma is given for 'y', which dims=\['x'\] leaves out"),
    ({"x": 1.0}, {"period": {"q": 1.0}}, r"no dimension 'q' in variable 'f'"),
    ({"x": 6.01}, {}, r"sigma of 'x' is 6\.01, more than .* \(span 6 with 7 points\); give less"),
    ({"x": 8.01}, {"period": {"x": 7.0}}, r"sigma of 'x' is 8\.01, more.*\(period 7 with 7 points"),
    ({"x": np.timedelta64(1, "h")}, {}, r"'x' is the time 1 hours, and its coordinate holds no"),
    (np.timedelta64(1, "M"), {}, r"whose unit is none from weeks to nanoseconds"),
    (np.timedelta64("NaT", "s"), {}, r"must be a time above 0"),
    (dt.timedelta(hours=-1), {}, r"must be a time above 0"),
    (1.0, {"scale": {"x": 2.0}}, r"scale=\{'x': 2\.0\} does not go with smooth, whose sigma"),
    (1.0, {"scale": "span"}, r"scale='span' does not go with smooth, whose sigma"),
    (1.0, {"geometry": "sphere"}, r"geometry='sphere' does not go with smooth.*no distance on a"),
    (1.0, {"order": 1}, r"order=1 is not available"),
    (1.0, {"nan": "skip"}, r"nan='skip' is unknown"),
    (1.0, {"truncate": 3}, r"unknown option 'truncate'"),
]  # fmt: skip


@pytest.mark.usefixtures("lazy_only")
@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(("sigma", "options", "sentence"), WRONG)
def test_wrong_input(sigma: Any, options: dict[str, Any], sentence: str, lazy: bool) -> None:
    array = random((6, 7), "yx")
    with pytest.raises(InputError, match=sentence) as caught:
        smooth(array.chunk() if lazy else array, sigma, **options)
    assert "\n" not in str(caught.value)
    assert not str(caught.value).endswith(".")


def test_uneven_axes() -> None:
    array = random((4,), "x")
    with pytest.raises(
        GridError,
        match=r"coordinate 'x' is uneven \(step 1 at index 0, 6 at index 2\), and a Gaussian needs "
        r"equal steps; interpolate first, as in \.interp\(x=…\)",
    ):
        smooth(array.assign_coords(x=[0.0, 1.0, 3.0, 9.0]), 1.0)
    with pytest.raises(GridError, match=r"and 7 over the seam of its period 10\)"):
        smooth(array, 1.0, period={"x": 10.0})
    months = xr.date_range("2026-01-01", periods=4, freq="MS")
    with pytest.raises(GridError, match=r"'x' is uneven \(step 28 at index 1, 31 at index 0\)"):
        smooth(array.assign_coords(x=months), 1.0, datetime_unit="D")


def test_one_point_cannot_be_smoothed() -> None:
    with pytest.raises(GridError, match=r"sigma of 'y' is 1, more.*\(span 0 with 1 points\)"):
        smooth(random((1, 5), "yx"), 1.0)
    same_bits(smooth(random((1, 5), "yx"), {"x": 1.0}), smooth(random((1, 5), "yx"), 1.0, dims="x"))


def test_other_things_than_arrays() -> None:
    with pytest.raises(InputError, match="DataArray or Dataset is needed, not ndarray"):
        smooth(np.zeros(5), 1.0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"no numeric variable .* \['q'\]; variables: f"):
        smooth(random((5,), "x").to_dataset(), {"q": 1.0})
    with pytest.raises(DhessError, match="complex"):
        smooth(random((5,), "x") * 1j, 1.0)


# The package -------------------------------------------------------------------------------------


def test_import_of_dhess_leaves_scipys_filters_alone(
    fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    code = "import dhess, sys; print(*[m for m in sys.modules if m.startswith('scipy.ndimage')])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=fresh_process_environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.parametrize("first", ["dhess", "dhess.smoothing", "dhess.smoothing.convolution"])
def test_the_name_stays_the_function(
    first: str, fresh_process_environment: dict[str, str], tmp_path: Path
) -> None:
    """Loading the folder of that name must not put the module in the function's place."""
    code = f"import {first}, dhess; dhess.smooth; print(*[type(dhess.smooth).__name__] * 2)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=fresh_process_environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == ("function function", "")
