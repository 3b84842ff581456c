"""geometry="sphere" against spherical harmonics, whose derivatives are known in closed form.

`pytest tests/test_sphere.py -s` shows the table of slopes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import dask
import numpy as np
import pytest
import scipy.special
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess

from . import oracles
from .harmonics import Harmonic, harmonics
from .strategies import chunkings, holes
from .test_fields import FIELDS, same_bits
from .test_options import CALLS, one_sentence
from .test_search import agrees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .oracles import Float

ORDERS = (2, 4, 6, 8)
EARTH = 6371008.8
MODES = harmonics(6)


def test_the_closed_forms_are_those_of_scipy() -> None:
    """The oracle itself: scipy differentiates by colatitude and has complex harmonics."""
    rng = np.random.default_rng(0)
    lat, lon = rng.uniform(-1.5, 1.5, 50), rng.uniform(-4, 7, 50)
    cos, tan = np.cos(lat), np.tan(lat)
    for degree, m in MODES:
        found = scipy.special.sph_harm_y(degree, abs(m), np.pi / 2 - lat, lon, diff_n=2)
        norm = np.sqrt(2) * (-1) ** m if m else 1
        value, first, second = (norm * (f.real if m >= 0 else f.imag) for f in found)
        north, east = -first[:, 0], first[:, 1]
        mixed = (-second[:, 0, 1] + tan * east) / cos
        around = second[:, 1, 1] / cos**2 - tan * north
        harmonic = Harmonic(degree, m, lat, lon)
        np.testing.assert_allclose(harmonic.value(), value, atol=1e-13)
        np.testing.assert_allclose(harmonic.gradient(), [north, east / cos], atol=1e-12)
        want = [[second[:, 0, 0], mixed], [mixed, around]]
        np.testing.assert_allclose(harmonic.hessian(), want, atol=1e-10)
        trace = harmonic.hessian().trace()
        np.testing.assert_allclose(trace, harmonic.laplacian(), atol=1e-12)


def stacked(lat: Float, lon: Float, part: str, radius: float = EARTH) -> Float:
    """All harmonics to degree 6 on a grid of degrees, or a derivative of them: (…, mode, y, x)."""
    at = np.deg2rad(lat)[:, None], np.deg2rad(lon)[None, :]
    parts = [getattr(Harmonic(l, m, *at, radius), part)() for l, m in MODES]
    return np.stack(parts, axis=-3)


def field(lat: Float, lon: Float, **attrs: str) -> xr.DataArray:
    coords = {"lat": ("lat", lat, attrs), "lon": ("lon", lon, attrs)}
    return xr.DataArray(stacked(lat, lon, "value"), coords, ("mode", "lat", "lon"), "f")


GLOBE: dict[str, Any] = {"dims": ["lat", "lon"], "geometry": "sphere", "period": {"lon": 360.0}}


class Place(NamedTuple):
    """Latitudes at which errors are looked at, on a grid that is made finer and finer."""

    rows: list[float]
    first: float
    last: float
    unit: float
    """Degrees: latitudes in steps of it over k, 48 k longitudes."""
    steps: Mapping[int, tuple[float, ...]]
    """k per order: fine enough for the leading term, coarse enough to see it over the rounding."""


GLOBAL = dict.fromkeys(ORDERS, (2.0, 3.0, 4.0, 5.0))
CENTRED = {2: (2.0, 3, 4, 6), 4: (2.0, 3, 4, 6), 6: (3.0, 4, 5, 6), 8: (2.0, 2.5, 3, 4)}
LAST = {2: (4.0, 5, 6, 8), 4: (6.0, 7, 8, 10), 6: (6.0, 7, 8, 10), 8: (2.0, 2.5, 3, 4)}
PLACES = {
    "0°, 36°, −60°": Place([0, 36, -60], -78, 90, 6, GLOBAL),
    "78°, 84°, below the pole": Place([78, 84], 60, 90, 6, GLOBAL),
    "80°": Place([80], 64, 88, 4, CENTRED),
    "88°, the last row": Place([88], 64, 88, 4, LAST),
}
COMPONENTS = ("∇_φ", "∇_λ", "H_φφ", "H_φλ", "H_λλ", "∇²")


def errors(place: Place, order: int, k: float) -> list[float]:
    """Largest error over all harmonics and longitudes at some latitudes, on a unit sphere."""
    lat = np.linspace(
        place.first, place.last, round((place.last - place.first) * k / place.unit) + 1
    )
    lon = np.linspace(0, 360, round(48 * k), endpoint=False)
    f = field(lat, lon)
    options: dict[str, Any] = {"order": order, "radius": 1.0, **GLOBE}
    at = [int(np.flatnonzero(np.isclose(lat, row))[0]) for row in place.rows]
    want = [stacked(lat[at], lon, part, 1.0) for part in ("gradient", "hessian", "laplacian")]
    hessian = dhess.hessian(f, **options).values[..., at, :] - want[1]
    wrong = (
        *(dhess.gradient(f, **options).values[..., at, :] - want[0]),
        *hessian[[0, 0, 1], [0, 1, 1]],
        dhess.laplacian(f, **options).values[..., at, :] - want[2],
    )
    return [float(np.abs(error).max()) for error in wrong]


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, int], list[float]]:
    found: dict[tuple[str, int], list[float]] = {}
    print("\n\n| latitudes | order | " + " | ".join(COMPONENTS) + " |")
    print("|---|---" + "|---:" * len(COMPONENTS) + "|")
    for name, place in PLACES.items():
        for order in ORDERS:
            steps = place.steps[order]
            rows = np.log([errors(place, order, k) for k in steps])
            found[name, order] = list(-np.polyfit(np.log(steps), rows, 1)[0])
            cells = " | ".join(f"{slope:.2f}" for slope in found[name, order])
            print(f"| {name} | {order} | {cells} |")
    return found


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("order", ORDERS)
def test_slopes_reach_the_order_also_near_the_poles(
    table: dict[tuple[str, int], list[float]], name: str, order: int
) -> None:
    # At 88°, where the stencil is one-sided as well, harmonics of degree 6 come down to rounding at
    # order 8 before the second term of the error, which counts against it, has become small.
    least = 7.5 if (name, order) == ("88°, the last row", 8) else order - 0.1
    for component, slope in zip(COMPONENTS, table[name, order], strict=True):
        assert slope >= least, component


@st.composite
def patches(
    draw: st.DrawFn, order: int
) -> tuple[xr.DataArray, dict[str, Any], list[oracles.Along]]:
    """A part of the sphere with its options, and its axes in radians."""
    size = st.integers(order + 3, order + 7)
    rows, columns = draw(size), draw(size)
    step = draw(st.sampled_from([1.0, 2.5, 5.0]))
    lat = np.arange(rows) * step - draw(st.sampled_from([-12.0, 20.0, 40.0]))
    wraps, even = draw(st.booleans()), draw(st.booleans())
    lon = np.arange(columns) * (360 / columns if wraps else 1.5) - 180
    if not even:
        lon[1:-1] += np.random.default_rng(columns).uniform(-0.4, 0.4, columns - 2)
    sign = draw(st.sampled_from([1, -1]))
    lat, lon = lat[::sign], lon[:: draw(st.sampled_from([1, -1]))]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    array = xr.DataArray(
        rng.standard_normal((rows, columns)), {"lat": lat, "lon": lon}, ("lat", "lon")
    )
    options: dict[str, Any] = {"geometry": "sphere", "order": order, "radius": 2.0}
    options["nan"] = draw(st.sampled_from(["propagate", "adapt"]))
    array = array.where(~draw(holes(array.shape)))
    if wraps:
        options["period"] = {"lon": 360.0}
    axes = [
        oracles.Along(0, np.deg2rad(lat), True),
        oracles.Along(1, np.deg2rad(lon), even, 2 * np.pi if wraps else None),
    ]
    return array, options, axes


def by_oracle(
    array: xr.DataArray, options: dict[str, Any], axes: list[oracles.Along]
) -> tuple[dict[str, Float], dict[str, Float]]:
    """The formulas of the sphere on derivatives by latitude and longitude, and their rounding."""
    parts: dict[tuple[int, ...], tuple[Float, Float]] = {}
    for key in [(0,), (1,), (0, 0), (0, 1), (1, 1)]:
        if options["nan"] == "adapt":
            parts[key] = oracles.Adapted(array.values, axes, options["order"]).component(*key)
        else:
            oracle = oracles.Oracle(array.values, axes, options["order"])
            parts[key] = oracle.component(*key), oracle.rounding(*key)
    phi = axes[0].values[:, None]
    cos, tan, r = np.cos(phi), np.tan(phi), options["radius"]

    def formulas(f: dict[tuple[int, ...], Float], tan: Float, minus: float) -> dict[str, Float]:
        return {
            "φ": f[0,] / r,
            "λ": f[1,] / (r * cos),
            "φφ": f[0, 0] / r**2,
            "φλ": (f[0, 1] + tan * f[1,]) / (r**2 * cos),
            "λλ": f[1, 1] / (r * cos) ** 2 + minus * tan * f[0,] / r**2,
        }

    values = formulas({key: part[0] for key, part in parts.items()}, tan, -1)
    return values, formulas({key: part[1] for key, part in parts.items()}, np.abs(tan), 1)


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=40)
def test_equals_the_formulas_on_dense_operators(data: st.DataObject, order: int) -> None:
    array, options, axes = data.draw(patches(order))
    want, unit = by_oracle(array, options, axes)
    given = array.transpose(*data.draw(st.permutations(["lat", "lon"])))
    names = ["lat", "lon"]
    gradient = dhess.gradient(given, **options).sel(row=names).transpose("row", "lat", "lon").values
    matrix = dhess.hessian(given, **options).sel(row=names, col=names)
    hessian = matrix.transpose("row", "col", "lat", "lon").values
    got = dict(zip(want, [*gradient, hessian[0, 0], hessian[0, 1], hessian[1, 1]], strict=True))
    for name, value in want.items():
        np.testing.assert_array_equal(np.isnan(got[name]), np.isnan(value))
        kept = ~np.isnan(value)
        assert (np.abs(got[name] - value)[kept] <= 2e-12 * unit[name][kept]).all(), name
    np.testing.assert_array_equal(hessian[0, 1], hessian[1, 0])


@given(data=st.data(), order=st.sampled_from(ORDERS))
def test_trace_is_the_laplacian_to_rounding(data: st.DataObject, order: int) -> None:
    array, options, _ = data.draw(patches(order))
    hessian = dhess.hessian(array, **options).values
    laplacian = dhess.laplacian(array, **options).values
    trace = hessian[0, 0] + hessian[1, 1]
    kept = ~np.isnan(trace)
    np.testing.assert_array_equal(np.isnan(laplacian), ~kept)
    size = np.abs(hessian[0, 0]) + np.abs(hessian[1, 1])
    assert (np.abs(laplacian - trace)[kept] <= 4e-16 * size[kept]).all()


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=40)
def test_same_bits_for_any_chunking(data: st.DataObject, order: int) -> None:
    array, options, _ = data.draw(patches(order))
    array = array * xr.DataArray([1.0, -2.0], dims="t")
    array = array.transpose(*data.draw(st.permutations(["lat", "lon", "t"])))
    options["dims"] = ["lat", "lon"]
    name = data.draw(st.sampled_from(list(FIELDS)))
    chunks = dict(zip(array.dims, data.draw(chunkings(array.shape)), strict=True))
    whole = FIELDS[name](array, **options)
    same_bits(FIELDS[name](array.chunk(chunks), **options).compute(scheduler="synchronous"), whole)


@given(data=st.data(), order=st.sampled_from([2, 4]))
@settings(max_examples=20)
def test_search_is_argmin_of_the_measure(data: st.DataObject, order: int) -> None:
    array, options, _ = data.draw(patches(order))
    name = data.draw(st.sampled_from(list(oracles.MEASURES)))
    if np.isnan(dhess.measure(array, name, **options).values).all():
        return
    whole = dhess.find_minimum(array, name, k=3, **options)
    agrees(whole, array, name, 3, **options)
    chunks = dict(zip(array.dims, data.draw(chunkings(array.shape)), strict=True))
    with dask.config.set(scheduler="synchronous"):
        blocks = dhess.find_minimum(array.chunk(chunks), name, k=3, **options)
    xr.testing.assert_identical(blocks, whole)


LAT, LON = np.linspace(-75, 75, 31), np.arange(0, 360, 7.5)


def waves(
    lat: Float = LAT, lon: Float = LON, names: tuple[str, str] = ("lat", "lon")
) -> xr.DataArray:
    """One harmonic on a grid of degrees."""
    value = Harmonic(4, 3, np.deg2rad(lat)[:, None], np.deg2rad(lon)[None, :]).value()
    return xr.DataArray(value, {names[0]: lat, names[1]: lon}, names, "f")


SPHERE: dict[str, Any] = {"geometry": "sphere", "period": {"lon": 360.0}}


def test_descending_latitude_is_the_same_turned_around() -> None:
    for order in ORDERS:
        straight = dhess.hessian(waves(), order=order, **SPHERE)
        turned = dhess.hessian(waves(LAT[::-1], LON[::-1]), order=order, **SPHERE)
        scale = float(np.abs(straight).max())
        back = turned.values[..., ::-1, ::-1]
        np.testing.assert_allclose(back, straight.values, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("unit", ["radians", "rad", "radian"])
def test_radians_by_their_unit(unit: str) -> None:
    degrees = dhess.hessian(waves(), **SPHERE)
    turned = waves().assign_coords(
        lat=("lat", np.deg2rad(LAT), {"units": unit}), lon=("lon", np.deg2rad(LON), {"units": unit})
    )
    got = dhess.hessian(turned, geometry="sphere", period={"lon": 2 * np.pi})
    scale = float(np.abs(degrees).max())
    np.testing.assert_allclose(got.values, degrees.values, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("units", [None, "degrees", "degrees_north"])
def test_degrees_unless_told(units: str | None) -> None:
    named = waves()
    if units is not None:
        named["lat"].attrs["units"] = units
        named["lon"].attrs["units"] = units.replace("north", "east")
    same_bits(dhess.hessian(named, **SPHERE), dhess.hessian(waves(), **SPHERE))


def test_the_earth_unless_told() -> None:
    default = dhess.gradient(waves(), **SPHERE)
    same_bits(default, dhess.gradient(waves(), radius=EARTH, **SPHERE))
    unit = dhess.gradient(waves(), radius=1.0, **SPHERE).values
    np.testing.assert_allclose(default.values * EARTH, unit, rtol=0, atol=1e-12)
    unit = dhess.hessian(waves(), radius=1.0, **SPHERE).values
    twice = dhess.hessian(waves(), radius=2.0, **SPHERE).values
    np.testing.assert_allclose(4 * twice, unit, rtol=0, atol=1e-12)


def test_units_of_the_results() -> None:
    data = waves().assign_attrs(units="K")
    assert dhess.gradient(data, **SPHERE).attrs["units"] == "K m-1"
    assert dhess.hessian(data, **SPHERE).attrs["units"] == "K m-2"
    assert dhess.laplacian(data, **SPHERE).attrs["units"] == "K m-2"


@pytest.mark.parametrize(
    "names", [("latitude", "longitude"), ("Lat", "LON"), ("u", "v"), ("j", "i")]
)
def test_how_the_axes_are_recognised(names: tuple[str, str]) -> None:
    data = waves(names=names)
    options: dict[str, Any] = {"geometry": "sphere", "period": {names[1]: 360.0}}
    if names == ("u", "v"):
        options |= {"latitude": "u", "longitude": "v"}
    if names == ("j", "i"):
        data["j"].attrs = {"standard_name": "latitude", "units": "degrees_north"}
        data["i"].attrs = {"standard_name": "longitude", "units": "degrees_east"}
    np.testing.assert_array_equal(
        dhess.hessian(data, **options).values, dhess.hessian(waves(), **SPHERE).values
    )


def test_a_name_overrules_what_looks_like_one() -> None:
    turned = waves(names=("lon", "lat"))  # the names the wrong way round
    got = dhess.hessian(
        turned, geometry="sphere", latitude="lon", longitude="lat", period={"lat": 360.0}
    )
    np.testing.assert_array_equal(got.values, dhess.hessian(waves(), **SPHERE).values)


@pytest.mark.parametrize("order", ["lat lon z", "z lat lon", "lon z lat"])
def test_height_beside_it_is_a_straight_axis(order: str) -> None:
    """f = Y(φ, λ) z²: H_zz = 2 Y, H_zφ = 2 z Y_φ / r, H_zλ = 2 z Y_λ / (r cos φ)."""
    z = np.arange(5.0) + 1
    data = (waves() * xr.DataArray(z**2, {"z": z}, "z")).transpose(*order.split())
    got = dhess.hessian(data, radius=1.0, **SPHERE)
    flat, slope = (
        dhess.hessian(waves(), radius=1.0, **SPHERE),
        dhess.gradient(waves(), radius=1.0, **SPHERE),
    )
    for row, col in [("lat", "lat"), ("lat", "lon"), ("lon", "lon")]:
        want = flat.sel(row=row, col=col) * data.z**2
        close(got.sel(row=row, col=col), want)
    for name in ("lat", "lon"):
        close(got.sel(row="z", col=name), 2 * data.z * slope.sel(row=name))
        close(got.sel(row=name, col="z"), 2 * data.z * slope.sel(row=name))
    close(got.sel(row="z", col="z"), 2 * waves() + 0 * data.z)
    trace = sum(got.sel(row=d, col=d) for d in ("lat", "lon", "z"))
    assert isinstance(trace, xr.DataArray)
    close(dhess.laplacian(data, radius=1.0, **SPHERE), trace)


@pytest.mark.parametrize("order", ["time lat lon", "lat lon time"])
def test_time_beside_it(order: str) -> None:
    """f = Y(φ, λ) (3 τ² − τ) with τ in hours: f_τ = Y (6 τ − 1), H_τφ = (6 τ − 1) Y_φ / r."""
    tau = np.arange(6.0)
    times = np.datetime64("2024-02-28", "ns") + tau.astype("m8[h]")
    hours = xr.DataArray(tau, {"time": times}, "time")
    data = (waves() * (3 * hours**2 - hours)).transpose(*order.split())
    options: dict[str, Any] = {"datetime_unit": "h", "radius": 1.0, **SPHERE}
    slope = dhess.gradient(waves(), radius=1.0, **SPHERE)
    close(dhess.gradient(data, **options).sel(row="time"), waves() * (6 * hours - 1))
    hessian = dhess.hessian(data, **options)
    for name in ("lat", "lon"):
        close(hessian.sel(row="time", col=name), (6 * hours - 1) * slope.sel(row=name))
    alone = dhess.hessian(data, dims=["lat", "lon"], radius=1.0, **SPHERE)
    for name in ("lat", "lon"):
        close(alone.sel(row=name, col=name), hessian.sel(row=name, col=name))


def close(got: xr.DataArray, want: xr.DataArray) -> None:
    want = want.transpose(*got.dims)
    scale = float(np.abs(want).max())
    np.testing.assert_allclose(got.values, want.values, rtol=0, atol=1e-11 * scale)


@pytest.mark.parametrize("chunks", [None, 7])
@pytest.mark.parametrize("nan", ["propagate", "adapt"])
def test_poles_are_nan_with_a_note(chunks: int | None, nan: str) -> None:
    lat = np.linspace(-90, 90, 37)
    data = waves(lat) if chunks is None else waves(lat).chunk(chunks)
    for name in FIELDS:
        got = FIELDS[name](data, nan=nan, **SPHERE).compute()
        assert "pole" in got.attrs["note"]
        missing = np.isnan(got.transpose(..., "lat", "lon").values)
        assert missing[..., [0, -1], :].all()
        assert not missing[..., 1:-1, :].any()


@pytest.mark.parametrize(
    ("lat", "count"),
    [(np.linspace(0, 90, 19, dtype=np.float32), 1), (np.linspace(-89.5, 89.5, 20), 0)],
)
def test_which_rows_are_poles(lat: oracles.Array, count: int) -> None:
    got = dhess.gradient(waves(lat.astype(float)).assign_coords(lat=lat), **SPHERE)
    assert np.isnan(got.values).all(axis=(0, 2)).sum() == count
    assert ("note" in got.attrs) == bool(count)


def test_pole_in_radians() -> None:
    lat = np.linspace(0, np.pi / 2, 10)
    data = waves(np.rad2deg(lat)).assign_coords(lat=("lat", lat, {"units": "radians"}))
    got = dhess.gradient(data, **SPHERE)
    assert np.isnan(got.values).all(axis=(0, 2)).tolist() == [False] * 9 + [True]


def test_the_search_passes_the_poles_by() -> None:
    lat = np.linspace(-90, 90, 37)
    found = dhess.find_minimum(waves(lat), "slope", k=5, **SPHERE)
    assert (np.abs(found["lat"].values) < 90).all()
    assert found.attrs["nan_points"] == 2 * LON.size


def bad(lat: Any = LAT, lon: Any = LON, names: tuple[str, str] = ("lat", "lon")) -> xr.DataArray:
    data = np.random.default_rng(0).standard_normal((len(lat), len(lon)))
    return xr.DataArray(data, {names[0]: lat, names[1]: lon}, names, "f")


ERRORS: dict[str, tuple[xr.DataArray, dict[str, Any], list[str]]] = {
    "no latitude": (bad(names=("y", "lon")), {}, ["latitude", "y", "latitude="]),
    "no longitude": (bad(names=("lat", "x")), {}, ["longitude", "x", "longitude="]),
    "neither": (bad(names=("y", "x")), {}, ["latitude", "y, x"]),
    "latitude is no dimension": (bad(), {"latitude": "lta"}, ["lta", "'lat'"]),
    "one for both": (bad(), {"latitude": "lon"}, ["lon", "longitude"]),
    "latitude left out": (bad(), {"dims": ["lon"]}, ["lat", "dims"]),
    "beyond the pole": (bad(lat=np.linspace(-80, 95, 36)), {}, ["95", "90"]),
    "far beyond the pole": (bad(lat=np.linspace(-180, 180, 37)), {}, ["180", "90"]),
    "two turns": (bad(lon=np.arange(0, 720, 15.0)), {}, ["705", "360"]),
    "two turns around 0": (bad(lon=np.arange(-360, 361, 15.0)), {}, ["720", "360"]),
    "two turns, one period": (
        bad(lon=np.arange(0, 720, 15.0)), {"period": {"lon": 360}}, ["705", "360"],
    ),
    "two turns, a period of two": (
        bad(lon=np.arange(0, 720, 15.0)), {"period": {"lon": 720}}, ["720", "360"],
    ),
    "repeated end": (bad(lon=np.linspace(0, 360, 25)), {"period": {"lon": 360}}, ["360", "0.0"]),
    "a latitude that wraps": (bad(), {"period": {"lat": 180}}, ["lat", "pole"]),
    "a unit of length": (
        bad().assign_coords(lat=("lat", LAT, {"units": "km"})), {}, ["lat", "km", "degrees"],
    ),
    "no radius": (bad(), {"radius": 0.0}, ["radius", "0.0"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_bad_input(call: str, case: str) -> None:
    data, options, fragments = ERRORS[case]
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](data, geometry="sphere", **options)
    one_sentence(caught.value, *fragments)


def test_a_whole_turn_without_a_period_has_ends() -> None:
    """Not wrapped unless asked: the repeated longitude is an end like any other."""
    lon = np.linspace(0, 360, 49)
    got = dhess.gradient(waves(lon=lon), geometry="sphere", radius=1.0).sel(row="lon")
    turned = dhess.gradient(waves(), radius=1.0, **SPHERE).sel(row="lon")
    np.testing.assert_allclose(got.values[:, 1:-1], turned.values[:, 1:], atol=1e-12)
    assert np.abs(got.values[:, 0] - turned.values[:, 0]).max() > 1e-4


@pytest.mark.parametrize("period", [350.0, 341.0])
def test_a_longitude_starts_over_after_a_turn_or_a_fraction_of_it(period: float) -> None:
    lat, lon = np.arange(-40.0, 50.0, 10.0), np.arange(0.0, 341.0, 20.0)
    f = xr.DataArray(np.zeros((9, 18)), {"lat": lat, "lon": lon}, ("lat", "lon"))
    with pytest.raises(dhess.GridError, match=f"period of 'lon' is {period:g}.*360"):
        dhess.hessian(f, geometry="sphere", period={"lon": period})
    sector = f.isel(lon=slice(0, 6))
    assert dhess.laplacian(sector, geometry="sphere", period={"lon": 120.0}).notnull().all()
