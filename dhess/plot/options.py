"""Which options of a search its picture needs: they decide where an arrow points."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import InputError
from dhess.grid import Grid
from dhess.grid.sphere import find_roles
from dhess.options import settings

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import xarray as xr
    from numpy.typing import NDArray

    from dhess.options import Settings

PLAIN = ("order", "scheme", "nan", "datetime_unit")
LENGTHS = ("period", "spacing", "scale")
ON_PAPER = ("period", "spacing", "nan", "geometry", "latitude", "longitude", "datetime_unit")


@dataclass(frozen=True, eq=False)
class Manner:
    """How the slopes of a picture are taken."""

    period: Mapping[Hashable, float] = field(default_factory=dict)
    """Length once around by dimension, in the numbers that are drawn."""
    nan: str = "propagate"
    latitude: str | None = None
    """Dimension that is the latitude, on the sphere."""
    cos: NDArray[np.float64] | None = None
    """Cosine of each latitude, NaN at the poles."""


def options_of(result: xr.Dataset, da: xr.DataArray, **given: Any) -> dict[str, Any]:
    """Return the options that a search was made with, as far as they concern `da`.

    Those that are given overrule them. A cut without latitude or longitude is a plane.

    Examples
    --------
    >>> import xarray as xr, dhess
    >>> da = xr.DataArray([3.0, 1.0, 2.0, 5.0, 4.0], dims="x")
    >>> options_of(dhess.find_minimum(da, period={"x": 5}, nan="adapt"), da)
    {'order': 2, 'scheme': 'direct', 'nan': 'adapt', 'datetime_unit': 's', 'period': {'x': 5.0}}
    """
    attrs = result.attrs
    found = {name: attrs[name] for name in PLAIN if name in attrs}
    if {attrs.get("geometry"), given.get("geometry", "sphere")} == {"sphere"}:
        found |= _sphere(da, {**attrs, **given})
    for name in LENGTHS:
        text = str(attrs.get(name, "none"))
        lengths = {dim: size for dim, size in _parsed(text).items() if dim in da.dims}
        if text == "span" or lengths:
            found[name] = lengths or text
    return {**found, **given}


def manner(da: xr.DataArray, options: Mapping[str, Any]) -> Manner:
    """Return how the slopes of a plane are taken under the options of a search.

    Order, scheme and scale do not matter to arrows, which are means over blocks.
    """
    chosen = settings(**{name: options[name] for name in ON_PAPER if name in options})
    period = {str(dim): _drawn(da, str(dim), chosen) for dim in chosen.period if dim in da.dims}
    around: dict[Hashable, float] = {
        dim: length for dim, length in period.items() if length is not None
    }
    if chosen.geometry == "cartesian":
        return Manner(around, chosen.nan)
    grid = Grid.of(da, chosen)
    assert grid.parallels is not None
    latitude = next(axis.name for axis in grid.axes if axis.role == "latitude")
    return Manner(around, chosen.nan, str(latitude), grid.parallels.cos)


def _sphere(da: xr.DataArray, attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the sphere that a search was on; nothing if not both its axes are in `da`."""
    chosen: dict[str, Any] = {"geometry": "sphere"}
    for name in ("latitude", "longitude", "radius"):
        if attrs.get(name) is not None:
            chosen[name] = attrs[name]
    try:
        find_roles(da, settings(**chosen))
    except InputError:
        return {}
    return chosen


def _parsed(text: str) -> dict[str, float]:
    """Read ``"lon=360.0,x=2.0"``; what is no such list is none."""
    pairs = [pair.rpartition("=") for pair in text.split(",")]
    try:
        return {dim: float(length) for dim, _, length in pairs if dim}
    except ValueError:
        return {}


def _drawn(da: xr.DataArray, dim: str, chosen: Settings) -> float | None:
    """Return a period in the numbers that are drawn; none along labels and other calendars."""
    period = chosen.period[dim]
    if dim not in da.coords:
        return period / chosen.spacing.get(dim, 1.0)
    dtype = da[dim].dtype
    if dtype.kind == "M":
        code: Any = {"min": "m"}.get(chosen.datetime_unit, chosen.datetime_unit)
        own: Any = np.datetime_data(dtype)[0]
        return period * float(np.timedelta64(1, code) / np.timedelta64(1, own))
    return period if dtype.kind in "iuf" else None
