"""The tasks of a search: interior first, then seams.

One task reads a block, searches its inner points and keeps a thin shell of it; the block is gone
before the next one is read. A second one per block joins the shell with those of the blocks before
it and searches the seams between them. So the data is read once, a task holds one block, and there
are two tasks per block in any number of dimensions, beside those that merge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

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


class Wanted(Protocol):
    """What a sweep takes from its blocks, and how that is put together.

    What it finds is a dataclass, with the fields ``missing`` and ``blocks`` of
    `dhess.passes.Candidates`.
    """

    @property
    def name(self) -> str:
        """What the tasks are called."""

    @property
    def k(self) -> int:
        """How many points a find describes, for the memory that this takes."""

    @property
    def scratch(self) -> int:
        """Bytes per point that a task needs beside the data."""

    @property
    def token(self) -> tuple[object, ...]:
        """What tells it from others on the same data and stencil."""

    def look(self, stencil: Stencil, blocks: Sequence[Block], known: Sequence[Any] = ()) -> Any:
        """Return what the points of some blocks hold, together with what is known."""

    def merge(self, parts: Sequence[Any]) -> Any:
        """Put finds together; their order does not matter."""

    def first(self, found: Any) -> tuple[float, int] | None:
        """Return a value and its place in C order that tell how it goes, if there are any yet."""


@dataclass(frozen=True, eq=False)
class Query:
    """What is looked for, as every block needs to know it: the points of smallest measure."""

    measure: Measure
    k: int
    dtype: np.dtype[Any]
    points: tuple[Range, ...]
    """Ranges of the points that count."""
    scratch: int = 0
    """Bytes per point that a task needs beside the data."""

    @property
    def name(self) -> str:
        """What the tasks are called."""
        return f"find-{self.measure.name}"

    @property
    def token(self) -> tuple[object, ...]:
        """What tells it from others on the same data and stencil."""
        return self.measure.name, self.k, self.dtype, self.points

    def look(
        self, stencil: Stencil, blocks: Sequence[Block], known: Sequence[Candidates] = ()
    ) -> Candidates:
        """Return the best points of some blocks and of those known, each with all that is told.

        Only what is among the best of all is described.
        """
        table = Table(stencil.restricted(self.measure.need))
        single = self.dtype == np.float32
        inside = [replace(block, ranges=counted(block, self.points)) for block in blocks]
        found = [search(table, b, self.measure.code, self.k, single=single) for b in inside]
        best = self.merge([each.bare for each in (*known, *found)])
        kept = best.columns["place"]
        told = [
            described(stencil, block, each.among(kept))
            for block, each in zip(inside, found, strict=True)
        ]
        return self.merge([*known, *told])

    def merge(self, parts: Sequence[Candidates]) -> Candidates:
        """Return the best of several; the order of the parts does not matter."""
        return Candidates.merge(parts, self.k)

    def first(self, found: Candidates) -> tuple[float, int] | None:
        """Return the smallest value so far, and its place."""
        if not len(found.columns["place"]):
            return None
        return float(found.columns["value"][0]), int(found.columns["place"][0])


def counted(block: Block, points: tuple[Range, ...]) -> tuple[Range, ...]:
    """Return those of a block's points that count."""
    return tuple(
        (max(a, low), min(b, high))
        for (a, b), (low, high) in zip(block.ranges, points, strict=True)
    )


@dataclass(frozen=True, eq=False)
class Part:
    """What is left of a block: what its inner points hold, and its shell."""

    best: Any
    shell: Shell

    def __sizeof__(self) -> int:
        return self.shell.nbytes


@dataclass(frozen=True, eq=False)
class Sweep:
    """All that the tasks of a window share."""

    stencil: Stencil
    """For everything that is told of a point; the measure's own is a part of it."""
    query: Wanted
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
    inner = Block(data, origin, tuple(piece.inner for piece in block))
    best = sweep.query.look(sweep.stencil, [inner])
    shell = Shell.of(data, ranges, [piece.keep for piece in block])
    return Part(replace(best, missing=missing, blocks=1), shell)


