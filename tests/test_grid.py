"""Coordinates and spacings: what is even, what carries a derivative, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, cases
from .test_options import CALLS, one_sentence


def on(values: Any, data: Any = None, name: str = "x") -> xr.DataArray:
    values = np.asarray(values)
    data = np.random.default_rng(1).standard_normal(len(values)) if data is None else data
    return xr.DataArray(data, coords={name: (name, values)}, dims=[name], name="f")


def test_no_coordinate_means_spacing_one() -> None:
    data = np.random.default_rng(0).standard_normal((5, 6))
    bare = xr.DataArray(data, dims=["y", "x"])
    given_ones = bare.assign_coords(y=np.arange(5.0), x=np.arange(6.0))
    np.testing.assert_array_equal(dhess.hessian(bare).values, dhess.hessian(given_ones).values)


def test_spacing_equals_the_coordinate_it_stands_for() -> None:
    data = np.random.default_rng(0).standard_normal((5, 6))
    bare = xr.DataArray(data, dims=["y", "x"])
    named = bare.assign_coords(x=0.25 * np.arange(6))
    got = dhess.hessian(bare, spacing={"x": 0.25})
    np.testing.assert_allclose(got.values, dhess.hessian(named).values, rtol=1e-14)


@given(case=cases(max_n=3), shift=st.integers(-4, 4))
def test_moving_the_origin_changes_nothing(case: Case, shift: int) -> None:
    data = case.array()
    moved = data.assign_coords({d: data[d] + 4 * shift for d in data.dims})
    scale = 1e-12 * float(np.abs(data).max()) / case.min_step**2
    got, want = dhess.hessian(moved).values, dhess.hessian(data).values
    np.testing.assert_allclose(got, want, rtol=0, atol=64 * scale)


@given(case=cases(max_n=3))
def test_reversing_an_axis_reverses_the_answer(case: Case) -> None:
    data = case.array()
    dim = data.dims[0]
    back = dhess.hessian(data.isel({dim: slice(None, None, -1)})).isel({dim: slice(None, None, -1)})
    want = dhess.hessian(data)
    scale = 64e-12 * float(np.abs(data).max()) / case.min_step**2
    np.testing.assert_allclose(back.values, want.values, rtol=0, atol=scale)


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0, 360, 97, dtype=np.float32),  # steps differ by 3e-5: float32's rounding
        np.arange(-180, 180, 3.7, dtype=np.float32),
        np.linspace(1e6, 1e6 + 1, 50),
        np.linspace(0, 1, 41)[::-1],
        np.arange(10, dtype=np.uint8),
        np.arange(10, dtype=np.int64)[::-1] * 3,
    ],
    ids=lambda v: f"{v.dtype}-{len(v)}",
)
def test_equal_steps_up_to_the_dtypes_own_rounding_are_even(values: oracles.Array) -> None:
    """An even axis answers a second difference with the same three weights everywhere."""
    size = len(values)
    impulses = xr.DataArray(np.eye(size), dims=["node", "x"], coords={"x": values})
    matrix = dhess.hessian(impulses, dims=["x"]).values[0, 0].T
    step = (float(values[-1]) - float(values[0])) / (size - 1)
    want = oracles.direct_matrix(step * np.arange(size), 2, even=True)
    np.testing.assert_array_equal(matrix != 0, want != 0)
    np.testing.assert_allclose(matrix, want, rtol=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0009765625],
        np.array([0, 1, 2, 3, 4, 5.0009765625], dtype=np.float32),
        [0, 1, 2, 3, 5, 8],
        np.geomspace(1, 100, 6),
        np.linspace(0, 1, 6) + 1e-9 * np.array([0, 1, 0, 0, -1, 0]),
    ],
    ids=["float64", "float32", "int", "geometric", "1e-9"],
)
def test_steps_that_differ_are_uneven(values: Any) -> None:
    """Uneven axes use five nodes in the second derivative, even axes three."""
    values = np.asarray(values)
    impulses = xr.DataArray(np.eye(6), dims=["node", "x"], coords={"x": values})
    matrix = dhess.hessian(impulses, dims=["x"]).values[0, 0].T
    want = oracles.direct_matrix(values.astype(float), 2, even=False)
    np.testing.assert_allclose(matrix, want, rtol=0, atol=1e-11 * np.abs(want).max())
    assert (matrix != 0).sum(axis=1).max() == 5


@pytest.mark.parametrize(
    ("values", "fragments"),
    [
        ([0.0, 1.0, 1.0, 2.0, 3.0], ["x", "2", "1.0"]),
        ([0.0, 1.0, 2.5, 2.25, 3.0], ["x", "3", "2.5", "2.25"]),
        ([4.0, 3.0, 3.5, 2.0, 1.0], ["x", "2", "3.0", "3.5"]),
        ([0.0, 1.0, float("nan"), 3.0, 4.0], ["x", "2", "nan"]),
        ([0.0, 1.0, 2.0, 3.0, float("inf")], ["x", "4", "inf"]),
        ([float("-inf"), 1.0, 2.0, 3.0, 4.0], ["x", "0", "inf"]),
        (np.array([0, 1, 1, 2, 3], dtype=np.uint8), ["x", "2", "1"]),
        (np.array([9, 8, 8, 7, 6], dtype=np.uint8), ["x", "2", "8"]),
        ([1.0] * 5, ["x", "1", "1.0"]),
    ],
    ids=lambda value: "" if isinstance(value, list) and isinstance(value[0], str) else str(value),
)
@pytest.mark.parametrize("call", CALLS)
def test_coordinate_that_carries_no_derivative(
    call: str, values: Any, fragments: list[str]
) -> None:
    with pytest.raises(dhess.GridError) as caught:
        CALLS[call](on(values))
    one_sentence(caught.value, *fragments)


@pytest.mark.parametrize(
    ("values", "fragment"),
    [
        (np.array(list("abcde")), "x"),
        (np.arange(5) * 1j, "complex"),
        (np.array([0, 1, 2, 3, "4"], dtype=object), "x"),
    ],
    ids=["text", "complex", "object"],
)
@pytest.mark.parametrize("call", CALLS)
def test_coordinate_that_is_no_number(call: str, values: Any, fragment: str) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](on(values))
    one_sentence(caught.value, "x", fragment)


def test_stacked_dimension() -> None:
    data = xr.DataArray(np.zeros((3, 4)), coords={"y": range(3), "x": range(4)}, dims=["y", "x"])
    with pytest.raises(dhess.GridError) as caught:
        dhess.hessian(data.stack(p=("y", "x")))
    one_sentence(caught.value, "p")


def test_datetime_is_fine_on_a_batch_dimension() -> None:
    times = np.arange(5) * np.timedelta64(1, "D") + np.datetime64("2020-01-01", "ns")
    data = xr.DataArray(
        np.random.default_rng(0).standard_normal((5, 6)),
        coords={"time": times, "x": np.arange(6.0)},
        dims=["time", "x"],
    )
    got = dhess.find_minimum(data, dims=["x"])
    assert got["time"].dtype == times.dtype
    assert got["time"].dims == ("rank",)
    assert got["time"].values[0] == times[int(got["index"].sel(dim="time")[0])]


def curvilinear() -> xr.DataArray:
    two = ("y", "x"), np.add.outer(np.arange(5.0), np.arange(6.0))
    return xr.DataArray(
        np.zeros((5, 6)), dims=["y", "x"], coords={"lat": two, "lon": two}, name="f"
    )


@pytest.mark.parametrize("dims", [None, ["y", "x"], ["lat", "lon"]])
@pytest.mark.parametrize("call", CALLS)
def test_two_dimensional_coordinates(call: str, dims: list[str] | None) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](curvilinear(), dims=dims)
    one_sentence(caught.value, "lat", "two-dimensional")


def test_spacing_overrules_two_dimensional_coordinates() -> None:
    got = dhess.gradient(curvilinear(), spacing={"y": 1.0, "x": 2.0})
    assert set(got.coords) == {"row", "lat", "lon"}


@pytest.mark.parametrize("call", CALLS)
def test_two_dimensional_coordinate_of_a_dimensions_own_name(call: str) -> None:
    two = xr.Variable(("y", "x"), np.add.outer(np.arange(5.0), np.arange(6.0)))
    coords = xr.Coordinates({"x": two}, indexes={})
    data = xr.DataArray(np.zeros((5, 6)), dims=["y", "x"], coords=coords)
    with pytest.raises(dhess.GridError) as caught:
        CALLS[call](data)
    one_sentence(caught.value, "x", "two-dimensional")


def test_spacing_for_a_dimension_that_has_a_coordinate() -> None:
    with pytest.raises(dhess.GridError) as caught:
        dhess.gradient(on(np.arange(5.0)), spacing={"x": 0.5})
    one_sentence(caught.value, "x", "0.5", "coordinate")


LIMITS = [(dhess.hessian, "direct", 4), (dhess.gradient, "direct", 3)]
LIMITS += [(dhess.hessian, "iterated", 2), (dhess.gradient, "iterated", 2)]


@pytest.mark.parametrize(("call", "scheme", "least"), LIMITS)
@pytest.mark.parametrize("chunked", [False, True])
def test_axis_shorter_than_the_stencil(call: Any, scheme: str, least: int, chunked: bool) -> None:
    def data(size: int) -> xr.DataArray:
        made = xr.DataArray(np.zeros((9, size)), dims=["y", "depth"])
        return made.chunk({"y": 4, "depth": 1}) if chunked else made

    assert call(data(least), scheme=scheme).sizes["depth"] == least
    for size in range(1, least):
        with pytest.raises(dhess.GridError) as caught:
            call(data(size), scheme=scheme)
        one_sentence(caught.value, "depth", str(size), str(least))


@pytest.mark.parametrize("name", ["slope", "laplacian"])
def test_measures_ask_only_for_the_length_they_need(name: str) -> None:
    data = xr.DataArray(np.zeros((5, 3)), dims=["y", "depth"])
    if name == "slope":
        assert dhess.measure(data, name).shape == (5, 3)
    else:
        with pytest.raises(dhess.GridError) as caught:
            dhess.measure(data, name)
        one_sentence(caught.value, "depth", "3", "4")


def test_short_dimension_may_be_a_batch() -> None:
    data = xr.DataArray(np.random.default_rng(0).random((1, 8)), dims=["depth", "x"])
    assert dhess.hessian(data, dims=["x"]).shape == (1, 1, 1, 8)


@pytest.mark.parametrize("places", [2, 4])
def test_an_even_coordinate_that_was_rounded_is_told(places: int) -> None:
    x = np.round(np.arange(90) / 3, places)
    f = xr.DataArray(np.sin(x), {"x": x}, "x")
    for call in (dhess.gradient, dhess.find_minimum):
        with pytest.warns(dhess.GridWarning, match=rf"'x' looks like .* rounded to {places} dec"):
            call(f)
    even = f.assign_coords(x=np.linspace(x[0], x[-1], x.size))
    assert np.isfinite(dhess.gradient(even)).all()  # and no warning, which would be an error


def test_a_coordinate_widened_from_float32_is_even() -> None:
    exact = np.arange(1080) / 3
    x = exact.astype(np.float32).astype(np.float64)
    f = xr.DataArray(np.cos(np.deg2rad(exact)), {"lon": x}, "lon")
    bend = dhess.laplacian(f, period={"lon": 360.0}) * (180 / np.pi) ** 2
    assert float(np.abs(bend + f).max()) < 1e-5
