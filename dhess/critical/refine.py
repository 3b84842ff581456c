"""Places between the points: from the spline's to where the polynomial around is level."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dhess.kernels.eigen import symmetric_eigenvalues
from dhess.kernels.polynomial import Local, level

if TYPE_CHECKING:
    from dhess.block import Block
    from dhess.stencil import Stencil
    from dhess.tables import Array

SAMPLES = 1 << 21
"""Samples around points that are in memory at once."""

EDGE = 1e-7
"""How far beyond the end of an axis, in steps, rounding may lead."""

RADIUS = 1.0
"""How far from the spline's place, in steps, the polynomial may lead."""


@dataclass(frozen=True, eq=False)
class Windows:
    """The nodes around some points, along each axis."""

    nodes: tuple[Array, ...]
    """Global indices, beyond the ends where an axis wraps; shape (points, width) for each axis."""
    offsets: Array
    """Where they lie from the point, in its steps; shape (points, n, widest)."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Nodes along each axis."""
        return tuple(each.shape[1] for each in self.nodes)


def windows(stencil: Stencil, points: Array, steps: Array, width: int) -> Windows:
    """Return windows of so many nodes: in the middle of them the point, but at ends."""
    nodes = []
    for axis in stencil.axes:
        size, index = axis.axis.size, points[:, axis.axis.position]
        count = width if axis.axis.period is not None else min(width, size)
        start = index - width // 2
        if axis.axis.period is None:
            start = np.clip(index - count // 2, 0, size - count)
        nodes.append(start[:, None] + np.arange(count))
    offsets = np.zeros((len(points), len(nodes), max(each.shape[1] for each in nodes)))
    for k, (axis, each) in enumerate(zip(stencil.axes, nodes, strict=True)):
        index = points[:, axis.axis.position]
        away: Array = (each - index[:, None]).astype(np.float64)  # exact where steps are equal
        if not axis.axis.uniform:
            away = (axis.axis.at(each) - axis.axis.at(index)[:, None]) / steps[:, k, None]
        offsets[:, k, : each.shape[1]] = away
    return Windows(tuple(nodes), offsets)


def samples(stencil: Stencil, block: Block, points: Array, around: Windows) -> Array:
    """Return the data at the nodes, shape (points, product of the widths)."""
    n = len(stencil.axes)
    index: list[Array] = []
    shape = (len(points), *(1,) * n)
    along = {axis.axis.position: k for k, axis in enumerate(stencil.axes)}
    for d, (origin, size) in enumerate(zip(block.origin, block.data.shape, strict=True)):
        if d not in along:
            index.append((points[:, d] - origin).reshape(shape))
            continue
        k = along[d]
        held = around.nodes[k] - origin
        held = np.where((held >= 0) & (held < size), held, held % size)  # it holds the axis whole
        index.append(held.reshape(len(points), *(1,) * k, held.shape[1], *(1,) * (n - 1 - k)))
    found: Array = block.data[tuple(index)].astype(np.float64)
    return found.reshape(len(points), math.prod(around.widths))


def local_steps(stencil: Stencil, points: Array) -> Array:
    """Return half of the way from the point before to the point behind, shape (points, n).

    Beyond an end there is one as far away as that within.
    """
    return 0.5 * (beside(stencil, points, 1) - beside(stencil, points, -1))


def beside(stencil: Stencil, points: Array, side: int) -> Array:
    """Return how far it is to the next point on a side, shape (points, n)."""
    ways = []
    for axis in stencil.axes:
        index, size = points[:, axis.axis.position], axis.axis.size
        if axis.axis.step is not None:
            ways.append(np.full(len(points), side * axis.axis.step))
            continue
        other = index + side
        if axis.axis.period is None:
            other = np.where((other < 0) | (other >= size), index - side, other)
        away = np.abs(axis.axis.at(other) - axis.axis.at(index))
        ways.append(away * side * np.sign(axis.axis.steps()[0]))
    return np.stack(ways, axis=1)


def negatives(hessians: Array) -> Array:
    """Return how many eigenvalues of each Hessian are below zero; -1 where one is not finite."""
    values = np.empty(hessians.shape[:2])
    symmetric_eigenvalues(hessians.copy(), values)
    count: Array = np.where(np.isfinite(values).all(axis=1), (values < 0).sum(axis=1), -1)
    return count


def polished(
    stencil: Stencil, block: Block, points: Array, start: Array, negative: Array, tolerance: float
) -> dict[str, Array]:
    """Return what the local polynomials tell, at the places where they are level.

    A place is ``refined`` if the polynomial is level within `RADIUS` of where it began, inside the
    grid, and curves there as the spline does. Else it stays, and so it does where ``negative`` is
    below 0. Where a sample is not finite the polynomial has fewer, with nan="adapt"; without that
    the place stays.
    """
    n = len(stencil.axes)
    wide = 2 * stencil.axes[0].halo + 1
    step = max(1, SAMPLES // wide**n)
    parts = []
    for a in range(0, max(len(points), 1), step):
        here = _Places(stencil, block, points[a : a + step], tolerance)
        parts.append(here.told(start[a : a + step], negative[a : a + step], wide))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Places:
    """Some places, in steps from the point of their cell."""

    def __init__(self, stencil: Stencil, block: Block, points: Array, tolerance: float) -> None:
        self.stencil, self.block, self.points = stencil, block, points
        self.tolerance = tolerance
        self.steps = local_steps(stencil, points)

    def told(self, start: Array, negative: Array, wide: int) -> dict[str, Array]:
        """Return what is told of them, in the units of the axes."""
        count, n = self.steps.shape
        told: dict[str, Array] = {
            "refined": np.zeros(count, bool),
            "place": np.zeros((count, n)),
            "value": np.zeros(count),
            "gradient": np.zeros((count, n)),
            "hessian": np.zeros((count, n, n)),
            "bending": np.zeros((count, n)),
            "size": np.zeros(count),
        }
        left = np.arange(count)
        # Three nodes to each side the cell itself has.
        for width in range(wide, 2, -2) if self.stencil.adapts else (wide, 3):
            around = windows(self.stencil, self.points[left], self.steps[left], width)
            values = samples(self.stencil, self.block, self.points[left], around)
            fine = np.isfinite(values).all(axis=1)
            rows = left[fine]
            may = (negative[rows] >= 0) & (self.stencil.adapts or width == wide)
            radius = np.where(may, RADIUS, -1.0)
            part = around.offsets[fine], values[fine], around.widths
            self._level(told, rows, part, start / self.steps, radius)
            wrong = told["refined"][rows] & ~self._agree(told, rows, negative)
            part = around.offsets[fine][wrong], values[fine][wrong], around.widths
            self._level(
                told, rows[wrong], part, start / self.steps, np.full(int(wrong.sum()), -1.0)
            )
            left = left[~fine]
        steps = self.steps
        told["place"] *= steps
        told["gradient"] /= steps
        told["hessian"] /= steps[:, :, None] * steps[:, None, :]
        told["bending"] /= steps * steps
        return told

    def _level(
        self,
        told: dict[str, Array],
        rows: Array,
        part: tuple[Array, Array, tuple[int, ...]],
        start: Array,
        radius: Array,
    ) -> None:
        """Run Newton's method for some rows and write down what it tells."""
        offsets, values, widths = part
        if not len(rows):
            return
        middle = self.block.data[tuple((self.points[rows] - np.array(self.block.origin)).T)]
        middle = middle.astype(np.float64)  # taken off, for its digits
        local = Local.of(len(rows), start.shape[1], widths)
        level(
            values - middle[:, None],
            offsets,
            np.array(widths),
            start[rows],
            radius,
            self.tolerance,
            local,
        )
        told["refined"][rows] = local.settled
        for name in ("place", "gradient", "hessian", "bending"):
            told[name][rows] = getattr(local, name)
        told["value"][rows] = local.value + middle
        told["size"][rows] = np.abs(values).max(axis=1)

    def _agree(self, told: dict[str, Array], rows: Array, negative: Array) -> Array:
        """Tell which lie in the grid and curve as the spline does."""
        # Lengths of both signs along a descending axis turn no sign of a curvature.
        good: Array = negatives(told["hessian"][rows]) == negative[rows]
        for k, axis in enumerate(self.stencil.axes):
            if axis.axis.period is None:
                index = self.points[rows, axis.axis.position]
                ends = axis.axis.at(np.array([[0], [axis.axis.size - 1]])) - axis.axis.at(index)
                low, high = ends / self.steps[rows, k]
                place = told["place"][rows, k]
                good &= (low - EDGE <= place) & (place <= high + EDGE)
        return good
