"""Connected components of the points below a limit, and regions that are one.

Labels are numbered from 1 on in C order of their first points; 0 is no region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.kernels.compiled import Kernel, inner
from dhess.kernels.runs import Found, find_runs, join_runs, paint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Runs:
    """The runs of the points of a box that are below a limit, and the regions that they make."""

    def __init__(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], steps: NDArray[np.int64]
    ) -> None:
        last = len(shape) - 1
        within = ~steps[:, :last].any(axis=1)
        self.shape, self.steps = shape, np.ascontiguousarray(steps[~within])
        self.along = bool(within.any())
        self.found = Found.of(shape, dtype, along=self.along)
        self.number = 0
        """Regions."""
        self._row, self._kept = 0, 0

    def add(self, values: NDArray[Any], limit: float) -> None:
        """Find the runs of the next rows."""
        kind = values.dtype.type
        with np.errstate(over="ignore"):
            top = kind(limit)
        if float(top) < limit:  # in the values' own type, without a value between the two
            top = np.nextafter(top, kind(np.inf))
        flat, count = values.reshape(-1), self.shape[-1]
        self._kept = find_runs(flat, top, count, self.along, self._row, self._kept, self.found)
        self._row += flat.size // count

    def join(self) -> None:
        """Join those that touch, once all rows are there."""
        shape = np.array(self.shape, np.int64)
        self.number = int(join_runs(shape, self.steps, np.empty_like(shape), self.found))

    @property
    def nans(self) -> int:
        """Values that are NaN."""
        return int(self.found.nans.sum())

    @property
    def least(self) -> float:
        """The smallest value; infinite if there is none."""
        return float(self.found.least.min())

    def labels(self, ranges: Sequence[tuple[int, int]]) -> NDArray[Any]:
        """Return the region of each point in a part of the box, 0 if there is none."""
        low, high = np.array(ranges, np.int64).T.copy()
        out = np.zeros(high - low, self.found.above.dtype)
        shape = np.array(self.shape, np.int64)
        paint(shape, low, high, np.empty_like(shape), self.found, out.reshape(-1))
        return out


def label(values: NDArray[Any], limit: float, steps: NDArray[np.int64]) -> tuple[NDArray[Any], int]:
    """Label the points whose value is below a limit; NaN never is.

    Parameters
    ----------
    values
        C-contiguous, float32 or float64, of any number of dimensions.
    limit
        What the values of a region are below.
    steps
        From a point to its neighbours: those that come before it in C order, shape (m, dims).

    Returns
    -------
    labels
        Of the values' shape; int32 where that is enough.
    number
        How many regions there are.

    Examples
    --------
    >>> grid = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
    >>> label(grid, 0.5, steps((True, True), full=False))
    (array([[1, 0, 1],
           [1, 0, 1],
           [1, 1, 1]], dtype=int32), 1)
    """
    if not values.size:
        return np.zeros(values.shape, np.int32), 0
    runs = Runs(values.shape, values.dtype, steps)
    runs.add(values, limit)
    runs.join()
    return runs.labels([(0, size) for size in values.shape]), runs.number


def steps(connected: tuple[bool, ...], *, full: bool) -> NDArray[np.int64]:
    """Return the steps to the neighbours that come before a point in C order.

    Parameters
    ----------
    connected
        Along which dimensions points are neighbours.
    full
        Whether those that only touch at an edge or a corner are neighbours too.

    Examples
    --------
    >>> steps((True, True), full=True).tolist()
    [[-1, -1], [-1, 0], [-1, 1], [0, -1]]
    """
    sides = [(-1, 0, 1) if each else (0,) for each in connected]
    every = np.array(np.meshgrid(*sides, indexing="ij"), np.int64).reshape(len(connected), -1).T
    if not full:
        every = every[np.abs(every).sum(axis=1) == 1]
    first = np.zeros(len(every), np.int64)
    for d in reversed(range(len(connected))):
        first = np.where(every[:, d] != 0, every[:, d], first)
    return np.ascontiguousarray(every[first < 0])


@inner
def _climb(parent, offset, i, around):  # type: ignore[no-untyped-def]
    """Return the root of i, and in ``around`` how far around i lies from it; halve the way."""
    for d in range(around.size):
        around[d] = 0
    while parent[i] != i:
        above = parent[i]
        if parent[above] != above:
            for d in range(around.size):
                offset[i, d] += offset[above, d]
            parent[i] = parent[above]
        for d in range(around.size):
            around[d] += offset[i, d]
        i = parent[i]
    return i


def _unite_rows(pairs, turns, parent, offset, wraps, one, two):  # type: ignore[no-untyped-def]
    n = one.size
    for k in range(pairs.shape[0]):
        a = _climb(parent, offset, pairs[k, 0], one)
        b = _climb(parent, offset, pairs[k, 1], two)
        low, high, sign = (a, b, 1) if a < b else (b, a, -1)
        for d in range(n):
            further = one[d] + turns[k, d] - two[d]
            if a != b:
                offset[high, d] = sign * further
            elif further != 0:
                wraps[a, d] = True
        parent[high] = low
    for i in range(parent.size):
        root = _climb(parent, offset, i, one)
        if root != i:
            parent[i] = root
            for d in range(n):
                offset[i, d] = one[d]
                wraps[root, d] = wraps[root, d] or wraps[i, d]


_unite = Kernel(_unite_rows)


def unite(
    number: int, pairs: NDArray[np.int64], turns: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Join regions that are one.

    Parameters
    ----------
    number
        How many there are.
    pairs
        Those that touch, shape (m, 2).
    turns
        How many periods further along each dimension the second one's own indices are, where it
        touches the first, shape (m, dims).

    Returns
    -------
    root
        The first of those that each is one with, shape (number,).
    offset
        How many periods its own indices lie from the root's, shape (number, dims).
    wraps
        Along which dimensions a root goes all the way around, shape (number, dims).

    Examples
    --------
    >>> pairs, turns = np.array([[0, 1], [1, 2], [2, 0]]), np.array([[0], [0], [1]])
    >>> root, offset, wraps = unite(4, pairs, turns)
    >>> root.tolist(), wraps.ravel().tolist()
    ([0, 0, 0, 3], [True, False, False, False])
    """
    n = turns.shape[1]
    parent = np.arange(number, dtype=np.int64)
    offset, wraps = np.zeros((number, n), np.int64), np.zeros((number, n), np.bool_)
    scratch = np.zeros((2, n), np.int64)
    _unite(
        np.ascontiguousarray(pairs, np.int64), np.ascontiguousarray(turns, np.int64),
        parent, offset, wraps, scratch[0], scratch[1],
    )  # fmt: skip
    return parent, offset, wraps
