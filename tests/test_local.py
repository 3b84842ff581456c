"""The local model: exact where it must be, on the grid the fields' own bits, few blocks read."""

from __future__ import annotations

import datetime as dt
import itertools
import pickle
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import dhess
from dhess.errors import GridError, InputError
from dhess.local import LocalModel
from dhess.options import ORDERS

from .stores import store
from .strategies import Case, cases, chunkings, holes

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Place = dict[Hashable, Any]


def wave(size: int = 41) -> xr.DataArray:
    """sin 2y · cos 3x, and what it is anywhere."""
    y, x = np.linspace(0, 1, size), np.linspace(-0.5, 0.5, size)
    return xr.DataArray(waved(y[:, None], x), {"y": y, "x": x}, ("y", "x"), "f", {"units": "K"})


def waved(y: Any, x: Any) -> Any:
    return np.sin(2 * y) * np.cos(3 * x)


@st.composite
def places(draw: st.DrawFn, case: Case) -> Place:
    """A point of the grid, an end of it, or a place between, along each axis."""
    found: Place = {}
    for name, line in zip(case.dims, case.lines, strict=True):
        x = line.values
        i = draw(st.integers(0, len(x) - 2))
        fraction = draw(st.sampled_from([0.0, 0.0, 1.0, 0.5, 0.125, 0.96875]))
        found[name] = float(x[i] + fraction * (x[i + 1] - x[i]))
    return found


class Polynomial:
    """A sum of monomials up to a degree with drawn factors, and its derivatives, in any n."""

    def __init__(self, n: int, degree: int, scale: float, seed: int) -> None:
        exponents = itertools.product(range(degree + 1), repeat=n)
        self.powers = [each for each in exponents if sum(each) <= degree]
        self.factors = np.random.default_rng(seed).standard_normal(len(self.powers))
        self.scale = scale

    def __call__(self, where: Sequence[Any], *along: int) -> Any:
        """Its derivative along some axes, of which one may come twice."""
        total: Any = 0.0
        for power, factor in zip(self.powers, self.factors, strict=True):
            product: Any = factor
            for k, (p, x) in enumerate(zip(power, where, strict=True)):
                one = np.polynomial.Polynomial.basis(p).deriv(along.count(k))
                product = product * one(x / self.scale) / self.scale ** along.count(k)
            total = total + product
        return total


@given(st.data(), st.sampled_from(ORDERS))
def test_polynomials_are_exact_anywhere(data: st.DataObject, order: int) -> None:
    case = data.draw(cases(max_n=3, min_size=order + 2, max_size=order + 4, max_points=2500))
    at = data.draw(places(case))
    where = [np.float64(at[name]) for name in case.dims]
    between = [x not in line.values for x, line in zip(where, case.lines, strict=True)]
    # The first derivative of the operators is exact up to degree p, all else up to p + 1.
    degree, n = order + all(between), len(where)
    f = Polynomial(n, degree, max(np.ptp(line.values) for line in case.lines), case.seed)
    values = f(np.meshgrid(*case.points, indexing="ij", sparse=True))
    model = dhess.local_model(case.array(np.broadcast_to(values, case.shape)), at, order=order)
    small = 1e-13 * 6**order * float(np.abs(values).max())
    np.testing.assert_allclose(model.value, f(where), atol=small)
    gradient = [f(where, k) for k in range(n)]
    np.testing.assert_allclose(model.gradient, gradient, atol=small / case.min_step)
    hessian = [[f(where, k, l) for l in range(n)] for k in range(n)]
    np.testing.assert_allclose(model.hessian, hessian, atol=small / case.min_step**2)


def same_bits(one: Any, other: Any) -> None:
    """Equal to the last bit, whichever sign a zero has."""
    np.testing.assert_array_equal(np.asarray(one), np.asarray(other))


