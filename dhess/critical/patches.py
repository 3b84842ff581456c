"""A block cut into boxes of cells, each with two samples to every side of every cell.

Most cells are looked at where they lie. Only those at the ends of an axis are copied: with the
samples from over the seam, if the axis wraps and the block holds all of it; else with a ghost
sample beyond the end. That one lies as far out as its neighbour lies within, on the parabola
through the last three samples, so that a quadratic field goes on as it is; beyond it there is
nothing, which is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from dhess.block import readable, strides_of
from dhess.kernels.around import Shape
from dhess.kernels.cells import Cells, Round, scan_cells
from dhess.stencil import fornberg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.block import Block
    from dhess.stencil import AxisStencil, Stencil
    from dhess.tables import Array, Range

ROOM = 1 << 16
"""Cells that are handed on at once, at least."""


@dataclass(frozen=True, eq=False)
class Patch:
    """A box of cells and the data around it."""

    data: Array
    """float32 or float64, in C order."""
    origin: tuple[int, ...]
    """Global index of the first element of data."""
    ranges: tuple[Range, ...]
    """Global ranges of the cells."""

    def place(self, positions: Array) -> Array:
        """Return the global indices, shape (cells, dims), of positions in the data."""
        index = np.stack(np.unravel_index(positions, self.data.shape), axis=1)
        places: Array = index + np.array(self.origin)
        return places

    def near(self, places: Array, axes: tuple[int, ...], reach: int) -> Array:
        """Return the samples around cells, so many to each side along some dimensions.

        Shape (cells, product of 2 * reach + 1).
        """
        strides = strides_of(self.data.shape)
        steps = np.array(list(product(range(-reach, reach + 1), repeat=len(axes))))
        offsets = steps @ np.array([strides[d] for d in axes])
        at = (places - np.array(self.origin)) @ np.array(strides)
        samples: Array = self.data.reshape(-1)[at[:, None] + offsets].astype(np.float64)
        return samples


def patches(stencil: Stencil, block: Block) -> Iterator[Patch]:
    """Cut a block; together the boxes cover each of its cells once."""
    if any(a >= b for a, b in block.ranges):
        return
    rest = list(block.ranges)
    for axis in stencil.axes:
        d = axis.axis.position
        middle = None
        for part, ends in _cut(axis, block, rest[d]):
            if ends:
                yield _copied(stencil, block, (*rest[:d], part, *rest[d + 1 :]))
            else:
                middle = part
        if middle is None:
            return
        rest[d] = middle
    if readable(block.data):
        yield Patch(block.data, block.origin, tuple(rest))
    else:
        yield _copied(stencil, block, tuple(rest))


def _cut(axis: AxisStencil, block: Block, whole: Range) -> Iterator[tuple[Range, bool]]:
    """Cut off the cells at both ends, unless the block has what lies over the seam."""
    d, size = axis.axis.position, axis.axis.size
    first, last = whole
    if axis.axis.period is not None and block.holds(d, (first - 2, last + 2)):
        yield whole, False
        return
    low, high = min(2, size), max(size - 2, min(2, size))
    for a, b, ends in ((0, low, True), (low, high, False), (high, size, True)):
        part = max(a, first), min(b, last)
        if part[0] < part[1]:
            yield part, ends


def _copied(stencil: Stencil, block: Block, ranges: tuple[Range, ...]) -> Patch:
    """Put together all that is around a box, in float64."""
    nodes, fills = list(ranges), []
    for axis in stencil.axes:
        d, size = axis.axis.position, axis.axis.size
        a, b = ranges[d][0] - 2, ranges[d][1] + 2
        wraps = axis.axis.period is not None
        nodes[d] = (a, b) if wraps else (max(a, 0), min(b, size))
        if nodes[d] != (a, b):
            # An end reads three samples, which the cells beside it may not.
            nodes[d] = min(nodes[d][0], max(size - 3, 0)), max(nodes[d][1], min(3, size))
            fills.append((axis, d, (a, b)))
    data = block.take(tuple(nodes)).astype(np.float64)
    for axis, d, wanted in fills:
        data = _extended(data, axis, d, nodes[d], wanted)
    origin = tuple(a - 2 if stencil.along(d) else a for d, (a, _) in enumerate(ranges))
    return Patch(np.ascontiguousarray(data), origin, ranges)


def _extended(data: Array, axis: AxisStencil, d: int, held: Range, wanted: Range) -> Array:
    """Add the ghost samples beyond the ends of an axis, and NaN beyond them."""
    data = np.moveaxis(data, d, 0)
    size = axis.axis.size
    out = np.full((wanted[1] - wanted[0], *data.shape[1:]), np.nan)
    first, last = max(held[0], wanted[0]), min(held[1], wanted[1])
    out[first - wanted[0] : last - wanted[0]] = data[first - held[0] : last - held[0]]
    for end, ghost, inward in ((0, -1, 1), (size - 1, size, -1)):
        if wanted[0] <= ghost < wanted[1]:
            three = [data[end + i * inward - held[0]] for i in range(3)]
            out[ghost - wanted[0]] = _beyond(axis, end, inward, three)
    return np.moveaxis(out, 0, d)


def _beyond(axis: AxisStencil, end: int, inward: int, three: list[Array]) -> Array:
    """Return the sample beyond an end: as differences, so that a constant goes on as it is."""
    x = axis.axis.at(np.arange(3) * inward + end)
    x = (x - x[0]) / (x[1] - x[0])
    _, one, two = fornberg(x[None] + 1.0, 0)[0]
    with np.errstate(invalid="ignore", over="ignore"):
        ghost: Array = three[0] + one * (three[1] - three[0]) + two * (three[2] - three[0])
    return ghost


def candidates(
    stencil: Stencil, patch: Patch, mask: Array, held: tuple[Range, ...]
) -> Iterator[tuple[Array, int, int]]:
    """Yield cells that may hold a zero, as global indices, in parts.

    With them comes how many cells were not looked at for NaN, and how many are flat; those are
    marked in ``mask``, which holds the cells of ``held``.
    """
    cells = _cells(stencil, patch, strides_of(mask.shape))
    own = _own(stencil, strides_of(patch.data.shape))
    flat = patch.data.reshape(-1)
    flat.flags.writeable = False  # one compiled form serves writable and read-only data
    masked = _offset(patch.ranges, [a for a, _ in held], strides_of(mask.shape))
    work = Round.of(cells, masked, own.n * own.size)
    found = np.empty(ROOM + work.size, np.int64)
    left = True
    while left:
        count, wrong, level, left = scan_cells(flat, cells, own, mask.reshape(-1), work, found)
        yield patch.place(found[:count]), wrong, level


def _own(stencil: Stencil, strides: tuple[int, ...]) -> Shape:
    """Return where samples and coefficients of a cell stand in an array of these strides."""
    shape = Shape.of(len(stencil.axes), 1)
    along = np.array([strides[axis.axis.position] for axis in stencil.axes])
    return shape._replace(corner=-int(along.sum()), strides=along, places=shape.digits @ along)


def _cells(stencil: Stencil, patch: Patch, onto: tuple[int, ...]) -> Cells:
    """Return where the cells of a patch are in its data; ``onto`` are the strides of the mask."""
    strides = strides_of(patch.data.shape)
    along = np.array([strides[axis.axis.position] for axis in stencil.axes], np.int64)
    last = [(b - 1, b) for _, b in patch.ranges]
    return Cells(
        first=_offset(patch.ranges, patch.origin, strides),
        last=_offset(last, patch.origin, strides),
        shape=np.array([b - a for a, b in patch.ranges], np.int64),
        strides=np.array(strides, np.int64),
        onto=np.array(onto, np.int64),
        along=along,
        margin=int(along.sum()),
    )


def _offset(ranges: Sequence[Range], origin: Sequence[int], strides: Sequence[int]) -> int:
    """Return where ranges begin in an array that begins at ``origin``."""
    steps = zip(ranges, origin, strides, strict=True)
    return int(sum((a - o) * s for (a, _), o, s in steps))
