"""What each axis of an array is: spacing, units, calendar, and where a derivative reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from pydantic import Field

from dhess.errors import GridError, InputError
from dhess.grid import Axis, Grid
from dhess.grid.axis import TIME_UNITS
from dhess.grid.coordinate import unevenness
from dhess.grid.sphere import NAMES, conventional, turn
from dhess.options import ORDERS, TIMES, settings
from dhess.report.base import Coordinate, Model, Number, text
from dhess.stencil import EVERYTHING, SLOPES, Need, Stencil

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from dhess.grid.sphere import Role

SECONDS: Final = dict(zip(TIMES, (86400.0, 3600.0, 60.0, 1.0, 1e-3, 1e-6, 1e-9), strict=True))
SEAM: Final = 1e-6
"""By how much of a step the gap at the seam of an uneven axis may leave the range of the steps."""

ENOUGH: Final = 2 * max(ORDERS)
"""Points of an axis that tell how wide its stencils are."""


class AxisInfo(Model):
    """One dimension of an array."""

    name: str
    size: int
    first: Coordinate
    last: Coordinate
    """First and last coordinate; none where there is no coordinate."""
    direction: Literal["ascending", "descending"] | None = None
    spacing: Literal["even", "uneven"] | None
    uneven_by: Number = None
    """Largest distance of a point from its place on an even axis of the same ends, in mean steps;
    0 if the spacing is even."""
    step_min: Number
    step_max: Number
    """Smallest and largest distance between neighbours, in `datetime_unit` along times; 1 without a
    coordinate."""
    units: str | None
    calendar: str | None = None
    """Of times and dates; "standard" for those that NumPy knows."""
    datetime_unit: str | None = None
    """What suits times with such steps, of those that the option of that name takes."""
    period: Number = None
    """Length after which it starts over, if it is a longitude that goes once around."""
    repeats: bool = False
    """Whether its last point is its first one again, one period later."""
    halo: dict[str, int] = Field(default_factory=dict)
    """Cells that a block needs of its neighbours, by order; orders too high for the axis left
    out."""
    problem: str | None
    """Why no derivative can be taken along it."""


def read_axes(da: xr.DataArray) -> tuple[AxisInfo, ...]:
    """Describe every dimension of an array.

    Examples
    --------
    >>> import xarray as xr
    >>> days = np.array(["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"], "M8[ns]")
    >>> (time,) = read_axes(xr.DataArray(np.zeros(4), {"time": days}, "time"))
    >>> time.spacing, time.step_max, time.datetime_unit, time.calendar
    ('even', 1.0, 'D', 'standard')
    """
    return tuple(_describe(da, dim) for dim in da.dims)


def _describe(da: xr.DataArray, dim: Hashable) -> AxisInfo:
    known = dim in da.coords and da.sizes[dim] > 0
    values = da[dim].values if known else None
    facts: dict[str, Any] = {
        "name": str(dim),
        "size": da.sizes[dim],
        "first": None if values is None else values[0],
        "last": None if values is None else values[-1],
        "units": text(da[dim].attrs.get("units")) if dim in da.coords else None,
    }
    try:
        axis = the_axis(da, dim)
    except InputError as error:
        return AxisInfo(**facts, spacing=None, step_min=None, step_max=None, problem=str(error))
    steps = np.abs(axis.steps())
    signed = axis.step if axis.step is not None else axis.steps()[0]
    period, repeats = _around(da, dim, axis)
    return AxisInfo(
        **facts,
        direction=None if axis.size < 2 else "ascending" if signed > 0 else "descending",
        spacing="even" if axis.uniform else "uneven",
        uneven_by=0.0 if axis.offsets is None else unevenness(axis.offsets) / steps.mean(),
        step_min=steps.min(),
        step_max=steps.max(),
        calendar=_calendar(values[0]) if values is not None and axis.is_time else None,
        datetime_unit=time_unit(axis),
        period=period,
        repeats=repeats,
        halo=_halos(axis),
        problem=_problem(axis),
    )


def the_axis(da: xr.DataArray, dim: Hashable) -> Axis:
    """Return the axis of a dimension, times in the unit that suits their steps.

    Raises
    ------
    InputError
        If no derivative can be taken along it.
    """
    axis = Grid.of(da, settings(dims=(dim,), datetime_unit="s")).axes[0]
    if not axis.is_time or axis.size < 2:
        return axis
    least = np.abs(axis.steps()).min() * (1 + 1e-9)
    suits = next((unit for unit in TIMES if SECONDS[unit] <= least), "ns")
    return Grid.of(da, settings(dims=(dim,), datetime_unit=suits)).axes[0]


def time_unit(axis: Axis) -> str | None:
    """Return what the option ``datetime_unit`` calls the unit of an axis, none if it is no time."""
    if not axis.is_time:
        return None
    return next(name for name, unit in TIME_UNITS.items() if unit == axis.unit)


def known_as(da: xr.DataArray, role: Role) -> list[Hashable]:
    """Return the dimensions that their name or the CF conventions call latitude or longitude."""
    return [dim for dim in da.dims if str(dim).lower() in NAMES[role]] or conventional(da, role)


def _halos(axis: Axis) -> dict[str, int]:
    """Return the halo by order; that of an axis does not depend on how long it goes on."""
    halos = {}
    for order in ORDERS:
        try:
            halos[str(order)] = _stencil(axis, EVERYTHING, order).axes[0].halo
        except GridError:
            break
    return halos


def _stencil(axis: Axis, need: Need, order: int = 2) -> Stencil:
    size = min(axis.size, ENOUGH)
    offsets = None if axis.offsets is None else axis.offsets[:size]
    short = replace(axis, position=0, size=size, offsets=offsets)
    return Stencil.of(Grid((short,), (axis.name,), (size,)), settings(order=order), need)


def _problem(axis: Axis) -> str | None:
    try:
        _stencil(axis, SLOPES)
    except GridError as error:
        return str(error)
    return None


def _calendar(first: Any) -> str:
    return str(getattr(first, "calendar", "standard"))


def _around(da: xr.DataArray, dim: Hashable, axis: Axis) -> tuple[float | None, bool]:
    """Return the period of a longitude that goes once around, and whether its end repeats."""
    around = turn(axis.unit)
    if dim not in da.coords or axis.size < 3 or not around or dim not in known_as(da, "longitude"):
        return None, False
    steps = np.abs(axis.steps())
    gap = around - float(axis.span)
    if abs(gap) <= SEAM * steps.min():
        return around, True
    return (around, False) if _closes(da, dim, around, gap, steps) else (None, False)


def _closes(
    da: xr.DataArray, dim: Hashable, around: float, gap: float, steps: np.ndarray[Any, Any]
) -> bool:
    """Tell whether the step over the seam is as the others are."""
    try:
        wrapped = Grid.of(da, settings(dims=(dim,), period={dim: around})).axes[0]
    except GridError:
        return False
    return wrapped.uniform or steps.min() * (1 - SEAM) <= gap <= steps.max() * (1 + SEAM)
