"""A block cut into boxes that one kernel does, each with its weights.

Every point has one way of being computed, and the way depends on its global index alone, never on
the block that it came in. That is what makes results identical to the bit under any chunking:

- interior points of even axes: constant weights all around;
- points where the last axis is one-sided: on a copy of that slab with the last axis turned to the
  front, so that the row runs along another axis; and so on, where that one is one-sided too;
- all others: weights looked up per row, and per point along the row.

An even axis that wraps is interior all around; of an uneven one the points near the seam go as if
it ended there, with rows that reach over it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dhess.block import Block, readable, strides_of
from dhess.kernels.spans import Box, Metric
from dhess.tables import Table, pieces

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhess.stencil import AxisStencil, Stencil
    from dhess.tables import Array, Range

    Part = tuple[tuple[Range, ...], tuple[int, ...], bool, bool]
    """Ranges of a box, the order of its axes, and the ``even`` and ``row`` of `_job`."""

STRIP = 1 << 14
"""Points of one plane of a strip."""


@dataclass(frozen=True, eq=False)
class Job:
    """One call of a kernel: a flat array, the box in it, and the axes as they are turned."""

    flat: Array
    box: Box
    ranges: tuple[Range, ...]
    axes: tuple[int, ...]
    """Which dimension of the array each axis of the box is."""
    metric: Metric | None
    """On a sphere."""


def jobs(table: Table, block: Block) -> Iterator[Job]:
    """Return the calls that make up a block; together they cover each of its points once."""
    if any(last <= first for first, last in block.ranges):
        return  # a block of which no point counts; kernels do not ask
    axes = tuple(range(len(block.ranges)))
    # Up to three dimensions a slab is one box, the weights of its row looked up point by point. In
    # more, rows are short: it pays to turn and cut it again, so that they are passed together.
    turns = min(len(axes) - 1, 1) if len(axes) <= 3 else len(axes) - 1
    for held in _held(table, block):
        for ranges, order, even, row in _turned(table.stencil, held, axes, turns):
            yield _job(table, block, ranges, order, even=even, row=row)


def _held(table: Table, block: Block) -> Iterator[tuple[Range, ...]]:
    """Cut off the points whose neighbours lie over a seam, if the block holds none of those."""
    rest = list(block.ranges)
    for axis in table.stencil.axes:
        d = axis.axis.position
        if axis.axis.period is None or block.holds(d, table.nodes(d, rest[d])):
            continue
        middle = None
        for part, name in _split(axis, rest[d]):
            if name == "middle":
                middle = part
            else:
                yield (*rest[:d], part, *rest[d + 1 :])
        if middle is None:
            return
        rest[d] = middle
    yield tuple(rest)


def _turned(
    stencil: Stencil, ranges: tuple[Range, ...], axes: tuple[int, ...], turns: int
) -> Iterator[Part]:
    """Cut off the ends of the row and turn their axis to the front, so many times."""
    row = axes[-1]
    axis = stencil.along(row)
    if axis is None:
        yield from _straight(stencil, ranges, axes, row=False)
        return
    if turns == 0 and len(axes) > 1:
        yield from _straight(stencil, ranges, axes, row=True)
        return
    for part, name in _cut(axis, ranges[row]):
        cut = (*ranges[:row], part, *ranges[row + 1 :])
        if name == "middle":
            yield from _straight(stencil, cut, axes, row=not axis.axis.uniform)
        elif len(axes) > 1:
            yield from _turned(stencil, cut, (row, *axes[:-1]), turns - 1)
        else:
            yield from _straight(stencil, cut, axes, row=True)


def _straight(
    stencil: Stencil, ranges: tuple[Range, ...], axes: tuple[int, ...], *, row: bool
) -> Iterator[Part]:
    if row or not stencil.uniform or axes != tuple(range(len(axes))):
        yield ranges, axes, False, row
        return
    last = len(axes) - 1
    for part, d in _interior(stencil, ranges):
        # The slabs along the axis before the row have rows that lie far apart; on a copy with that
        # axis in front they lie together and are passed as long ones.
        turned = (d, *axes[:d], *axes[d + 1 :]) if 0 < d == last - 1 else axes
        for strip in _strips(part) if d < 0 else [part]:
            yield strip, turned, d < 0, False


def _strips(ranges: tuple[Range, ...]) -> Iterator[tuple[Range, ...]]:
    """Cut a box along the axis before the row, so that the neighbours of a strip fit the L2 cache.

    In three dimensions each row is read again for the planes before and behind it (measured: 10 %).

    Examples
    --------
    >>> list(_strips(((0, 9), (0, 100), (0, 256))))
    [((0, 9), (0, 64), (0, 256)), ((0, 9), (64, 100), (0, 256))]
    """
    if len(ranges) < 3:
        yield ranges
        return
    *before, (first, last), row = ranges
    rows = max(STRIP // (row[1] - row[0]), 16)
    for start in range(first, last, rows):
        yield (*before, (start, min(start + rows, last)), row)


def _cut(axis: AxisStencil, whole: Range) -> Iterator[tuple[Range, str]]:
    """Cut a range where rows change: nowhere on an even axis that wraps."""
    if axis.axis.period is not None and axis.axis.uniform:
        yield whole, "middle"
    else:
        yield from _split(axis, whole)


def _split(axis: AxisStencil, whole: Range) -> Iterator[tuple[Range, str]]:
    low, high = axis.regular
    first, last = whole
    for a, b, name in ((0, low, "edge"), (low, high, "middle"), (high, axis.axis.size, "edge")):
        part = max(a, first), min(b, last)
        if part[0] < part[1]:
            yield part, name


def _interior(
    stencil: Stencil, ranges: tuple[Range, ...]
) -> Iterator[tuple[tuple[Range, ...], int]]:
    """Cut off what is one-sided along another axis, named with it; the interior comes with -1."""
    rest = list(ranges)
    for d in range(len(ranges) - 1):
        axis = stencil.along(d)
        if axis is None:
            continue
        middle = None
        for part, name in _cut(axis, rest[d]):
            if name == "middle":
                middle = part
            else:
                yield (*rest[:d], part, *rest[d + 1 :]), d
        if middle is None:
            return
        rest[d] = middle
    yield tuple(rest), -1


def _job(
    table: Table,
    block: Block,
    ranges: tuple[Range, ...],
    axes: tuple[int, ...],
    *,
    even: bool,
    row: bool,
) -> Job:
    """Describe one box to the kernels.

    ``even``: all weights are constant. ``row``: those along the row differ from point to point.
    """
    stencil = table.stencil
    flat, shape, origin = _flat(table, block, ranges, axes)
    strides = strides_of(shape)
    base = sum((ranges[d][0] - o) * s for d, o, s in zip(axes, origin, strides, strict=True))
    along = [axes.index(s.axis.position) for s in stencil.axes]
    r = along.index(len(axes) - 1) if row else -1
    by_dimension = dict(zip(axes, strides, strict=True))
    plus, minus, factor, counts = table.differences(ranges, by_dimension, even=even, row=r)
    starts, widths, weights = table.along_row(r, ranges[axes[-1]])
    box = Box(
        base=int(base),
        shape=np.array([ranges[d][1] - ranges[d][0] for d in axes], dtype=np.int64),
        strides=np.array(strides, dtype=np.int64),
        along=np.array(along, dtype=np.int64),
        gradient=stencil.need.gradient,
        hessian=stencil.need.pure,
        mixed=stencil.need.mixed,
        even=even,
        runs=_runs(stencil, ranges, axes, even=even),
        plus=plus,
        minus=minus,
        factor=factor,
        counts=counts,
        noise=table.noise(ranges, block.data.dtype, even=even),
        row=r,
        pieces=pieces(starts, widths),
        starts=starts,
        widths=widths,
        weights=weights,
    )
    metric = metric_of(stencil, ranges)
    if metric is not None:
        metric = metric._replace(axis=along[metric.latitude])
    return Job(flat, box, ranges, axes, metric)


def metric_of(stencil: Stencil, ranges: tuple[Range, ...]) -> Metric | None:
    """Return what the sphere makes of the derivatives in ranges of points, None off it.

    The latitude is taken as the first axis; who turned it replaces that.
    """
    latitude = stencil.latitude
    if latitude is None:
        return None
    circles = latitude.circles(*ranges[latitude.axis.position])
    u, v = stencil.on_sphere
    return Metric(u, v, 0, circles.cos, circles.tan)


def _flat(
    table: Table, block: Block, ranges: tuple[Range, ...], axes: tuple[int, ...]
) -> tuple[Array, tuple[int, ...], tuple[int, ...]]:
    """Return flat data that holds all nodes of a box, its shape and its global origin.

    Data that kernels can read in place is not copied.
    """
    data, origin = block.data, block.origin
    wrapped = any(axis.axis.period is not None for axis in table.stencil.axes)
    turned = axes != tuple(range(len(axes)))
    nodes: tuple[Range, ...] = ()
    if turned or wrapped or not readable(data):
        nodes = tuple(table.nodes(d, points) for d, points in enumerate(ranges))
    if turned or not readable(data) or not all(map(block.holds, range(len(nodes)), nodes)):
        dtype = data.dtype.newbyteorder("=") if data.dtype.char in "fd" else np.dtype("f8")
        data = np.ascontiguousarray(block.take(nodes).transpose(axes), dtype=dtype)
        origin = tuple(nodes[d][0] for d in axes)
    flat = data.reshape(-1)
    flat.flags.writeable = False  # one compiled form serves writable and read-only data
    return flat, data.shape, origin


def _runs(
    stencil: Stencil, ranges: tuple[Range, ...], axes: tuple[int, ...], *, even: bool
) -> Array:
    """Return up to which index weights stay the same along the axis before the row."""
    if len(axes) < 2:
        return np.ones(1, np.int64)
    first, last = ranges[axes[-2]]
    runs = np.full(last - first, last - first)
    row = stencil.along(axes[-1])
    if row is not None and row.parallels is not None:
        return np.arange(1, last - first + 1)
    axis = stencil.along(axes[-2])
    if axis is None or (even and axis.parallels is None):
        return runs
    runs = np.arange(1, last - first + 1)
    if axis.axis.uniform and axis.parallels is None:
        low, high = (min(max(i - first, 0), last - first) for i in axis.regular)
        runs[low:high] = high
    return runs
