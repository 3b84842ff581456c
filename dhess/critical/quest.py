"""What a block holds: zeros of the spline's gradient on its cells, refined, and plateaus."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from dhess.critical.found import Found, refuse
from dhess.critical.patches import candidates, patches
from dhess.critical.plateaus import plateaus
from dhess.critical.refine import beside, negatives, polished
from dhess.kernels.around import Scratch, Shape
from dhess.kernels.zeros import FLAT, OUTSIDE, UNSURE, solve_cells
from dhess.sweep import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.block import Block
    from dhess.critical.patches import Patch
    from dhess.stencil import Stencil
    from dhess.tables import Array, Range

ROWS = 1 << 12
"""Zeros that a kernel writes at once."""

AT_ONCE = 1 << 21
"""Samples around cells that are in memory at once."""


@dataclass(frozen=True, eq=False)
class Quest:
    """What is looked for: everything that is level."""

    points: tuple[Range, ...]
    """Ranges of the cells that count."""
    tolerance: float
    scheme: tuple[object, ...]
    """Order, and where the points of each axis lie: what the stencil's own token leaves out."""
    k: int = 1000
    """Points that a block is thought to have, for the memory that this takes."""
    name: str = "critical-points"
    scratch: int = 1
    """Of a point: whether the field is level around it."""

    @property
    def token(self) -> tuple[object, ...]:
        """What tells it from others on the same data and stencil."""
        return self.points, self.tolerance, self.scheme

    def look(self, stencil: Stencil, blocks: Sequence[Block], known: Sequence[Found] = ()) -> Found:
        """Return what some blocks hold, together with what is known."""
        inside = [replace(block, ranges=counted(block, self.points)) for block in blocks]
        found = [self._of(stencil, block) for block in inside]
        return self.merge([*known, *found])

    def merge(self, parts: Sequence[Found]) -> Found:
        """Put finds together."""
        return Found.merge(parts)

    def first(self, found: Found) -> tuple[float, int] | None:
        """Return the lowest value so far, and the cell it is in."""
        values = found.points["value"]
        if not len(values):
            return None
        lowest = int(values.argmin())
        return float(values[lowest]), int(found.points["cell"][lowest])

    def _of(self, stencil: Stencil, block: Block) -> Found:
        """Return what a block holds."""
        shape = tuple(max(b - a, 0) for a, b in block.ranges)
        mask = np.zeros(shape, np.uint8)
        zeros, nans, flat = [_no_zeros(stencil)], 0, 0
        for patch in patches(stencil, block):
            for cells, wrong, level in candidates(stencil, patch, mask, block.ranges):
                found, lines = _zeros(stencil, patch, cells)
                mask[tuple((lines - np.array([a for a, _ in block.ranges])).T)] = 1
                zeros.append(found)
                nans, flat = nans + wrong, flat + level + len(lines)
                refuse(sum(len(each["inside"]) for each in zeros))
        rows = {name: np.concatenate([each[name] for each in zeros]) for name in zeros[0]}
        points = _described(stencil, block, rows, self.tolerance)
        parts, rim = plateaus(stencil, block, mask if flat else mask[:0])
        return Found(points, parts, rim, nans)


def _no_zeros(stencil: Stencil) -> dict[str, Array]:
    n, dims = len(stencil.axes), len(stencil.grid.shape)
    return {
        "index": np.zeros((0, dims), np.int64),
        "inside": np.zeros((0, n)),
        "regular": np.zeros(0, bool),
        "hessian": np.zeros((0, n, n)),
    }


def _zeros(
    stencil: Stencil, patch: Patch, cells: Array, reach: int = 1
) -> tuple[dict[str, Array], Array]:
    """Return the zeros on some cells, and which of those hold lines of them.

    Few cells need to know whether those beside them are flat: they are looked at again with their
    neighbours' samples.
    """
    n = len(stencil.axes)
    axes = tuple(axis.axis.position for axis in stencil.axes)
    shape, work = Shape.of(n, reach), Scratch.of(n)
    root, table = np.empty(n * shape.size), np.empty((ROWS, 2 + n + n * n))
    parts, lines, unsure = [_no_zeros(stencil)], [cells[:0]], [cells[:0]]
    step = max(1, AT_ONCE // (2 * reach + 1) ** n)
    for a in range(0, len(cells), step):
        part = cells[a : a + step]
        near, kinds, begin = patch.near(part, axes, reach), np.empty(len(part), np.int64), 0
        while begin < len(part):
            begin, count = solve_cells(near, begin, shape, work, root, kinds, table)
            parts.append(_kept(stencil, part, table[:count].copy()))
        lines.append(part[kinds == FLAT])
        unsure.append(part[kinds == UNSURE])
    if sum(map(len, unsure)):
        again, more = _zeros(stencil, patch, np.concatenate(unsure), 2)
        parts.append(again)
        lines.append(more)
    found = {name: np.concatenate([each[name] for each in parts]) for name in parts[0]}
    return found, np.concatenate(lines)


def _kept(stencil: Stencil, cells: Array, rows: Array) -> dict[str, Array]:
    """Return the zeros that a kernel has written down, those that lie in the grid."""
    n = len(stencil.axes)
    zeros = {
        "index": cells[rows[:, 0].astype(np.int64)],
        "inside": rows[:, 1 : 1 + n],
        "regular": rows[:, 1 + n] > 0,
        "hessian": rows[:, 2 + n :].reshape(-1, n, n),
    }
    kept = _in_grid(stencil, zeros)
    return {name: values[kept] for name, values in zeros.items()}


def _in_grid(stencil: Stencil, zeros: dict[str, Array]) -> Array:
    """Tell which zeros do not lie in the outer half of a cell at an end."""
    kept = np.ones(len(zeros["inside"]), bool)
    for k, axis in enumerate(stencil.axes):
        if axis.axis.period is None:
            index, inside = zeros["index"][:, axis.axis.position], zeros["inside"][:, k]
            kept &= (index > 0) | (inside >= 0.5 - OUTSIDE)
            kept &= (index < axis.axis.size - 1) | (inside <= 0.5 + OUTSIDE)
    return kept


def _described(
    stencil: Stencil, block: Block, zeros: dict[str, Array], tolerance: float
) -> dict[str, Array]:
    """Return all that is told of the zeros on a block.

    The spline takes the coordinate along as a spline of the same kind, x(t): so what is linear in
    the coordinate stays so, on uneven axes too.
    """
    index, t = zeros["index"], zeros["inside"]
    before, behind = beside(stencil, index, -1), beside(stencil, index, 1)
    place = 0.5 * (before * (1.0 - t) * (1.0 - t) + behind * t * t)
    slope = behind * t - before * (1.0 - t)
    hessian = zeros["hessian"] / (slope[:, :, None] * slope[:, None, :])
    negative = np.where(zeros["regular"], negatives(hessian), -1)
    told = polished(stencil, block, index, place, negative, tolerance)
    return {
        "cell": np.ravel_multi_index(tuple(index.T), stencil.grid.shape).astype(np.int64),
        "inside": t,
        "negative": negative,
        "own_place": place,
        "own_hessian": hessian,
        **told,
    }