@given(st.data(), st.sampled_from([2, 4]), st.sampled_from(["direct", "iterated", "adapt"]))
def test_on_the_grid_it_has_the_bits_of_the_fields(
    data: st.DataObject, order: int, kind: str
) -> None:
    case = data.draw(cases(max_n=3, min_size=order + 3, periodic=None))
    values = case.random()
    values[data.draw(holes(case.shape))] = np.nan
    single = data.draw(st.booleans())
    f = case.array(values.astype(np.float32) if single else values)
    options: Any = {"nan": "adapt"} if kind == "adapt" else {"scheme": kind}
    options |= {"order": order, "period": case.period}
    index = {name: data.draw(st.integers(0, size - 1)) for name, size in f.sizes.items()}
    model = dhess.local_model(f, {name: f[name][i] for name, i in index.items()}, **options)
    same_bits(model.value, f[index])
    same_bits(model.gradient, dhess.gradient(f, **options)[{"row": slice(None), **index}])
    same_bits(model.hessian, dhess.hessian(f, **options).isel(index))
    same_bits(model.eigenvalues, dhess.eigenvalues(f, **options).isel(index))
    assert model.value.dtype == model.hessian.dtype == f.dtype
    assert model["index"].values.tolist() == [index[name] for name in model["dim"].values]


def test_on_the_grid_of_a_sphere_it_has_the_bits_of_the_fields() -> None:
    f = cap(12)
    for i, j in ((0, 0), (3, 5), (11, 23)):
        model = dhess.local_model(f, {"lat": f.lat[i], "lon": f.lon[j]}, **SPHERE)
        same_bits(model.gradient, dhess.gradient(f, **SPHERE)[:, i, j])
        same_bits(model.hessian, dhess.hessian(f, **SPHERE)[:, :, i, j])


def slope(steps: list[float], errors: list[float]) -> float:
    """Of the line through the points of a log-log plot."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@pytest.mark.parametrize(
    "at", [{"y": 0.4, "x": 0.1}, {"y": 0.613, "x": -0.171}, {"y": 0, "x": 0.49}]
)
def test_prediction_error_falls_as_the_cube_of_the_distance(at: Place) -> None:
    model = dhess.local_model(wave(), at, order=8)
    distances = [0.02, 0.01, 0.005, 0.0025]
    for way in ((1.0, 0.0), (0.6, -0.8), (-0.5, 0.9)):
        errors = [
            abs(float(model.predict([r * way[0], r * way[1]]))
                - waved(at["y"] + r * way[0], at["x"] + r * way[1]))
            for r in distances
        ]  # fmt: skip
        assert slope(distances, errors) >= 2.9


@pytest.mark.parametrize("order", [2, 4, 6])
@pytest.mark.parametrize("before", [0, 8])
def test_it_converges_between_points_and_at_the_ends(order: int, before: int) -> None:
    """Always as far along its cell, with so many points before it: at an end, or inside."""
    y, x = 0.4321, 0.1234
    slopes = -6 * np.cos(2 * y) * np.sin(3 * x)
    exact = {
        "value": waved(y, x),
        "gradient": [2 * np.cos(2 * y) * np.cos(3 * x), -3 * np.sin(2 * y) * np.sin(3 * x)],
        "hessian": [[-4 * waved(y, x), slopes], [slopes, -9 * waved(y, x)]],
    }
    steps = [0.03, 0.021, 0.015, 0.0105] if order < 6 else [0.04, 0.028, 0.02, 0.014]
    errors: dict[str, list[float]] = {name: [] for name in exact}
    for h in steps:
        away = h * (np.arange(20) - before - 0.3)
        f = xr.DataArray(
            waved(y + away[:, None], x + away), {"y": y + away, "x": x + away}, ("y", "x")
        )
        model = dhess.local_model(f, {"y": y, "x": x}, order=order)
        for name, value in exact.items():
            errors[name].append(float(np.abs(model[name] - value).max()))
    assert slope(steps, errors["value"]) >= order + 1.5
    assert slope(steps, errors["gradient"]) >= order + 0.5
    assert slope(steps, errors["hessian"]) >= order - 0.2


def test_the_error_is_that_of_the_next_order() -> None:
    """Of degree 5: order 4 is exact there, so what order 2 is off is what is told."""
    x = np.linspace(-1, 1, 12)
    f = xr.DataArray(x**5 + x[:, None] ** 4, {"y": x, "x": x}, ("y", "x"))
    model = dhess.local_model(f, {"y": 0.3, "x": -0.7})
    g, H = np.array([4 * 0.3**3, 5 * 0.7**4]), np.diag([12 * 0.3**2, -20 * 0.7**3])
    np.testing.assert_allclose(model.gradient_error, np.abs(model.gradient - g), atol=1e-12)
    np.testing.assert_allclose(model.hessian_error, np.abs(model.hessian - H), atol=1e-11)
    np.testing.assert_allclose(model.value_error, abs(model.value - (0.3**4 - 0.7**5)), atol=1e-13)
    assert (model.hessian_error.values.diagonal() > 1e-3).all()
    short = dhess.local_model(f[:5], {"y": -0.7, "x": 0.3})
    assert np.isnan(short.hessian_error).all()
    assert np.isfinite(short.hessian).all()


SPHERE: Any = {"geometry": "sphere", "order": 4, "radius": 2.0}


def cap(size: int) -> xr.DataArray:
    """sin(latitude), the height above the equator's plane, over a part of the sphere."""
    lat, lon = np.linspace(-60, 75, size), np.linspace(0, 170, 2 * size)
    values = np.sin(np.radians(lat))[:, None] + 0 * lon
    return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), "z")


