"""Options are checked once, in one sentence that quotes the value and says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess

if TYPE_CHECKING:
    from collections.abc import Callable


def field() -> xr.DataArray:
    data = np.random.default_rng(3).standard_normal((6, 7))
    return xr.DataArray(data, dims=["y", "x"], name="f")


CALLS: dict[str, Callable[..., Any]] = {
    "gradient": dhess.gradient,
    "hessian": dhess.hessian,
    "laplacian": dhess.laplacian,
    "eigenvalues": dhess.eigenvalues,
    "measure": lambda da, **o: dhess.measure(da, "hessian_norm", **o),
    "find_minimum": dhess.find_minimum,
}


def one_sentence(error: BaseException, *fragments: str) -> None:
    text = str(error)
    assert "\n" not in text
    assert 15 < len(text) < 400
    for fragment in fragments:
        assert fragment in text, f"{fragment!r} is missing in {text!r}"


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"scheme": "itereted"}, ["itereted", "'iterated'"]),
        ({"scheme": "spectral"}, ["spectral", "direct", "iterated"]),
        ({"order": 3}, ["order=3", "2, 4, 6 or 8"]),
        ({"order": 10}, ["order=10", "2, 4, 6 or 8"]),
        ({"order": "4"}, ["order='4'"]),
        ({"nan": "adapt", "scheme": "iterated"}, ["adapt", "iterated", "direct"]),
        ({"nan": "propagat"}, ["propagat", "'propagate'"]),
        ({"geometry": "sphere"}, ["geometry='sphere'", "latitude", "y, x"]),
        ({"geometry": "sphere", "latitude": "yy"}, ["latitude='yy'", "'y'"]),
        ({"geometry": "sphere", "radius": -1}, ["radius", "-1"]),
        ({"latitude": "y"}, ["latitude='y'", "geometry='sphere'"]),
        ({"radius": 2.0}, ["radius=2.0", "geometry='sphere'"]),
        ({"geometry": "flat"}, ["flat", "cartesian"]),
        ({"period": {"lon": 360.0}}, ["no dimension 'lon'", "y, x"]),
        ({"period": {"x": 0.01}}, ["period of 'x'", "0.01", "span"]),
        ({"period": {"x": 0}}, ["period of 'x'", "0"]),
        ({"period": 360.0}, ["period=360.0", "which dimension"]),
        ({"scale": {"x": -1.0}}, ["scale of 'x'", "-1.0"]),
        ({"scale": "spun"}, ["scale='spun'", "'span'"]),
        ({"scale": {"q": 1.0}}, ["no dimension 'q'"]),
        ({"datetime_unit": "parsec"}, ["parsec"]),
        ({"dtype": "int32"}, ["dtype", "int32", "float"]),
        ({"dtype": "no-type"}, ["dtype", "no-type"]),
        ({"shceme": "direct"}, ["shceme", "'scheme'"]),
        ({"frobnicate": 1}, ["frobnicate"]),
        ({"dims": ["y", "xx"]}, ["xx", "'x'"]),
        ({"dims": ["nowhere"]}, ["nowhere", "y", "x"]),
        ({"dims": ["x", "x"]}, ["x"]),
        ({"dims": []}, ["dims"]),
        ({"spacing": {"x": 0}}, ["spacing", "x", "0"]),
        ({"spacing": {"x": -0.5}}, ["spacing", "x", "-0.5"]),
        ({"spacing": {"x": float("nan")}}, ["spacing", "x", "nan"]),
        ({"spacing": {"x": float("inf")}}, ["spacing", "x", "inf"]),
        ({"spacing": {"z": 1.0}}, ["z", "y"]),
        ({"spacing": {"x": "wide"}}, ["spacing", "x", "wide"]),
        ({"spacing": 2.0}, ["spacing", "2.0"]),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_option(call: str, options: dict[str, Any], fragments: list[str]) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](field(), **options)
    one_sentence(caught.value, *fragments)


@pytest.mark.parametrize("value", ["lapalcian", "quark"])
def test_unknown_measure(value: str) -> None:
    for call in (dhess.measure, dhess.find_minimum):
        with pytest.raises(dhess.InputError) as caught:
            call(field(), value)
        one_sentence(caught.value, value, "'laplacian'" if value == "lapalcian" else "slope")


@pytest.mark.parametrize("k", [0, -1, 1.5, "many"])
def test_bad_k(k: Any) -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.find_minimum(field(), k=k)
    one_sentence(caught.value, "k", str(k))


@pytest.mark.parametrize(
    "data", [[[1.0, 2.0]], np.eye(5), None, "store.zarr"], ids=["list", "ndarray", "None", "path"]
)
@pytest.mark.parametrize("call", CALLS)
def test_what_is_no_labelled_array(call: str, data: Any) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](data)
    one_sentence(caught.value, type(data).__name__, "DataArray")


@pytest.mark.parametrize(
    "data",
    [
        np.full((5, 5), "a"),
        np.full((5, 5), None, dtype=object),
        np.full((5, 5), 1 + 2j),
        np.full((5, 5), "2020-01-01", dtype="datetime64[ns]"),
        np.full((5, 5), 3, dtype="timedelta64[ns]"),
        np.full((5, 5), b"a"),
    ],
    ids=lambda data: str(data.dtype),
)
@pytest.mark.parametrize("call", CALLS)
def test_data_that_are_not_real_numbers(call: str, data: Any) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](xr.DataArray(data, dims=["y", "x"], name="label"))
    one_sentence(caught.value, str(data.dtype))


@pytest.mark.parametrize("call", CALLS)
def test_scalar(call: str) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](xr.DataArray(1.0, name="f"))
    one_sentence(caught.value, "dimension")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_empty(call: str, shape: tuple[int, int]) -> None:
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](xr.DataArray(np.zeros(shape), dims=["y", "x"]))
    one_sentence(caught.value, "0", "y" if shape[0] == 0 else "x")


@pytest.mark.parametrize("call", CALLS)
def test_empty_batch(call: str) -> None:
    empty = xr.DataArray(np.zeros((0, 5)), dims=["time", "x"])
    with pytest.raises(dhess.InputError) as caught:
        CALLS[call](empty, dims=["x"])
    one_sentence(caught.value, "time", "0")


def test_every_default_may_be_said_aloud() -> None:
    said = dhess.hessian(
        field(),
        dims=["y", "x"],
        order=2,
        scheme="direct",
        period=None,
        spacing=None,
        nan="propagate",
        geometry="cartesian",
        datetime_unit="s",
        dtype=None,
    )
    xr.testing.assert_identical(said, dhess.hessian(field()))


def test_one_dimension_may_be_named_without_a_list() -> None:
    """A string is one name, not its letters."""
    data = field().rename(y="time")
    got = dhess.gradient(data, dims="time")
    assert got.sizes["row"] == 1
    assert got.row.values.tolist() == ["time"]


@pytest.mark.parametrize(
    "options",
    [
        {"dtype": ","},
        {"scheme": np.array(["direct", "iterated"])},
        {"period": np.array([1.0, 2.0])},
        {"spacing": {"x": 10**400}},
        {"spacing": {"x": 1e200}},
        {"spacing": {"x": 1e-200}},
    ],
)
def test_odd_values_are_refused_in_one_sentence(options: dict[str, Any]) -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.gradient(xr.DataArray(np.zeros(5), dims="x"), **options)
    one_sentence(caught.value)


@pytest.mark.parametrize("step", [1e300, 1e-170])
def test_steps_whose_powers_leave_float64_are_refused(step: float) -> None:
    with pytest.raises(dhess.GridError, match="choose another unit"):
        dhess.gradient(xr.DataArray(np.zeros(5), {"x": np.arange(5) * step}, "x"))


def test_a_measure_is_named_by_text() -> None:
    with pytest.raises(dhess.InputError, match="unknown measure"):
        dhess.measure(xr.DataArray(np.zeros(5), dims="x"), ["slope"])  # type: ignore[arg-type]
