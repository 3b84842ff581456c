"""The words of unit texts, and the one symbol that the words for one unit share."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

SI: Final = {
    "m": "metre meter", "g": "gram gramme", "s": "second", "A": "ampere", "K": "kelvin",
    "mol": "mole", "cd": "candela", "rad": "radian", "sr": "steradian", "Hz": "hertz",
    "N": "newton", "Pa": "pascal", "J": "joule", "W": "watt", "C": "coulomb", "V": "volt",
    "F": "farad", "ohm": "", "S": "siemens", "Wb": "weber", "T": "tesla", "H": "henry",
    "lm": "lumen", "lx": "lux", "Bq": "becquerel", "Gy": "gray", "Sv": "sievert",
    "L": "litre liter", "bar": "", "eV": "electronvolt", "cal": "calorie", "Gal": "galileo",
}  # fmt: skip
"""Units that take prefixes: symbol and names."""

OTHERS: Final = {
    "": "dimensionless unitless fraction ratio", "%": "percent",
    "s": "sec secs", "min": "mins minute", "h": "hr hrs hour", "d": "day", "week": "",
    "month": "", "year": "yr yrs", "L": "l", "um": "micron", "ohm": "Ω",
    "rad": "radians", "degree": "", "arcmin": "arcminute", "arcsec": "arcsecond",
    "degC": "celsius degcelsius degcentigrade", "degF": "fahrenheit degfahrenheit",
    "K": "degkelvin degK", "degR": "rankine degrankine",
    "hPa": "mbar mb millibar", "atm": "atmosphere", "Torr": "torr", "mmHg": "",
    "t": "tonne", "Mt": "megatonne", "Gt": "gigatonne", "ha": "hectare", "acre": "",
    "knot": "kt kn kts", "ft": "foot feet", "inch": "inches", "yard": "yd", "mile": "mi",
    "nmi": "nautical_mile", "fathom": "", "angstrom": "Å",
    "ppm": "", "ppmv": "", "ppb": "", "ppbv": "", "pptv": "", "DU": "dobson",
    "dB": "decibel", "dBZ": "", "psu": "PSU", "gpm": "", "count": "", "pixel": "", "level": "",
}  # fmt: skip
"""Units without prefixes, and what else than a prefixed name stands for a unit."""

PREFIXES: Final = {
    "Y": "yotta", "Z": "zetta", "E": "exa", "P": "peta", "T": "tera", "G": "giga", "M": "mega",
    "k": "kilo", "h": "hecto", "da": "deca", "d": "deci", "c": "centi", "m": "milli",
    "u": "micro", "n": "nano", "p": "pico", "f": "femto", "a": "atto", "z": "zepto", "y": "yocto",
}  # fmt: skip

_COMPASS: Final = re.compile(
    r"(?:arc_?|angular_)?deg(?:ree)?s?(?:_?(?:north|south|east|west|true|[nsewt]))?"
)
_TEMPERATURE: Final = re.compile(r"deg(?:ree)?s?_?(c|f|k|r|celsius|centigrade|fahrenheit|kelvin)")


def _table() -> dict[str, str]:
    """Return every exact word and its symbol; names are in lower case."""
    table: dict[str, str] = {}
    for symbol, names in SI.items():
        for short, long in (("", ""), *PREFIXES.items()):
            table[short + symbol] = short + symbol
            table |= {long + name: short + symbol for name in names.split() or [symbol]}
    for symbol, names in OTHERS.items():
        table |= dict.fromkeys((symbol, *names.split()), symbol)
    return table


_WORDS: Final = _table()


@cache
def symbol_of(word: str) -> str | None:
    """Return the symbol of the unit that a word names, '' for no dimension; None if unknown.

    Symbols keep their case (m is not M), names do not, and may be plural.

    Examples
    --------
    >>> symbol_of("metres"), symbol_of("Kilometer"), symbol_of("degrees_north"), symbol_of("hours")
    ('m', 'km', 'degree', 'h')
    >>> symbol_of("furlong") is None
    True
    """
    exact = word.replace("µ", "u").replace("μ", "u").replace("℃", "degC").translate(_DEGREE)
    if exact in _WORDS:
        return _WORDS[exact]
    name = exact.lower()
    if _COMPASS.fullmatch(name):
        return "degree"
    if warm := _TEMPERATURE.fullmatch(name):
        return {"c": "degC", "f": "degF", "k": "K", "r": "degR"}[warm[1][0]]
    # Shorter words are symbols, and case tells those apart.
    long = len(name) > 3
    return _WORDS.get(name, _WORDS.get(name.removesuffix("s"))) if long else None


_DEGREE: Final = str.maketrans({"°": "deg", "º": "deg"})