def test_on_the_sphere_derivatives_are_covariant() -> None:
    """∇ sin φ = (cos φ / r, 0), and its covariant Hessian is -sin φ / r² times the metric."""
    model = dhess.local_model(cap(60), {"lat": 61.3, "lon": 12.7}, **SPHERE)
    s, c = np.sin(np.radians(61.3)), np.cos(np.radians(61.3))
    np.testing.assert_allclose(model.gradient, [c / 2, 0], atol=1e-6)
    np.testing.assert_allclose(model.hessian, [[-s / 4, 0], [0, -s / 4]], atol=1e-5)


def test_on_the_sphere_it_predicts_along_great_circles() -> None:
    """x·y on the unit sphere, at a distance d in some direction: the place is cos d p + sin d u."""
    lat, lon = np.linspace(20, 70, 101), np.linspace(0, 60, 121)
    phi, lam = np.radians(lat)[:, None], np.radians(lon)
    f = np.cos(phi) ** 2 * np.cos(lam) * np.sin(lam)
    da = xr.DataArray(f, {"lat": lat, "lon": lon}, ("lat", "lon"))
    options: Any = {"geometry": "sphere", "order": 8, "radius": 1.0}
    model = dhess.local_model(da, {"lat": 44.3, "lon": 31.1}, **options)
    a, b = np.radians(44.3), np.radians(31.1)
    p = np.array([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)])
    north = np.array([-np.sin(a) * np.cos(b), -np.sin(a) * np.sin(b), np.cos(a)])
    east = np.array([-np.sin(b), np.cos(b), 0.0])
    distances = [0.2, 0.1, 0.05, 0.025]
    for n, e in ((0.6, 0.8), (0.0, 1.0), (-0.28, 0.96)):
        errors = []
        for d in distances:
            x, y, _ = np.cos(d) * p + np.sin(d) * (n * north + e * east)
            errors.append(abs(float(model.predict({"lat": n * d, "lon": e * d})) - x * y))
        assert slope(distances, errors) >= 2.9


def test_the_sphere_near_a_pole_and_at_it() -> None:
    lat, lon = np.linspace(80, 90, 11), np.arange(0.0, 360, 10)
    phi, lam = np.radians(lat)[:, None], np.radians(lon)
    f = xr.DataArray(np.cos(phi) * np.cos(lam), {"lat": lat, "lon": lon}, ("lat", "lon"))
    options: Any = {**SPHERE, "period": {"lon": 360.0}}
    assert np.isnan(dhess.local_model(f, {"lat": 90, "lon": 5}, **options).gradient).all()
    near = dhess.local_model(f, {"lat": 89.5, "lon": -2.0}, **options)
    x = np.cos(np.radians(89.5)) * np.cos(np.radians(2))
    np.testing.assert_allclose(near.hessian, [[-x / 4, 0], [0, -x / 4]], atol=2e-3)


