"""The values of a coordinate as distances from its first point: numbers, times, calendars."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dhess.errors import GridError
from dhess.options import LARGEST_STEP, LEAST_STEP

if TYPE_CHECKING:
    from collections.abc import Hashable

    Values = np.ndarray[Any, np.dtype[Any]]
    Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]

_NANOSECONDS: Final = {
    "W": 604_800 * 10**9, "D": 86_400 * 10**9, "h": 3_600 * 10**9, "m": 60 * 10**9,
    "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1,
}  # fmt: skip
"""By NumPy's name; its minute is "m"."""


def is_time(x: Values) -> bool:
    """Tell whether a coordinate is of times: datetime64, timedelta64, or dates of a calendar."""
    return x.dtype.kind in "Mm" or (x.dtype.kind == "O" and _is_date(x.flat[0]))


def _is_date(value: object) -> bool:
    return hasattr(value, "timetuple")


def distances(name: Hashable, x: Values, datetime_unit: str) -> Floats:
    """Return x - x[0], shape (size,), times in the given unit.

    Times become whole numbers of their resolution first, and are divided once: so the result does
    not depend on the resolution that they are stored in.

    Raises
    ------
    GridError
        If a value is not finite, doubled, out of order, too near or too far from its neighbour, or
        no number and no time.

    Examples
    --------
    >>> distances("t", np.array(["2026-01-01", "2026-01-03"], "M8[ns]"), "h")
    array([ 0., 48.])
    """
    exact = _times(name, x, datetime_unit) if is_time(x) else _numbers(name, x)
    offsets: Floats = (exact - exact[0]).astype(np.float64)
    if x.size > 1:
        _check_steps(name, x, np.diff(offsets))
    return offsets


def _numbers(name: Hashable, x: Values) -> Values:
    if x.dtype.kind not in "iuf":
        strange = "" if x.dtype.kind != "O" else _mixture(x)
        raise GridError(
            f"coordinate {name!r} is not of real numbers (dtype {x.dtype}, first value "
            f"{x.flat[0]!r}{strange}); assign numbers, or drop it with .drop_vars({name!r}) for "
            "spacing 1"
        )
    _check_finite(name, x, np.isfinite(x))
    return x.astype(np.longdouble)


def _mixture(x: Values) -> str:
    """Name the first date among numbers."""
    date = next((i for i, value in enumerate(x.flat) if _is_date(value)), None)
    return "" if date is None else f", but a date at index {date}"


def _times(name: Hashable, x: Values, unit: str) -> Values:
    if x.dtype.kind == "O":
        return _ratio(_calendar(name, x), "us", 1, unit)
    _check_finite(name, x, ~np.isnat(x))
    stored, count = np.datetime_data(x.dtype)
    if stored in ("Y", "M"):
        # Years and months differ in length: days do not, and hold their beginnings exactly.
        x, stored, count = x.astype("M8[D]"), "D", 1
    whole = x.astype(np.int64)
    if abs(int(whole[-1]) - int(whole[0])) < 2**62:  # exact even where long floats are short
        whole = whole - whole[0]
    exact = whole.astype(np.longdouble)
    return _ratio(exact - exact[0], stored, count, unit)


def _ratio(whole: Values, stored: str, count: int, unit: str) -> Values:
    target = _NANOSECONDS["m" if unit == "min" else unit]
    factor = Fraction(_NANOSECONDS[stored] * count, target)
    return whole * np.longdouble(factor.numerator) / np.longdouble(factor.denominator)


