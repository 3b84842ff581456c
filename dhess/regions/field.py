"""The field of labels: which region each point belongs to.

Blocks are labelled again, each cell at once. Regions of a cell are numbered by their first points
in both passes, so a table of numbers turns one into the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize

from dhess.block import Block, strides_of
from dhess.kernels.labels import label, steps
from dhess.pieces import turns
from dhess.regions.blocks import measured
from dhess.sweep import read
from dhess.tables import Table

if TYPE_CHECKING:
    from dhess.regions.gathering import Labelled
    from dhess.stored import Stored
    from dhess.tables import Array, Range

    Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Relabelling:
    """What all cells share."""

    labelled: Labelled
    stored: Stored | None

    def cell(self, ranges: tuple[Range, ...], table: Array, data: Array | None = None) -> Array:
        """Return the regions of the points of a cell, 0 where there is none.

        ``table`` holds the region of each label of the cell, from label 1 on.
        """
        searched, asked = self.labelled.searched, self.labelled.asked
        region = self.region(ranges)
        if data is None:
            assert self.stored is not None
            data, _ = read(self.stored, region)
        block = Block(data, tuple(a for a, _ in region), ())
        values = measured(Table(searched.stencil), asked.measure, asked.dtype, block, ranges)
        labels, number = label(values, asked.threshold, steps(asked.connected, full=asked.full))
        new = np.zeros(number + 1, np.int64)
        new[1:][_by_first(labels, number, ranges, searched.values.shape)] = table
        found: Array = new[labels]
        return found

    def region(self, ranges: tuple[Range, ...]) -> tuple[Range, ...]:
        """Return what a cell reads."""
        stencil = self.labelled.searched.stencil
        axes = [stencil.along(d) for d in range(len(ranges))]
        return tuple(
            r if axis is None else axis.around(*r) for axis, r in zip(axes, ranges, strict=True)
        )


def _by_first(
    labels: Array, number: int, ranges: tuple[Range, ...], shape: tuple[int, ...]
) -> Array:
    """Return the order of labels by their first points in the array, not in the cell."""
    if all(a >= 0 and b <= size for (a, b), size in zip(ranges, shape, strict=True)):
        return np.arange(number)
    first = np.full(number, np.iinfo(np.int64).max)
    at = np.nonzero(labels)
    index = (
        (i + a) % size * stride
        for i, (a, _), size, stride in zip(at, ranges, shape, strides_of(shape), strict=True)
    )
    np.minimum.at(first, labels[at] - 1, sum(index))
    return np.argsort(first)


def labels_field(labelled: Labelled, tables: dict[int, Array]) -> da.Array:
    """Return the lazy field of regions, given the table of each cell by its number."""
    searched, tiling = labelled.searched, labelled.tiling
    bounds = [_bounds(labelled, d) for d in range(len(tiling.shape))]
    shared = Relabelling(labelled, searched.stored)
    late = dask.delayed(shared, pure=True, traverse=False)
    cells = np.empty(tiling.counts, object)
    token = tokenize(searched.values.name, labelled.asked.threshold, labelled.asked.full)
    for index in product(*map(range, tiling.counts)):
        ranges = tuple(row[i] for row, i in zip(bounds, index, strict=True))
        data: Any = None
        if searched.stored is None:
            data = _taken(searched.values, shared.region(ranges))
        number = tiling.number(index)
        name = f"regions-labels-{token}-{number}"
        value = late.cell(ranges, tables[number], data, dask_key_name=name)
        cells[index] = da.from_delayed(value, tuple(b - a for a, b in ranges), np.int64)
    field = da.block(cells.tolist())
    for d, row in enumerate(bounds):
        over = -row[0][0]
        if over:  # the first cell begins at the far end of an axis that wraps
            before = (slice(None),) * d
            parts = [field[(*before, slice(over, None))], field[(*before, slice(None, over))]]
            field = da.concatenate(parts, axis=d)
    return field


def _bounds(labelled: Labelled, d: int) -> list[Range]:
    """Return the ranges of the cells along a dimension."""
    searched = labelled.searched
    found: list[Range] = []
    for window in searched.along[d]:
        whole = tuple((0, 1) for _ in searched.sizes[:d])
        rest = tuple((0, 1) for _ in searched.sizes[d + 1 :])
        for piece in searched.layout((*whole, window, *rest)).pieces[d]:
            low = piece.inner[0] if piece.seam is None else piece.seam[0]
            found.append((low, max(piece.inner[1], piece.seam[1] if piece.seam else low)))
    return found


def _taken(values: da.Array, region: tuple[Range, ...]) -> da.Array:
    """Return a part of an array; what lies beyond its ends comes from the other end."""
    for d, part in enumerate(region):
        before = (slice(None),) * d
        near = [values[(*before, slice(a, b))] for (a, b), _ in turns(part, values.shape[d])]
        values = da.concatenate(near, axis=d) if len(near) > 1 else near[0]
    return values