@pytest.mark.parametrize("even", [True, False])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("gap", [False, True])
def test_over_the_seam_of_a_period(even: bool, down: bool, gap: bool) -> None:
    """The same as on data that were rolled so that the place lies in the middle."""
    x = np.arange(16.0) if even else np.array([0, 1.5, 2, 3.5, 5, 6, 7.5, 9, 10, 12, 13, 14.5])
    f = xr.DataArray(np.sin(2 * np.pi * x / 16) + np.cos(np.pi * x / 4), {"x": x}, "x")
    options: Any = {"nan": "adapt"} if gap else {}
    if gap:
        f[2] = np.nan
    half = len(x) // 2
    rolled = f.roll(x=half, roll_coords=True)
    rolled = rolled.assign_coords(x=np.where(rolled.x >= x[-half], rolled.x - 16, rolled.x))
    for place in (-0.3, 15.7, 31.7, 0.25, 14.9, -1.0):
        near = (place + 8) % 16 - 8
        turned = f[::-1] if down else f
        model = dhess.local_model(turned, {"x": place}, period={"x": 16.0}, **options)
        other = dhess.local_model(rolled, {"x": near}, **options)
        assert np.isfinite(model.gradient).all()
        for name in ("value", "gradient", "hessian", "value_error", "hessian_error"):
            np.testing.assert_allclose(model[name], other[name], atol=1e-12)
        assert float(model.x) == place


def test_nan_where_a_point_with_a_weight_is() -> None:
    f = wave(21)
    f[10, 10] = np.nan
    step = 0.05
    for i, j in itertools.product(range(7, 14), repeat=2):
        model = dhess.local_model(f, {"y": (i + 0.5) * step, "x": -0.5 + (j + 0.5) * step})
        touched = i - 1 <= 10 <= i + 2 and j - 1 <= 10 <= j + 2
        assert bool(np.isnan(model.value)) == touched
        assert np.isnan(model.hessian.values).all() == touched
    # On a line of the grid only the rows along the other axis are between points.
    on_line = dhess.local_model(f, {"y": 10 * step, "x": -0.5 + 10.5 * step})
    assert np.isnan(on_line.value)
    assert np.isfinite(on_line.gradient.sel(row="y"))  # central: it does not touch its own line


def test_it_adapts_to_gaps() -> None:
    """Quadratic beside gaps: exact wherever the cell of the place is whole."""
    y, x = np.arange(9.0), np.arange(10.0)
    values = 1 + 2 * y[:, None] - x + y[:, None] ** 2 - 3 * y[:, None] * x + 2 * x**2
    f = xr.DataArray(values, {"y": y, "x": x}, ("y", "x"))
    f[:, 4] = np.nan
    f[3, 8] = np.nan
    for i, j in itertools.product(range(8), range(9)):
        at = {"y": i + 0.25, "x": j + 0.75}
        model = dhess.local_model(f, at, nan="adapt")
        boxes = itertools.product((i - 1, i), (j - 1, j))  # of nine points, around the cell
        whole = any(
            b >= 0 and a >= 0 and f.values[b : b + 3, a : a + 3].size == 9
            and not np.isnan(f.values[b : b + 3, a : a + 3]).any()
            for b, a in boxes
        )  # fmt: skip
        assert np.isfinite(model.hessian.values).all() == whole
        if whole:
            np.testing.assert_allclose(model.hessian, [[2, -3], [-3, 4]], atol=1e-11)
            b, a = at["y"], at["x"]
            np.testing.assert_allclose(
                model.gradient, [2 + 2 * b - 3 * a, -1 - 3 * b + 4 * a], atol=1e-11
            )
    narrow = f.copy()
    narrow[:, 6] = np.nan  # one column of valid points between two gaps
    lone = dhess.local_model(narrow, {"y": 4.5, "x": 5}, nan="adapt")
    assert np.isfinite(lone.gradient.sel(row="y"))
    assert np.isnan(lone.gradient.sel(row="x"))


def test_beside_a_gap_it_is_longer_where_that_can_be() -> None:
    """Three columns between gaps: of degree 5 along them at order 4, quadratic across."""
    y, x = np.arange(9.0) / 4, np.arange(9.0)
    f = xr.DataArray(y[:, None] ** 5 + x**2, {"y": y, "x": x}, ("y", "x"))
    f[:, 2] = f[:, 6] = np.nan
    model = dhess.local_model(f, {"y": 1.1, "x": 3.5}, nan="adapt", order=4)
    np.testing.assert_allclose(model.gradient, np.array([5 * 1.1**4, 7.0]), atol=1e-10)
    np.testing.assert_allclose(model.hessian, np.diag([20 * 1.1**3, 2.0]), atol=1e-9)


