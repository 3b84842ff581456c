"""Every measure against its formula in NumPy, and against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess
from dhess.measures import MEASURES, find_measure

from . import oracles
from .strategies import Case, cases

NAMES = list(oracles.MEASURES)


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
        assert "\n" not in row.meaning
        assert row.need.gradient or row.need.pure
        assert find_measure(name) is row
    assert len({row.code for row in MEASURES.values()}) == len(MEASURES)


@pytest.mark.parametrize("name", NAMES)
@given(case=cases(max_n=5), scheme=st.sampled_from(["direct", "iterated"]))
@settings(max_examples=20)
def test_measure_is_its_formula(name: str, case: Case, scheme: str) -> None:
    if name == "slope_angle" and len(case.lines) != 2:
        return
    if scheme == "direct":
        oracle = oracles.Oracle(case.random(), case.axes)
        gradient, hessian = oracle.gradient(), oracle.hessian()
    else:
        gradient = oracles.iterated_gradient(case.random(), case.plain_axes)
        hessian = oracles.iterated_hessian(case.random(), case.plain_axes)
    want = oracles.MEASURES[name](gradient, hessian)
    got = dhess.measure(case.array(), name, scheme=scheme)
    assert got.dims == case.array().dims
    n = len(case.lines)
    size = np.abs(hessian).max(axis=(0, 1))
    scale = n * size**n if name == "hessian_det" else size
    if name.startswith("slope"):
        scale = np.abs(gradient).max(axis=0) if name == "slope" else np.ones(case.shape)
    # the largest entry anywhere stands for the cancellation inside one entry
    assert (np.abs(got.values - want) <= 1e-11 * (scale + scale.max())).all()


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
def test_slope_angle_needs_two_dimensions(n: int) -> None:
    data = xr.DataArray(np.zeros((5,) * n), dims=list("abc"[:n]))
    with pytest.raises(dhess.InputError) as caught:
        dhess.measure(data, "slope_angle")
    assert "slope_angle" in str(caught.value)
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


@pytest.mark.parametrize("name", ["hessian_norm", "slope", "hessian_spectral", "laplacian_abs"])
@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_tiny_and_huge_fields(name: str, scale: float) -> None:
    data = square("-x2-3y2")
    got = dhess.measure(data * scale, name).values / scale
    np.testing.assert_allclose(got, dhess.measure(data, name).values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_measures_of_one_and_two_dimensions_agree(name: str) -> None:
    """A field that varies along x only has the numbers of the 1-D field."""
    if name in {"slope_angle", "hessian_det", "eigenvalue_min", "eigenvalue_max"}:
        return
    line = np.sin(np.arange(9.0))
    one = dhess.measure(xr.DataArray(line, dims="x"), name).values
    flat = xr.DataArray(np.tile(line, (5, 1)), dims=["y", "x"])
    two = dhess.measure(flat, name).values
    want = np.minimum(one, 0.0) if name == "hessian_min_element" else one
    np.testing.assert_allclose(two, np.tile(want, (5, 1)), rtol=1e-13, atol=1e-15)