def _calendar(name: Hashable, x: Values) -> Values:
    """Return microseconds since the first date of an array of cftime or datetime objects."""
    wrong = next((i for i, value in enumerate(x.flat) if not _is_date(value)), None)
    if wrong is not None:
        raise GridError(
            f"coordinate {name!r} mixes dates of a calendar with other things: {x[0]!r} at index "
            f"0, and {x[wrong]!r} at index {wrong}; every point needs a date of the same calendar"
        )
    calendars = {str(getattr(value, "calendar", "standard")): i for i, value in enumerate(x.flat)}
    if len(calendars) > 1:
        which = " and ".join(f"{c!r} (index {i})" for c, i in calendars.items())
        raise GridError(
            f"coordinate {name!r} mixes the calendars {which}; "
            "convert it to one, as with .convert_calendar"
        )
    unit = dt.timedelta(microseconds=1)
    return np.array([(value - x[0]) // unit for value in x], np.int64).astype(np.longdouble)


def _check_finite(name: Hashable, x: Values, finite: Values) -> None:
    wrong = np.flatnonzero(~finite)
    if wrong.size:
        i = int(wrong[0])
        other = f"; its neighbour is {x[i - 1] if i else x[1]}" if x.size > 1 else ""
        raise GridError(
            f"coordinate {name!r} is {x[i]} at index {i}{other}; every point needs a finite value"
        )


def _check_steps(name: Hashable, x: Values, delta: Floats) -> None:
    wrong = np.flatnonzero(delta == 0)
    if wrong.size:
        i = int(wrong[0])
        raise GridError(
            f"coordinate {name!r} has duplicate values at index {i} and {i + 1}: "
            f"{x[i]} and {x[i + 1]}; drop one of them, as in .drop_duplicates({name!r})"
        )
    wrong = np.flatnonzero(np.sign(delta) != np.sign(delta[0]))
    if wrong.size:
        i = int(wrong[0])
        raise GridError(
            f"coordinate {name!r} is not sorted: index {i} and {i + 1} hold "
            f"{x[i]} and {x[i + 1]}; sort it with .sortby({name!r})"
        )
    for i in (int(np.abs(delta).argmin()), int(np.abs(delta).argmax())):
        if not LEAST_STEP <= abs(delta[i]) <= LARGEST_STEP:
            raise GridError(
                f"coordinate {name!r} steps from {x[i]} to {x[i + 1]} at index {i}; a step must "
                f"be between {LEAST_STEP:g} and {LARGEST_STEP:g}: choose another unit"
            )


def rounding(x: Values, offsets: Floats) -> float:
    """Return how far a point may be off because of its coordinate's own dtype."""
    far = 4 * float(np.spacing(np.abs(offsets[-1])))
    if x.dtype.kind == "f":
        with np.errstate(over="ignore", under="ignore"):
            short = x.astype(np.float32)
        x = short if np.array_equal(x, short) else x  # widened later, as files and tables do
        # Two units in the last place: half of one from storing each of two values, the rest from
        # the arithmetic of whoever made the coordinate (linspace, arange, scale and offset).
        far += 2 * float(np.spacing(np.abs(x).max()))
    return far


def decimals(x: Values, offsets: Floats) -> int | None:
    """Return the decimals that an even coordinate was rounded to, None if it does not look so.

    Examples
    --------
    >>> x = np.round(np.arange(9) / 3, 2)
    >>> decimals(x, x - x[0]), decimals(x**2, x**2)
    (2, None)
    """
    if x.dtype.kind != "f" or x.size < 4:
        return None
    steps = np.abs(np.diff(offsets))
    exact = 4 * float(np.finfo(x.dtype).eps) * float(np.abs(x).max())
    for places in range(1, 7):
        unit = 10.0**-places
        if exact > unit / 8:
            return None
        if np.abs(x - np.round(x, places)).max() <= exact:
            # Steps of rounded even points differ by one unit at most.
            return places if np.ptp(steps) <= 1.01 * unit + exact and unit < steps.min() else None
    return None


def unevenness(offsets: Floats) -> float:
    """Return the largest distance of a point from its place on an even axis of the same ends."""
    step = float(offsets[-1]) / max(offsets.size - 1, 1)
    return float(np.abs(offsets - step * np.arange(offsets.size)).max())


def even_step(x: Values, offsets: Floats) -> float | None:
    """Return the step if no point leaves the straight line by more than its dtype rounds."""
    if x.size < 2:
        return 1.0
    step = float(offsets[-1]) / (x.size - 1)
    # A dtype too coarse for its own steps tells nothing about their evenness.
    return step if unevenness(offsets) <= min(rounding(x, offsets), abs(step) / 8) else None