def test_without_gaps_adapting_changes_no_bit() -> None:
    at = {"y": 0.333, "x": 0.111}
    plain, adapted = (dhess.local_model(wave(), at, nan=n) for n in ("propagate", "adapt"))
    same_bits(plain.hessian, adapted.hessian)


@given(st.data())
def test_the_same_bits_in_any_chunks(data: st.DataObject) -> None:
    case = data.draw(cases(max_n=3, min_size=5, periodic=None))
    values = case.random()
    values[data.draw(holes(case.shape))] = np.nan
    f = case.array(values)
    options: Any = {
        "period": case.period,
        "nan": data.draw(st.sampled_from(["propagate", "adapt"])),
    }
    at = data.draw(places(case))
    chunked = f.chunk(dict(zip(case.dims, data.draw(chunkings(case.shape)), strict=True)))
    one, other = (dhess.local_model(each, at, **options) for each in (f, chunked))
    xr.testing.assert_identical(one, other)


def counted(f: xr.DataArray, chunks: int) -> tuple[xr.DataArray, list[Any]]:
    """The array in Dask blocks, and which of them were computed."""
    seen: list[Any] = []

    def note(block: NDArray[Any], block_info: Any = None) -> NDArray[Any]:
        seen.append(tuple(block_info[0]["chunk-location"]))
        return block

    lazy = dask.array.from_array(f.values, chunks=chunks)
    return f.copy(data=lazy.map_blocks(note, dtype=f.dtype, meta=np.empty((0, 0)))), seen


def test_only_the_blocks_around_the_place_are_read() -> None:
    f, seen = counted(wave(100), 10)
    dhess.local_model(f, {"y": 0.455, "x": 0.0})  # between 45 and 46, and 49 and 50
    assert sorted(seen) == [(4, 4), (4, 5)]
    seen.clear()
    dhess.local_model(f, {"y": 0, "x": 0.499}, period={"y": 100 / 99})
    assert sorted(seen) == [(0, 9), (9, 9)]


def test_only_the_chunks_around_the_place_are_read_from_a_store(tmp_path: Path) -> None:
    f = wave(100)
    path = store(f.chunk(10), tmp_path / "f.zarr")
    for chunk in (path / "f" / "c").glob("*/*"):
        if chunk.relative_to(path).parts[2:] not in (("4", "4"), ("4", "5")):
            chunk.write_bytes(b"damaged")
    lazy = dhess.open(str(path))
    at = {"y": 0.455, "x": 0.0}
    model = dhess.local_model(lazy, at)
    same_bits(model.hessian, dhess.local_model(f, at).hessian)
    assert model.attrs["source"].endswith("f.zarr::f")
    with pytest.raises(dhess.ReadError, match=r"damaged|cannot be read"):
        dhess.local_model(lazy, {"y": 0.1, "x": 0.1})


def test_batch_dimensions_have_a_model_each() -> None:
    f = xr.concat([wave() * k for k in (1.0, -2.0, 3.0)], xr.Variable("t", [10, 20, 40]))
    f = f.transpose("y", "t", "x")
    for at in ({"y": 0.4, "x": 0.1}, {"y": 0.41, "x": 0.111}):
        models = dhess.local_model(f, at, dims=["x", "y"])
        assert models.hessian.dims == ("t", "row", "col")
        for t in (10, 20, 40):
            one = dhess.local_model(f.sel(t=t), at, dims=["x", "y"])
            named = dhess.local_model(f, {**at, "t": t}, dims=["x", "y"])
            same_bits(models.hessian.sel(t=t), one.hessian)
            same_bits(models.predict({"x": 0.1}).sel(t=t), one.predict({"x": 0.1}))
            same_bits(named.gradient, one.gradient)
            assert int(named.t) == t
    assert models["index"].values.tolist() == [16, -1, 24]
    assert models.kind.values.tolist() == ["maximum", "minimum", "maximum"]


