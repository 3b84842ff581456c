"""A real coast on the sphere: heights around Vancouver Island, the sea cut out.

`topobathy.npz` ships with matplotlib. It is four degrees wide and two high, and does not go round
the Earth; for what has to, its heights and their mirror image are laid around it, at their own
resolution. `pytest tests/test_real.py -s` prints what is found.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import matplotlib.cbook
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from matplotlib.image import imread

import dhess

from .strategies import chunkings
from .test_fields import same_bits
from .test_plot import is_red
from .test_search import indices

if TYPE_CHECKING:
    from pathlib import Path

    from .oracles import Array, Float

EARTH = 6371008.8
COAST: dict[str, Any] = {"geometry": "sphere", "nan": "adapt"}
SEARCHES = ("slope", "hessian_norm")


@cache
def heights() -> xr.DataArray:
    file: Any = matplotlib.cbook.get_sample_data("topobathy.npz")
    with file:
        coords = {
            "lat": ("lat", file["latitude"], {"units": "degrees_north"}),
            "lon": ("lon", file["longitude"], {"units": "degrees_east"}),
        }
        return xr.DataArray(file["topo"], coords, ("lat", "lon"), "height", {"units": "m"})


def land() -> xr.DataArray:
    return heights().where(heights() >= 0)


def globe() -> xr.DataArray:
    """Heights and mirrored heights, 45 times around; the date line runs through the land."""
    patch = heights()
    row = np.tile(np.concatenate([patch.values, patch.values[:, ::-1]], axis=1), 45)
    lon = ("lon", -180 + (np.arange(row.shape[1]) + 0.5) / 30, {"units": "degrees_east"})
    around = xr.DataArray(np.roll(row, -105, axis=1), {"lon": lon, "lat": patch.lat}, patch.dims)
    return around.where(around >= 0)


def test_what_the_file_is() -> None:
    """A region, with uneven latitudes and nothing missing; no poles, and no end that repeats."""
    data = heights()
    assert data.shape == (91, 120)
    assert data.dtype == np.float32
    assert not np.isnan(data.values).any()
    lat, lon = data.lat.values.astype(float), data.lon.values.astype(float)
    assert (lat > 48).all()
    assert (lat < 50).all()
    assert (lon > 234).all()
    assert (lon < 238).all()
    # thirtieths of a degree, written down to four decimals: dhess takes them as they stand
    np.testing.assert_allclose(lon, 234 + np.arange(0.5, 120) / 30, atol=6e-5)
    # steps of a Mercator map: as the cosine of the latitude
    middle = np.deg2rad(lat[1:] + lat[:-1]) / 2
    np.testing.assert_allclose(np.diff(lat) * 30, np.cos(middle), atol=1e-3)
    assert 0.44 < float((data < 0).mean()) < 0.45
    assert (float(data.min()), float(data.max())) == (-1437, 2205)


# The definition, point by point: weights from a Vandermonde matrix on the run of valid points.


def run_of(valid: Array, i: int, *, around: bool = False) -> range:
    """The valid points that lie together with point i."""
    size = len(valid)
    first = last = i
    while (first > 0 or around) and last - first < size and valid[(first - 1) % size]:
        first -= 1
    while (last < size - 1 or around) and last - first < size and valid[(last + 1) % size]:
        last += 1
    return range(first, last + 1)


def window_of(run: range, i: int, inside: int, outside: int) -> range:
    half = inside // 2
    if i - run.start >= half and run.stop - 1 - i >= half:
        return range(i - half, i + half + 1)
    width = min(outside, len(run))
    start = min(max(i - width // 2, run.start), run.stop - width)
    return range(start, start + width)


def weights(x: Float, at: float, derivative: int) -> Float:
    """Weights that are exact for polynomials of degree below the number of nodes; or NaN."""
    if len(x) <= derivative:
        return np.full(len(x), np.nan)
    unit = abs(x[1] - x[0])
    powers = np.vander((x - at) / unit, increasing=True).T
    right = np.zeros(len(x))
    right[derivative] = (1, 1, 2)[derivative]
    solved: Float = np.linalg.solve(powers, right) / unit**derivative
    return solved


class Coast:
    """Plain NumPy: derivatives of order 2 at one point of a masked map of the Earth."""

    def __init__(self, data: xr.DataArray, *, around: bool = False) -> None:
        self.f = data.values.astype(float)
        self.valid = ~np.isnan(self.f)
        self.lat: Float = np.deg2rad(data.lat.values.astype(float))
        self.lon: Float = np.deg2rad(data.lon.values.astype(float))
        self.around = around
        """Whether the longitude goes round, in even steps."""

    def places(self, axis: int, nodes: range) -> Float:
        """Latitudes, or longitudes, counted on over the date line."""
        if axis == 1 and self.around:
            on: Float = np.array(nodes) * (2 * np.pi / self.lon.size)
            return on
        return (self.lat, self.lon)[axis][nodes.start : nodes.stop]

    def line(self, axis: int, at: int, nodes: range) -> Float:
        """Heights along an axis, at an index of the other one."""
        index = np.array(nodes) % self.f.shape[axis]
        line: Float = self.f[index, at] if axis == 0 else self.f[at, index]
        return line

    def run(self, axis: int, valid: Array, i: int) -> range:
        return run_of(valid, i, around=self.around and axis == 1)

    def nodes(self, axis: int, point: tuple[int, int], inside: int, outside: int) -> range:
        valid = self.valid[:, point[1]] if axis == 0 else self.valid[point[0]]
        return window_of(self.run(axis, valid, point[axis]), point[axis], inside, outside)

    def along(self, axis: int, point: tuple[int, int], derivative: int) -> float:
        widths = (3, 3) if derivative == 1 else (3, 4) if axis == 1 and self.around else (5, 5)
        nodes = self.nodes(axis, point, *widths)
        at = self.places(axis, range(point[axis], point[axis] + 1))[0]
        w = weights(self.places(axis, nodes), at, derivative)
        return float(w @ self.line(axis, point[1 - axis], nodes))

    def rectangle(self, axis: int, point: tuple[int, int]) -> tuple[int, float]:
        """The narrower width of the rectangle that starts along an axis, and its derivative."""
        other = 1 - axis
        first = self.nodes(axis, point, 3, 3)
        index = np.array(first) % self.f.shape[axis]
        shared = self.valid[index].all(axis=0) if axis == 0 else self.valid[:, index].all(axis=1)
        second = window_of(self.run(other, shared, point[other]), point[other], 3, 3)
        if min(len(first), len(second)) < 2:
            return 0, np.nan
        w = [np.empty(0), np.empty(0)]
        for k, nodes in ((axis, first), (other, second)):
            at = self.places(k, range(point[k], point[k] + 1))[0]
            w[k] = weights(self.places(k, nodes), at, 1)
        lines = np.array([self.line(other, i % self.f.shape[axis], second) for i in first])
        return min(len(first), len(second)), float(w[axis] @ lines @ w[other])

    def mixed(self, point: tuple[int, int]) -> float:
        (wide, a), (other, b) = self.rectangle(0, point), self.rectangle(1, point)
        return (a + b) / 2 if wide == other else (a if wide > other else b)

    def gradient(self, point: tuple[int, int]) -> Float:
        north, east = (self.along(axis, point, 1) for axis in (0, 1))
        return np.array([north, east / np.cos(self.lat[point[0]])]) / EARTH

    def hessian(self, point: tuple[int, int]) -> Float:
        north, east = (self.along(axis, point, 1) for axis in (0, 1))
        cos, tan = np.cos(self.lat[point[0]]), np.tan(self.lat[point[0]])
        pp = self.along(0, point, 2)
        pl = (self.mixed(point) + tan * east) / cos
        ll = self.along(1, point, 2) / cos**2 - tan * north
        return np.array([[pp, pl], [pl, ll]]) / EARTH**2

    def measure(self, name: str, point: tuple[int, int]) -> float:
        slope = name == "slope"
        return float(np.linalg.norm(self.gradient(point) if slope else self.hessian(point)))


def test_every_land_point_is_the_definition() -> None:
    data = land().astype(float)
    coast = Coast(data)
    points = [(int(i), int(j)) for i, j in np.argwhere(coast.valid)]
    gradient = dhess.gradient(data, **COAST).values
    hessian = dhess.hessian(data, **COAST).values
    assert np.isnan(gradient[:, ~coast.valid]).all()
    assert np.isnan(hessian[:, :, ~coast.valid]).all()
    want = np.array([coast.gradient(point) for point in points])
    got = np.array([gradient[(..., *point)] for point in points])
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    want = np.array([coast.hessian(point) for point in points])
    got = np.array([hessian[(..., *point)] for point in points])
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("name", SEARCHES)
def test_the_flattest_point_of_the_land(name: str) -> None:
    data = land().astype(float)
    best = dhess.find_minimum(data, name, **COAST)
    (index,) = indices(best)
    point = (index[0], index[1])
    lat, lon = float(best.lat[0]), float(best.lon[0])
    print(
        f"\nflattest by {name}: {lat:.3f}° N, {360 - lon:.3f}° W, {float(best.field[0]):g} m high, "
        f"{float(best.value[0]):.3g}",
        end=" ",
    )
    assert float(heights()[point]) == float(best.field[0]) >= 0
    assert (lat, lon) == (float(data.lat[index[0]]), float(data.lon[index[1]]))
    coast = Coast(data)
    assert float(best.value[0]) == pytest.approx(coast.measure(name, point), rel=1e-6, abs=1e-20)
    np.testing.assert_allclose(best.gradient[0], coast.gradient(point), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(best.hessian[0], coast.hessian(point), rtol=1e-9, atol=1e-15)
    # no other land point is flatter
    every = [coast.measure(name, (int(i), int(j))) for i, j in np.argwhere(coast.valid)]
    assert np.nanmin(every) == pytest.approx(coast.measure(name, point), rel=1e-6, abs=1e-20)


@given(chunks=chunkings((91, 120)))
@settings(max_examples=10)
def test_blocks_change_nothing(chunks: tuple[tuple[int, ...], ...]) -> None:
    data = land()
    blocks = data.chunk(dict(zip(data.dims, chunks, strict=True)))
    for name in SEARCHES:
        same_bits(dhess.measure(blocks, name, **COAST), dhess.measure(data, name, **COAST))
        best = dhess.find_minimum(blocks, name, k=5, **COAST)
        xr.testing.assert_identical(best, dhess.find_minimum(data, name, k=5, **COAST))


@pytest.mark.parametrize("sea", [1e30, -1e30, np.inf, 0.0])
def test_the_sea_may_hold_anything(sea: float) -> None:
    wet = heights() < 0
    other = heights().where(~wet, sea).where(~wet)
    for field in (dhess.gradient, dhess.hessian):
        same_bits(field(other, **COAST), field(land(), **COAST))
    # without the mask it would count
    flooded = dhess.measure(heights().where(~wet, 1e30), "slope", geometry="sphere")
    assert float(flooded.where(~wet).max()) > 1e20


def test_more_land_has_an_answer() -> None:
    data = land()
    all_of_it = int(data.notnull().sum())
    coast = Coast(data)
    for name, needs, all_of in (("slope", 2, coast.gradient), ("hessian_norm", 3, coast.hessian)):
        counts = {
            nan: int(dhess.measure(data, name, geometry="sphere", nan=nan).notnull().sum())
            for nan in ("propagate", "adapt")
        }
        print(f"\n{name}: {counts} of {all_of_it} land points", end=" ")
        assert counts["propagate"] < counts["adapt"] <= all_of_it
        points = [(int(i), int(j)) for i, j in np.argwhere(coast.valid)]
        answered = [point for point in points if not np.isnan(all_of(point)).any()]
        assert counts["adapt"] == len(answered)
        # what is left over is too short a run: below two points for f′, three for f″; and where
        # both runs are long enough, f_xy may still have no rectangle of land
        long = [
            point
            for point in points
            if min(len(coast.nodes(axis, point, 9, 9)) for axis in (0, 1)) >= needs
        ]
        mixed = long if name == "slope" else [p for p in long if not np.isnan(coast.mixed(p))]
        assert answered == mixed


ROUND: dict[str, Any] = {**COAST, "period": {"lon": 360.0}}


def test_the_date_line_is_no_border() -> None:
    """Turn the globe by any number of points: the same derivatives, turned."""
    data = globe().astype(float)
    whole = dhess.hessian(data, **ROUND).values
    slopes = dhess.gradient(data, **ROUND).values
    turned = data.copy(data=np.roll(data.values, 1234, axis=1))
    for got, want in (
        (dhess.hessian(turned, **ROUND).values, whole),
        (dhess.gradient(turned, **ROUND).values, slopes),
    ):
        np.testing.assert_array_equal(np.roll(got, -1234, axis=-1), want)
    coast = Coast(data, around=True)
    seam = [(i, j) for j in (0, data.lon.size - 1) for i in range(91) if coast.valid[i, j]]
    over = [p for p in seam if coast.valid[p[0], [0, -1]].all()]
    assert len(over) > 40
    for point in seam:
        np.testing.assert_allclose(
            slopes[(..., *point)], coast.gradient(point), rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(
            whole[(..., *point)], coast.hessian(point), rtol=1e-9, atol=1e-15
        )
    # and it is one if nobody says that the longitude goes round
    border = dhess.gradient(data, **COAST).values
    assert all((border[(..., *point)] != slopes[(..., *point)]).any() for point in over[:5])


@pytest.mark.parametrize("chunks", [{"lat": 40, "lon": 2500}, {"lat": 91, "lon": 1801}])
def test_blocks_around_the_globe(chunks: dict[str, int]) -> None:
    data = globe().astype(np.float32)
    for name in SEARCHES:
        same_bits(
            dhess.measure(data.chunk(chunks), name, **ROUND), dhess.measure(data, name, **ROUND)
        )
        xr.testing.assert_identical(
            dhess.find_minimum(data.chunk(chunks), name, k=3, **ROUND),
            dhess.find_minimum(data, name, k=3, **ROUND),
        )


def test_a_picture_of_it(tmp_path: Path) -> None:
    data = land()
    best = dhess.find_minimum(data, k=5, **COAST)
    figure = dhess.plot.map(data, best, relief=True, path=tmp_path / "coast.png")
    assert figure.axes[0].get_aspect() == pytest.approx(1 / np.cos(np.deg2rad(49.02)), rel=1e-3)
    for rank in range(5):
        assert is_red(figure, 0, float(best.lon[rank]), float(best.lat[rank]))
    image = imread(tmp_path / "coast.png")[..., :3]
    grey = (np.abs(image - 0.85) < 0.01).all(axis=-1)
    assert 0.2 < grey.mean() < 0.4  # the sea: 44 % of the map, which fills two thirds
