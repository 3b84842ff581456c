"""The regions of a block: of its inner points, of its seams, and of both joined.

What is left of a block is its *cell*: the box of the inner points and the seams, with a row per
region and the labels on its faces. Cells tile the array.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.block import Block
from dhess.kernels.labels import Runs, steps, unite
from dhess.passes import write_measure
from dhess.regions.rows import Rows, none, rows_of
from dhess.shell import Shell
from dhess.sweep import unwrapped
from dhess.tables import Table
from dhess.tiles import tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.measures import Measure
    from dhess.pieces import Piece
    from dhess.regions.cells import Cells
    from dhess.stencil import Stencil
    from dhess.tables import Array, Range

PART = 1 << 20
"""Points whose measure is in memory at once, where rows are not longer: they fit a cache."""


@dataclass(frozen=True, eq=False)
class Asked:
    """What regions are, as every block needs to know it."""

    measure: Measure
    threshold: float
    full: bool
    """Whether points that only touch at an edge or a corner are neighbours."""
    dtype: np.dtype[Any]
    """Of the measure."""
    connected: tuple[bool, ...]
    """Along which dimensions points are neighbours at all."""
    cells: Cells


@dataclass(frozen=True, eq=False)
class Labelling:
    """Labels boxes, and joins them to cells."""

    stencil: Stencil
    """Of the measure."""
    asked: Asked

    def box(self, data: Block, points: tuple[Range, ...]) -> Cell:
        """Label a box of points, with the data around it."""
        return _labelled(self, data, points)

    def whole(self, block: Sequence[Piece], boxes: Sequence[Cell], missing: int) -> Cell:
        """Join the inner points of a block with its seams."""
        return _assembled(self, block, boxes, missing)


@dataclass(frozen=True, eq=False)
class Seen:
    """What was met on the way."""

    points: int = 0
    nans: int = 0
    missing: int = 0
    """Stored chunks that were not there."""
    blocks: int = 0
    least: float = np.inf
    """Smallest value of the measure, below the threshold or not."""

    def __add__(self, other: Seen) -> Seen:
        return Seen(
            self.points + other.points, self.nans + other.nans, self.missing + other.missing,
            self.blocks + other.blocks, min(self.least, other.least),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Cell:
    """A box with its regions: a row each, and their labels on its faces, from 1 on."""

    ranges: tuple[Range, ...]
    rows: Rows
    shell: Shell
    seen: Seen

    def __sizeof__(self) -> int:
        return self.rows.nbytes + self.shell.nbytes


def measured(
    table: Table, measure: Measure, dtype: np.dtype[Any], data: Block, points: tuple[Range, ...]
) -> Array:
    """Return a measure on a box of points, which may go over the ends of axes that wrap."""
    values = np.empty(tuple(b - a for a, b in points), dtype)
    for part, shift in unwrapped(points, table.stencil.grid.shape):
        origin = tuple(o + s for o, s in zip(data.origin, shift, strict=True))
        held = tuple((a + s, b + s) for (a, b), s in zip(points, shift, strict=True))
        write_measure(table, Block(data.data, origin, part), measure.code, values, held)
    return values


def parted(points: tuple[Range, ...]) -> Iterator[tuple[Range, ...]]:
    """Cut a box into parts of whole rows, in C order."""
    shape = tuple(b - a for a, b in points)
    for tile in tiles(shape, max(PART, shape[-1])):
        yield tuple((a + o, b + o) for (a, b), (o, _) in zip(tile, points, strict=True))


def _labelled(work: Labelling, data: Block, points: tuple[Range, ...]) -> Cell:
    """Label a box of points, with the data around it."""
    asked, shape = work.asked, work.stencil.grid.shape
    if any(a >= b for a, b in points):
        rows = none(len(shape), data.data.dtype.newbyteorder("="))
        return Cell(points, rows, Shell(points, ()), Seen())
    runs = Runs(
        tuple(b - a for a, b in points), asked.dtype, steps(asked.connected, full=asked.full)
    )
    table = Table(work.stencil)
    for part in parted(points):
        runs.add(measured(table, asked.measure, asked.dtype, data, part), asked.threshold)
    runs.join()
    inside = tuple(slice(a - o, b - o) for (a, b), o in zip(points, data.origin, strict=True))
    rows = rows_of(runs, points, data.data[inside], asked.cells, shape)
    seen = Seen(math.prod(runs.shape), runs.nans, least=runs.least)
    return Cell(points, rows, _faces(runs, points, asked.connected), seen)


def _faces(runs: Runs, points: tuple[Range, ...], connected: Sequence[bool]) -> Shell:
    """Return the labels on the faces of a box, along the dimensions that connect."""
    whole = [(0, size) for size in runs.shape]
    slabs = []
    for d, size in enumerate(runs.shape):
        for i in (0, size - 1) if connected[d] else ():
            first = points[d][0] + i
            held = (*points[:d], (first, first + 1), *points[d + 1 :])
            slabs.append((held, runs.labels([*whole[:d], (i, i + 1), *whole[d + 1 :]])))
    return Shell(points, tuple(slabs))


def _assembled(
    work: Labelling, block: Sequence[Piece], boxes: Sequence[Cell], missing: int
) -> Cell:
    ranges = tuple(
        piece.inner if piece.seam is None else (piece.seam[0], max(piece.inner[1], piece.seam[1]))
        for piece in block
    )
    begin = np.cumsum([0, *(len(box.rows) for box in boxes)])
    pairs = [np.empty((0, 2), np.int64)]
    for d, piece in enumerate(block):
        if piece.seam is not None and piece.seam[1] < piece.inner[1]:
            region = (
                *(p.inner for p in block[:d]),
                (piece.seam[1] - 1, piece.seam[1] + 1),
                *ranges[d + 1 :],
            )
            near = layer(
                [(box.shell, int(b)) for box, b in zip(boxes, begin, strict=False)], region
            )
            pairs.append(touching(near, d, work.asked))
    ids = np.concatenate(pairs)
    none_around = np.zeros((len(ids), len(ranges)), np.int64)
    root, offset, _ = unite(int(begin[-1]), ids, none_around)
    rows = Rows.joined([box.rows for box in boxes]).united(root, offset, work.stencil.grid.shape)
    order = np.argsort(rows.first)
    new = np.zeros(int(begin[-1]) + 1, np.int64)
    roots, where = np.unique(root, return_inverse=True)
    rank = np.empty(len(roots), np.int64)
    rank[order] = np.arange(1, len(roots) + 1)
    new[1:] = rank[where]
    slabs = tuple(
        (held, _renumbered(labels, int(b), new))
        for box, b in zip(boxes, begin, strict=False)
        for held, labels in box.shell.slabs
    )
    seen = sum((box.seen for box in boxes), Seen(missing=missing, blocks=1))
    return Cell(ranges, rows.take(order), Shell(ranges, slabs), seen)


def _renumbered(labels: Array, begin: int, new: Array) -> Array:
    found: Array = new[np.where(labels > 0, labels.astype(np.int64) + begin, 0)]
    return found.astype(np.int32)


def layer(shells: Sequence[tuple[Shell, int]], region: tuple[Range, ...]) -> Array:
    """Put together the labels of a region; each shell's are raised by its number, 0 stays 0."""
    out = np.zeros(tuple(b - a for a, b in region), np.int64)
    for shell, raised in shells:
        for held, labels in shell.slabs:
            both = [(max(a, c), min(b, d)) for (a, b), (c, d) in zip(held, region, strict=True)]
            if all(a < b for a, b in both):
                here = labels[_within(held, both)]
                np.copyto(out[_within(region, both)], here + np.int64(raised), where=here > 0)
    return out


