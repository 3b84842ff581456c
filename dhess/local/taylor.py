"""The value, gradient and Hessian at a place, from the data around it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from dhess.kernels import boxes
from dhess.local.rows import Rows, grown, polynomial_rows, reachable, usual_rows
from dhess.passes import components_at
from dhess.stencil import HESSIAN, SLOPES
from dhess.tables import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.block import Block
    from dhess.local.place import Place
    from dhess.stencil import Stencil
    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Taylor:
    """The first terms of a field's Taylor series, for each of so many fields."""

    value: Array
    """Shape (fields,)."""
    gradient: Array
    """Shape (fields, n)."""
    hessian: Array
    """Shape (fields, n, n)."""
    noise: Array
    """How much of a second derivative may come from the rounding of the data, shape (fields,)."""


@dataclass(frozen=True, eq=False)
class Spot:
    """A place on a grid with its stencil, and the data around it."""

    stencil: Stencil
    places: tuple[Place, ...]
    """Along each axis of the stencil."""
    order: int
    block: Block
    """Holds all that is read; its ranges matter along batch dimensions only."""
    circle: tuple[float, float] = (1.0, 0.0)
    """On a sphere, cosine of the latitude and its tangent over the radius."""

    @property
    def fields(self) -> tuple[int, ...]:
        """Points along the batch dimensions."""
        return tuple(
            b - a for d, (a, b) in enumerate(self.block.ranges) if self.stencil.along(d) is None
        )


def taylor(spot: Spot) -> Taylor:
    """Return the Taylor series at a place: on a grid point with the very bits of a field's."""
    usual = [
        usual_rows(axis, place, spot.order)
        for axis, place in zip(spot.stencil.axes, spot.places, strict=True)
    ]
    data = _around(spot, [rows.nodes for rows in usual])
    dtype = spot.block.data.dtype
    epsilon = np.finfo(dtype if dtype.char in "efd" else np.float64).eps
    noise = epsilon * _noise(data, usual)
    if not any(place.fraction for place in spot.places):
        return _on_grid(spot, noise / spot.circle[0] ** 2)
    found = replace(_contracted(data, usual), noise=noise)
    if spot.stencil.adapts and np.isnan(found.hessian).any():
        found = _adapted(spot, found, epsilon)
    return _bent(spot, found)


def _on_grid(spot: Spot, noise: Array) -> Taylor:
    index = {
        axis.axis.position: place.index
        for axis, place in zip(spot.stencil.axes, spot.places, strict=True)
    }
    along = [
        [index[d]] if d in index else range(*points) for d, points in enumerate(spot.block.ranges)
    ]
    points = np.array(list(product(*along)), np.int64)
    n, block = len(spot.places), spot.block
    # Each with the boxes that a field of it has, so that the model has the field's very bits.
    slopes, curves = (Table(spot.stencil.restricted(need)) for need in (SLOPES, HESSIAN))
    gradient = components_at(slopes, block, boxes.GRADIENT, points)
    hessian = components_at(curves, block, boxes.HESSIAN, points).reshape(-1, n, n)
    value = block.data[tuple((points - np.array(block.origin)).T)].astype(np.float64)
    return Taylor(value, gradient, hessian, noise)


def _around(spot: Spot, nodes: Sequence[Range]) -> Array:
    """Return the data at nodes, shape (fields, nodes of the first axis, …)."""
    ranges = list(spot.block.ranges)
    positions = [axis.axis.position for axis in spot.stencil.axes]
    for d, each in zip(positions, nodes, strict=True):
        ranges[d] = each
    batch = [d for d in range(len(ranges)) if d not in positions]
    data = spot.block.take(tuple(ranges)).astype(np.float64).transpose(*batch, *positions)
    return data.reshape(-1, *(b - a for a, b in nodes))


def _contracted(data: Array, rows: Sequence[Rows]) -> Taylor:
    """Multiply the data by the weights along each axis, as many derivatives along as wanted."""
    n = len(rows)
    unit = np.eye(n, dtype=int)
    hessian = np.empty((len(data), n, n))
    with np.errstate(invalid="ignore", over="ignore"):
        value = _product(data, rows, 0 * unit[0])
        gradient = np.stack([_product(data, rows, unit[k]) for k in range(n)], axis=-1)
        for k in range(n):
            for l in range(k, n):
                hessian[:, k, l] = hessian[:, l, k] = _product(data, rows, unit[k] + unit[l])
    return Taylor(value, gradient, hessian, np.zeros(len(data)))


