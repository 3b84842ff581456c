"""Every measure against its formula in NumPy, and against values worked by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess
from dhess.measures import MEASURES, find_measure

from . import oracles
from .strategies import Case, cases

FORMULAS = oracles.MEASURES | oracles.SURFACES
NAMES = list(FORMULAS)
PLANAR = {"slope_angle", *(name for name in NAMES if MEASURES[name].ndim == 2)}
"""Those for two dimensions only."""


def square(function: str, step: float = 0.5) -> xr.DataArray:
    y = xr.DataArray(step * np.arange(6) - 1, dims="y")
    x = xr.DataArray(step * np.arange(7) - 2, dims="x")
    made: xr.DataArray = {
        "x2+y2": x**2 + y**2,
        "xy": x * y,
        "(x+y)2/2": (x + y) ** 2 / 2,
        "-x2-3y2": -(x**2) - 3 * y**2,
        "2x-y": 2 * x - y,
    }[function]
    return made.assign_coords(x=x, y=y).transpose("y", "x")


def test_the_table_has_the_promised_rows() -> None:
    assert set(MEASURES) >= set(NAMES)
    for name, row in MEASURES.items():
        assert row.name == name
        assert row.formula
        assert row.unit
        assert row.meaning
        assert row.source or name == "hessian_min_element"
        assert "\n" not in row.meaning
        assert row.need.gradient or row.need.pure
        assert find_measure(name) is row
        assert row.ndim in {None, 2}
        assert row.mixes or name == "hessian_det"
        assert not row.surface or row.powers in {(0, -1), (0, -2)}
    assert len({row.code for row in MEASURES.values()}) == len(MEASURES)
    surfaces = {name for name, row in MEASURES.items() if row.surface}
    assert surfaces == {"mean_curvature", "gaussian_curvature", "profile_curvature"}


@pytest.mark.parametrize("name", NAMES)
@given(case=cases(max_n=5), scheme=st.sampled_from(["direct", "iterated"]))
@settings(max_examples=20)
def test_measure_is_its_formula(name: str, case: Case, scheme: str) -> None:
    if name in PLANAR and len(case.lines) != 2:
        return
    if scheme == "direct":
        oracle = oracles.Oracle(case.random(), case.axes)
        gradient, hessian = oracle.gradient(), oracle.hessian()
    else:
        gradient = oracles.iterated_gradient(case.random(), case.plain_axes)
        hessian = oracles.iterated_hessian(case.random(), case.plain_axes)
    want = FORMULAS[name](gradient, hessian)
    got = dhess.measure(case.array(), name, scheme=scheme)
    assert got.dims == case.array().dims
    assert (np.abs(got.values - want) <= 1e-11 * sensitivity(name, gradient, hessian)).all()


def sensitivity(name: str, gradient: Any, hessian: Any) -> Any:
    """How much a measure changes, per relative error of the derivatives.

    The largest entry anywhere stands for the cancellation inside one entry.
    """
    size, steep = np.abs(hessian).max(axis=(0, 1)), np.sqrt((gradient**2).sum(axis=0))
    bent, turn = size.max(), steep.max() / steep  # of the direction of the slope
    if name == "slope":
        return steep + steep.max()
    if name == "slope_angle":
        return 1 + turn
    if name in {"hessian_det", "gaussian_curvature"}:
        n = len(gradient)
        return n * size**n + n * bent**n
    if name == "shape_index":
        return 1 + bent / size
    if name == "profile_curvature":
        return bent * (1 + turn)
    if name == "plan_curvature":
        return bent * (1 + turn) / steep
    return size + bent


@pytest.mark.parametrize(
    ("function", "name", "want"),
    [
        ("x2+y2", "hessian_det", 4.0),
        ("xy", "hessian_det", -1.0),
        ("(x+y)2/2", "hessian_det", 0.0),
        ("x2+y2", "laplacian", 4.0),
        ("-x2-3y2", "laplacian", -8.0),
        ("-x2-3y2", "laplacian_abs", 8.0),
        ("-x2-3y2", "eigenvalue_min", -6.0),
        ("-x2-3y2", "eigenvalue_max", -2.0),
        ("-x2-3y2", "hessian_spectral", 6.0),
        ("-x2-3y2", "hessian_norm", np.sqrt(40.0)),
        ("-x2-3y2", "hessian_min_element", -6.0),
        ("xy", "hessian_min_element", 0.0),
        ("xy", "hessian_norm", np.sqrt(2.0)),  # both mixed entries count
        ("xy", "eigenvalue_min", -1.0),
        ("xy", "eigenvalue_max", 1.0),
        ("xy", "laplacian", 0.0),
        ("(x+y)2/2", "eigenvalue_min", 0.0),
        ("(x+y)2/2", "eigenvalue_max", 2.0),
        ("2x-y", "slope", np.sqrt(5.0)),
        ("2x-y", "slope_angle", np.arctan2(-1.0, 2.0)),
        ("2x-y", "hessian_norm", 0.0),
        ("x2+y2", "curvedness", 2.0),
        ("-x2-3y2", "curvedness", np.sqrt(20.0)),
        ("xy", "curvedness", 1.0),
        ("2x-y", "curvedness", 0.0),
    ],
)
def test_values_worked_by_hand(function: str, name: str, want: float) -> None:
    got = dhess.measure(square(function), name)
    np.testing.assert_allclose(got.values, want, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("angle", [0.0, 0.5, np.pi / 2, 2.0, -3.0, -np.pi / 2])
def test_slope_angle_is_counter_clockwise_from_the_last_dimension(angle: float) -> None:
    y, x = np.meshgrid(np.arange(5.0), np.arange(6.0), indexing="ij")
    plane = xr.DataArray(np.cos(angle) * x + np.sin(angle) * y, dims=["y", "x"])
    got = dhess.measure(plane, "slope_angle")
    np.testing.assert_allclose(got.values, angle, atol=1e-14)


def test_slope_angle_follows_dims_not_names() -> None:
    y, x = np.meshgrid(np.arange(5.0), np.arange(6.0), indexing="ij")
    plane = xr.DataArray(x + 0 * y, dims=["a", "b"])
    np.testing.assert_array_equal(dhess.measure(plane, "slope_angle").values, 0.0)
    np.testing.assert_allclose(dhess.measure(plane.T, "slope_angle").values, np.pi / 2)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("name", sorted(PLANAR))
def test_some_measures_need_two_dimensions(name: str, n: int) -> None:
    data = xr.DataArray(np.zeros((5,) * n), dims=list("abc"[:n]))
    with pytest.raises(dhess.InputError) as caught:
        dhess.measure(data, name)
    assert name in str(caught.value)
    assert "2" in str(caught.value)
    assert str(n) in str(caught.value)


def test_slope_angle_of_two_dimensions_beside_a_batch() -> None:
    y, x = np.meshgrid(np.arange(5.0), np.arange(6.0), indexing="ij")
    data = xr.DataArray(np.stack([x + y, x - y]), dims=["time", "y", "x"])
    got = dhess.measure(data, "slope_angle", dims=["y", "x"])
    np.testing.assert_allclose(got[0].values, np.pi / 4)
    np.testing.assert_allclose(got[1].values, -np.pi / 4)


def test_laplacian_function_is_the_measure() -> None:
    data = xr.DataArray(np.random.default_rng(0).standard_normal((5, 6, 7)), dims=list("zyx"))
    xr.testing.assert_equal(dhess.laplacian(data), dhess.measure(data, "laplacian"))


@pytest.mark.parametrize("name", [name for name in NAMES if name != "slope_angle"])
def test_a_constant_is_flat(name: str) -> None:
    got = dhess.measure(xr.DataArray(np.full((6, 7), 3.7), dims=["y", "x"]), name)
    np.testing.assert_allclose(got.values, 0.0, atol=1e-13)


@pytest.mark.parametrize(
    "name", ["hessian_norm", "slope", "hessian_spectral", "laplacian_abs", "curvedness"]
)
@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_tiny_and_huge_fields(name: str, scale: float) -> None:
    data = square("-x2-3y2")
    got = dhess.measure(data * scale, name).values / scale
    np.testing.assert_allclose(got, dhess.measure(data, name).values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_measures_of_one_and_two_dimensions_agree(name: str) -> None:
    """A field that varies along x only has the numbers of the 1-D field."""
    if name in {*PLANAR, "hessian_det", "eigenvalue_min", "eigenvalue_max"}:
        return
    line = np.sin(np.arange(9.0))
    one = dhess.measure(xr.DataArray(line, dims="x"), name).values
    flat = xr.DataArray(np.tile(line, (5, 1)), dims=["y", "x"])
    two = dhess.measure(flat, name).values
    want = {"hessian_min_element": np.minimum(one, 0.0), "curvedness": one / np.sqrt(2)}.get(
        name, one
    )
    np.testing.assert_allclose(two, np.tile(want, (5, 1)), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5])
def test_curvedness_is_the_root_mean_square_of_the_curvatures(n: int) -> None:
    """Of Σ aₖ xₖ² / 2 + x₀ x₁, whose Hessian has the squares Σ aₖ² + 2 on and off its diagonal."""
    bends = np.array([3.0, -4.0, 2.0, 0.5, -1.0])[:n]
    points = np.meshgrid(*[0.5 * np.arange(5.0) - 1] * n, indexing="ij")
    data = sum(a * x**2 / 2 for a, x in zip(bends, points, strict=True))
    squares = (bends**2).sum()
    if n > 1:
        data = data + points[0] * points[1]
        squares += 2
    got = dhess.measure(
        xr.DataArray(data, dims=list("abcde"[:n])).assign_coords(
            {d: 0.5 * np.arange(5.0) for d in "abcde"[:n]}
        ),
        "curvedness",
    )
    np.testing.assert_allclose(got.values, np.sqrt(squares / n), rtol=1e-13)