def test_batch_dimensions_with_names_and_dates() -> None:
    t = np.array(["2026-01-01", "2026-01-08"], "M8[ns]")
    coords = {"member": ["a", "b"], "t": t, "x": np.arange(6.0)}
    values = np.arange(6.0) ** 2 * np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    f = xr.DataArray(values, coords, ("member", "t", "x"))
    model = dhess.local_model(f, {"member": "b", "t": "2026-01-08", "x": 2.5}, dims="x")
    np.testing.assert_allclose(model.hessian, [[8.0]])
    assert (str(model.member.values), model["index"].values.tolist()) == ("b", [1, 1, 2])
    for at in ({"member": "c", "x": 2}, {"t": "2026-01-02", "x": 2}):
        with pytest.raises(InputError, match=r"none of the 2 points.*not differentiated"):
            dhess.local_model(f, at, dims="x")


def test_principal_directions_and_radii() -> None:
    """The cap of a sphere of radius 3, and a saddle that is turned by 30 degrees."""
    x = np.linspace(-0.5, 0.5, 41)
    top = xr.DataArray(np.sqrt(9 - x**2 - x[:, None] ** 2), {"y": x, "x": x}, ("y", "x"))
    cap = dhess.local_model(top, {"y": 0.0, "x": 0.0}, order=8)
    np.testing.assert_allclose(cap.radius, [-3.0, -3.0], atol=1e-8)
    c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
    u, v = c * x + s * x[:, None], -s * x + c * x[:, None]
    turned = dhess.local_model(top.copy(data=u**2 - 2 * v**2), {"y": 0.113, "x": 0.207})
    np.testing.assert_allclose(turned.eigenvalues, [-4, 2], atol=1e-10)
    np.testing.assert_allclose(turned.radius, [-0.25, 0.5], atol=1e-10)
    np.testing.assert_allclose(turned.direction, [[c, -s], [s, c]], atol=1e-10)
    plane = dhess.local_model(top.copy(data=x + 2 * x[:, None]), {"y": 0.013, "x": 0.2})
    assert np.isinf(plane.radius).all()
    assert plane.kind == "degenerate"


def test_a_constant_has_no_slope_at_all() -> None:
    x = np.array([0.0, 0.1, 0.35, 0.6, 0.7, 1.3, 1.31])
    f = xr.DataArray(np.full((7, 7), 0.1), {"y": x, "x": x}, ("y", "x"))
    model = dhess.local_model(f, {"y": 0.2, "x": 1.0}, order=4)
    assert float(model.value) == 0.1
    assert not model.gradient.any()
    assert not model.hessian.any()


def test_units_and_attributes() -> None:
    f = wave()
    f.x.attrs["units"] = f.y.attrs["units"] = "m"
    model = dhess.local_model(f.assign_attrs(smoothed="x=1"), {"y": 0.4, "x": 0.1}, order=4)
    told = {name: model[name].attrs.get("units") for name in model.data_vars}
    assert told["value"] == told["value_error"] == "K"
    assert told["gradient"] == told["gradient_error"] == "K m-1"
    assert told["hessian"] == told["eigenvalues"] == "K m-2"
    assert told["radius"] == "K-1 m2"
    assert model.x.attrs["units"] == "m"
    assert (model.attrs["order"], model.attrs["dims"], model.attrs["smoothed"]) == (4, "y,x", "x=1")
    assert model.predict([0, 0]).attrs["units"] == "K"


def test_a_place_among_times() -> None:
    """5 K per hour, and 2 K per hour squared: derivatives by the hour, half past two."""
    t = np.datetime64("2026-01-01T00", "ns") + np.arange(8) * np.timedelta64(1, "h")
    h = np.arange(8.0)
    f = xr.DataArray(5 * h + h**2, {"t": t}, "t")
    for place in (
        "2026-01-01T02:30",
        np.datetime64("2026-01-01T02:30"),
        t[2] + np.timedelta64(30, "m"),
    ):
        model = dhess.local_model(f, {"t": place}, datetime_unit="h")
        np.testing.assert_allclose(model.gradient, [10.0])
        np.testing.assert_allclose(model.hessian, [[2.0]])
        np.testing.assert_allclose(model.predict([0.5]), 24.0)
        for half in (np.timedelta64(30, "m"), dt.timedelta(minutes=30)):
            np.testing.assert_allclose(model.predict({"t": half}), 24.0)
        assert model.t.values == np.datetime64("2026-01-01T02:30")
    long = f.assign_coords(t=t - t[0])
    model = dhess.local_model(long, {"t": np.timedelta64(150, "m")}, datetime_unit="h")
    np.testing.assert_allclose(model.gradient, [10.0])
    same_bits(dhess.local_model(long, {"t": "150min"}, datetime_unit="h").gradient, model.gradient)