def _product(data: Array, rows: Sequence[Rows], derivatives: Array) -> Array:
    """Return the sum of the data times one row along each axis.

    Nodes of no weight are not touched. Differences from one of the others are multiplied, so that a
    constant has no slope whatever the rounding of the weights; and term by term, so that the sum
    has one order whatever the shape.
    """
    weights = [each.weights[d] for each, d in zip(rows, derivatives, strict=True)]
    kept = [np.flatnonzero(each) for each in weights]
    data = data[np.ix_(np.arange(len(data)), *kept)]
    first = data.reshape(len(data), -1)[:, 0]
    data = data - first.reshape(-1, *[1] * len(rows))
    for each, nodes in zip(weights[::-1], kept[::-1], strict=True):
        total = np.zeros(data.shape[:-1])
        for t, node in enumerate(nodes):
            total = total + each[node] * data[..., t]
        data = total
    return data if derivatives.any() else data + first


def _noise(data: Array, rows: Sequence[Rows]) -> Array:
    """Return what a relative error of 1 in the data may make of a second derivative."""
    sizes = [np.abs(each.weights).sum(axis=1) for each in rows]
    values = np.prod([size[0] for size in sizes])
    largest = np.nan_to_num(np.abs(data)).reshape(len(data), -1).max(axis=1)
    noise: Array = largest * sum(size[2] * values / size[0] for size in sizes)
    return noise


def _adapted(spot: Spot, usual: Taylor, epsilon: float) -> Taylor:
    """Have polynomials through boxes of valid points where the usual nodes have gaps.

    Which box that is, `dhess.local.rows.grown` says.
    """
    axes = spot.stencil.axes
    held = [_held(spot, k) for k in range(len(axes))]
    data = _around(spot, held)
    cell = tuple(
        (place.index - a, place.index - a + 1 + (place.fraction > 0))
        for place, (a, _) in zip(spot.places, held, strict=True)
    )
    found = [usual.value, usual.gradient, usual.hessian, usual.noise]
    for i in np.flatnonzero(np.isnan(usual.hessian).any(axis=(1, 2))):
        box = grown(~np.isnan(data[i]), cell, spot.order + 2)
        if box is None:
            mended = Taylor(*(np.full_like(each[[i]], np.nan) for each in found))
        else:
            rows = [
                polynomial_rows(axis.axis, place, (first + a, first + b))
                for axis, place, (first, _), (a, b) in zip(
                    axes, spot.places, held, box, strict=True
                )
            ]
            part = data[[i]][(slice(None), *(slice(*each) for each in box))]
            mended = replace(_contracted(part, rows), noise=epsilon * _noise(part, rows))
        for all_, one in zip(
            found, (mended.value, mended.gradient, mended.hessian, mended.noise), strict=True
        ):
            all_[i] = one[0]
    return Taylor(*found)


def _held(spot: Spot, k: int) -> Range:
    """Return which of the indices along an axis a box may reach; once around at most."""
    axis = spot.stencil.axes[k].axis
    first, last = reachable(spot.stencil.axes[k], spot.places[k], spot.order)
    if last - first > axis.size:
        first = spot.places[k].index - axis.size // 2
        last = first + axis.size
    return first, last


def _bent(spot: Spot, flat: Taylor) -> Taylor:
    """Make physical components on the sphere of derivatives along its coordinates.

    As `dhess.kernels.spans.bend` does, for axes in metres along the great circles.
    """
    if spot.stencil.latitude is None:
        return flat
    u, v = spot.stencil.on_sphere
    cos, tan = spot.circle
    gradient, hessian = flat.gradient.copy(), flat.hessian.copy()
    fu, fv = flat.gradient[:, u], flat.gradient[:, v]
    hessian[:, v, :] /= cos
    hessian[:, :, v] /= cos
    hessian[:, u, v] += tan * fv / cos
    hessian[:, v, u] = hessian[:, u, v]
    hessian[:, v, v] -= tan * fu
    gradient[:, v] = fv / cos
    pole = 0.0 * cos
    gradient, hessian = gradient + pole, hessian + pole
    return Taylor(flat.value, gradient, hessian, flat.noise / cos**2)
