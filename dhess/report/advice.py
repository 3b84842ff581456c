"""Which options suit an array, in the words to type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dhess.errors import InputError
from dhess.grid import Grid
from dhess.options import settings
from dhess.report.axes import known_as, the_axis, time_unit
from dhess.report.base import Model
from dhess.units import mixed, parse
from dhess.units.axes import LENGTHS

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
    return Sphere(
        latitude=str(latitude), longitude=str(longitude), option=option, problem=problem
    )


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
    da: xr.DataArray,
    axes: tuple[AxisInfo, ...],
    sphere: Sphere | None,
    nan_share: float | None,
) -> tuple[Hint, ...]:
    """Return the options that suit an array."""
    hints = [*_periods(axes)]
    if sphere is not None and sphere.problem is None:
        reason = f"{sphere.latitude} and {sphere.longitude} are latitude and longitude"
        hints.append(Hint(option=sphere.option, reason=reason))
    hints += _times(axes)
    hints += _scales(da, axes, sphere)
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
    for unit in dict.fromkeys(axis.datetime_unit for axis in axes):
        if unit not in (None, "s"):
            names = " and ".join(axis.name for axis in axes if axis.datetime_unit == unit)
            yield Hint(
                option=f"--datetime-unit {unit}",
                reason=f"suits the steps of {names}; derivatives along times are per s without it",
            )


def _scales(
    da: xr.DataArray, axes: tuple[AxisInfo, ...], sphere: Sphere | None
) -> Iterator[Hint]:
    """Offer a scale where axes are in several units; those of a sphere are in metres."""
    known = {axis.name: the_axis(da, axis.name) for axis in axes if axis.halo}
    units = {name: axis.unit for name, axis in known.items()}
    round_ = () if sphere is None or sphere.problem else (sphere.latitude, sphere.longitude)
    units |= dict.fromkeys(round_, "m") if set(round_) <= set(units) else {}
    differing = mixed(units)
    if not differing:
        return
    lengths = ",".join(f"{n}={_length(u):g}" for n, u in differing.items() if n not in round_)
    times = {unit for name in differing if (unit := time_unit(known[str(name)])) not in (None, "s")}
    typed = "".join(f"--datetime-unit {unit} " for unit in sorted(times)[:1])
    listed = ", ".join(f"{name}: {unit}" for name, unit in differing.items())
    yield Hint(
        option=f"{typed}--scale {lengths}",
        reason=f"axes have different units ({listed}); say how much of each counts as one, or "
        "name those of one unit with --dims",
    )


def _length(unit: str) -> float:
    powers = parse(unit)
    symbol = next(iter(powers), "")
    return LENGTHS.get(symbol, 1.0) if powers == {symbol: 1} else 1.0
