"""Weights cut to a box of points, in the two forms that kernels take: differences, and rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from dhess.stencil import Operator, Stencil

    Array = np.ndarray[Any, np.dtype[Any]]
    Range = tuple[int, int]


MOST_ROWS = 256
"""Ranges of an operator whose rows are kept for the next block."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of an operator for a range of points, in both forms that kernels take."""

    starts: Array
    """First node minus index, shape (points,)."""
    widths: Array
    weights: Array
    """Shape (width, points)."""
    sizes: Array
    """Sum of the sizes of each row's weights, shape (points,)."""
    differences: tuple[Array, Array, Array, Array]
    """Plus, minus and factor, shape (points, most), in steps along the axis; count (points,)."""

    @classmethod
    def of(cls, op: Operator, points: Range, *, second: bool) -> Rows:
        """Look up rows and take them apart."""
        index = np.arange(*points)
        starts, weights = op.rows(index)
        starts = starts - index
        widths = weights.shape[1] - np.argmax(weights[:, ::-1] != 0, axis=1)
        differences = differences_of(starts, widths, weights, second=second)
        return cls(starts, widths, weights.T, np.abs(weights).sum(axis=1), differences)


_known: MutableMapping[Operator, dict[Range, Rows]] = WeakKeyDictionary()


def rows_of(op: Operator, points: Range, *, second: bool) -> Rows:
    """Return the rows of an operator: looked up once for all blocks where they are alike."""
    known = _known.setdefault(op, {})
    points = op.alike(points)
    rows = known.get(points)
    if rows is None:
        rows = Rows.of(op, points, second=second)
        if len(known) >= MOST_ROWS:
            known.clear()
        known[points] = rows
    return rows


def differences_of(
    starts: Array, widths: Array, weights: Array, *, second: bool
) -> tuple[Array, Array, Array, Array]:
    """Write rows of weights that sum to zero as differences: plus, minus, factor, count.

    A central row becomes differences over its middle, any other one differences from its first
    node: both give exactly zero on a constant, and touch no node of weight zero.

    Examples
    --------
    >>> one = np.ones(1, int)
    >>> row = np.array([[1.0, -2.0, 1.0]])
    >>> plus, minus, factor, _ = differences_of(-one, 3 * one, row, second=True)
    >>> plus, minus, factor
    (array([[ 1, -1]]), array([[0, 0]]), array([[1., 1.]]))
    """
    most = max(weights.shape[1] - 1, 1)
    plus, minus = np.zeros((2, len(starts), most), np.int64)
    factor = np.zeros((len(starts), most))
    count = np.zeros(len(starts), np.int64)

    def add(rows: Array, ahead: Array, behind: Array, weight: Array) -> None:
        used = weight != 0
        rows = rows[used]
        plus[rows, count[rows]], minus[rows, count[rows]] = ahead[used], behind[used]
        factor[rows, count[rows]] = weight[used]
        count[rows] += 1

    for width in np.unique(widths):
        of_width = np.flatnonzero(widths == width)
        w, half = weights[of_width, :width], width // 2
        mirrored = w[:, ::-1] if second else -w[:, ::-1]
        central = (width % 2 == 1) & (starts[of_width] == -half) & (w == mirrored).all(axis=1)
        rows, w_rows = of_width[central], w[central]
        for t in range(1, width - half):
            far = np.full(len(rows), t)
            if second:
                add(rows, far, 0 * far, w_rows[:, half + t])
                add(rows, -far, 0 * far, w_rows[:, half + t])
            else:
                add(rows, far, -far, w_rows[:, half + t])
        rows, w_rows = of_width[~central], w[~central]
        for t in range(1, width):
            add(rows, starts[rows] + t, starts[rows], w_rows[:, t])
    return plus, minus, factor, count


