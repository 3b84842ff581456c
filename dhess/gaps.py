"""Points near gaps in the data, for ``nan="adapt"``: each run of valid points is its own domain.

Along each axis the run of valid points through a point is ended by NaN or by the end of the axis;
over the seam of a wrapped axis it goes on. A row of weights is centred where the run has enough
points on both sides, one-sided at its ends, and takes the whole run where that is shorter than the
row: the order drops then, and the derivative is NaN below two points for a first and three for a
second one. A run is looked at only as far as a row can reach: p + 1 points on each side of an even
axis at order p, p + 2 of an uneven one.

A mixed derivative is taken on a rectangle of valid points: the row along one axis times the row
along the other in the run that all its lines share. Either axis may come first; of the two
rectangles the one of higher order counts, or the mean of both. So it has the full order wherever
there is room, and is symmetric.

A point whose usual rows touch no gap has those rows; only the others come here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.block import strides_of
from dhess.jobs import metric_of
from dhess.kernels.gaps import Gapped, Room, Wanted, bend_rows, gap_rows, measure_rows
from dhess.kernels.measures import height_row, row_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhess.block import Block
    from dhess.stencil import AxisStencil, Stencil
    from dhess.tables import Array, Range, Table

BATCH = 1 << 15
"""Points that are done at once: their rows of derivatives take a few megabytes."""


@dataclass(frozen=True, eq=False)
class Gaps:
    """What is missing in a block, and which of its valid points feel it."""

    missing: Array
    """Where the data is NaN, over the points of the block."""
    near: Array
    """Where it is not, but a usual row may touch what is."""
    data: Array
    """The points and all that a row may reach, float64."""
    dtype: np.dtype[Any]
    """As it was stored."""
    region: tuple[Range, ...]
    """Global ranges of the data."""
    ranges: tuple[Range, ...]
    """Global ranges of the points."""


def find_gaps(table: Table, block: Block) -> Gaps | None:
    """Return the gaps that the points of a block may feel; None if there are none.

    Examples
    --------
    >>> import xarray as xr
    >>> from dhess.block import Block
    >>> from dhess.grid import Grid
    >>> from dhess.options import settings
    >>> from dhess.stencil import PURE, Stencil
    >>> from dhess.tables import Table
    >>> f = np.array([0.0, 1.0, 2.0, np.nan, 4.0, 5.0, 6.0, 7.0])
    >>> chosen = settings(nan="adapt")
    >>> table = Table(Stencil.of(Grid.of(xr.DataArray(f, dims="x"), chosen), chosen, PURE))
    >>> gaps = find_gaps(table, Block(f, (0,), ((0, 8),)))
    >>> gaps.near.astype(int)
    array([1, 0, 1, 0, 1, 0, 0, 0])
    """
    if not has_gaps(table, block):
        return None
    axes = [table.stencil.along(d) for d in range(len(block.ranges))]
    region = _region(table, block)
    data = np.ascontiguousarray(block.take(region), dtype=np.float64)
    nan = np.isnan(data)
    felt = nan
    for d, axis in enumerate(axes):
        if axis is not None:
            felt = _felt(felt, d, axis, block.ranges[d], region[d][0])
    inside = tuple(slice(a - o, b - o) for (a, b), (o, _) in zip(block.ranges, region, strict=True))
    missing = nan[inside]
    return Gaps(missing, felt & ~missing, data, block.data.dtype, region, block.ranges)


def has_gaps(table: Table, block: Block) -> bool:
    """Tell whether there is NaN where rows of a block can reach, or farther along a seam."""
    if block.data.dtype.kind != "f":
        return False
    view = block.data[
        tuple(
            slice(a - o, b - o) if block.holds(d, (a, b)) else slice(None)
            for d, ((a, b), o) in enumerate(zip(_region(table, block), block.origin, strict=True))
        )
    ]
    # The smallest value is NaN if any is: one pass and no array of truth values.
    with np.errstate(invalid="ignore"):
        return bool(np.isnan(view.min()))


def _region(table: Table, block: Block) -> tuple[Range, ...]:
    """Return the ranges of indices that rows of a block can reach."""
    axes = (table.stencil.along(d) for d in range(len(block.ranges)))
    return tuple(
        points if axis is None else axis.around(*points)
        for points, axis in zip(block.ranges, axes, strict=True)
    )


def _felt(nan: Array, d: int, axis: AxisStencil, points: Range, begin: int) -> Array:
    """Return for the points of a range along a dimension whether a row of theirs touches NaN."""
    seen = np.moveaxis(nan, d, 0)
    shape = (points[1] - points[0], *seen.shape[1:])
    felt = np.zeros(shape, bool)
    low, high = (min(max(i, points[0]), points[1]) for i in axis.regular)
    for shift in range(-axis.reach, axis.reach + 1):
        felt[low - points[0] : high - points[0]] |= seen[low + shift - begin : high + shift - begin]
    for i in (*range(points[0], low), *range(high, points[1])):
        first, last = axis.nodes(i, i + 1)
        felt[i - points[0]] = seen[first - begin : last - begin].any(axis=0)
    return np.moveaxis(felt, 0, d)


def rows_near(
    table: Table, gaps: Gaps, *, noise: bool
) -> Iterator[tuple[tuple[Array, ...], Array]]:
    """Return batches of the points near gaps: index in the block, and rows of derivatives.

    The rows have shape (`row_count`, points), on a sphere in physical components; those of the
    noise are filled if asked for, with that of the usual rows.
    """
    stencil = table.stencil
    gapped = _gapped(stencil, gaps)
    n = len(stencil.axes)
    wanted = Wanted(
        np.arange(n), stencil.need.gradient, stencil.need.pure, stencil.need.mixed, noise
    )
    where = np.nonzero(gaps.near)
    begin = [a - o for (a, _), (o, _) in zip(gaps.ranges, gaps.region, strict=True)]
    strides = strides_of(gaps.data.shape)
    sphere = metric_of(stencil, gaps.ranges)
    for start in range(0, len(where[0]), BATCH):
        index = tuple(i[start : start + BATCH] for i in where)
        local = [i + b for i, b in zip(index, begin, strict=True)]
        points = sum(i * s for i, s in zip(local, strides, strict=True))
        along = np.stack([local[s.axis.position] for s in stencil.axes], axis=1)
        rows = np.empty((row_count(n), len(index[0])))
        if noise:
            _write_noise(table, gaps, index, rows[height_row(n) + 1 :])
        gap_rows(gapped, wanted, points, along, Room.of(n), rows)
        if sphere is not None:
            place = index[stencil.axes[sphere.latitude].axis.position]
            metric = sphere._replace(cos=sphere.cos[place], tan=sphere.tan[place])
            bend_rows(metric, wanted, np.zeros(1, np.int64), rows)
        yield index, rows


def _write_noise(table: Table, gaps: Gaps, index: tuple[Array, ...], out: Array) -> None:
    noise = table.noise(gaps.ranges, gaps.dtype, even=False)
    n = noise.shape[1]
    for k, axis in enumerate(table.stencil.axes):
        place = index[axis.axis.position]
        out[k], out[n + k] = noise[0, k, place], noise[1, k, place]


def measure_near(code: int, rows: Array, n: int) -> Array:
    """Return a measure of points from the rows of their derivatives."""
    values = np.empty(rows.shape[1])
    measure_rows(code, rows, n, values, np.empty((n, n)), np.empty(n))
    return values


def _gapped(stencil: Stencil, gaps: Gaps) -> Gapped:
    positions = [s.axis.position for s in stencil.axes]
    sizes = np.array([gaps.data.shape[d] for d in positions])
    places = np.zeros((len(positions), int(sizes.max())))
    for k, s in enumerate(stencil.axes):
        places[k, : sizes[k]] = s.places(*gaps.region[s.axis.position])
    # A power of two near the mean step keeps products of distances in range and changes no bit.
    steps = np.ones(len(positions))
    for k, s in enumerate(stencil.axes):
        if s.axis.step is not None:
            steps[k] = s.axis.step
        elif sizes[k] > 1:
            steps[k] = np.ldexp(1.0, np.frexp(np.ptp(places[k, : sizes[k]]) / sizes[k])[1])
            places[k] /= steps[k]
    widths = np.array(
        [[(1, 1) if op is None else op.widths for op in (s.first, s.second)] for s in stencil.axes]
    )
    strides = strides_of(gaps.data.shape)
    x = gaps.data.reshape(-1)
    x.flags.writeable = False  # as in `jobs`: the data may be read-only
    return Gapped(
        x=x,
        strides=np.array([strides[d] for d in positions]),
        sizes=sizes,
        places=places,
        factor=np.stack([1.0 / steps, 1.0 / steps**2]),
        inside=widths[:, :, 0].T.copy(),
        outside=widths[:, :, 1].T.copy(),
    )
