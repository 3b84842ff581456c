"""What is told of the points that a search keeps: the field there, and how it slopes and curves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dhess.kernels import boxes
from dhess.passes import components_at
from dhess.stencil import HESSIAN, SLOPES
from dhess.tables import Table

if TYPE_CHECKING:
    from dhess.block import Block
    from dhess.passes import Candidates
    from dhess.stencil import Stencil


def described(full: Stencil, block: Block, best: Candidates) -> Candidates:
    """Add the field and its derivatives at the best points."""
    if not len(best.columns["place"]):
        return best
    n, count = len(full.axes), len(best.columns["place"])
    points = np.stack(np.unravel_index(best.columns["place"], full.grid.shape), axis=1)
    table = Table(full)
    # Each with the boxes that a field of it has, so that the answer has the field's very bits.
    slopes, curves = Table(full.restricted(SLOPES)), Table(full.restricted(HESSIAN))
    field = block.data[tuple((points - np.array(block.origin)).T)]
    columns = {
        "field": field.astype(field.dtype.newbyteorder("=")),  # as it is once parts are merged
        "noise": np.array([_rounding(table, block, point) for point in points.tolist()]),
        "gradient": components_at(slopes, block, boxes.GRADIENT, points),
        "hessian": components_at(curves, block, boxes.HESSIAN, points).reshape(count, n, n),
    }
    return replace(best, columns={**best.columns, **columns})


def _rounding(table: Table, block: Block, index: list[int]) -> float:
    """Return how much of a second derivative may come from the rounding of the data."""
    stencil = table.stencil
    place = tuple((i, i + 1) for i in index)
    nodes = tuple(table.nodes(d, along) for d, along in enumerate(place))
    weights = 0.0
    for k, axis in enumerate(stencil.axes):
        second = table.rows(k, place[axis.axis.position])[1]
        assert second is not None
        factor = 1.0
        if axis.axis.role == "longitude" and stencil.latitude is not None:
            circles = stencil.latitude.circles(*place[stencil.latitude.axis.position])
            factor = float(circles.cos[0]) ** -2
        weights += float(second.sizes[0]) * factor
    values = np.abs(np.asarray(block.take(nodes), np.float64))
    dtype = block.data.dtype
    epsilon = np.finfo(dtype if dtype.char in "efd" else np.float64).eps
    return float(np.nanmax(values) * epsilon * weights)