def seams(sweep: Sweep, index: Index, parts: Sequence[Part]) -> Any:
    """Search the seams of a block, and return what all of it holds.

    ``parts`` are those of `Layout.before`: the block's own, then those that its seams touch.
    """
    layout = sweep.layout
    block = layout.block(index)
    shells = [
        placed(layout, index, at, part.shell)
        for at, part in zip(layout.before(index), parts, strict=True)
    ]
    slabs = [part for points in slabs_of(block) for part in _blocks(sweep, block, points, shells)]
    return sweep.query.look(sweep.stencil, slabs, [parts[0].best])


def read(stored: Stored, ranges: tuple[Range, ...]) -> tuple[Array, int]:
    """Read ranges of a stored array; those beyond its ends come from the other end of the axis."""
    for d, ((first, last), size) in enumerate(zip(ranges, stored.shape, strict=True)):
        if first < 0 or last > size:
            near = [part for part, _ in turns((first, last), size)]
            parts = [read(stored, (*ranges[:d], part, *ranges[d + 1 :])) for part in near]
            data = np.concatenate([part for part, _ in parts], axis=d)
            return data, sum(missing for _, missing in parts)
    return stored.read(ranges)


def placed(layout: Layout, index: Index, at: Index, shell: Shell) -> Shell:
    """Move the shell of a block that lies over the end of an axis to before its beginning."""
    here, there = layout.block(index), layout.block(at)
    over = [
        -size if j != i and q.data[0] >= p.data[1] else 0
        for i, j, p, q, size in zip(index, at, here, there, layout.shape, strict=True)
    ]
    return shell.moved(over) if any(over) else shell


def slabs_of(block: Sequence[Piece]) -> Iterator[tuple[Range, ...]]:
    """Return the points of the seams: each once, in slabs across one dimension."""
    swept = [p.inner if p.seam is None else (p.seam[0], max(p.inner[1], p.seam[1])) for p in block]
    for d, piece in enumerate(block):
        if piece.seam is not None:
            yield (*(p.inner for p in block[:d]), piece.seam, *swept[d + 1 :])


def filled(
    stencil: Stencil, block: Sequence[Piece], points: tuple[Range, ...], shells: Sequence[Shell]
) -> tuple[Array, tuple[Range, ...]]:
    """Put together the data around the points of a slab; return them with their ranges."""
    region = tuple(
        _around(stencil.along(d), p, r) for d, (p, r) in enumerate(zip(block, points, strict=True))
    )
    return joined(shells, region), region


def _blocks(
    sweep: Sweep, block: Sequence[Piece], points: tuple[Range, ...], shells: Sequence[Shell]
) -> Iterator[Block]:
    """Return the points of a slab with the data around them, cut where an axis starts over."""
    if any(a >= b for a, b in points):
        return
    data, region = filled(sweep.stencil, block, points, shells)
    for part, shift in unwrapped(points, sweep.layout.shape):
        yield Block(data, tuple(a + s for (a, _), s in zip(region, shift, strict=True)), part)


def _around(axis: AxisStencil | None, piece: Piece, points: Range) -> Range:
    """Return what a range reads; where there is no seam, the block has it all."""
    if axis is None:
        return points
    first, last = axis.around(*points)
    return (first, last) if piece.seam else (max(first, piece.data[0]), min(last, piece.data[1]))


def unwrapped(
    points: tuple[Range, ...], shape: tuple[int, ...]
) -> list[tuple[tuple[Range, ...], tuple[int, ...]]]:
    """Cut ranges that begin below 0 into parts with indices of the array, and by how much moved."""
    found: list[tuple[tuple[Range, ...], tuple[int, ...]]] = [((), ())]
    for part, size in zip(points, shape, strict=True):
        found = [((*p, here), (*s, by)) for p, s in found for here, by in turns(part, size)]
    return found
