"""Axes of time: dates of any resolution and calendar, and the unit of what comes out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess

from .strategies import chunkings
from .test_fields import same_bits
from .test_options import CALLS, one_sentence

if TYPE_CHECKING:
    from .oracles import Array, Float

cftime: Any = pytest.importorskip("cftime")

SECONDS = {"D": 86400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
TEXT = {"D": "d", "h": "h", "min": "min", "s": "s", "ms": "ms", "us": "us", "ns": "ns"}


def on(times: Any, data: Any = None) -> xr.DataArray:
    times = np.asarray(times)
    data = np.random.default_rng(2).standard_normal(len(times)) if data is None else data
    return xr.DataArray(data, {"t": ("t", times)}, "t", "f", {"units": "K"})


def dates(calendar: str, days: Float) -> Array:
    """Dates of a calendar, days after 27 February 2001, 06:00."""
    start = cftime.datetime(2001, 2, 27, 6, calendar=calendar)
    return np.array(cftime.num2date(days, f"days since {start.isoformat()}", calendar=calendar))


def from_date(text: str, hours: Float, resolution: str) -> Array:
    """Dates, some hours after the first one."""
    seconds = (3600 * hours).astype("m8[s]")
    return np.asarray(np.datetime64(text, "s") + seconds).astype(f"M8[{resolution}]")


STEPS = np.arange(9.0)
MONTHS = np.array([0, 31, 60, 91, 121, 152, 182, 213, 244.0])
"""Days of 2024 before the first of each month."""
AXES: dict[str, tuple[Array, Float]] = {
    # coordinate, and the hours since its first value worked out without it
    "daily": (from_date("2024-02-26", 24 * STEPS, "ns"), 24 * STEPS),
    "hourly": (from_date("2024-12-31T20:00", STEPS, "s"), STEPS),
    "backwards": (from_date("2024-03-02", -6 * STEPS, "s"), -6 * STEPS),
    "months": (np.array([f"2024-{m:02}-01" for m in range(1, 10)], "M8[us]"), 24 * MONTHS),
    "elapsed": (np.asarray(90 * STEPS).astype("m8[s]"), STEPS / 40),
    "noleap": (dates("noleap", STEPS), 24 * STEPS),
    "360_day": (dates("360_day", STEPS / 4), 6 * STEPS),
    "julian, uneven": (dates("julian", STEPS**2), 24 * STEPS**2),
}


@pytest.mark.parametrize("unit", SECONDS)
@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("order", [2, 4])
def test_derivative_of_a_parabola_in_every_unit(name: str, unit: str, order: int) -> None:
    """f = 3 τ² − 2 τ + 1 with τ in the unit: f′ = 6 τ − 2 and f″ = 6, exactly up to rounding."""
    times, hours = AXES[name]
    tau = 3600 * hours / SECONDS[unit]
    size = float(np.abs(tau).max())
    array = on(times, 3 * (tau / size) ** 2 - 2 * tau / size + 1)
    options: dict[str, Any] = {"datetime_unit": unit, "order": order}
    first = dhess.gradient(array, **options).values[0] * size
    second = dhess.hessian(array, **options).values[0, 0] * size**2
    np.testing.assert_allclose(first, 6 * tau / size - 2, rtol=0, atol=1e-11)
    np.testing.assert_allclose(second, 6, rtol=1e-9)


@pytest.mark.parametrize(
    ("calendar", "days"),
    [("noleap", 365), ("360_day", 360), ("all_leap", 366), ("julian", 366), ("standard", 366)],
)
def test_a_year_is_as_long_as_its_calendar_says(calendar: str, days: int) -> None:
    """0, 1, 2 at three new years, a and b days apart: f′ = 1/a + (1 − a/b)/(a + b) at first."""
    times = [cftime.datetime(year, 1, 1, calendar=calendar) for year in (2024, 2025, 2026)]
    got = dhess.gradient(on(times, np.array([0.0, 1.0, 2.0])), datetime_unit="D").values[0]
    after = {"julian": 365, "standard": 365}.get(calendar, days)  # 2024 is a leap year, 2025 none
    want = 1 / days + (1 - days / after) / (days + after)
    np.testing.assert_allclose(got[0], want, rtol=1e-12)


RESOLUTIONS = ("s", "ms", "us", "ns")
ONE_SECOND = np.datetime64("2024-02-28T23:59:01", "s")


@given(
    steps=st.lists(st.integers(1, 10**6), min_size=5, max_size=11),
    even=st.booleans(),
    unit=st.sampled_from(list(SECONDS)),
    order=st.sampled_from([2, 4]),
)
@settings(max_examples=50)
def test_every_resolution_gives_the_same_bits(
    steps: list[int], even: bool, unit: str, order: int
) -> None:
    steps = [steps[0]] * 7 if even else [*steps, *steps[:2]]
    seconds = np.cumsum([0, *steps])
    stamps = {f"M8[{r}]": (ONE_SECOND + seconds).astype(f"M8[{r}]") for r in RESOLUTIONS}
    spans = {f"m8[{r}]": seconds.astype("m8[s]").astype(f"m8[{r}]") for r in RESOLUTIONS}
    calendar = {"cftime": cftime.num2date(seconds, "seconds since 2024-02-28 23:59:01")}
    options: dict[str, Any] = {"datetime_unit": unit, "order": order}
    reference = on(stamps["M8[ns]"])
    for times in (stamps | spans | calendar).values():
        assert len(times) == len(seconds)
        array = on(times)
        for call in (dhess.gradient, dhess.hessian):
            want = call(reference, **options).values
            np.testing.assert_array_equal(call(array, **options).values, want)


def test_odd_resolutions() -> None:
    """What xarray keeps as it is: a resolution is only a way to store."""
    plain = on(ONE_SECOND + np.arange(8) * np.timedelta64(1, "D"))
    for resolution in RESOLUTIONS:
        array = plain.assign_coords(t=plain["t"].astype(f"M8[{resolution}]"))
        assert array["t"].dtype == np.dtype(f"M8[{resolution}]")
        same = dhess.hessian(array).values
        np.testing.assert_array_equal(same, dhess.hessian(plain).values)


@pytest.mark.parametrize("name", ["noleap", "360_day", "daily", "hourly", "elapsed"])
def test_even_steps_are_recognised(name: str) -> None:
    """A second difference takes three nodes on an even axis, five on an uneven one."""
    times = AXES[name][0]
    size = len(times)
    array = xr.DataArray(np.eye(size), {"t": times}, ("node", "t"))
    matrix = dhess.hessian(array, dims=["t"]).values[0, 0].T
    assert (matrix[size // 2] != 0).sum() == 3


@pytest.mark.parametrize("unit", SECONDS)
@pytest.mark.parametrize("name", ["daily", "elapsed", "360_day"])
def test_the_unit_appears(name: str, unit: str) -> None:
    array = on(AXES[name][0])
    assert dhess.gradient(array, datetime_unit=unit).attrs["units"] == f"K {TEXT[unit]}-1"
    assert dhess.hessian(array, datetime_unit=unit).attrs["units"] == f"K {TEXT[unit]}-2"
    assert dhess.measure(array, "slope", datetime_unit=unit).attrs["units"] == f"K {TEXT[unit]}-1"
    found = dhess.find_minimum(array, "slope", datetime_unit=unit)
    assert found["value"].attrs["units"] == f"K {TEXT[unit]}-1"
    assert found.attrs["datetime_unit"] == unit


def test_seconds_unless_told() -> None:
    array = on(AXES["daily"][0])
    same_bits(dhess.gradient(array), dhess.gradient(array, datetime_unit="s"))
    assert dhess.gradient(array).attrs["units"] == "K s-1"


def test_numbers_have_their_own_unit() -> None:
    array = on(np.arange(7.0))
    array["t"].attrs["units"] = "year"
    got = dhess.gradient(array, datetime_unit="h")
    assert got.attrs["units"] == "K year-1"
    np.testing.assert_array_equal(got.values, dhess.gradient(on(np.arange(7.0))).values)


@pytest.mark.parametrize("name", AXES)
def test_labels_are_kept(name: str) -> None:
    times = AXES[name][0]
    array = on(times)
    got = dhess.hessian(array)
    assert got["t"].dtype == array["t"].dtype
    assert got["t"].identical(array["t"])
    found = dhess.find_minimum(array)
    at = int(found["index"].values[0, 0])
    assert found["t"].values[0] == array["t"].values[at]


@given(data=st.data(), name=st.sampled_from(list(AXES)))
def test_same_bits_for_any_chunking(data: st.DataObject, name: str) -> None:
    times = AXES[name][0]
    values = np.random.default_rng(3).standard_normal((len(times), 6))
    array = xr.DataArray(values, {"t": times, "x": np.arange(6.0)}, ("t", "x"))
    chunks = dict(zip(array.dims, data.draw(chunkings(array.shape)), strict=True))
    options: dict[str, Any] = {"dims": ["t"], "order": 4, "datetime_unit": "h"}
    got = dhess.hessian(array.chunk(chunks), **options).compute(scheduler="synchronous")
    same_bits(got, dhess.hessian(array, **options))


def test_a_day_starts_over() -> None:
    """period= of a time is in datetime_unit."""
    times = np.datetime64("2024-01-01", "ns") + np.arange(24) * np.timedelta64(1, "h")
    wave = np.cos(2 * np.pi * np.arange(24) / 24)
    hours = dhess.gradient(on(times, wave), datetime_unit="h", period={"t": 24})
    days = dhess.gradient(on(times, wave), datetime_unit="D", period={"t": 1})
    # the central difference of a cosine of step h: −sin(ω t) sin(ω h) / h
    want = -np.sin(2 * np.pi * np.arange(24) / 24) * np.sin(2 * np.pi / 24)
    np.testing.assert_allclose(hours.values[0], want, rtol=0, atol=1e-15)
    np.testing.assert_allclose(days.values[0], 24 * want, rtol=0, atol=1e-13)
    with pytest.raises(dhess.GridError) as caught:
        dhess.gradient(on(times), datetime_unit="s", period={"t": 24})
    one_sentence(caught.value, "t", "24", "82800")


def mixed(*values: Any) -> Array:
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def day(n: int, calendar: str = "noleap") -> cftime.datetime:
    return cftime.datetime(2001, 1, n, calendar=calendar)


def not_a_time(kind: str, at: int) -> Array:
    times = AXES["daily" if kind == "M8" else "elapsed"][0].astype(f"{kind}[ns]").copy()
    times[at] = "NaT"
    return times


ERRORS: dict[str, tuple[Array, list[str]]] = {
    "NaT among dates": (not_a_time("M8", 3), ["t", "NaT", "3"]),
    "NaT first": (not_a_time("M8", 0), ["t", "NaT", "0"]),
    "NaT among times elapsed": (not_a_time("m8", 5), ["t", "NaT", "5"]),
    "two calendars": (
        mixed(day(1), day(2), day(3), day(4, "360_day"), day(5, "360_day")),
        ["t", "noleap", "360_day"],
    ),
    "dates, then a number": (mixed(day(1), day(2), 3.0, day(4), day(5)), ["t", "3.0", "2"]),
    "dates, then a text": (mixed(day(1), day(2), day(3), "4", day(5)), ["t", "'4'", "3"]),
    "dates, then nothing": (mixed(day(1), day(2), None, day(4), day(5)), ["t", "None", "2"]),
    "a number, then dates": (mixed(1.0, day(2), day(3), day(4), day(5)), ["t", "1"]),
    "the same day twice": (mixed(day(1), day(2), day(2), day(3), day(4)), ["t", "1", "2", "2001"]),
    "not in order": (mixed(day(1), day(3), day(2), day(4), day(5)), ["t", "1", "2", "2001"]),
    "the same second twice": (
        np.array([0, 1, 1, 2, 3], "M8[s]"), ["t", "1", "2", "1970-01-01"],
    ),
    "dates out of order": (np.array([0, 2, 1, 3, 4], "M8[s]"), ["t", "1970-01-01T00:00:02"]),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_times_that_carry_no_derivative(call: str, case: str) -> None:
    times, fragments = ERRORS[case]
    # no index: pandas makes none of some of these
    variable = xr.Variable("t", times)
    coords = xr.Coordinates({"t": variable}, indexes={})
    data = xr.DataArray(np.arange(float(len(times))), coords, "t", "f")
    with pytest.raises(dhess.GridError) as caught:
        CALLS[call](data)
    one_sentence(caught.value, *fragments)


@pytest.mark.parametrize("unit", ["H", "day", "", "M", "fortnight", 3])
def test_a_unit_that_is_none(unit: Any) -> None:
    with pytest.raises(dhess.InputError) as caught:
        dhess.gradient(on(AXES["daily"][0]), datetime_unit=unit)
    one_sentence(caught.value, "datetime_unit", repr(unit))
