"""Latitude and longitude: which axes they are, and what the sphere makes of their lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from dhess.errors import GridError, InputError, suggest
from dhess.units import same

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

    from dhess.grid.axis import Axis
    from dhess.grid.coordinate import Floats
    from dhess.options import Settings

    Role = Literal["latitude", "longitude"]

NAMES: Final[dict[Role, tuple[str, ...]]] = {
    "latitude": ("lat", "latitude"),
    "longitude": ("lon", "longitude"),
}
POLE: Final = 1e-9
"""A cosine of latitude below this is a pole's: a centimetre away from it on the Earth."""


@dataclass(frozen=True, eq=False)
class Parallels:
    """The circles of latitude: their size, and how they bend within the sphere."""

    cos: Floats
    """Cosine of the latitude, shape (size,); NaN at the poles."""
    tan: Floats
    """Tangent of the latitude over the radius, shape (size,)."""

    def cut(self, first: int, last: int) -> Parallels:
        """Return those of a range of indices."""
        return Parallels(self.cos[first:last], self.tan[first:last])


def find_roles(da: xr.DataArray, settings: Settings) -> dict[Hashable, Role]:
    """Return which dimensions are latitude and longitude.

    As named by the options, else by their own name, else by CF attributes.

    Raises
    ------
    GridError
        If one of the two cannot be told.
    """
    found: dict[Hashable, Role] = {}
    named_as: dict[Role, Hashable | None] = {
        "latitude": settings.latitude,
        "longitude": settings.longitude,
    }
    for role, named in named_as.items():
        name = _find(da, role, named)
        if settings.dims is not None and name not in settings.dims:
            raise GridError(
                f"geometry='sphere' differentiates along latitude and longitude, and dims="
                f"{list(settings.dims)!r} leaves {name!r} out; name both, or use "
                "geometry='cartesian'"
            )
        found[name] = role
    if len(found) < 2:
        raise GridError(
            f"dimension {next(iter(found))!r} is named as latitude and as longitude; name another "
            "one with latitude= or longitude="
        )
    return found


def _find(da: xr.DataArray, role: Role, named: Hashable | None) -> Hashable:
    if named is not None:
        if named not in da.dims:
            known = suggest(str(named), map(str, da.dims))
            raise InputError(f"{role}={named!r} is no dimension of the data; {known}")
        return named
    guesses = [d for d in da.dims if str(d).lower() in NAMES[role]] or conventional(da, role)
    if len(guesses) == 1:
        return guesses[0]
    seen = f"{len(guesses)} dimensions could be it" if guesses else "no dimension is known as it"
    raise GridError(
        f"geometry='sphere' needs a {role}, and {seen} (dimensions: "
        f"{', '.join(map(str, da.dims))}); name it with {role}="
    )


def conventional(da: xr.DataArray, role: Role) -> list[Hashable]:
    """Return the dimensions whose coordinate the CF conventions call latitude or longitude.

    By ``standard_name`` or unit, else by all that cf-xarray knows, where it is installed.
    """
    east = {"latitude": "north", "longitude": "east"}[role]
    units = {f"degree{s}{end}" for s in ("", "s") for end in (f"_{east}", f"_{east[0].upper()}")}
    told = [
        name
        for name in da.dims
        if name in da.coords
        and (
            da.coords[name].attrs.get("standard_name") == role
            or da.coords[name].attrs.get("units") in units
        )
    ]
    if told:
        return told
    try:
        import cf_xarray  # noqa: F401  (registers the accessor)
    except ImportError:  # the extra "units" brings it
        return []
    known: dict[str, list[Any]] = da.cf.coordinates
    return [name for name in known.get(role, []) if name in da.dims]


def on_sphere(da: xr.DataArray, axis: Axis, role: Role, radius: float) -> Axis:
    """Return an axis of degrees or radians as one of metres along a great circle.

    Raises
    ------
    GridError
        If the unit is none of an angle, or the longitude spans more than a turn.
    """
    if axis.name not in da.coords:
        raise GridError(
            f"{role} {axis.name!r} has no coordinate; geometry='sphere' needs its degrees or "
            "radians, as from .assign_coords"
        )
    right = turn(axis.unit) / 4
    if right == 0.0:
        raise GridError(
            f"{role} {axis.name!r} is in {axis.unit!r}, which is no unit of an angle; "
            "geometry='sphere' needs degrees or radians"
        )
    span = axis.span if axis.size > 1 or axis.period is not None else 0.0
    if role == "longitude" and span > 4 * right * (1 + 1e-6):
        raise GridError(
            f"longitude {axis.name!r} spans {span:g}, more than one turn of {4 * right:g}; "
            "select one turn of it"
        )
    if role == "longitude" and axis.period is not None:
        part = 4 * right / span
        if abs(part - round(part)) > 1e-6:
            raise GridError(
                f"period of {axis.name!r} is {span:g}, and a longitude starts over after "
                f"{4 * right:g} or a whole fraction of that; correct the period"
            )
    if role == "latitude" and axis.period is not None:
        raise GridError(
            f"period is given for the latitude {axis.name!r}, which ends at the poles; "
            "give it for the longitude only"
        )
    return replace(axis.times(radius * np.pi / (2 * right)), role=role, unit="m")


def turn(unit: str | None) -> float:
    """Return how much of a unit of angle is a full turn, 0 if it is none; degrees if unknown.

    Examples
    --------
    >>> turn("degrees_north"), turn(None), turn("m")
    (360.0, 360.0, 0.0)
    """
    if unit is None or same(unit, "degrees"):
        return 360.0
    return 2 * np.pi if same(unit, "radians") else 0.0


def parallels(da: xr.DataArray, name: Hashable, radius: float) -> Parallels:
    """Return the circles of latitude of a coordinate.

    Raises
    ------
    GridError
        If a latitude is beyond a pole.
    """
    coordinate = da.coords[name]
    latitude = np.asarray(coordinate.values, np.float64)
    right = turn(coordinate.attrs.get("units")) / 4
    worst = int(np.abs(latitude).argmax())
    if abs(latitude[worst]) > right * (1 + 1e-6):
        raise GridError(
            f"latitude {name!r} is {latitude[worst]:g} at index {worst}, beyond the pole at "
            f"±{right:g}; correct the coordinate or its units attribute"
        )
    # From the pole's side, where the cosine would lose digits.
    cos = np.sin((right - np.abs(latitude)) * (np.pi / (2 * right)))
    sin = np.sin(latitude * (np.pi / (2 * right)))
    cos = np.where(cos > POLE, cos, np.nan)
    return Parallels(cos, sin / cos / radius)
