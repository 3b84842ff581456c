"""Measures of surfaces against surfaces whose curvature is known, and where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, Line, chunkings, holes, lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[Any]
    Surface = Callable[[Floats, Floats], Any]

MEAN, GAUSSIAN = "mean_curvature", "gaussian_curvature"
PROFILE, PLAN, SHAPE = "profile_curvature", "plan_curvature", "shape_index"
NAMES = [MEAN, GAUSSIAN, PROFILE, PLAN, SHAPE]
ODD = [MEAN, PROFILE, PLAN, SHAPE]
"""Those that change their sign with the surface."""
RANDOM = np.random.default_rng(4).standard_normal((7, 8))


def axis(low: float, high: float, size: int = 31) -> Floats:
    return np.linspace(low, high, size)


def surface(z: Surface, y: Floats, x: Floats, dtype: Any = np.float64) -> xr.DataArray:
    values = z(*np.meshgrid(y, x, indexing="ij"))
    return xr.DataArray(values.astype(dtype), coords={"y": y, "x": x}, dims=["y", "x"])


def agree(z: Surface, want: dict[str, Surface | float], y: Floats, x: Floats, tol: float) -> None:
    """Compare measures of a smooth surface, by differences of order 8, with closed forms."""
    data = surface(z, y, x)
    mesh = np.meshgrid(y, x, indexing="ij")
    for name, form in want.items():
        closed = form(*mesh) if callable(form) else form
        got = dhess.measure(data, name, order=8).values
        np.testing.assert_allclose(got, np.broadcast_to(closed, got.shape), 0, tol, err_msg=name)


SIDE = axis(0.2, 0.7), axis(-0.6, -0.1)
"""Away from the top, where the contours of a sphere shrink to a point."""


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("radius", [1.5, 4.0])
def test_sphere(sign: float, radius: float) -> None:
    """A cap (sign 1) bends down by 1/R in every direction; its contours are circles around it."""
    agree(
        lambda y, x: sign * np.sqrt(radius**2 - x**2 - y**2),
        {
            MEAN: -sign / radius,
            GAUSSIAN: 1 / radius**2,
            PROFILE: -sign / radius,
            PLAN: lambda y, x: -sign / np.hypot(x, y),
        },
        *SIDE,
        1e-7,
    )


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("angle", [0.0, 0.4, 2.0])
def test_cylinder(sign: float, angle: float) -> None:
    """Lying on its side; straight contours, bent by 1/R across and not at all along."""
    agree(
        lambda y, x: sign * np.sqrt(4 - (np.cos(angle) * x + np.sin(angle) * y) ** 2),
        {MEAN: -sign / 4, GAUSSIAN: 0.0, PROFILE: -sign / 2, PLAN: 0.0, SHAPE: sign / 2},
        *SIDE,
        1e-7,
    )


@pytest.mark.parametrize("steep", [0.5, -2.0])
def test_cone(steep: float) -> None:
    """Straight down the slope; a circle of radius ρ along the contour, seen in perspective."""
    agree(
        lambda y, x: steep * np.hypot(x, y),
        {
            PROFILE: 0.0,
            GAUSSIAN: 0.0,
            PLAN: lambda y, x: np.sign(steep) / np.hypot(x, y),
            MEAN: lambda y, x: steep / np.sqrt(1 + steep**2) / np.hypot(x, y) / 2,
        },
        axis(0.5, 1.0),
        axis(-1.0, -0.5),
        1e-7,
    )


def test_saddle() -> None:
    agree(
        lambda y, x: x * y,
        {
            MEAN: lambda y, x: -x * y / (1 + x**2 + y**2) ** 1.5,
            GAUSSIAN: lambda y, x: -1 / (1 + x**2 + y**2) ** 2,
            PROFILE: lambda y, x: 2 * x * y / (x**2 + y**2) / (1 + x**2 + y**2) ** 1.5,
            PLAN: lambda y, x: -2 * x * y / (x**2 + y**2) ** 1.5,
            SHAPE: 0.0,
        },
        *SIDE,
        1e-7,
    )


def test_minimal_surface_has_no_mean_curvature() -> None:
    """Scherk's: z = log(cos y / cos x)."""
    agree(lambda y, x: np.log(np.cos(y) / np.cos(x)), {MEAN: 0.0}, *SIDE, 1e-8)


