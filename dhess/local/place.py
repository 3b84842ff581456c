"""Where a place lies on each axis: the cell between two grid points, and how far along it.

A place on a grid point is that point, up to two units in the last place of its coordinate: so
``0.1 + 0.2`` is the point at 0.3, and 0.3 is the point that a float32 coordinate stores.
"""

from __future__ import annotations

import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import xarray as xr

from dhess.errors import InputError, suggest
from dhess.grid.coordinate import distances, is_time
from dhess.options import is_number

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dhess.options import Settings

    Values = np.ndarray[Any, np.dtype[Any]]

_BARE = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?", re.IGNORECASE)
"""A number without a unit."""
_DATE = re.compile(r"([+-]?\d{1,6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d))?)?")


@dataclass(frozen=True)
class Place:
    """A place along one axis: (1 - fraction) of point ``index`` and fraction of the next one."""

    index: int
    fraction: float
    value: Any
    """As it is told: in the coordinate's own dtype where that holds it."""

    @property
    def nearest(self) -> int:
        """Index of the nearest grid point, which may be one beyond the end of a wrapped axis."""
        return self.index + (self.fraction > 0.5)


def find_places(da: xr.DataArray, at: object, chosen: Settings) -> dict[Hashable, Place]:
    """Return the place along every differentiated dimension, and the index along others named.

    Raises
    ------
    InputError
        If ``at`` is no mapping of names to places, names no dimension, leaves a differentiated one
        out, or lies outside of the grid.

    Examples
    --------
    >>> import xarray as xr
    >>> from dhess.options import settings
    >>> da = xr.DataArray(np.zeros(3), {"x": [0.0, 0.5, 1.0]}, "x")
    >>> place = find_places(da, {"x": 0.625}, settings())["x"]
    >>> place.index, place.fraction
    (1, 0.25)
    """
    if not isinstance(at, Mapping):
        raise InputError(
            f"at={reprlib.repr(at)} does not say along which dimensions; write a place by name, "
            'as at={"x": 1.5, "y": 0.0}'
        )
    for name in at:
        if name not in da.dims:
            known = suggest(str(name), map(str, da.dims))
            raise InputError(f"at names {name!r}, which is no dimension of the data; {known}")
    names = da.dims if chosen.dims is None else chosen.dims
    missing = [name for name in names if name not in at]
    if missing:
        given = [str(name) for name in names if name in at]
        raise InputError(
            f"at has no place along {', '.join(map(repr, missing))}, which is differentiated; "
            f"give one, or name the other dimensions with dims={given!r}"
        )
    return {
        name: _along(da, name, at[name], chosen) if name in names else _among(da, name, at[name])
        for name in at
    }


def _along(da: xr.DataArray, name: Hashable, value: object, chosen: Settings) -> Place:
    """Find a place along a differentiated dimension."""
    period = chosen.period.get(name)
    if name in da.coords:
        x = da.coords[name].values
        read = _time(name, value, x) if is_time(x) else _number(name, value)
        offsets = distances(name, x, chosen.datetime_unit)
        offset = _distance(name, x, read, chosen.datetime_unit)
        rounding = 0.0 if is_time(x) else _rounding(x, read)
    else:
        x = np.arange(da.sizes[name])
        read = _number(name, value)
        step = chosen.spacing.get(name, 1.0)
        offsets, offset = (x * step).astype(np.float64), read * step
        rounding = 2 * float(np.spacing(max(abs(offset), float(offsets[-1]))))
    up: float = -1.0 if offsets[-1] < 0 else 1.0
    places, wanted = up * offsets, up * offset
    if period is not None and not 0 <= wanted <= places[-1]:
        wanted -= math.floor(wanted / period) * period
    if period is not None:
        places = np.append(places, period)  # the first point again
    near = int(np.abs(places - wanted).argmin())
    if abs(places[near] - wanted) <= rounding:
        near %= len(x)
        return Place(near, 0.0, x[near] if wanted == up * offset else _told(read, x))
    if not 0 <= wanted <= places[-1]:
        raise InputError(
            f"at {name}={read} is outside of the grid, whose {name!r} goes from {x[0]} to {x[-1]}; "
            "choose a place within, or give the period of an axis that starts over"
        )
    index = int(np.searchsorted(places, wanted)) - 1
    fraction = (wanted - places[index]) / (places[index + 1] - places[index])
    return Place(index, float(fraction), _told(read, x))


