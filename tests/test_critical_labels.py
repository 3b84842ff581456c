"""What critical_points tells, in which coordinates and units; and the spline against SciPy."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from scipy import interpolate, optimize

import dhess
from dhess.block import Block
from dhess.critical.quest import Quest
from dhess.critical.reach import reaching
from dhess.grid import Grid
from dhess.options import settings as chosen_settings
from dhess.stencil import EVERYTHING, Stencil

from .test_critical import on, places
from .test_options import one_sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray


# ------------------------------------------------------------------------------ the spline


def own_points(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places, in steps, of the zeros of the spline itself, on a torus."""
    array = xr.DataArray(values, dims=["y", "x"])
    chosen = chosen_settings(period=dict(zip("yx", map(float, values.shape), strict=True)))
    stencil = Stencil.of(Grid.of(array, chosen), chosen, EVERYTHING)
    ranges = tuple((0, size) for size in values.shape)
    quest = Quest(ranges, 1e-9, ())
    found = quest.look(reaching(stencil, chosen), [Block(values, (0, 0), ranges)])
    cell = np.stack(np.unravel_index(found.points["cell"], values.shape), axis=1)
    return np.asarray((cell + found.points["own_place"]) % values.shape)


@pytest.mark.parametrize("seed", range(5))
def test_zeros_are_those_of_scipys_spline(seed: int) -> None:
    """From 25 starts in each cell SciPy's own solver finds the very same zeros of SciPy's spline.

    Its knots lie halfway between the points, whose samples are its coefficients.
    """
    size, more = (7, 6), 4
    values = np.random.default_rng(seed).standard_normal(size)
    padded = np.pad(values, more, mode="wrap")
    knots = tuple(np.arange(-more, s + more + 3) - 1.5 for s in size)
    spline = interpolate.NdBSpline(knots, padded, 2)

    def slope(place: Any) -> Any:
        return np.array([spline(place, nu=nu)[()].item() for nu in ([1, 0], [0, 1])])

    roots: dict[tuple[float, ...], Any] = {}
    inside = np.linspace(-0.4, 0.4, 5)
    for cell in np.ndindex(*size):
        for start in itertools.product(inside, inside):
            solved = optimize.root(slope, np.add(cell, start), tol=1e-12)
            near = np.abs(solved.x - cell).max() <= 0.5 + 1e-9
            if solved.success and near and np.abs(slope(solved.x)).max() < 1e-9:
                place = solved.x % size
                roots[tuple(np.round(place, 6) % size)] = place
    known, got = np.array(list(roots.values())), own_points(values)
    assert len(got) == len(known) > 5
    away = np.abs(got[:, None] - known[None]).max(axis=2).min(axis=1)
    assert away.max() < 1e-8


# ------------------------------------------------------------------------------ what is told


def bowl(y: Any, x: Any) -> Any:
    return (x - 1.0) ** 2 + 2 * (y - 2.25) ** 2 + 5


@pytest.mark.parametrize("chunks", [None, 3])
def test_the_whole_answer(chunks: int | None) -> None:
    """(x − 1)² + 2 (y − 2.25)² + 5, worked by hand."""
    y, x = np.arange(6) * 0.5 + 1, (np.arange(7) - 1).astype(np.float32)
    coords = {"y": ("y", y, {"units": "m"}), "x": ("x", x, {"units": "m"})}
    data = xr.DataArray(
        bowl(y[:, None], x.astype(float)), coords, ("y", "x"), name="f", attrs={"units": "K"}
    )
    data.encoding["source"] = "store.zarr"
    found = dhess.critical_points(data if chunks is None else data.chunk(chunks), order=4)
    assert dict(found.sizes) == {"rank": 1, "dim": 2, "row": 2, "col": 2, "eigen": 2, "end": 2}
    assert found["dim"].values.tolist() == found["row"].values.tolist() == ["y", "x"]
    assert found["end"].values.tolist() == ["first", "last"]
    assert found["x"].dtype == np.float32
    assert (found["x"].item(), found["y"].item()) == pytest.approx((1.0, 2.25), abs=1e-12)
    assert found["y"].attrs == {"units": "m"}
    assert found["field"].item() == pytest.approx(5.0, abs=1e-12)
    assert found["index"].values.tolist() in ([[2, 2]], [[3, 2]])  # halfway between two points
    np.testing.assert_allclose(found["gradient"].values, [[0, 0]], atol=1e-12)
    np.testing.assert_allclose(found["hessian"].values, [[[4, 0], [0, 2]]], atol=1e-11)
    np.testing.assert_allclose(found["eigenvalues"].values, [[2, 4]], atol=1e-11)
    assert found["kind"].values.tolist() == ["minimum"]
    assert (found["morse_index"].item(), found["cells"].item()) == (0, 1)
    assert found["refined"].item()
    np.testing.assert_array_equal(found["extent"][0, :, 0], found["index"][0])
    np.testing.assert_array_equal(found["extent"][0, :, 1], found["index"][0])
    assert (found.attrs["points"], found.attrs["nan_cells"]) == (42, 0)
    assert (found.attrs["order"], found.attrs["tolerance"]) == (4, 1e-9)
    assert found.attrs["dhess_version"]
    if chunks is None:
        assert found.attrs["source"] == "store.zarr::f"
    units = {name: v.attrs.get("units") for name, v in found.data_vars.items() if v.attrs}
    assert units == {
        "field": "K", "gradient": "K m-1", "hessian": "K m-2", "eigenvalues": "K m-2",
    }  # fmt: skip