def test_pseudosphere_has_gaussian_curvature_minus_one() -> None:
    def z(y: Floats, x: Floats) -> Any:
        flat = np.sqrt(1 - x**2 - y**2)
        return np.arctanh(flat) - flat

    agree(z, {GAUSSIAN: -1.0}, axis(0.4, 0.6, 41), axis(0.3, 0.5, 41), 1e-6)


@pytest.mark.parametrize(
    ("bends", "index"),
    [((-1, -1), 1.0), ((-1, 0), 0.5), ((-1, 1), 0.0), ((1, 0), -0.5), ((1, 1), -1.0)],
    ids=["cap", "ridge", "saddle", "rut", "cup"],
)
@pytest.mark.parametrize("angle", [0.0, 0.3])
@pytest.mark.parametrize("scale", [1e-290, 1.0, 1e290])
def test_shape_index_names_the_shape(
    bends: tuple[int, int], index: float, angle: float, scale: float
) -> None:
    def z(y: Floats, x: Floats) -> Any:
        u, v = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        return scale * (bends[0] * u**2 + bends[1] * v**2)

    got = dhess.measure(surface(z, axis(-1, 1, 9), axis(-2, 1, 13)), SHAPE)
    np.testing.assert_allclose(got, index, rtol=0, atol=1e-12)


