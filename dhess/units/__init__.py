"""Units: texts as in CF attributes, their products, the warning where they mix; and pint's."""

from __future__ import annotations

from dhess.units.axes import axis_units, mixed, warn_height, warn_mixed
from dhess.units.quantities import Pint, plain, requantified
from dhess.units.text import common, parse, product, same, unit_text

__all__ = [
    "Pint",
    "axis_units",
    "common",
    "mixed",
    "parse",
    "plain",
    "product",
    "requantified",
    "same",
    "unit_text",
    "warn_height",
    "warn_mixed",
]
