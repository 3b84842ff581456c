"""One differentiated dimension: its coordinate, even or uneven, open or wrapped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dhess.errors import GridError
from dhess.grid.coordinate import decimals, distances, even_step, is_time, rounding

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from dhess.grid.coordinate import Floats
    from dhess.options import Settings

    Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

TIME_UNITS = {"D": "d", "h": "h", "min": "min", "s": "s", "ms": "ms", "us": "us", "ns": "ns"}
"""Units of time as UDUNITS writes them."""


@dataclass(frozen=True, eq=False)
class Axis:
    """A differentiated dimension: x_i - x_0 is offsets[i], or i * step if it is even."""

    name: Hashable
    position: int
    """Which axis of the array it is."""
    size: int
    step: float | None
    """Signed step of an even axis; None if the axis is uneven."""
    offsets: Floats | None = None
    """x_i - x_0 of an uneven axis, shape (size,); None if the axis is even."""
    unit: str | None = None
    period: float | None = None
    """Distance of a point from itself once around, with the sign of the steps; None: it ends."""
    is_time: bool = False
    """Whether its unit is that of the option ``datetime_unit``."""
    decimals: int | None = None
    """To which an even coordinate was probably rounded, if it is uneven for no other reason."""
    role: Literal["latitude", "longitude"] | None = None
    """What it is on the sphere."""

    @property
    def uniform(self) -> bool:
        """Whether the steps are equal up to the rounding of the coordinate's own dtype."""
        return self.step is not None

    @property
    def span(self) -> float:
        """Length of the axis: from end to end, or once around."""
        if self.period is not None:
            return abs(self.period)
        if self.step is not None:
            return abs(self.step) * max(self.size - 1, 1)
        assert self.offsets is not None
        return abs(float(self.offsets[-1]))

    def steps(self) -> Floats:
        """Return the differences between neighbours, shape (size - 1,), or (1,) if even."""
        if self.step is not None:
            return np.array([self.step])
        assert self.offsets is not None
        return np.diff(self.offsets)

    def at(self, index: Ints) -> Floats:
        """Return x - x_0 at indices, those beyond the ends of a wrapped axis included."""
        if self.step is not None:
            return index.astype(np.float64) * self.step
        assert self.offsets is not None
        around = index // self.size * (self.period or 0.0)
        places: Floats = self.offsets[index % self.size] + around
        return places

    def times(self, factor: float) -> Axis:
        """Return the axis with all its lengths multiplied."""
        return replace(
            self,
            step=None if self.step is None else self.step * factor,
            offsets=None if self.offsets is None else self.offsets * factor,
            period=None if self.period is None else self.period * factor,
        )


def read_axis(da: xr.DataArray, name: Hashable, settings: Settings) -> Axis:
    """Read the axis of a dimension from its coordinate, or from the spacing given for it.

    Raises
    ------
    GridError
        If the coordinate cannot carry a derivative, or contradicts an option.
    """
    position, size = da.dims.index(name), da.sizes[name]
    period = settings.period.get(name)
    if name not in da.coords:
        if name not in settings.spacing:
            _refuse_curvilinear(da, name)
        step = settings.spacing.get(name, 1.0)
        axis = Axis(name, position, size, step)
        ends = (0.0, step * (size - 1))
        return axis if period is None else _wrapped(axis, period, ends, 4 * np.spacing(period))
    coordinate = da.coords[name]
    if name in settings.spacing:
        raise GridError(
            f"spacing={settings.spacing[name]!r} is given for {name!r}, which has a coordinate; "
            f"leave the spacing out, or drop the coordinate with .drop_vars({name!r})"
        )
    x = np.asarray(coordinate.values)
    offsets = distances(name, x, settings.datetime_unit)
    step_ = even_step(x, offsets)
    times = is_time(x)
    unit = TIME_UNITS[settings.datetime_unit] if times else coordinate.attrs.get("units")
    text = None if unit is None else str(unit)
    axis = Axis(name, position, size, step_, offsets, text, is_time=times)
    if step_ is None and not times:
        axis = replace(axis, decimals=decimals(x, offsets))
    if period is not None:
        return _wrapped(axis, period, (x[0], x[-1]), rounding(x, offsets) + 4 * np.spacing(period))
    return axis if step_ is None else replace(axis, offsets=None)


def _wrapped(axis: Axis, period: float, ends: tuple[object, object], tolerance: float) -> Axis:
    """Return the axis with a period; it stays even if the step over the seam equals the others."""
    open_span = axis.span if axis.size > 1 else 0.0
    gap = period - open_span
    unit = f" {axis.unit}, as datetime_unit says" if axis.is_time else ""
    what = f"period of {axis.name!r} is {period:g}{unit}"
    if abs(gap) <= tolerance:
        raise GridError(
            f"{what}, as long as its span from {ends[0]} to {ends[1]} ({open_span:g}): the last "
            f"point repeats the first; drop it with .isel({axis.name}=slice(None, -1))"
        )
    if gap < 0:
        raise GridError(
            f"{what}, shorter than its span of {open_span:g} (from {ends[0]} to {ends[1]}); "
            "the period is the length after which the axis starts over, as 360 for degrees"
        )
    offsets, step = axis.offsets, axis.step
    sign = -1.0 if (step or (0.0 if offsets is None else float(offsets[-1]))) < 0 else 1.0
    if step is not None and abs(gap - abs(step)) <= min(tolerance, abs(step) / 8):
        return replace(axis, step=sign * period / axis.size, offsets=None, period=sign * period)
    if offsets is None:
        assert step is not None
        offsets = np.arange(axis.size, dtype=np.float64) * step
    return replace(axis, step=None, offsets=offsets, period=sign * period)


def _refuse_curvilinear(da: xr.DataArray, name: Hashable) -> None:
    curved = [
        str(key)
        for key, c in da.coords.items()
        if c.ndim >= 2 and name in c.dims and c.dtype.kind == "f"
    ]
    if curved:
        raise GridError(
            f"dimension {name!r} has only two-dimensional (curvilinear) coordinates "
            f"({', '.join(curved)}), which dhess cannot differentiate along; interpolate to "
            f"one-dimensional axes, give the distance of its points as spacing={{{name!r}: …}}, or "
            "drop the coordinates with .drop_vars(…) if they are something else"
        )
