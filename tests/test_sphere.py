"""geometry="sphere" against spherical harmonics, whose derivatives are known in closed form.

`pytest tests/test_sphere.py -s` shows the table of slopes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

PLACES: dict[str, tuple[float, float, dict[str, list[int]]]] = {
    # first and last latitude, and the ones where errors are looked at; steps divide 4° and 6°
    "globe": (-90, 90, {"0°–60°": [0, 36, -60], "78°–84°": [78, -84]}),
    "cap": (64, 88, {"80°–88°": [80, 84, 88]}),
}
STEPS = {2: (4, 6, 8, 12), 4: (4, 6, 8, 12), 6: (2, 3, 4, 6, 8), 8: (2, 3, 4, 5)}
"""Steps per 6° on the globe, per 4° on the cap; per 8° of longitude."""
COMPONENTS = ("∇_φ", "∇_λ", "H_φφ", "H_φλ", "H_λλ", "∇²")


def errors(grid: str, order: int, k: int) -> dict[tuple[str, str], float]:
    """Largest error over all harmonics and longitudes at fixed latitudes, on a unit sphere."""
    first, last, places = PLACES[grid]
    unit = 6 if grid == "globe" else 4
    lat = np.linspace(first, last, round((last - first) * k / unit) + 1)
    lon = np.arange(0, 360, 8 / k)
    f = field(lat, lon)
    gradient = dhess.gradient(f, order=order, radius=1.0, **GLOBE).values
    hessian = dhess.hessian(f, order=order, radius=1.0, **GLOBE).values
    laplacian = dhess.laplacian(f, order=order, radius=1.0, **GLOBE).values
    found = {}
    for name, rows in places.items():
        at = [int(np.flatnonzero(np.isclose(lat, row))[0]) for row in rows]
        want = [stacked(lat[at], lon, part, 1.0) for part in ("gradient", "hessian", "laplacian")]
        wrong = (
            *(gradient[..., at, :] - want[0]),
            *(hessian[..., at, :] - want[1])[[0, 0, 1], [0, 1, 1]],
            laplacian[..., at, :] - want[2],
        )
        for component, error in zip(COMPONENTS, wrong, strict=True):
            found[name, component] = float(np.abs(error).max())
    return found


@pytest.mark.parametrize("grid", PLACES)
@pytest.mark.parametrize("order", ORDERS)
def test_slopes_reach_the_order_also_near_the_poles(grid: str, order: int) -> None:
    steps = STEPS[order]
    rows = [errors(grid, order, k) for k in steps]
    slopes: dict[tuple[str, str], float] = {}
    for key in rows[0]:
        slopes[key] = -np.polyfit(np.log(steps), np.log([row[key] for row in rows]), 1)[0]
    for name in PLACES[grid][2]:
        cells = " | ".join(f"{slopes[name, component]:.2f}" for component in COMPONENTS)
        print(f"\n| {grid}, {name} | {order} | {cells} |", end="")
    for key, slope in slopes.items():
        assert slope >= order - 0.1, key