class Table:
    """Nodes and weights of ranges of points, each looked up once for all boxes of a block."""

    def __init__(self, stencil: Stencil) -> None:
        self.stencil = stencil
        self._nodes: dict[tuple[int, Range], Range] = {}

    def nodes(self, d: int, points: Range) -> Range:
        """Return the range of indices that points read along a dimension."""
        if (d, points) not in self._nodes:
            axis = self.stencil.along(d)
            self._nodes[d, points] = points if axis is None else axis.nodes(*points)
        return self._nodes[d, points]

    def rows(self, k: int, points: Range) -> tuple[Rows | None, Rows | None]:
        """Return the rows of the first and the second derivative along an axis."""
        first, second = self.stencil.axes[k].first, self.stencil.axes[k].second
        return (
            None if first is None else rows_of(first, points, second=False),
            None if second is None else rows_of(second, points, second=True),
        )

    def differences(
        self, ranges: tuple[Range, ...], strides: dict[int, int], *, even: bool, row: int
    ) -> tuple[Array, Array, Array, Array]:
        """Return the differences of all axes but the row, in elements of the block."""
        found = []
        for k, axis in enumerate(self.stencil.axes):
            d = axis.axis.position
            if k != row:
                a, b = ranges[d]
                both = self.rows(k, (a, a + 1 if even else b))
                found += [(o, k, strides[d], r) for o, r in enumerate(both) if r is not None]
        n = len(self.stencil.axes)
        longest = max((len(r.starts) for *_, r in found), default=1)
        most = max((r.differences[0].shape[1] for *_, r in found), default=1)
        plus, minus = np.zeros((2, 2, n, longest, most), np.int64)
        factor = np.zeros((2, n, longest, most))
        count = np.zeros((2, n, longest), np.int64)
        for o, k, stride, r in found:
            size, width = r.differences[0].shape
            plus[o, k, :size, :width] = r.differences[0] * stride
            minus[o, k, :size, :width] = r.differences[1] * stride
            factor[o, k, :size, :width] = r.differences[2]
            count[o, k, :size] = r.differences[3]
        return plus, minus, factor, count

    def noise(self, ranges: tuple[Range, ...], dtype: np.dtype[Any], *, even: bool) -> Array:
        """Return what the rounding of data makes of derivatives, per unit of the field.

        Shape (2, n, longest range), or (2, n, 1) where all weights are the same.
        """
        # Four roundings: of the value, of its coordinate, and of what made it of that.
        epsilon = 4 * float(np.finfo(dtype if dtype.char in "efd" else np.float64).eps)
        parts = [ranges[s.axis.position] for s in self.stencil.axes]
        parts = [(a, a + 1) for a, _ in parts] if even else parts
        noise = np.zeros((2, len(parts), max(b - a for a, b in parts)))
        for k, part in enumerate(parts):
            for o, rows in enumerate(self.rows(k, part)):
                if rows is not None:
                    noise[o, k, : len(rows.sizes)] = epsilon * rows.sizes
        return noise

    def along_row(self, k: int, points: Range) -> tuple[Array, Array, Array]:
        """Return starts, widths and weights of both derivatives, point by point."""
        if k < 0:
            points = (0, 0)
        size = points[1] - points[0]
        both = self.rows(k, points) if size else (None, None)
        widest = max((len(r.weights) for r in both if r is not None), default=1)
        starts, widths = np.zeros((2, 2, size), np.int64)
        weights = np.zeros((2, widest, size))
        for o, r in enumerate(both):
            if r is not None:
                starts[o], widths[o] = r.starts, r.widths
                weights[o, : len(r.weights)] = r.weights
        return starts, widths, weights


def pieces(starts: Array, widths: Array) -> Array:
    """Return for each index up to which one starts and widths stay the same.

    Examples
    --------
    >>> pieces(np.array([[0, -1, -1, -2]]), np.array([[3, 3, 3, 3]])).tolist()
    [1, 3, 3, 4]
    """
    alike = np.concatenate([starts, widths])
    changes = np.flatnonzero((alike[:, 1:] != alike[:, :-1]).any(axis=0)) + 1
    ends = np.append(changes, alike.shape[1])
    return np.repeat(ends, np.diff(ends, prepend=0))
