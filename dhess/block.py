"""A part of an array: the points to compute, and the data around them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Block:
    """A part of the array, with the ghost cells that its points need.

    Along a wrapped axis that it holds whole it has no ghost cells: they are taken from its far end.
    """

    data: Array
    origin: tuple[int, ...]
    """Global index of the first element of data."""
    ranges: tuple[Range, ...]
    """Global range of the points to compute, per dimension."""

    def holds(self, d: int, nodes: Range) -> bool:
        """Tell whether the data has a range of indices along a dimension as neighbours."""
        first = self.origin[d]
        return first <= nodes[0] and nodes[1] <= first + self.data.shape[d]

    def take(self, nodes: tuple[Range, ...]) -> Array:
        """Return the data at ranges of indices; only what lies over a seam is copied."""
        held = [self.holds(d, r) for d, r in enumerate(nodes)]
        starts = [first - o for (first, _), o in zip(nodes, self.origin, strict=True)]
        stops = [last - o for (_, last), o in zip(nodes, self.origin, strict=True)]
        data = self.data[
            tuple(
                slice(a, b) if near else slice(None)
                for a, b, near in zip(starts, stops, held, strict=True)
            )
        ]
        for d, near in enumerate(held):
            if not near:
                data = _around(data, d, starts[d], stops[d])
        return data


def _around(data: Array, d: int, start: int, stop: int) -> Array:
    """Return what lies between two indices of a dimension that starts over.

    Slices of it are joined: `numpy.take` would move the elements one by one (measured: 5 times
    slower).
    """
    size = data.shape[d]
    turns = range(start // size, -(-stop // size))
    before = (slice(None),) * d
    pieces = [
        data[(*before, slice(max(start - t * size, 0), min(stop - t * size, size)))] for t in turns
    ]
    return np.concatenate(pieces, axis=d)


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the elements between neighbours of a C-ordered array."""
    products = itertools.accumulate(reversed(shape[1:]), lambda a, b: a * b, initial=1)
    return tuple(products)[::-1]


def readable(data: Array) -> bool:
    """Tell whether kernels can read data in place."""
    return data.dtype.char in "fd" and data.dtype.isnative and data.flags.c_contiguous