@pytest.mark.parametrize("sign", [1, -1])
def test_coordinates_of_every_kind(sign: int) -> None:
    """A minimum at 3.25 steps, told in the coordinate's own terms; ascending and descending."""
    index = np.arange(8)
    values = (index - 3.25) ** 2
    start = np.datetime64("2026-01-01T00:00", "ns")
    hours = start + sign * index * np.timedelta64(4, "h")
    uneven = sign * (index + 0.03 * index**2)
    cases: dict[str, tuple[Any, Any]] = {
        "none": (None, 3.25),
        "int": (sign * index * 4, sign * 13.0),
        "float32": ((sign * index).astype("f4") / 2, sign * 1.625),
        "datetime64": (hours, start + sign * np.timedelta64(13, "h")),
        "timedelta64": (hours - start, sign * np.timedelta64(13, "h")),
        "uneven": (uneven, sign * 3.5),
    }
    for name, (x, want) in cases.items():
        data = (uneven - sign * 3.5) ** 2 if name == "uneven" else values
        array = xr.DataArray(data, None if x is None else {"x": x}, ("x",))
        found = dhess.critical_points(array)["x"]
        if x is not None and name != "int":
            assert found.dtype == x.dtype, name
        if found.dtype.kind in "mM":
            assert abs(found.values[0] - want) <= np.timedelta64(1, "us"), name
        else:
            assert found.item() == pytest.approx(want, abs=1e-9), name


def test_dates_of_a_calendar() -> None:
    cftime = pytest.importorskip("cftime")
    days = [cftime.Datetime360Day(2001, 2, day) for day in range(26, 31)]
    days += [cftime.Datetime360Day(2001, 3, day) for day in range(1, 4)]
    array = xr.DataArray((np.arange(8) - 3.5) ** 2, {"t": days}, ("t",))
    found = dhess.critical_points(array, datetime_unit="h")
    assert found["t"].item() == cftime.Datetime360Day(2001, 2, 29, 12)
    np.testing.assert_allclose(found["hessian"].values, 2 / 24**2)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("uneven", [False, True])
def test_places_around_the_seam_lie_in_one_period(uneven: bool, sign: int) -> None:
    """From the first point on, one period long: also what lies just before the first."""
    x = np.arange(24) * 15.0
    x = sign * (x + (3 * np.sin(np.deg2rad(x)) if uneven else 0.0))
    for centre in (-2.0, 2.0, -13.0):
        values = -np.cos(np.deg2rad(x - centre))
        found = dhess.critical_points(
            xr.DataArray(values, {"lon": x}, ("lon",)), period={"lon": 360.0}, order=6
        )
        lowest = found.isel(rank=0)["lon"].item()
        assert 0 <= sign * lowest < 360
        assert (lowest - centre + 180) % 360 - 180 == pytest.approx(0, abs=1e-3)
        assert found["kind"].values.tolist() == ["minimum", "maximum"]


