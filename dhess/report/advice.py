"""Which options suit an array, in the words to type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dhess.errors import InputError
from dhess.grid import Grid
from dhess.grid.axis import TIME_UNITS
from dhess.options import TIMES, settings
from dhess.report.axes import known_as
from dhess.report.base import Model
from dhess.units import listed, mixed, same, usual_length

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    import xarray as xr

    from dhess.grid.sphere import Role
    from dhess.report.axes import AxisInfo

COMPASS: Final[dict[Role, str]] = {
    "latitude": r"degrees?_?n(orth)?",
    "longitude": r"degrees?_?e(ast)?",
}
"""Units that CF has for latitudes and for longitudes only."""


class Hint(Model):
    """An option that suits the data, and why."""

    option: str
    """What to type."""
    reason: str


class Sphere(Model):
    """The axes that are latitude and longitude."""

    latitude: str
    longitude: str
    option: str
    """What to type."""
    problem: str | None
    """Why ``geometry="sphere"`` refuses them."""


def find_sphere(da: xr.DataArray) -> Sphere | None:
    """Return the axes that are latitude and longitude, none if not both are there.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> coords = {"lat": [-10.0, 0.0, 10.0, 20.0], "lon": [0.0, 10.0, 20.0, 30.0]}
    >>> find_sphere(xr.DataArray(np.zeros((4, 4)), coords, ("lat", "lon"))).option
    '--geometry sphere'
    """
    names, option = {}, "--geometry sphere"
    for role in COMPASS:
        known = known_as(da, role)
        found = known or _by_unit(da, role)
        if len(found) != 1:
            return None
        names[role] = found[0]
        option += "" if known else f" --{role} {found[0]}"
    latitude, longitude = names["latitude"], names["longitude"]
    if latitude == longitude:
        return None
    problem = None
    try:
        _on_sphere(da, tuple(names.values()), latitude, longitude)
    except InputError as error:
        problem = str(error)
    return Sphere(latitude=str(latitude), longitude=str(longitude), option=option, problem=problem)


def _by_unit(da: xr.DataArray, role: Role) -> list[Hashable]:
    """Return the dimensions whose unit alone tells what they are."""
    return [
        dim
        for dim in da.dims
        if dim in da.coords
        and re.fullmatch(COMPASS[role], str(da[dim].attrs.get("units", "")), re.IGNORECASE)
    ]


def _on_sphere(
    da: xr.DataArray, dims: tuple[Hashable, ...], latitude: Hashable, longitude: Hashable
) -> Grid:
    chosen = settings(dims=dims, geometry="sphere", latitude=latitude, longitude=longitude)
    return Grid.of(da, chosen)


def find_hints(
    axes: tuple[AxisInfo, ...], sphere: Sphere | None, nan_share: float | None
) -> tuple[Hint, ...]:
    """Return the options that suit an array."""
    hints = [*_periods(axes)]
    if sphere is not None and sphere.problem is None:
        reason = f"{sphere.latitude} and {sphere.longitude} are latitude and longitude"
        hints.append(Hint(option=sphere.option, reason=reason))
    hints += _times(axes)
    hints += _scales(axes, sphere)
    if nan_share:
        reason = f"{nan_share:.4%} of the points are NaN, and spread to their neighbours without it"
        hints.append(Hint(option="--nan adapt", reason=reason))
    return tuple(hints)


def _periods(axes: tuple[AxisInfo, ...]) -> Iterator[Hint]:
    for axis in axes:
        if axis.period is None:
            continue
        option, reason = f"--period {axis.name}={axis.period:.15g}", "goes once around"
        if axis.repeats:
            option = f"--sel {axis.name}=0:{axis.size - 1} {option}"
            reason += ", and its last point repeats the first"
        yield Hint(option=option, reason=f"{axis.name} {reason}")


def _times(axes: tuple[AxisInfo, ...]) -> Iterator[Hint]:
    unit = _time_unit(axes)
    if unit is not None and unit != "s":
        names = " and ".join(axis.name for axis in axes if axis.datetime_unit is not None)
        yield Hint(
            option=f"--datetime-unit {unit}",
            reason=f"suits the steps of {names}; derivatives along times are per s without it",
        )


def _time_unit(axes: tuple[AxisInfo, ...]) -> str | None:
    """Return the unit for all axes of times: the one that suits the shortest steps."""
    units = [axis.datetime_unit for axis in axes if axis.datetime_unit is not None]
    return max(units, key=TIMES.index, default=None)


def _scales(axes: tuple[AxisInfo, ...], sphere: Sphere | None) -> Iterator[Hint]:
    """Offer a choice of axes, or a scale, where axes are in several units."""
    time = _time_unit(axes)
    units: dict[Hashable, str | None] = {
        axis.name: axis.units if axis.datetime_unit is None else TIME_UNITS[str(time)]
        for axis in axes
        if axis.halo
    }
    around = () if sphere is None or sphere.problem else (sphere.latitude, sphere.longitude)
    units |= dict.fromkeys(around, "m")  # what geometry="sphere" makes of them
    differing = mixed(units)
    if not differing:
        return
    names = max(([m for m in units if same(units[n], units[m])] for n in differing), key=len)
    if len(names) > 1:
        yield Hint(
            option=f"--dims {','.join(map(str, names))}",
            reason="differentiates along axes of one unit, and searches over the others",
        )
    typed = [sphere.option] if around and sphere is not None else []
    if time not in (None, "s") and any(axis.datetime_unit for axis in axes):
        typed.append(f"--datetime-unit {time}")
    lengths = {name: usual_length(unit) for name, unit in differing.items() if name not in around}
    typed.append("--scale " + ",".join(f"{name}={length:g}" for name, length in lengths.items()))
    yield Hint(
        option=" ".join(typed),
        reason=f"along all axes: their units differ ({listed(differing)}); each number says how "
        "much counts as one" + (" m" if around else ""),
    )
