"""What unit texts mean: which are the same, and the units of products and derivatives."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from dhess.units.grammar import Factor, factors, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DIFFERENCE: Final = {"degC": "K", "degF": "degR"}
"""Scales with a zero of their own, and what their differences are in."""


def parse(text: str) -> dict[str, Fraction]:
    """Return the symbols of a unit text and their powers; {} for a number without dimension.

    Parameters
    ----------
    text
        As in a CF ``units`` attribute. Units are not converted into others: N stays N. What
        cannot be read is one symbol of power 1; of "hours since …" the hours are read.

    Examples
    --------
    >>> {symbol: int(power) for symbol, power in parse("kg m^-2").items()}
    {'kg': 1, 'm': -2}
    >>> parse("m s-1") == parse("metres/second") == parse("m.s-1")
    True
    >>> list(parse("hours since 2000-01-01")), parse("1"), list(parse("furlongs per jiffy"))
    (['h'], {}, ['furlongs per jiffy'])
    """
    total: dict[str, Fraction] = {}
    for factor in factors(str(text)):
        total[factor.symbol] = total.get(factor.symbol, Fraction(0)) + factor.power
    return {symbol: power for symbol, power in total.items() if power}


def same(a: str | None, b: str | None) -> bool:
    """Tell whether two texts name one unit; an unknown one (None) is no other's.

    Examples
    --------
    >>> same("degrees_north", "degrees_east"), same("m", "km"), same(None, None)
    (True, False, False)
    """
    return a is not None and b is not None and parse(a) == parse(b)


def common(units: Iterable[str | None]) -> str | None:
    """Return the unit that all have; None if one is unknown or they differ.

    Examples
    --------
    >>> common(["metre", "metre"]), common(["metre", "m"]), common(["m", None])
    ('metre', 'm', None)
    """
    units = list(units)
    first = units[0] if units else None
    if first is None or not all(same(first, other) for other in units):
        return None
    if len(set(units)) == 1:
        return str(first)
    return written([Factor(symbol, symbol, power) for symbol, power in parse(first).items()])


def product(powers: Iterable[tuple[str | None, int]]) -> str | None:
    """Return the unit of a product of differences, each to a power.

    Parameters
    ----------
    powers
        Unit and power of each. A difference of degC is in K, so the derivative of "degC" by "m"
        is in "K m-1" (and of "degF" in "degR m-1").

    Returns
    -------
    CF text in the spelling of the units; where units of several spellings merge, in their common
    symbol. "1" if nothing is left; None if a unit with a power is unknown.

    Examples
    --------
    >>> product([("K", 1), ("m", -2)]), product([("metre", 1), ("m", -1)])
    ('K m-2', '1')
    >>> product([("m s-1", 1), ("m", -1)]), product([("degC", 1), ("m", -1)])
    ('s-1', 'K m-1')
    >>> product([("furlongs per jiffy", 1), ("m", -2)])
    '(furlongs per jiffy) m-2'
    >>> product([("K", 1), (None, -1)]) is None
    True
    """
    merged: dict[str, Factor] = {}
    for unit, power in powers:
        if not power:
            continue
        if unit is None:
            return None
        for f in factors(str(unit)):
            symbol = DIFFERENCE.get(f.symbol, f.symbol)
            spelling = symbol if symbol != f.symbol else f.spelling
            had = merged.get(symbol, Factor(symbol, spelling, Fraction(0)))
            name = spelling if spelling == had.spelling else symbol
            merged[symbol] = Factor(symbol, name, had.power + power * f.power)
    return written([f for f in merged.values() if f.power])


def unit_text(
    field: str | None, coordinates: Sequence[str | None], powers: tuple[int, int]
) -> str | None:
    """Return the unit of a derivative; None where the units do not tell it.

    Parameters
    ----------
    field, coordinates
        Units of the field and of each axis.
    powers
        Powers of the field's unit and of the axes' one.

    Examples
    --------
    >>> unit_text("K", ("m", "metres"), (1, -2)), unit_text("m", ("m", "m"), (1, -1))
    ('K m-2', '1')
    >>> unit_text("K", ("m", "s"), (1, -2)) is None
    True
    """
    return product(zip((field, common(coordinates)), powers, strict=True))
