"""Unit texts taken apart into symbols and powers.

The grammar is that of UDUNITS, on which CF builds [1]_: words to powers (``m2``, ``s-1``, ``m^2``,
``m**2``), products by a blank, a dot or a star, quotients by a stroke or "per" from left to right,
parentheses, numbers, and times "since" something. What it cannot read is one symbol of its own.

References
----------
.. [1] UDUNITS 2, "Unit Specification Grammar"; CF Conventions 1.11, section 3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Final

from dhess.units.words import symbol_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 200
"""A text with more characters is not read: it is prose."""

_POWER: Final = (
    r"(?:\s*(?:\^|\*\*)\s*(?P<raised>[+-]?\d{1,3}(?:\.\d{1,3})?"
    r"|\(\s*[+-]?\d{1,3}\s*/\s*[1-9]\d{0,2}\s*\))(?!\d)"
    r"|(?P<attached>[+-]?\d{1,3})(?!\d))?"
)
_LETTER: Final = r"[^\W\d]|[%°º℃]"
_ATOM: Final = re.compile(
    rf"(?:(?P<number>\d{{1,15}}(?:\.\d{{1,15}})?(?:[eE][+-]?\d{{1,2}})?)|(?P<word>(?:{_LETTER})+))"
    + _POWER
)
_END: Final = re.compile(_POWER)
_OPERATOR: Final = re.compile(r"(?P<over>\s*/\s*|\s+per\s+)|\s*(?:\.(?!\d)|[*·×⋅])\s*|\s+")
_OPENING: Final = re.compile(r"(?:/|per\s)\s*")
_EPOCH: Final = re.compile(r"([^()]*?)(?:\s+(?:since|after|from|ref)\s|\s*@).*", re.IGNORECASE)
_SPACED: Final = re.compile(
    r"\b(deg(?:ree)?s?)\s+"
    r"((?i:north|south|east|west|true|celsius|centigrade|fahrenheit|kelvin)|[CFKNEW])\b(?![-+^*])"
)
_RAISED: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺−", "0123456789-+-")


@dataclass(frozen=True)
class Factor:
    """One unit to a power: the symbol that its names share, and the name that the text has."""

    symbol: str
    spelling: str
    power: Fraction


class _UnreadableError(ValueError):
    """The text does not follow the grammar."""


@cache
def factors(text: str, *, trusting: bool = False) -> tuple[Factor, ...]:
    """Take a text apart, in its own order; one factor of power 1 if it cannot be read.

    ``trusting`` reads words that are no units known here, for somebody who can look them up.

    Examples
    --------
    >>> [(f.spelling, int(f.power)) for f in factors("metres/second")]
    [('metres', 1), ('second', -1)]
    >>> [f.symbol for f in factors("furlongs per jiffy")]
    ['furlongs per jiffy']
    """
    clean = " ".join(text.translate(_RAISED).split())
    if clean in ("", "-", "~"):
        return ()
    epoch = _EPOCH.fullmatch(clean)
    dated = epoch[1] if epoch else clean
    spaced = _SPACED.sub(r"\1_\2", dated)
    try:
        read = _read(spaced, trusting) if len(spaced) <= LONGEST else _opaque(clean)
    except _UnreadableError:
        read = _opaque(clean)
    if epoch:
        known = all(symbol_of(f.symbol) for f in read)
        read = [Factor(f.symbol, f.symbol, f.power) for f in read] if known else _opaque(clean)
    return tuple(read)


def _opaque(text: str) -> list[Factor]:
    """Return an unreadable text as one factor; parentheses that do not match become brackets."""
    depth = 0
    for sign in text:
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
    if depth:
        text = text.replace("(", "[").replace(")", "]")
    return [Factor(text, text, Fraction(1))]


def _read(text: str, trusting: bool) -> list[Factor]:
    """Read a product of atoms and groups."""
    found: list[Factor] = []
    opening = _OPENING.match(text)
    at, sign, first = opening.end() if opening else 0, -1 if opening else 1, True
    while True:
        read, at = (_group if text[at : at + 1] == "(" else _atom)(text, at, trusting, first)
        found += [Factor(f.symbol, f.spelling, sign * f.power) for f in read]
        if at == len(text):
            return found
        operator = _OPERATOR.match(text, at)
        if operator is None:
            raise _UnreadableError
        at, sign, first = operator.end(), -1 if operator["over"] else 1, False


def _group(text: str, at: int, trusting: bool, _first: bool) -> tuple[list[Factor], int]:
    """Read what is in parentheses; what the grammar does not know there is one symbol."""
    depth = 0
    for end in range(at, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if not depth:
            break
    else:
        raise _UnreadableError
    inner = text[at + 1 : end].strip()
    try:
        read = _read(inner, trusting)
    except _UnreadableError:
        read = _opaque(inner) if inner else []
    match = _END.match(text, end + 1)
    assert match is not None
    power = _power(match)
    return [Factor(f.symbol, f.spelling, f.power * power) for f in read], match.end()


def _atom(text: str, at: int, trusting: bool, first: bool) -> tuple[list[Factor], int]:
    """Read a word or a number and its power."""
    match = _ATOM.match(text, at)
    if match is None:
        raise _UnreadableError
    power, end = _power(match), match.end()
    if match["number"]:
        return _number(match, power), end
    word = match["word"]
    symbol = symbol_of(word)
    if symbol is None:
        # "total CO2" is prose: an unknown word counts as a unit only in front, and the digits
        # at its end only as a power if they are marked as one.
        digits = (match["attached"] or "-")[0].isdigit()
        if digits or word == "per" or not (first or trusting):
            raise _UnreadableError
        symbol = word
    return [Factor(symbol, word, power)] if symbol else [], end


def _number(match: re.Match[str], power: Fraction) -> list[Factor]:
    value = float(match["number"])
    if not value or match["attached"]:
        raise _UnreadableError
    text = f"{value:.15g}"
    return [Factor(text, text, power)] if value != 1 else []


def _power(match: re.Match[str]) -> Fraction:
    text = match["raised"] or match["attached"] or "1"
    return Fraction("".join(text.strip("()").split()))


def written(parts: Sequence[Factor]) -> str:
    """Write factors as CF text that `factors` reads back.

    Examples
    --------
    >>> written(factors("kg m**-2")), written([])
    ('kg m-2', '1')
    """
    if len(parts) == 1 and parts[0].power == 1:
        return parts[0].spelling
    texts = [_factor_text(factor, first=not i) for i, factor in enumerate(parts)]
    text = " ".join(texts) or "1"
    # "degree K" is a kelvin, "degree.K" a product.
    return ".".join(texts) if _SPACED.search(text) else text


def _factor_text(factor: Factor, *, first: bool) -> str:
    name, power = factor.spelling, factor.power
    number = _is_number(name)
    known = number or symbol_of(name) is not None
    word = re.fullmatch(f"(?:{_LETTER})+", name) is not None and name != "per"
    bare = known or (first and word)
    if not bare:
        name = f"({name})"
    if power == 1:
        return name
    if power.denominator != 1:
        return f"{name}^({power})"
    # Digits right behind a number or an unknown word are read as part of it.
    marked = number or (bare and not known and power > 0)
    return f"{name}^{power}" if marked else f"{name}{power}"


def _is_number(text: str) -> bool:
    try:
        return text[0].isdigit() and f"{float(text):.15g}" == text
    except ValueError:
        return False