def test_options_of_lengths_change_the_hessian_alone() -> None:
    x = np.linspace(0, 3, 16)
    array = on([x, x], lambda y, x: bowl(y, x))
    plain = dhess.critical_points(array)
    scaled = dhess.critical_points(array, scale={"y": 2.0})
    spaced = dhess.critical_points(array.drop_vars("y"), spacing={"y": 0.4})
    np.testing.assert_allclose(places(scaled), places(plain), atol=1e-12)
    np.testing.assert_allclose(scaled["hessian"].values[0], [[16, 0], [0, 2]], atol=1e-9)
    np.testing.assert_allclose(spaced["hessian"].values[0], [[1, 0], [0, 2]], atol=1e-9)
    np.testing.assert_allclose(spaced["y"], plain["y"] / 0.2, atol=1e-9)


@pytest.mark.parametrize("poles", [False, True])
def test_on_the_sphere(poles: bool) -> None:
    """The first coordinate of a unit vector: a maximum and a minimum, where ∇∇f = ∓g f.

    Poles are none of them, though every meridian ends there; its slope is that of the third.
    """
    radius = 100.0
    latitude = np.linspace(-90, 90, 37) if poles else np.linspace(-87.5, 87.5, 36)
    longitude = np.arange(0, 360, 5.0)
    phi, lam = np.deg2rad(latitude)[:, None], np.deg2rad(longitude)
    lat0, lon0 = np.deg2rad(31.0), np.deg2rad(47.0)
    field = np.sin(phi) * np.sin(lat0) + np.cos(phi) * np.cos(lat0) * np.cos(lam - lon0)
    array = xr.DataArray(field, {"lat": latitude, "lon": longitude}, ("lat", "lon"))
    found = dhess.critical_points(
        array.chunk(10), period={"lon": 360.0}, geometry="sphere", radius=radius, order=6
    )
    assert found["kind"].values.tolist() == ["minimum", "maximum"]
    np.testing.assert_allclose(places(found), [[-31, 227], [31, 47]], atol=1e-5)
    for row, sign in ((0, 1.0), (1, -1.0)):
        want = sign * np.eye(2) / radius**2
        np.testing.assert_allclose(found["hessian"].values[row], want, atol=1e-6 / radius**2)
    assert found.attrs["points"] == 72 * (35 if poles else 36)


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize("tolerance", [0.0, -1.0, 0.5, np.nan, "small", None, True])
def test_a_tolerance_that_is_none(tolerance: Any) -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.critical_points(xr.DataArray(np.zeros(9), dims="x"), tolerance=tolerance)
    one_sentence(caught.value, "tolerance=", "above 0", "0.1")


@pytest.mark.parametrize(
    ("dims", "options", "fragments"),
    [
        ("yx", {"scheme": "iterated"}, ["scheme='iterated'", "leave it out"]),
        ("yx", {"dims": ["z"]}, ["no dimension 'z'"]),
        ("yx", {"order": 8}, ["'y' has 9 points", "at least 10"]),
        ("yx", {"frequency": 3}, ["unknown option 'frequency'"]),
        (["rank", "x"], {}, ["dimension 'rank'", "rename"]),
        (["cells", "x"], {}, ["dimension 'cells'", "rename"]),
    ],
)
def test_bad_input_is_one_sentence(dims: Any, options: Any, fragments: list[str]) -> None:
    array = xr.DataArray(np.zeros((9, 12)), dims=list(dims))
    with pytest.raises(dhess.InputError) as caught:
        dhess.critical_points(array, **options)
    one_sentence(caught.value, *fragments)


@pytest.mark.parametrize("chunks", [None, 20])
def test_too_many_points(monkeypatch: pytest.MonkeyPatch, chunks: int | None) -> None:
    monkeypatch.setattr("dhess.critical.found.MOST", 100)
    array = xr.DataArray(np.random.default_rng(0).standard_normal((60, 60)), dims=["y", "x"])
    with pytest.raises(dhess.InputError) as caught:
        dhess.critical_points(array if chunks is None else array.chunk(chunks))
    one_sentence(caught.value, "at most 100", "dhess.smooth")


def test_a_dataset_with_one_candidate() -> None:
    x = np.linspace(0, 3, 16)
    array = on([x, x], bowl, name="f")
    found = dhess.critical_points(array.to_dataset())
    xr.testing.assert_identical(found, dhess.critical_points(array))
