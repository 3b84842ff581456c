"""Weights at a place: of the value, of the slope and of the curvature along each axis.

On a grid point they are the rows of the operators. Between two points they are those of the
polynomial through the order + 2 nodes around the place, by Fornberg's recursion at the place
itself; so a second derivative is exact for degree order + 1, as that of the operators is.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from dhess.stencil import fornberg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.grid import Axis
    from dhess.grid.coordinate import Floats
    from dhess.local.place import Place
    from dhess.stencil import AxisStencil
    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Rows:
    """The weights along one axis."""

    nodes: Range
    """Indices of the grid points, which may lie beyond the ends of a wrapped axis."""
    weights: Array
    """Of the value, the first and the second derivative, shape (3, nodes)."""


def usual_rows(axis: AxisStencil, place: Place, order: int) -> Rows:
    """Return the weights at a place where nothing is missing."""
    if place.fraction:
        return polynomial_rows(axis.axis, place, _window(axis.axis, place.index, order + 2))
    index = np.array([place.index])
    nodes = axis.nodes(place.index, place.index + 1)
    weights = np.zeros((3, nodes[1] - nodes[0]))
    weights[0, place.index - nodes[0]] = 1.0
    for row, operator in zip(weights[1:], (axis.first, axis.second), strict=True):
        assert operator is not None
        starts, given = operator.rows(index)
        kept = np.flatnonzero(given[0])
        row[kept + starts[0] - nodes[0]] = given[0, kept]
    return Rows(nodes, weights)


def polynomial_rows(axis: Axis, place: Place, nodes: Range) -> Rows:
    """Return the weights of the polynomial through some nodes; NaN where they are too few.

    Examples
    --------
    >>> from dhess.grid import Axis
    >>> from dhess.local.place import Place
    >>> polynomial_rows(Axis("x", 0, 9, 0.5), Place(3, 0.5, 1.75), (2, 6)).weights
    array([[-0.0625    ,  0.5625    ,  0.5625    , -0.0625    ],
           [ 0.08333333, -2.25      ,  2.25      , -0.08333333],
           [ 2.        , -2.        , -2.        ,  2.        ]])
    """
    index = np.arange(*nodes)
    away: Floats
    if axis.step is not None:
        # In steps, as the operators have it: the step enters once.
        away, unit = index - np.float64(place.index + place.fraction), axis.step
    else:
        low, high = axis.at(np.array([place.index, place.index + 1]))
        away, unit = axis.at(index) - (low + place.fraction * (high - low)), 1.0
    weights = np.full((3, index.size), np.nan)
    for derivative in range(min(3, index.size)):
        weights[derivative] = fornberg(away[None, :], derivative)[0] / unit**derivative
    return Rows(nodes, weights)


def _window(axis: Axis, index: int, width: int) -> Range:
    """Return so many nodes, half of them on each side of a cell, pushed inwards at an end."""
    first = index + 1 - width // 2
    if axis.period is None:
        first = min(max(first, 0), axis.size - width)
    return first, first + width


def reachable(axis: AxisStencil, place: Place, order: int) -> Range:
    """Return the range of indices that any rows at a place may read."""
    first, last = usual_rows(axis, place, order).nodes
    if not axis.adapts:
        return first, last
    around = axis.around(place.index, place.index + 1)
    wide = place.index - order - 1, place.index + order + 3
    if axis.axis.period is None:
        wide = max(wide[0], 0), min(wide[1], axis.axis.size)
    return min(first, around[0], wide[0]), max(last, around[1], wide[1])


def grown(valid: Array, cell: tuple[Range, ...], most: int) -> tuple[Range, ...] | None:
    """Return a box of valid points around a cell; None where a corner of that is missing.

    It is the largest cube of up to ``most`` points along each axis, of such the most central one,
    made longer along the axes where that can be.

    Examples
    --------
    >>> valid = np.array([1, 1, 0, 1, 1, 1, 1, 1], bool)
    >>> grown(valid, ((3, 5),), 4)
    ((3, 7),)
    """
    for width in range(most, 0, -1):
        windows = [
            _windows(width, each, size) for each, size in zip(cell, valid.shape, strict=True)
        ]
        found = [box for box in product(*windows) if valid[_slices(box)].all()]
        if found:
            return _longer(valid, min(found, key=lambda box: _lean(box, cell)), most)
    return None


def _windows(width: int, cell: Range, size: int) -> list[Range]:
    """Return the ranges of a width around a cell; wide ones end where the axis does."""
    low, high = cell
    width = min(max(width, high - low), size)
    return [(a, a + width) for a in range(max(high - width, 0), min(low, size - width) + 1)]


def _lean(box: tuple[Range, ...], cell: tuple[Range, ...]) -> int:
    return sum(abs(a + b - low - high) for (a, b), (low, high) in zip(box, cell, strict=True))


def _longer(valid: Array, cube: tuple[Range, ...], most: int) -> tuple[Range, ...]:
    box = list(cube)
    for k, size in enumerate(valid.shape):
        for a, b in (-1, 0), (0, 1):
            wider = list(box)
            while True:
                wider[k] = box[k][0] + a, box[k][1] + b
                inside = wider[k][0] >= 0 and wider[k][1] <= size
                if not inside or wider[k][1] - wider[k][0] > most:
                    break
                if not valid[_slices(wider)].all():
                    break
                box[k] = wider[k]
    return tuple(box)


def _slices(box: Sequence[Range]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in box)
