"""Axes of several units: what they count as, and the warning where they are added up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dhess.errors import UnitsWarning, warn_caller
from dhess.units.text import common, parse, same

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Mapping, Sequence

LENGTHS: Final = {"s": 3600.0, "m": 1000.0, "Pa": 100.0}
"""What the warning shows as the length of an axis in these units; 1.0 in others."""


def axis_units(
    names: Sequence[Hashable],
    units: Sequence[str | None],
    scaled: Collection[Hashable] | str = (),
) -> tuple[str | None, ...]:
    """Return the units that axes count as once some are divided by a scale.

    Parameters
    ----------
    names, units
        Name and unit of each axis.
    scaled
        The option ``scale``: a mapping (or names) of the scaled axes, or "span" for all.

    Returns
    -------
    The units. If every axis is scaled they are numbers ("1"); a scaled axis beside others counts
    as one in their unit, and as unknown (None) if those do not share one.

    Examples
    --------
    >>> axis_units(("time", "y", "x"), ("s", "m", "m"), {"time": 3600.0})
    ('m', 'm', 'm')
    >>> axis_units(("time", "x"), ("s", "m"), "span")
    ('1', '1')
    """
    of = set(names) if isinstance(scaled, str) else set(scaled)
    rest = [unit for name, unit in zip(names, units, strict=True) if name not in of]
    shared = common(rest) if rest else "1"
    return tuple(shared if n in of else unit for n, unit in zip(names, units, strict=True))


def mixed(axes: Mapping[Hashable, str | None]) -> dict[Hashable, str]:
    """Return the known units of axes if they differ, else {}.

    Examples
    --------
    >>> mixed({"time": "s", "x": "m", "k": None})
    {'time': 's', 'x': 'm'}
    >>> mixed({"lat": "degrees_north", "lon": "degrees_east", "k": None})
    {}
    """
    known = {name: unit for name, unit in axes.items() if unit is not None}
    first = next(iter(known.values()), None)
    return {} if all(same(first, unit) for unit in known.values()) else known


def warn_mixed(what: str, axes: Mapping[Hashable, str | None]) -> None:
    """Warn if known units of axes differ, for a quantity that adds up derivatives along them.

    Parameters
    ----------
    what
        Name of the quantity, for the sentence.
    axes
        Unit that each axis counts as (see `axis_units`), None if it is unknown.

    Warns
    -----
    UnitsWarning
        At the line that called dhess.

    Examples
    --------
    >>> import textwrap, warnings
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_mixed("slope", {"time": "s", "x": "m"})
    >>> print(textwrap.fill(str(caught[0].message), 80))
    slope adds up derivatives along axes of different units (time: s, x: m); say how
    much of each counts as one, as in scale={'time': 3600.0, 'x': 1000.0}, or
    scale='span' for axes of length 1
    """
    differing = mixed(axes)
    if differing:
        example = {name: usual_length(unit) for name, unit in differing.items()}
        warn_caller(
            f"{what} adds up derivatives along axes of different units ({listed(differing)}); "
            f"say how much of each counts as one, as in scale={_shown(example)}, "
            "or scale='span' for axes of length 1",
            UnitsWarning,
        )


def warn_height(what: str, field: str | None, axes: Mapping[Hashable, str | None]) -> None:
    """Warn if a quantity takes the field as a height over axes of another known unit.

    Parameters
    ----------
    what, axes
        As for `warn_mixed`.
    field
        Unit of the field.

    Warns
    -----
    UnitsWarning
        At the line that called dhess.
    """
    if field is not None and any(u is not None and not same(field, u) for u in axes.values()):
        known = {name: unit for name, unit in axes.items() if unit is not None}
        warn_caller(
            f"{what} takes the field as a height over its axes, and their units differ (field: "
            f"{field}, {listed(known)}); convert the field or the coordinates to one unit",
            UnitsWarning,
        )


def usual_length(unit: str) -> float:
    """Return what to offer as the length of an axis: an hour, a kilometre, a hectopascal, or 1.

    Examples
    --------
    >>> usual_length("seconds"), usual_length("m"), usual_length("m s-1")
    (3600.0, 1000.0, 1.0)
    """
    powers = parse(unit)
    symbol = next(iter(powers), "")
    return LENGTHS.get(symbol, 1.0) if powers == {symbol: 1} else 1.0


def listed(units: Mapping[Hashable, str]) -> str:
    """Return the units of axes as a part of a sentence.

    Examples
    --------
    >>> listed({"time": "s", "x": "m"})
    'time: s, x: m'
    """
    return ", ".join(f"{name}: {unit}" for name, unit in units.items())


def _shown(scale: Mapping[Hashable, float]) -> str:
    return "{" + ", ".join(f"{name!r}: {float(length)!r}" for name, length in scale.items()) + "}"