def test_a_place_in_another_calendar() -> None:
    t = xr.date_range("2026-02-28", periods=6, freq="D", calendar="360_day", use_cftime=True)
    f = xr.DataArray(np.arange(6.0) ** 2, {"t": t}, "t")
    for place in ("2026-02-30T12:00", t[2].replace(hour=12)):
        model = dhess.local_model(f, {"t": place}, datetime_unit="D")
        np.testing.assert_allclose(model.gradient, [5.0])


def test_places_by_index_and_spacing() -> None:
    """Without a coordinate a place is an index; derivatives are per unit of length."""
    f = xr.DataArray(np.arange(8.0) ** 2, dims="x")
    model = dhess.local_model(f, {"x": 2.5}, spacing={"x": 0.5})
    np.testing.assert_allclose(model.gradient, [10.0])
    np.testing.assert_allclose(model.predict([0.5]), 3.5**2)
    assert float(model.x) == 2.5


def test_scaled_axes() -> None:
    f = xr.DataArray(np.arange(8.0) ** 2, {"x": np.arange(8.0)}, "x")
    model = dhess.local_model(f, {"x": 2.5}, scale={"x": 2.0})
    np.testing.assert_allclose(model.gradient, [10.0])
    np.testing.assert_allclose(model.predict([0.25]), 9.0)


def test_a_place_within_rounding_of_a_point_is_the_point() -> None:
    x = np.arange(11) / 10
    f = xr.DataArray(np.sin(x), {"x": x}, "x")
    assert x[3] != 0.1 + 0.2
    same_bits(dhess.local_model(f, {"x": 0.1 + 0.2}).gradient[0], dhess.gradient(f)[0, 3])
    short = f.assign_coords(x=x.astype(np.float32))
    model = dhess.local_model(short, {"x": 0.3})
    same_bits(model.gradient[0], dhess.gradient(short)[0, 3])
    assert model.x.dtype == np.float32
    descending = f[::-1]
    same_bits(dhess.local_model(descending, {"x": 0.3}).value, f[3])
    assert dhess.local_model(f, {"x": 0.2999999})["index"].values.tolist() == [3]


