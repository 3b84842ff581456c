"""One derivative along one axis: for each grid index a start and a row of weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dhess.grid.axis import Ints
    from dhess.grid.coordinate import Floats


def fornberg(nodes: Floats, derivative: int) -> Floats:
    """Return the weights of the derivative at 0 on each row of nodes.

    Parameters
    ----------
    nodes
        Positions relative to the place of the derivative, shape (rows, width).
    derivative
        Which derivative, below width.

    Returns
    -------
    Shape (rows, width); exact for polynomials of degree below width.

    Notes
    -----
    B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids",
    Mathematics of Computation 51 (1988), 699-706, run on all rows at once.

    Examples
    --------
    >>> fornberg(np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 2.0]]), 1)
    array([[-0.5,  0. ,  0.5],
           [-1.5,  2. , -0.5]])
    """
    rows, width = nodes.shape
    # In units of a power of two, which changes no bit, products of distances stay in range.
    unit = np.ldexp(1.0, np.frexp(np.abs(nodes).max(axis=1))[1])
    nodes = nodes / unit[:, None]
    c = np.zeros((derivative + 1, rows, width))
    c[0, :, 0] = 1.0
    product = np.ones(rows)
    for i in range(1, width):
        before, product = product, np.ones(rows)
        for j in range(i):
            apart = nodes[:, i] - nodes[:, j]
            product = product * apart
            if j == i - 1:
                for m in range(derivative, -1, -1):
                    lower = m * c[m - 1, :, j] if m else 0.0
                    c[m, :, i] = before / product * (lower - nodes[:, j] * c[m, :, j])
            for m in range(derivative, -1, -1):
                lower = m * c[m - 1, :, j] if m else 0.0
                c[m, :, j] = (nodes[:, i] * c[m, :, j] - lower) / apart
    weights: Floats = c[derivative] / unit[:, None] ** derivative
    return weights


@dataclass(frozen=True, eq=False)
class Operator:
    """One derivative along one axis: (D f)_i = sum over t of weights[i, t] f[start[i] + t].

    Rows between ``low`` and ``high`` start at i - reach, the ends have rows of their own; those of
    a wrapped axis reach beyond it. An even axis keeps a single row for the whole interior, so that
    its size does not matter.
    """

    size: int
    low: int
    high: int
    reach: int
    inner: Floats
    """Weights of the interior, shape (1, width) if even, else (high - low, width)."""
    ends: tuple[Ints, Floats]
    """Starts and weights of the indices below ``low`` and from ``high`` on."""
    widths: tuple[int, int]
    """Nodes of an interior row, and of a one-sided one."""

    def rows(self, index: Ints) -> tuple[Ints, Floats]:
        """Return starts, shape (len(index),), and weights, shape (len(index), width).

        Weights are aligned left, so that the first of each row is not zero, and filled with zeros
        on the right.
        """
        starts = index - self.reach
        width = max(self.inner.shape[1], self.ends[1].shape[1])
        weights = np.zeros((index.size, width))
        inside = (index >= self.low) & (index < self.high)
        if inside.any():
            pick = index[inside] - self.low if len(self.inner) > 1 else index[inside] * 0
            weights[inside, : self.inner.shape[1]] = self.inner[pick]
        outside = ~inside
        k = np.where(index < self.low, index, index - self.high + self.low)[outside]
        starts[outside] = self.ends[0][k]
        weights[outside, : self.ends[1].shape[1]] = self.ends[1][k]
        return _left_aligned(starts, weights)

    def alike(self, points: tuple[int, int]) -> tuple[int, int]:
        """Return the first range of points with the same rows as these, relative to the index."""
        first, last = points
        same = len(self.inner) == 1 and self.low <= first and last <= self.high
        return (self.low, self.low + last - first) if same else points

    def nodes(self, index: Ints) -> tuple[int, int]:
        """Return the range of indices that some rows read."""
        starts, weights = self.rows(index)
        used = weights.shape[1] - np.argmax(weights[:, ::-1] != 0, axis=1)
        return int(starts.min()), int((starts + used).max())


def _left_aligned(starts: Ints, weights: Floats) -> tuple[Ints, Floats]:
    for _ in range(weights.shape[1] - 1):
        empty = weights[:, 0] == 0
        if not empty.any():
            break
        weights[empty] = np.roll(weights[empty], -1, axis=1)
        starts = starts + empty
    return starts, weights
