"""What is known of regions, a row each: in a box, in a block, and of the whole."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.block import strides_of
from dhess.kernels.runs import HALF, LIMBS, SCALE, sum_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.kernels.labels import Runs
    from dhess.regions.cells import Cells
    from dhess.tables import Array, Range

TOGETHER = 4096
"""Rows whose sums are whole numbers of Python at a time."""


@dataclass(frozen=True, eq=False)
class Rows:
    """Regions, of which each array has a row."""

    size: Array
    """Points."""
    first: Array
    """Position of the first point in C order."""
    value: Array
    """Smallest value of the measure."""
    place: Array
    """Where that is, as a position in C order."""
    field: Array
    """The data there."""
    low: Array
    """Smallest index along each dimension, shape (m, dims); below 0 beyond a seam."""
    high: Array
    """Largest index."""
    sums: Array
    """Sizes of the cells and their moments, in fixed point, shape (m, 1 + dims, 2 · limbs)."""

    def __len__(self) -> int:
        return len(self.size)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(getattr(self, each.name).nbytes for each in fields(self))

    def take(self, index: Array) -> Rows:
        """Return some of the rows."""
        return Rows(*(getattr(self, each.name)[index] for each in fields(self)))

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Put rows one after another."""
        return cls(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)))

    def united(self, root: Array, offset: Array, shape: tuple[int, ...]) -> Rows:
        """Make one row of those that have the same root, as `dhess.kernels.labels.unite` gives it.

        The rows are in the order of the roots.
        """
        order = np.argsort(root, kind="stable")
        moved = self._moved(offset, shape).take(order)
        begin = np.flatnonzero(np.diff(root[order], prepend=-1))
        if len(begin) == len(root):
            return moved
        best = _best(moved, begin)
        return Rows(
            np.add.reduceat(moved.size, begin),
            np.minimum.reduceat(moved.first, begin),
            moved.value[best],
            moved.place[best],
            moved.field[best],
            np.minimum.reduceat(moved.low, begin),
            np.maximum.reduceat(moved.high, begin),
            np.add.reduceat(moved.sums, begin),
        )

    def _moved(self, offset: Array, shape: tuple[int, ...]) -> Rows:
        """Move each by so many periods."""
        if not offset.any():
            return self
        by = offset * np.array(shape)
        sums = self.sums.copy()
        sums[:, 1:] += offset[:, :, None] * self.sums[:, :1]
        return replace(self, low=self.low + by, high=self.high + by, sums=sums)

    def totals(self) -> Array:
        """Return the sums as numbers, shape (m, 1 + dims), in shares of the largest cell."""
        totals: Array = np.empty(self.sums.shape[:-1])
        for begin in range(0, len(self), TOGETHER):
            part = self.sums[begin : begin + TOGETHER].astype(object)  # which does not overflow
            exact = np.zeros(part.shape[:-1], object)
            for limb in range(LIMBS):
                exact = (
                    (exact << 2 * HALF) + (part[..., 2 * limb] << HALF) + part[..., 2 * limb + 1]
                )
            totals[begin : begin + TOGETHER] = exact.astype(np.float64)
        totals /= SCALE**LIMBS
        return totals


def _best(rows: Rows, begin: Array) -> Array:
    """Return which row of each group has the smallest value; of equal ones, the first place."""
    group = np.zeros(len(rows), np.int64)
    group[begin[1:]] = 1
    group = np.cumsum(group)
    order = np.lexsort((rows.place, rows.value, group))
    best: Array = order[np.flatnonzero(np.diff(group[order], prepend=-1))]
    return best


def none(ndim: int, dtype: np.dtype[Any]) -> Rows:
    """Return no rows."""
    whole, real = np.empty(0, np.int64), np.empty(0)
    corner, sums = np.empty((0, ndim), np.int64), np.empty((0, 1 + ndim, 2 * LIMBS), np.int64)
    return Rows(whole, whole, real, whole, np.empty(0, dtype), corner, corner, sums)


def rows_of(
    runs: Runs, ranges: tuple[Range, ...], data: Array, cells: Cells, shape: tuple[int, ...]
) -> Rows:
    """Sum up the regions of a box.

    Parameters
    ----------
    runs
        The regions, with the measure on their points.
    ranges
        Of the box; they may go over the ends of axes that wrap.
    data
        The field on the points of the box.
    cells
        Of the whole grid.
    shape
        Of the whole array.
    """
    ndim = len(shape)
    rows = _blank(runs.number, ndim, data.dtype.newbyteorder("="))
    if not runs.number:
        return rows
    longest = max(runs.shape)
    widths, places = np.ones((ndim, longest)), np.zeros((ndim, longest))
    around, flat = np.zeros((2, ndim, longest), np.int64)
    for d, ((a, b), size, stride) in enumerate(zip(ranges, shape, strides_of(shape), strict=True)):
        index = np.arange(a, b)
        widths[d, : b - a], places[d, : b - a] = cells.cut(d, index % size)
        around[d, : b - a], flat[d, : b - a] = index // size, index % size * stride
    sum_up(
        runs.found, np.array(runs.shape, np.int64), np.array([a for a, _ in ranges], np.int64),
        widths, places, around, flat,
        np.empty(ndim, np.int64),
        rows.size, rows.low, rows.high, rows.value, rows.place, rows.first, rows.sums,
    )  # fmt: skip
    where = np.unravel_index(rows.place, shape)
    inside = tuple((i - a) % size for i, (a, _), size in zip(where, ranges, shape, strict=True))
    return replace(rows, field=data[inside].astype(rows.field.dtype))


def _blank(number: int, ndim: int, dtype: np.dtype[Any]) -> Rows:
    large = np.iinfo(np.int64).max
    return Rows(
        np.zeros(number, np.int64),
        np.full(number, large),
        np.full(number, np.inf),
        np.full(number, large),
        np.zeros(number, dtype),
        np.full((number, ndim), large),
        np.full((number, ndim), -large),
        np.zeros((number, 1 + ndim, 2 * LIMBS), np.int64),
    )