def _distance(name: Hashable, x: Values, read: Any, datetime_unit: str) -> float:
    """Return how far a place is from the first point, in the unit of the axis."""
    dtype = x.dtype if x.dtype.kind == "O" else np.result_type(x.dtype, np.asarray(read).dtype)
    both = np.empty(2, dtype)
    both[:] = x[0], read
    return 0.0 if both[0] == both[1] else float(distances(name, both, datetime_unit)[1])


def _rounding(x: Values, read: float) -> float:
    """Return how far a number may be off because of the dtype of the coordinate."""
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
    return 2 * float(np.spacing(np.array(max(float(np.abs(x).max()), abs(read)), dtype)))


def _told(read: Any, x: Values) -> Any:
    """Return a place in the dtype of the coordinate, if that holds it."""
    if x.dtype.kind in "OMm":
        return read
    short = np.array(read).astype(x.dtype)
    return short[()] if float(short) == read else np.float64(read)


def _number(name: Hashable, value: object) -> float:
    value = _alone(value)
    if not is_number(value) or not np.isfinite(value):  # type: ignore[call-overload]
        raise InputError(
            f"at {name}={reprlib.repr(value)} is no finite number; give one in the unit of the "
            "coordinate, or an index where a dimension has no coordinate"
        )
    return float(value)  # type: ignore[arg-type]


def _time(name: Hashable, value: Any, x: Values) -> Any:
    """Return a place among times: a date for dates, a length of time for lengths of time."""
    value = _alone(value)
    try:
        if x.dtype.kind == "m":
            return _whole(_duration(value))
        if x.dtype.kind == "M":
            return _whole(np.datetime64(value))
        if isinstance(value, type(x[0])):
            return value
        return _of_calendar(str(value), x[0])
    except (TypeError, ValueError, AttributeError) as error:
        what = "length of time" if x.dtype.kind == "m" else "date"
        raise InputError(
            f"at {name}={reprlib.repr(value)} is no {what}, as the coordinate holds them "
            f"({x[0]!r} first); give one of the same kind, or ISO 8601 text of a date"
        ) from error


def _alone(value: Any) -> Any:
    """Return the one value of an array without dimensions, anything else as it is."""
    return np.asarray(value)[()] if isinstance(value, np.ndarray | xr.DataArray) else value


def _duration(value: Any) -> Any:
    if is_number(value) or (isinstance(value, str) and _BARE.fullmatch(value.strip())):
        raise ValueError  # a length of time has a unit
    return pd.Timedelta(value).to_timedelta64()


def _whole(time: Any) -> Any:
    if np.isnat(time):
        raise ValueError
    return time


def _of_calendar(text: str, like: Any) -> Any:
    """Read ISO 8601 text as a date of the calendar of another one.

    Examples
    --------
    >>> import datetime
    >>> _of_calendar("2026-03-01T06:00", datetime.datetime(2000, 1, 1))
    datetime.datetime(2026, 3, 1, 6, 0)
    """
    found = _DATE.fullmatch(text)
    if found is None:
        raise ValueError
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    return like.replace(
        year=year, month=month, day=day, hour=hour, minute=minute, second=second, microsecond=0
    )


def _among(da: xr.DataArray, name: Hashable, value: Any) -> Place:
    """Find the index of a dimension that is not differentiated: one of its points exactly."""
    x = da.coords[name].values if name in da.coords else np.arange(da.sizes[name])
    if x.dtype.kind not in "US":
        read = _time(name, value, x) if is_time(x) else _number(name, value)
        near = 0.0 if is_time(x) else _rounding(x, read)
        same = (x == read) if is_time(x) else np.abs(x - read) <= near
    else:
        same = x == str(value)
    if not same.any():
        raise InputError(
            f"at {name}={value} is none of the {len(x)} points of {name!r} ({x[0]} to {x[-1]}), "
            "which is not differentiated; give one of them"
        )
    index = int(np.flatnonzero(same)[0])
    return Place(index, 0.0, x[index])
