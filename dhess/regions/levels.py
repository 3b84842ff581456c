"""The value below which a share of all points lies: exactly, in bounded memory.

Floats are ordered as integers are, once their bits are turned the right way around. A pass over the
data counts how many fall into each of 65,536 equal parts of the integers that are possible; the
part that holds the wanted one is looked at more closely in the next pass, until few enough values
are left in it to be collected and sorted, or it is one integer wide. So float32 takes two passes.
float64 takes two where at most two million values lie in the part of the first pass, 1/16 of a
power of two wide; else three, and at most four.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dhess.kernels.keys import count_keys
from dhess.regions.blocks import measured, parted
from dhess.regions.tasks import grouped, tasks
from dhess.running import Progress, run, tell
from dhess.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.block import Block
    from dhess.measures import Measure
    from dhess.pieces import Piece
    from dhess.stencil import Stencil
    from dhess.sweep import Query
    from dhess.tables import Array, Range
    from dhess.windows import Searched

PARTS: Final = 1 << 16
"""Parts of a range that values are counted in."""
AT_ONCE: Final = 1 << 18
"""Values that are turned to keys at once."""
FEW: Final = 1 << 21
"""Values that are collected rather than counted."""


def ordered(values: Array) -> Array:
    """Return floats as unsigned integers in the same order; -0.0 as 0.0.

    Examples
    --------
    >>> keys = ordered(np.array([-np.inf, -1.5, -0.0, 0.0, 2e-310, np.inf]))
    >>> bool(np.all(np.diff(keys.astype(object)) >= 0)), int(keys[2] == keys[3])
    (True, 1)
    """
    kind = np.dtype(f"u{values.itemsize}")
    bits = (values + 0.0).view(kind)
    top = kind.type(1 << (8 * values.itemsize - 1))
    keys: Array = np.where(bits & top, ~bits, bits | top)
    return keys


def value_of(key: int, dtype: np.dtype[Any]) -> float:
    """Return the float that has a key."""
    kind = np.dtype(f"u{dtype.itemsize}")
    top = 1 << (8 * dtype.itemsize - 1)
    bits = key ^ top if key & top else ~key & (2 * top - 1)
    return float(np.array(bits, kind).view(dtype))


@dataclass(frozen=True)
class Span:
    """Keys from ``first`` on, cut into parts of a power of two."""

    first: int
    bits: int
    """Of the width of the whole."""
    below: int = 0
    """Values below it."""

    @classmethod
    def whole(cls, dtype: np.dtype[Any]) -> Span:
        """Return all keys of a kind of floats."""
        return cls(0, 8 * dtype.itemsize)

    @property
    def shift(self) -> int:
        """Bits of the width of a part."""
        return max(self.bits - 16, 0)

    def part(self, i: int, below: int) -> Span:
        """Return a part of it."""
        return Span(self.first + (i << self.shift), self.shift, below)


@dataclass(frozen=True, eq=False)
class Counts:
    """How many values fall into each part of a span, or the values themselves."""

    parts: Array
    """Empty where values are collected."""
    kept: Array
    """Keys within the span."""
    valid: int
    """Values that are numbers."""
    blocks: int = 0

    @classmethod
    def of(cls, values: Array, span: Span, *, collect: bool) -> Counts:
        """Count the values of a box, or collect them."""
        flat = values.reshape(-1)
        if collect:
            # A few at a time, for that needs copies.
            slices = [flat[i : i + AT_ONCE] for i in range(0, max(flat.size, 1), AT_ONCE)]
            return cls.merge([cls._collected(part, span) for part in slices])
        bits = flat.view(f"u{flat.itemsize}")
        top = 1 << (8 * flat.itemsize - 1)
        infinite = int(np.array(np.inf, flat.dtype).view(bits.dtype))
        within = (top, infinite, span.first, span.first + (1 << span.bits) - 1, span.shift)
        parts = np.zeros(PARTS, np.int64)
        valid = count_keys(bits, *map(np.uint64, within), parts)
        return cls(parts, bits[:0], int(valid))

    @classmethod
    def _collected(cls, values: Array, span: Span) -> Counts:
        numbers = values[~np.isnan(values)]
        keys = ordered(numbers)
        if span.bits < 8 * values.itemsize:
            keys = keys[keys >= keys.dtype.type(span.first)] - keys.dtype.type(span.first)
            keys = keys[keys < keys.dtype.type(1 << span.bits)]
        return cls(np.empty(0, np.int64), keys, numbers.size)

    @classmethod
    def merge(cls, parts: Sequence[Counts]) -> Counts:
        """Add up what several boxes have."""
        counts = [part.parts for part in parts if part.parts.size]
        return cls(
            np.sum(counts, axis=0) if counts else np.empty(0, np.int64),
            np.concatenate([part.kept for part in parts]),
            sum(part.valid for part in parts),
            sum(part.blocks for part in parts),
        )


@dataclass(frozen=True, eq=False)
class Counting:
    """Counts the values of boxes."""

    stencil: Stencil
    measure: Measure
    dtype: np.dtype[Any]
    span: Span
    collect: bool

    def box(self, data: Block, points: tuple[Range, ...]) -> Counts:
        """Count a box of points, with the data around it."""
        found = [Counts.of(np.empty(0, self.dtype), self.span, collect=self.collect)]
        if all(a < b for a, b in points):
            table = Table(self.stencil)
            for part in parted(points):
                values = measured(table, self.measure, self.dtype, data, part)
                found.append(Counts.of(values, self.span, collect=self.collect))
        return Counts.merge(found)

    def whole(self, block: Sequence[Piece], boxes: Sequence[Counts], missing: int) -> Counts:  # noqa: ARG002
        """Add up what is counted of a block."""
        return replace(Counts.merge(boxes), blocks=1)


def level(searched: Searched, query: Query, quantile: float, turn: str) -> float | None:
    """Return the smallest value that is not below a share of all values; none if all are NaN.

    It is what `numpy.quantile` returns with ``method="inverted_cdf"``.
    """
    dtype = query.dtype
    span, rank, collect = Span.whole(dtype), 0, False
    while True:
        found = _counted(searched, Counting(
            searched.stencil, query.measure, dtype, span, collect=collect
        ), turn)  # fmt: skip
        if not found.valid:
            return None
        rank = max(math.ceil(quantile * found.valid), 1)
        if collect:
            key = np.partition(found.kept, rank - span.below - 1)[rank - span.below - 1]
            return value_of(int(key) + span.first, dtype)
        upto = span.below + np.cumsum(found.parts)
        i = int(np.searchsorted(upto, rank))
        below = int(upto[i - 1]) if i else span.below
        span = span.part(i, below)
        if not span.bits:
            return value_of(span.first, dtype)
        collect = int(found.parts[i]) <= FEW


def _counted(searched: Searched, work: Counting, turn: str) -> Counts:
    """Go over all blocks once."""
    windows = list(product(*searched.along))
    total, nbytes = searched.blocks.number, int(searched.values.nbytes)
    parts: list[Counts] = []
    for i, window in enumerate(windows, 1):

        def done(_: int, found: Counts, i: int = i) -> None:
            parts[:] = [Counts.merge([*parts, found])]
            blocks = parts[0].blocks
            tell(Progress(blocks, total, nbytes * blocks // total, nbytes, i, len(windows)))

        token = f"{turn}-{work.span}"
        graph, sources, keys = tasks(searched, work, window, "levels", token)
        run(grouped(graph, sources, list(keys.values()), Counts.merge), done, name="levels")
    return parts[0]