def test_it_stays_a_model(tmp_path: Path) -> None:
    model = dhess.local_model(wave(), {"y": 0.41, "x": 0.111})
    expected = float(model.predict({"y": 0.1}))
    copies: list[Callable[[], Any]] = [
        lambda: model.copy(deep=True),
        lambda: model.assign_attrs(a=1),
        lambda: model.drop_vars("radius"),
        lambda: pickle.loads(pickle.dumps(model)),
    ]
    for copy in copies:
        assert float(copy().predict({"y": 0.1})) == expected
    assert isinstance(model, xr.Dataset)
    model.to_netcdf(tmp_path / "model.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "model.nc", engine="h5netcdf") as read:
        assert float(LocalModel.of(read).predict({"y": 0.1})) == expected


def test_displacements_of_many_kinds() -> None:
    model = dhess.local_model(wave(), {"y": 0.41, "x": 0.111})
    line = np.linspace(-0.1, 0.1, 5)
    one = [float(model.predict({"y": h})) for h in line]
    np.testing.assert_allclose(model.predict({"y": line}), one)
    cloud = np.stack([line, 0 * line], axis=-1)
    assert model.predict(cloud).shape == (5,)
    np.testing.assert_allclose(model.predict(cloud), one)
    plane = model.predict({"y": xr.DataArray(line, dims="j"), "x": xr.DataArray(line, dims="i")})
    assert plane.sizes == {"j": 5, "i": 5}
    np.testing.assert_allclose(plane[:, 2], one)
    along = xr.DataArray([[0.1, 0.0], [0.0, 0.1]], {"row": ["x", "y"]}, ("k", "row"))
    np.testing.assert_allclose(model.predict(along)[1], float(model.predict({"y": 0.1})))


def test_pint_units_come_back() -> None:
    pint = pytest.importorskip("pint")
    registry = pint.UnitRegistry()
    f = wave()
    f.x.attrs["units"] = f.y.attrs["units"] = "m"
    quantity = f.copy(data=registry.Quantity(f.values, "kelvin")).drop_attrs(deep=False)
    model = dhess.local_model(quantity, {"y": 0.41, "x": 0.111})
    assert model.gradient.data.units == registry.kelvin / registry.meter
    predicted = model.predict({"y": 0.1})
    assert predicted.data.units == registry.kelvin
    expected = dhess.local_model(f, {"y": 0.41, "x": 0.111}).predict({"y": 0.1})
    assert float(predicted.data.magnitude) == float(expected)


GOOD: Place = {"y": 0.4, "x": 0.1}
BAD: list[tuple[Any, dict[str, Any], list[str]]] = [
    ({**GOOD, "x": 0.6}, {}, ["x=0.6", "'x'", "-0.5", "0.5", "period"]),
    ({**GOOD, "x": np.nan}, {}, ["x=nan", "finite"]),
    ({**GOOD, "x": "east"}, {}, ["x='east'", "number"]),
    ({**GOOD, "x": True}, {}, ["x=True", "number"]),
    ({**GOOD, "x": [0.1, 0.2]}, {}, ["x=[0.1, 0.2]", "number"]),
    ({"y": 0.4}, {}, ["'x'", "dims=['y']"]),
    ({**GOOD, "lon": 3}, {}, ["'lon'", "known: y, x"]),
    ([0.4, 0.1], {}, ["[0.4, 0.1]", "by name"]),
    ({"y": 0.4, "x": 0.111}, {"scheme": "iterated"}, ["x=0.111", "iterated", "direct"]),
    ({**GOOD, "x": 0.111}, {"dims": ["y"]}, ["x=0.111", "41 points", "not differentiated"]),
    (GOOD, {"order": 3}, ["order=3"]),
]


@pytest.mark.parametrize(("at", "options", "words"), BAD)
def test_what_is_no_place(at: Any, options: Any, words: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        dhess.local_model(wave(), at, **options)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert "\n" not in said


@pytest.mark.parametrize("place", ["then", 5, np.datetime64("NaT"), "2027-01-01", None])
def test_what_is_no_place_among_times(place: Any) -> None:
    t = np.datetime64("2026-01-01", "ns") + np.arange(8) * np.timedelta64(1, "D")
    f = xr.DataArray(np.arange(8.0), {"t": t}, "t")
    with pytest.raises(InputError, match=r"date|outside"):
        dhess.local_model(f, {"t": place})
    for bare in (5, "5", " -2.5e3 ", np.float32(1)):
        with pytest.raises(InputError, match="length of time"):
            dhess.local_model(f.assign_coords(t=t - t[0]), {"t": bare})


def test_other_mistakes() -> None:
    with pytest.raises(GridError, match=r"'x'.*3 points"):
        dhess.local_model(wave()[:, :3], GOOD)
    with pytest.raises(InputError, match="name of a part of the model"):
        dhess.local_model(wave().rename(x="radius"), {"y": 0.4, "radius": 0.1})
    model = dhess.local_model(wave(), GOOD)
    with pytest.raises(InputError, match=r"'z'.*known: y, x"):
        model.predict({"z": 1})
    with pytest.raises(InputError, match=r"shape \(3,\).*2 rows y, x"):
        model.predict([1, 2, 3])
    for far in ("far", np.timedelta64(1, "h"), None):
        with pytest.raises(InputError, match=r"h of 'x'.*number"):
            model.predict({"x": far})
    with pytest.raises(InputError, match=r"\['x'\].*\['y', 'x'\]"):
        model.predict(xr.DataArray([1.0], {"row": ["x"]}, "row"))


@pytest.mark.parametrize("dtype", [np.int16, bool, np.float16, ">f4", np.float32])
def test_data_of_any_type(dtype: Any) -> None:
    values = (np.arange(36).reshape(6, 6) * 7 % 5).astype(dtype)
    f = xr.DataArray(values, dims=("y", "x"))
    model = dhess.local_model(f, {"y": 2.5, "x": 3.25})
    short = np.dtype(dtype).kind == "f"
    expected = dhess.local_model(f.astype(np.float64), {"y": 2.5, "x": 3.25})
    assert model.hessian.dtype == (np.float32 if short else np.float64)
    np.testing.assert_array_equal(model.hessian, expected.hessian.astype(model.hessian.dtype))
