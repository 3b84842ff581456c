"""What does not show in the values: how kernels near gaps are compiled, what overflows."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.kernels.gaps import gap_rows


def test_read_only_data_is_compiled_once() -> None:
    values = np.random.default_rng(0).random((9, 9))
    values[4, 4] = np.nan
    frozen = values.copy()
    frozen.flags.writeable = False
    fields = [
        dhess.measure(xr.DataArray(each, dims=("y", "x")), "slope", nan="adapt")
        for each in (values, frozen)
    ]
    xr.testing.assert_identical(*fields)
    assert len(gap_rows.dispatcher.signatures) == 1


@pytest.mark.parametrize("name", ["slope", "laplacian", "hessian_norm"])
def test_beyond_float32_is_infinite_without_a_warning(name: str) -> None:
    values = np.zeros((8, 8), np.float32)
    values[::2] = 3e38
    values[4, 4] = np.nan
    f = xr.DataArray(values, dims=("y", "x"))
    field = dhess.measure(f, name, nan="adapt", spacing={"y": 0.1, "x": 0.1})
    assert field.dtype == np.float32
    assert np.isinf(field).any()
    dhess.find_minimum(f, name, nan="adapt", spacing={"y": 0.1, "x": 0.1})


@pytest.mark.parametrize("order", [2, 8])
@pytest.mark.parametrize("unit", [1e-90, 1e-35, 1e35, 1e90])
@pytest.mark.parametrize("nan", ["propagate", "adapt"])
def test_uneven_steps_of_any_size(order: int, unit: float, nan: str) -> None:
    """F = (x / unit)² has f″ = 2 / unit², whatever the unit."""
    x = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, 30))
    values = x**2
    if nan == "adapt":
        values[20] = np.nan
    f = xr.DataArray(values, {"x": x * unit}, "x")
    bend = dhess.laplacian(f, order=order, nan=nan).dropna("x")
    assert bend.size >= 29
    np.testing.assert_allclose(bend * unit * unit, 2.0, rtol=1e-6)


def test_the_far_end_of_an_axis_does_not_change_the_shape_here() -> None:
    """The steps at one end of a geometric axis are a billionth of those at the other."""
    x = np.geomspace(1e-3, 1e6, 80)
    values = 100 + 100 * (x / 1e6) ** 2 + np.zeros((12, 1))
    f = xr.DataArray(values, {"y": np.arange(12.0), "x": x}, ("y", "x"))
    whole = dhess.measure(f, "shape_index").isel(x=75)
    part = dhess.measure(f.isel(x=slice(60, None)), "shape_index").isel(x=15)
    np.testing.assert_array_equal(whole, part)
    np.testing.assert_array_equal(whole, -0.5)  # a rut: it bends up along one direction only
