"""Dimensions cut into pieces: what each holds, what it computes alone, and what is left to seams.

A block is a piece of each dimension. Its *inner* points need nothing but its own data. The points
on both sides of the face between two pieces are a *seam*; it belongs to the upper of the two. So
the pieces of a dimension, with their seams, compute each point once::

    data    |---------------|---------------|---------------|
    inner    -------------     -----------     -------------
    seams                 =====           =====

Pure functions of sizes and stencils: nothing here knows of a store, a graph or a cluster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.stencil import AxisStencil, Stencil
    from dhess.tables import Range


@dataclass(frozen=True)
class Piece:
    """What a block is along one dimension."""

    data: Range
    """What is read; on an axis that wraps it may begin below 0 or end above its size."""
    inner: Range
    """Points whose stencils lie within the data."""
    seam: Range | None = None
    """Points around the lower face, for which the piece before is needed too."""
    before: int = -1
    """Which piece that is."""
    keep: tuple[int, int] = (0, 0)
    """How thick a rim its lower and its upper seam need of it."""


def merged(sizes: Sequence[int], least: int, ends: int) -> tuple[int, ...]:
    """Merge pieces that are smaller than ``least``; the first and the last need ``ends``.

    Empty ones vanish.

    Examples
    --------
    >>> merged((1, 1, 1, 1, 1, 1, 1, 1), least=1, ends=3)
    (3, 1, 1, 3)
    >>> merged((5, 0, 1, 5), least=2, ends=3)
    (5, 6)
    """
    chunks: list[int] = []
    grown = 0
    for size in sizes:
        grown += size
        if grown >= (least if chunks else ends) and grown > 0:
            chunks.append(grown)
            grown = 0
    while grown or (len(chunks) > 1 and chunks[-1] < ends):
        grown += chunks.pop() if chunks else 0
        if not chunks or grown >= ends:
            chunks.append(grown)
            grown = 0
    return tuple(chunks)


def with_seams(sizes: Sequence[int], axis: AxisStencil | None) -> tuple[int, ...]:
    """Merge pieces until no two seams of a dimension meet."""
    if axis is None:
        return merged(sizes, 0, 0)
    return merged(sizes, 2 * axis.halo, max(2 * axis.halo, axis.depth))


def pieces(
    sizes: Sequence[int], axis: AxisStencil | None, window: Range | None = None
) -> tuple[Piece, ...]:
    """Return the pieces of a dimension, or those of a window of it.

    Parameters
    ----------
    sizes
        Points of each piece of the whole dimension, as `with_seams` gives them.
    axis
        Its stencil; None for a batch dimension.
    window
        Which of the pieces, all by default. A window has the seam at its lower end, for which it
        reads the rim of the piece before; the seam at its upper end is the next one's.

    Examples
    --------
    >>> [p.data for p in pieces((4, 4, 4), None)]
    [(0, 4), (4, 8), (8, 12)]
    """
    bounds = list(pairwise(accumulate(sizes, initial=0)))
    first, last = window or (0, len(bounds))
    if axis is None:
        return tuple(Piece(part, part) for part in bounds[first:last])
    size, halo = bounds[-1][1], axis.halo
    wrapped = axis.axis.period is not None
    joined = wrapped and last - first == len(bounds) > 1
    found = []
    for i in range(first, last):
        a, b = bounds[i]
        lower = i > first or joined
        upper = i < last - 1 or joined
        start, stop = a, b
        begin = a + halo if lower else a
        end = b - halo if upper else b
        if not lower and (a > 0 or (wrapped and len(bounds) > 1)):
            begin = a - halo if a > 0 else 0
            start = begin - halo
        if not upper and b < size:
            end = b - halo
        elif not upper and wrapped and len(bounds) > 1:
            stop = b + halo
        found.append(
            Piece(
                (start, stop),
                (begin, end),
                (a - halo, a + halo) if lower else None,
                ((i - first - 1) % (last - first)) if lower else -1,
                (2 * halo if lower else 0, 2 * halo if upper else 0),
            )
        )
    return tuple(found)


def turns(points: Range, size: int) -> list[tuple[Range, int]]:
    """Cut a range that goes over the ends of an axis that wraps.

    Each part comes with its indices on the axis, and by how much they are more than those given.

    Examples
    --------
    >>> turns((-2, 3), 10)
    [((8, 10), 10), ((0, 3), 0)]
    """
    first, last = points
    edges = [first, *(edge for edge in (0, size) if first < edge < last), last]
    moves = [(a, b, -(a // size) * size) for a, b in pairwise(edges)]
    return [((a + by, b + by), by) for a, b, by in moves]


def windows(
    counts: Sequence[int], batch: Sequence[bool], most: int
) -> tuple[tuple[Range, ...], ...]:
    """Cut a grid of blocks into windows of at most so many, as equal as can be, per dimension.

    Batch dimensions are cut first, for that costs nothing: nothing is read twice there.

    Examples
    --------
    >>> windows((100, 100), (False, False), 2500)
    (((0, 50), (50, 100)), ((0, 50), (50, 100)))
    >>> windows((100, 100), (True, False), 2500)
    (((0, 25), (25, 50), (50, 75), (75, 100)), ((0, 100),))
    """
    parts = [1] * len(counts)

    def size() -> int:
        return math.prod(-(-count // n) for count, n in zip(counts, parts, strict=True))

    while size() > max(most, 1):
        left = [-(-count // n) for count, n in zip(counts, parts, strict=True)]
        d = max(range(len(counts)), key=lambda d: (left[d] > 1 and batch[d], left[d]))
        parts[d] += 1
    return tuple(tuple(evenly(count, n)) for count, n in zip(counts, parts, strict=True))


def evenly(count: int, parts: int) -> Iterator[Range]:
    """Cut a range into so many parts.

    Examples
    --------
    >>> list(evenly(7, 3))
    [(0, 2), (2, 4), (4, 7)]
    """
    edges = [count * i // parts for i in range(parts + 1)]
    yield from ((a, b) for a, b in pairwise(edges) if a < b)


@dataclass(frozen=True, eq=False)
class Layout:
    """The blocks of a window: the pieces of each dimension."""

    pieces: tuple[tuple[Piece, ...], ...]
    shape: tuple[int, ...]
    """Points of the whole array."""

    @property
    def counts(self) -> tuple[int, ...]:
        """Blocks per dimension."""
        return tuple(map(len, self.pieces))

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        return product(*map(range, self.counts))

    def block(self, index: tuple[int, ...]) -> tuple[Piece, ...]:
        """Return a block as a piece per dimension."""
        return tuple(row[i] for row, i in zip(self.pieces, index, strict=True))

    def before(self, index: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the blocks that the seams of a block join, itself first."""
        steps = [
            (i,) if p.seam is None else (i, p.before)
            for i, p in zip(index, self.block(index), strict=True)
        ]
        return list(product(*steps))

    @classmethod
    def of(
        cls,
        stencil: Stencil,
        sizes: Sequence[Sequence[int]],
        window: Sequence[Range] | None = None,
    ) -> Layout:
        """Cut the dimensions of an array whose blocks have these sizes."""
        parts = [None] * len(sizes) if window is None else window
        cut = (
            pieces(each, stencil.along(d), part)
            for d, (each, part) in enumerate(zip(sizes, parts, strict=True))
        )
        return cls(tuple(cut), tuple(map(sum, sizes)))