def _within(held: Sequence[Range], wanted: Sequence[Range]) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(wanted, held, strict=True))


def touching(near: Array, d: int, asked: Asked) -> Array:
    """Return the pairs of regions that touch across a dimension, from labels two points thick.

    They are counted from 0, each pair once, shape (m, 2).
    """
    found = [np.empty((0, 2), np.int64)]
    sides = [(-1, 0, 1) if each and asked.full else (0,) for each in asked.connected]
    sides[d] = (0,)
    lower, upper = np.take(near, [0], d), np.take(near, [1], d)
    for step in np.array(np.meshgrid(*sides, indexing="ij")).reshape(near.ndim, -1).T.tolist():
        a, b = _shifted(lower, [-s for s in step]), _shifted(upper, step)
        both = (a > 0) & (b > 0)
        if both.any():
            found.append(np.unique(np.stack([a[both], b[both]], axis=1), axis=0))
    pairs = np.concatenate(found) - 1
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.unique(pairs, axis=0) if len(pairs) else pairs


def _shifted(labels: Array, step: Sequence[int]) -> Array:
    """Return the part of an array that has points as far before it as a step goes."""
    index = (
        slice(max(0, s), n - max(0, -s)) for s, n in zip(step, labels.shape, strict=True)
    )  # fmt: skip
    return labels[tuple(index)]
