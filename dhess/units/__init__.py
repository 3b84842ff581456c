"""Units: texts as in CF attributes, their products, the warning where they mix; and pint's."""

from __future__ import annotations

from dhess.units.axes import (
    axis_units,
    listed,
    mixed,
    usual_length,
    warn_height,
    warn_mixed,
)
from dhess.units.quantities import Pint, plain, requantified
from dhess.units.text import common, parse, product, same, unit_text

__all__ = [
    "Pint",
    "axis_units",
    "common",
    "listed",
    "mixed",
    "parse",
    "plain",
    "product",
    "requantified",
    "same",
    "unit_text",
    "usual_length",
    "warn_height",
    "warn_mixed",
]
