"""The samples around a cell, its own and its neighbours': where they stand, and which are equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dhess.kernels.compiled import inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALVINGS = 26
"""How often a box is halved along each axis; what is left then is a degenerate zero."""

ON_FACE = 1e-5
"""Distance from a face, in cells, within which a zero may be found from both its sides."""


class Shape(NamedTuple):
    """Where samples and coefficients of a cell stand, in n dimensions."""

    n: int
    size: int
    """Coefficients of one component."""
    reach: int
    """1: a cell comes with its own 3**n samples. 2: those of its neighbours come too, 5**n."""
    corner: int
    """Which of them is the first of the cell's own."""
    strides: NDArray[np.int64]
    """Of those samples."""
    places: NDArray[np.int64]
    inside: NDArray[np.int64]
    digits: NDArray[np.int64]
    """See `dhess.kernels.bernstein`."""

    @classmethod
    def of(cls, n: int, reach: int) -> Shape:
        """Make the tables.

        Examples
        --------
        >>> Shape.of(2, 1).digits[0].tolist()
        [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
        """
        size = 2 * 3 ** (n - 1)
        strides = (2 * reach + 1) ** np.arange(n - 1, -1, -1)
        widths = np.where(np.eye(n, dtype=bool), 2, 3)
        digits = np.stack([np.stack(np.unravel_index(range(size), w), axis=1) for w in widths])
        inside = np.stack([[np.prod(w[j + 1 :], dtype=int) for j in range(n)] for w in widths])
        corner = (reach - 1) * int(strides.sum())
        return cls(n, size, reach, corner, strides, digits @ strides, inside, digits)


class Scratch(NamedTuple):
    """Scratch of `solve_cells`."""

    stack: NDArray[np.float64]
    """Coefficients of the boxes that wait."""
    low: NDArray[np.float64]
    """Their lower corners, in cells."""
    level: NDArray[np.int64]
    """How often they were halved."""
    basis: NDArray[np.float64]
    parts: NDArray[np.float64]
    """Of `dhess.kernels.bernstein.evaluate`."""
    raised: NDArray[np.float64]
    """Coefficients of the components, all of one degree, and of a sum of them."""
    vectors: NDArray[np.float64]
    matrices: NDArray[np.float64]
    at: NDArray[np.int64]

    @classmethod
    def of(cls, n: int) -> Scratch:
        """Allocate it."""
        deep = HALVINGS * n + 3
        return cls(
            np.empty((deep, 2 * n * 3 ** (n - 1))),
            np.empty((deep, n)),
            np.zeros(deep, np.int64),
            np.empty((4, n, 3)),
            np.empty((1 + n, 3 ** (n - 1))),
            np.empty((1 + n, 3**n)),
            np.empty((6, n)),
            np.empty((5, n, n)),
            np.empty(n, np.int64),
        )


@inner
def is_flat(near, centre, shape, at):  # type: ignore[no-untyped-def]
    """Tell whether all samples of the cell around a sample are equal."""
    value = near[centre]
    for j in range(shape.n):
        at[j] = -1
    while True:
        p = centre
        for j in range(shape.n):
            p += at[j] * shape.strides[j]
        if near[p] != value:  # also if one is NaN
            return False
        j = shape.n - 1
        while j >= 0 and at[j] == 1:
            at[j] = -1
            j -= 1
        if j < 0:
            return True
        at[j] += 1


@inner
def touches_flat(near, shape, t, any_side, at):  # type: ignore[no-untyped-def]
    """Tell whether a neighbour that holds the place t on its rim is flat; any one if told so."""
    centre = shape.corner + shape.strides.sum()
    total = 1
    for _ in range(shape.n):
        total *= 3
    for code in range(total):
        p, rest, near_by = centre, code, True
        for j in range(shape.n):
            side = rest % 3 - 1
            rest //= 3
            p += side * shape.strides[j]
            if not any_side:
                near_by = near_by and (
                    side == 0 or (t[j] < ON_FACE if side < 0 else t[j] > 1.0 - ON_FACE)
                )
        if near_by and p != centre and is_flat(near, p, shape, at):
            return True
    return False