def test_shape_index_between_the_names() -> None:
    """Curvatures 1 and 3: (2/π) atan(4 / 2) on the side of the cup."""
    data = surface(lambda y, x: (x**2 + 3 * y**2) / 2, axis(0, 1, 9), axis(0, 1, 9))
    got = dhess.measure(data, SHAPE)
    np.testing.assert_allclose(got, -0.70483276469913, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("value", [0.0, 3.7, 1e5 + 0.1, -1e-300, 1e30])
@pytest.mark.parametrize("order", [2, 6])
def test_a_constant_is_exactly_flat(name: str, dtype: Any, value: float, order: int) -> None:
    uneven = np.cumsum(np.r_[0.1, 0.3, 0.2, 0.4, 0.1, 0.3, 0.2, 0.1, 0.7, 0.1, 0.2])
    for x in (axis(0.1, 1.0, 12), uneven):
        data = surface(lambda y, _x: value + 0 * y, axis(0.1, 1.0, 12), x, dtype)
        got = dhess.measure(data, name, order=order).values
        assert (got == 0).all()
        assert not np.signbit(got).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("height", [0.0, 12.3, 1e5])
@pytest.mark.parametrize("tilt", [(0.1, 0.3), (0.7, -0.1), (0.0, 0.3), (1e-3, 3e3)])
def test_a_tilted_plane_with_decimals(dtype: Any, height: float, tilt: tuple[float, float]) -> None:
    """Its second derivatives are what rounding leaves of them, also where its height is zero."""
    data = surface(
        lambda y, x: height + tilt[0] * y + tilt[1] * x, axis(-0.7, 0.5, 13), axis(-1, 1, 21), dtype
    )
    np.testing.assert_array_equal(dhess.measure(data, SHAPE), 0.0)
    noise = np.finfo(dtype).eps * float(np.abs(data).max()) * 12 / 0.1**2
    for name in (MEAN, PROFILE):
        assert float(np.abs(dhess.measure(data, name)).max()) <= noise
    steep = np.hypot(*tilt)
    if steep > 1e3 * noise:
        assert float(np.abs(dhess.measure(data, PLAN)).max()) <= noise / steep


@pytest.mark.parametrize("name", [PROFILE, PLAN, SHAPE])
@pytest.mark.parametrize("tilt", [1e-9, 1e-3])
def test_steps_of_rounding_are_no_relief(name: str, tilt: float) -> None:
    """float32 tells heights near 100 km apart by 8 mm: a slope of 1 mm/m becomes a staircase."""
    data = surface(lambda y, x: 1e5 + tilt * (x + y), axis(0, 30), axis(0, 30), np.float32)
    assert np.unique(data).size > 1 or tilt < 1e-6
    np.testing.assert_array_equal(dhess.measure(data, name), 0.0)


def test_relief_on_a_high_plain_is_seen() -> None:
    """The same plain in float64, and a hill of a metre on it in float32."""
    x = axis(-15, 15)
    plain = surface(lambda y, x: 1e5 + 1e-3 * (x**2 + y**2), x, x)
    np.testing.assert_allclose(dhess.measure(plain, SHAPE), -1.0, atol=1e-6)
    hill = surface(lambda y, x: 1e5 - (x**2 + y**2), x, x, np.float32)
    got = dhess.measure(hill, PROFILE).values[1:-1, 1:-1]
    assert (got[14] != 0).sum() == 28  # all but the top
    assert dhess.measure(hill, SHAPE).values[14, 3] > 0.9


@pytest.mark.parametrize("name", [PROFILE, PLAN])
@pytest.mark.parametrize("height", [0.0, 0.7, -1e4])
@pytest.mark.parametrize("low", [0.3, 0.1 * 3])
def test_the_bottom_of_a_bowl_has_no_slope(name: str, height: float, low: float) -> None:
    """Its neighbours on either side differ by rounding, also where the bottom itself is at 0."""
    x = 0.1 * np.arange(9)
    data = surface(lambda y, x: height + (x - low) ** 2 + (y - 0.5) ** 2, x, x)
    got = dhess.measure(data, name).values
    assert got[5, 3] == 0.0
    assert (got != 0).sum() == 80


def rough(scale: float) -> xr.DataArray:
    """Slopes between 0.1 and 10, times scale, with bends of the same size."""
    return surface(
        lambda y, x: scale * (x + 2 * y + 0.5 * np.sin(3 * x) * np.cos(2 * y)),
        axis(0, 1, 12),
        axis(0, 2, 15),
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", [1e-300, 1e-200, 1e-100, 1e100, 1e200, 1e300])
def test_extreme_slopes_reach_their_limit(name: str, scale: float) -> None:
    """With p and q near zero or infinity, 1 + p² + q² is 1 or p² + q²; the other measures do not
    see how high the surface is."""
    at = rough(1.0)
    (p, q), ((r, s), (_, t)) = dhess.gradient(at).values, dhess.hessian(at).values
    g = np.hypot(p, q)
    along = (p**2 * r + 2 * p * q * s + q**2 * t) / g**2
    across = (q**2 * r - 2 * p * q * s + p**2 * t) / g**2
    with np.errstate(under="ignore", over="ignore"):
        square = scale * scale
        want = {
            MEAN: (r + t) / 2 * scale if scale < 1 else across / g / 2,
            GAUSSIAN: (r * t - s * s) * (square if scale < 1 else 1 / g**4 / square),
            PROFILE: along * (scale if scale < 1 else 1 / g**3 / square),
            PLAN: across / g,
            SHAPE: dhess.measure(at, SHAPE).values,
        }[name]
    got = dhess.measure(rough(scale), name).values
    top = float(np.abs(want).max())
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * top)


def test_products_of_huge_bends_do_not_overflow() -> None:
    """x² + y² with x in units of 1e98 and z in units of 1e36: r and t are 2e160, slopes 1e62."""
    side = axis(0.5, 1, 8)
    data = surface(lambda y, x: 1e160 * (x**2 + y**2), 1e-98 * side, 1e-98 * side)
    radius = np.hypot(*np.meshgrid(side, side))
    want = {
        PLAN: 1e98 / radius,
        MEAN: 1e98 / radius / 2,
        PROFILE: 1e-26 / (4 * radius**3),
        GAUSSIAN: 1e72 / (4 * radius**4),
    }
    for name, value in want.items():
        np.testing.assert_allclose(dhess.measure(data, name).values, value, rtol=1e-9)


@pytest.mark.parametrize("name", [*NAMES, "curvedness"])
def test_turning_and_mirroring_the_axes_changes_nothing(name: str) -> None:
    y, x = 0.3 * np.arange(7), 0.2 * np.arange(8) - 1
    data = xr.DataArray(RANDOM, coords={"y": y, "x": x}, dims=["y", "x"])
    want = dhess.measure(data, name)
    for turned in (
        data.T,
        data.isel(x=slice(None, None, -1)),
        data.isel(y=slice(None, None, -1)).T,
        data.assign_coords(x=-x),
        data.assign_coords(x=-x, y=-y).T,
    ):
        got = dhess.measure(turned, name).transpose("y", "x")
        if turned.x[0] != data.x[0] and float(turned.x[0]) == float(x[-1]):
            got = got.isel(x=slice(None, None, -1))
        if float(turned.y[0]) == float(y[-1]):
            got = got.isel(y=slice(None, None, -1))
        np.testing.assert_allclose(got.values, want.values, 1e-9, 1e-9)
    sign = -1 if name in ODD else 1
    np.testing.assert_allclose(dhess.measure(-data, name), sign * want, 1e-9, 1e-9)


@st.composite
def planes(draw: st.DrawFn) -> Case:
    """Two axes with room for several chunks."""
    drawn: tuple[Line, ...] = tuple(draw(lines(4, 14)) for _ in range(2))
    return Case(drawn, draw(st.integers(0, 2**32 - 1)))


def same_bits(got: xr.DataArray, want: xr.DataArray) -> None:
    """All but the bits of NaN."""
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(np.signbit(got.fillna(0)), np.signbit(want.fillna(0)))


KINDS = st.sampled_from(["random", "steps", "flat"])


def field(case: Case, kind: str) -> xr.DataArray:
    """Random numbers, few different ones with ties and level places, or rounding noise only."""
    values = case.random()
    if kind == "steps":
        values = np.round(values / 2)
    if kind == "flat":
        values = 1e5 + np.round(values) * 1e-11
    return case.array(values)


@pytest.mark.parametrize("name", [*NAMES, "curvedness"])
@given(data=st.data(), case=planes(), kind=KINDS)
def test_chunks_and_search_see_the_same_bits(
    name: str, data: st.DataObject, case: Case, kind: str
) -> None:
    array = field(case, kind)
    array = array.where(~data.draw(holes(case.shape)))
    if data.draw(st.booleans()):
        array = array.astype(np.float32)
    options: dict[str, Any] = data.draw(
        st.sampled_from([{}, {"scheme": "iterated"}, {"nan": "adapt"}])
    )
    whole = dhess.measure(array, name, **options)
    chunks = dict(zip(array.dims, data.draw(chunkings(case.shape)), strict=True))
    with dask.config.set(scheduler="synchronous"):
        blocks = dhess.measure(array.chunk(chunks), name, **options).compute()
        same_bits(blocks, whole)
        if np.isnan(whole).all():
            return
        best = dhess.find_minimum(array.chunk(chunks), name, k=3, **options)
    want = oracles.k_smallest(whole.values, 3)
    assert [tuple(row) for row in best["index"].values] == want
    np.testing.assert_array_equal(best["value"], [whole.values[at] for at in want])
    xr.testing.assert_identical(dhess.find_minimum(array, name, k=3, **options), best)


@pytest.mark.parametrize("name", [*NAMES, "curvedness"])
@pytest.mark.parametrize("level", [True, False])
@given(data=st.data(), case=planes())
def test_nan_is_never_taken_for_flat(
    name: str, level: bool, data: st.DataObject, case: Case
) -> None:
    values = np.full(case.shape, 7.3) if level else case.random()
    array = case.array(values).where(~data.draw(holes(case.shape)))
    oracle = oracles.Oracle(array.values, case.axes)
    missing = np.isnan(oracle.hessian()).any(axis=(0, 1))
    if name not in {SHAPE, "curvedness"}:
        missing |= np.isnan(oracle.gradient()).any(axis=0)
    got = dhess.measure(array, name).values
    np.testing.assert_array_equal(np.isnan(got), missing)
    if level:
        assert (got[~missing] == 0).all()


@pytest.mark.parametrize("name", [*NAMES, "curvedness"])
def test_float32_is_the_rounded_float64(name: str) -> None:
    data = xr.DataArray(RANDOM.astype(np.float32), dims=["y", "x"])
    wide = dhess.measure(data.astype(np.float64), name)
    got = dhess.measure(data, name)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, wide.astype(np.float32))
    np.testing.assert_array_equal(dhess.measure(data, name, dtype="float64"), wide)


@pytest.mark.parametrize("name", NAMES)
def test_infinities_are_not_flat(name: str) -> None:
    data = xr.DataArray(RANDOM.copy(), dims=["y", "x"])
    data[3, 4] = np.inf
    got = dhess.measure(data, name).values
    assert not np.isfinite(got[3, 4])
    assert np.isfinite(got[0, 0])
