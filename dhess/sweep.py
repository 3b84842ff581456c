"""The tasks of a search: interior first, then seams.

One task reads a block, searches its inner points and keeps a thin shell of it; the block is gone
before the next one is read. A second one per block joins the shell with those of the blocks before
it and searches the seams between them. So the data is read once, a task holds one block, and there
are two tasks per block in any number of dimensions, beside those that merge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.block import Block
from dhess.description import described
from dhess.passes import Candidates, search
from dhess.pieces import turns
from dhess.shell import Shell, joined
from dhess.tables import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.measures import Measure
    from dhess.pieces import Layout, Piece
    from dhess.stencil import AxisStencil, Stencil
    from dhess.stored import Stored
    from dhess.tables import Array, Range

    Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Query:
    """What is looked for, as every block needs to know it."""

    measure: Measure
    k: int
    dtype: np.dtype[Any]
    points: tuple[Range, ...]
    """Ranges of the points that count."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is left of a block: the best of its inner points, and its shell."""

    best: Candidates
    shell: Shell

    def __sizeof__(self) -> int:
        return self.shell.nbytes


@dataclass(frozen=True, eq=False)
class Sweep:
    """All that the tasks of a window share."""

    stencil: Stencil
    """For everything that is told of a point; the measure's own is a part of it."""
    query: Query
    layout: Layout
    stored: Stored | None
    """What blocks are read from; None where a graph brings them."""


def interior(sweep: Sweep, index: Index, data: Array | None = None) -> Part:
    """Read a block, unless it comes, search its inner points, and keep its shell."""
    block = sweep.layout.block(index)
    ranges = tuple(piece.data for piece in block)
    missing = 0
    if data is None:
        assert sweep.stored is not None
        data, missing = read(sweep.stored, ranges)
    origin = tuple(a for a, _ in ranges)
    best = _best(sweep, [Block(data, origin, tuple(piece.inner for piece in block))])
    shell = Shell.of(data, ranges, [piece.keep for piece in block])
    return Part(replace(best, missing=missing, blocks=1), shell)


def seams(sweep: Sweep, index: Index, parts: Sequence[Part]) -> Candidates:
    """Search the seams of a block, and return the best of it all.

    ``parts`` are those of `Layout.before`: the block's own, then those that its seams touch.
    """
    layout = sweep.layout
    block = layout.block(index)
    shells = [
        _placed(layout, index, at, part.shell)
        for at, part in zip(layout.before(index), parts, strict=True)
    ]
    slabs = [part for points in _slabs(block) for part in _filled(sweep, block, points, shells)]
    return _best(sweep, slabs, [parts[0].best])


def read(stored: Stored, ranges: tuple[Range, ...]) -> tuple[Array, int]:
    """Read ranges of a stored array; those beyond its ends come from the other end of the axis."""
    for d, ((first, last), size) in enumerate(zip(ranges, stored.shape, strict=True)):
        if first < 0 or last > size:
            near = [part for part, _ in turns((first, last), size)]
            parts = [read(stored, (*ranges[:d], part, *ranges[d + 1 :])) for part in near]
            data = np.concatenate([part for part, _ in parts], axis=d)
            return data, sum(missing for _, missing in parts)
    return stored.read(ranges)


def _placed(layout: Layout, index: Index, at: Index, shell: Shell) -> Shell:
    """Move the shell of a block that lies over the end of an axis to before its beginning."""
    here, there = layout.block(index), layout.block(at)
    over = [
        -size if j != i and q.data[0] >= p.data[1] else 0
        for i, j, p, q, size in zip(index, at, here, there, layout.shape, strict=True)
    ]
    return shell.moved(over) if any(over) else shell


def _slabs(block: Sequence[Piece]) -> Iterator[tuple[Range, ...]]:
    """Return the points of the seams: each once, in slabs across one dimension."""
    swept = [p.inner if p.seam is None else (p.seam[0], max(p.inner[1], p.seam[1])) for p in block]
    for d, piece in enumerate(block):
        if piece.seam is not None:
            yield (*(p.inner for p in block[:d]), piece.seam, *swept[d + 1 :])


def _filled(
    sweep: Sweep, block: Sequence[Piece], points: tuple[Range, ...], shells: Sequence[Shell]
) -> Iterator[Block]:
    """Put together the data around the points of a slab."""
    if any(a >= b for a, b in points):
        return
    region = tuple(
        _around(sweep.stencil.along(d), p, r)
        for d, (p, r) in enumerate(zip(block, points, strict=True))
    )
    data = joined(shells, region)
    for part, shift in _unwrapped(points, sweep.layout.shape):
        yield Block(data, tuple(a + s for (a, _), s in zip(region, shift, strict=True)), part)


def _around(axis: AxisStencil | None, piece: Piece, points: Range) -> Range:
    """Return what a range reads; where there is no seam, the block has it all."""
    if axis is None:
        return points
    first, last = axis.around(*points)
    return (first, last) if piece.seam else (max(first, piece.data[0]), min(last, piece.data[1]))


def _unwrapped(
    points: tuple[Range, ...], shape: tuple[int, ...]
) -> list[tuple[tuple[Range, ...], tuple[int, ...]]]:
    """Cut ranges that begin below 0 into parts with indices of the array, and by how much moved."""
    found: list[tuple[tuple[Range, ...], tuple[int, ...]]] = [((), ())]
    for part, size in zip(points, shape, strict=True):
        found = [((*p, here), (*s, by)) for p, s in found for here, by in turns(part, size)]
    return found


def _best(sweep: Sweep, blocks: Sequence[Block], known: Sequence[Candidates] = ()) -> Candidates:
    """Return the best points of some blocks and of those known, each with all that is told of it.

    Only what is among the best of all is described.
    """
    query, stencil = sweep.query, sweep.stencil
    table = Table(stencil.restricted(query.measure.need))
    single = query.dtype == np.float32
    inside = [replace(block, ranges=_counted(block, query)) for block in blocks]
    found = [search(table, b, query.measure.code, query.k, single=single) for b in inside]
    best = Candidates.merge([each.bare for each in (*known, *found)], query.k)
    kept = best.columns["place"]
    told = [
        described(stencil, block, each.among(kept))
        for block, each in zip(inside, found, strict=True)
    ]
    return Candidates.merge([*known, *told], query.k)


def _counted(block: Block, query: Query) -> tuple[Range, ...]:
    """Return those of the points that count."""
    return tuple(
        (max(a, low), min(b, high))
        for (a, b), (low, high) in zip(block.ranges, query.points, strict=True)
    )
