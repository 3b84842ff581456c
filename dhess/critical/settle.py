"""All finds together: each point once, each plateau once, in order, with places on the grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dhess.critical.plateaus import joined
from dhess.kernels.around import ON_FACE
from dhess.kernels.eigen import symmetric_eigenvalues

if TYPE_CHECKING:
    from dhess.critical.found import Found
    from dhess.options import Settings
    from dhess.stencil import AxisStencil, Stencil
    from dhess.tables import Array

DOUBLED = 1e-6
"""Distance, in steps, below which two refined points are one, so that neither was refined well."""


def settled(stencil: Stencil, found: Found, chosen: Settings, epsilon: float) -> dict[str, Array]:
    """Return the rows of the answer: points and plateaus by value, equal ones in C order.

    Columns: ``index`` (dims), ``offset`` (n; in the units of the axes, from there), ``value``,
    ``gradient`` (n), ``hessian`` (n, n), ``eigenvalues`` (n), ``morse`` (-1: degenerate),
    ``refined``, ``cells``, ``extent`` (dims, 2).
    """
    points = _once(stencil, found.points)
    level = joined(stencil, found.plateaus, found.rim)
    index, offset = _places(stencil, points)
    count, flat = len(index), len(level["cell"])
    n = len(stencil.axes)
    shape = stencil.grid.shape
    first = np.stack(np.unravel_index(level["cell"], shape), axis=1).astype(np.int64)
    rows = {
        "index": np.concatenate([index, first]),
        "offset": np.concatenate([offset, np.zeros((flat, n))]),
        "refined": np.concatenate([points["refined"], np.zeros(flat, bool)]),
        "cells": np.concatenate([np.ones(count, np.int64), level["cells"]]),
        "extent": np.concatenate([np.stack([index, index], axis=2), level["extent"]]),
        **{
            name: np.concatenate([points[name], level[name]])
            for name in ("value", "gradient", "hessian")
        },
    }
    noise = np.concatenate([points["bending"] * points["size"][:, None], np.zeros((flat, n))])
    turned = _on_sphere(stencil, rows, noise * epsilon, chosen.radius)
    values = np.empty((count + flat, n))
    symmetric_eigenvalues(rows["hessian"].copy(), values)
    negative = np.concatenate([points["negative"], np.full(flat, -1)])
    unsure = (np.abs(values) <= turned.sum(axis=1)[:, None]).any(axis=1)
    rows |= {"eigenvalues": values, "morse": np.where(unsure, -1, negative)}
    cell = np.ravel_multi_index(tuple(rows["index"].T), shape)
    order = np.lexsort((cell, rows["value"]))
    return {name: column[order] for name, column in rows.items()}


def _once(stencil: Stencil, points: dict[str, Array]) -> dict[str, Array]:
    """Put points in the order of their cells and of their places there, each once.

    Dropped is what was found from both sides of a face; a zero on a face counts as degenerate if
    the two sides do not agree on how it curves. What refinement has led to one place goes back.
    """
    order = np.lexsort((*points["inside"].T[::-1], points["cell"]))
    # Columns are moved once, for they are long; what tells which stay is little.
    few = {name: points[name][order] for name in ("cell", "inside", "negative")}
    dropped, negative = _on_faces(stencil, few)
    order = order[~dropped]
    points = {name: column[order] for name, column in points.items()}
    points["negative"] = negative[~dropped]
    refined = points["refined"] & (points["negative"] >= 0) & ~_doubled(stencil, points)
    own = ~refined
    points["place"][own] = points["own_place"][own]
    points["hessian"][own] = points["own_hessian"][own]
    return {**points, "refined": refined}


def _on_faces(stencil: Stencil, points: dict[str, Array]) -> tuple[Array, Array]:
    """Tell which points were found from the other side of a face too, and how the rest curve."""
    near = (points["inside"] < ON_FACE) | (points["inside"] > 1.0 - ON_FACE)
    some = np.flatnonzero(near.any(axis=1))
    dropped = np.zeros(len(near), bool)
    negative = points["negative"].copy()
    faces = _halves(stencil, {name: points[name][some] for name in ("cell", "inside")})
    _, group = np.unique(faces, axis=0, return_inverse=True)
    for rows in _groups(some, group.reshape(-1)):
        left = list(rows)
        while left:
            one = left.pop(0)
            away = np.abs(np.where(near[one], 0.0, points["inside"][left] - points["inside"][one]))
            same = [row for row, far in zip(left, away, strict=True) if far.max() < 10 * ON_FACE]
            dropped[same] = True
            if any(negative[row] != negative[one] for row in same):
                negative[one] = -1
            left = [row for row in left if row not in same]
    return dropped, negative


def _groups(rows: Array, group: Array) -> list[Array]:
    """Return rows by group, those of more than one."""
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group)
    ends = np.cumsum(sizes)
    several = np.flatnonzero(sizes > 1)
    return [rows[order[ends[g] - sizes[g] : ends[g]]] for g in several]


def _halves(stencil: Stencil, points: dict[str, Array]) -> Array:
    """Return places in half steps: even on faces, odd within a cell; one for both sides of each."""
    index = np.stack(np.unravel_index(points["cell"], stencil.grid.shape), axis=1)
    halves: Array = 2 * index + 1
    for k, axis in enumerate(stencil.axes):
        d, t = axis.axis.position, points["inside"][:, k]
        halves[:, d] += (t > 1.0 - ON_FACE).astype(np.int64) - (t < ON_FACE)
        if axis.axis.period is not None:
            halves[:, d] %= 2 * axis.axis.size
    return halves


def _doubled(stencil: Stencil, points: dict[str, Array]) -> Array:
    """Tell which refined points lie at the place of another one."""
    index, offset = _places(stencil, points)
    twice = np.zeros(len(index), bool)
    some = np.flatnonzero(points["refined"])
    # Doubled ones come from cells beside each other and share the nearest point, but for rounding.
    nearest = np.ravel_multi_index(tuple(index[some].T), stencil.grid.shape)
    _, group = np.unique(nearest, return_inverse=True)
    for rows in _groups(some, group.reshape(-1)):
        for i, one in enumerate(rows):
            away = np.abs(offset[rows[i + 1 :]] - offset[one]) / _steps(stencil)
            same = rows[i + 1 :][(away < DOUBLED).all(axis=1)]
            twice[same] = True
            twice[one] |= len(same) > 0
    return twice


def _steps(stencil: Stencil) -> Array:
    """Return the mean step of each axis."""
    return np.array([s.axis.span / max(s.axis.size, 1) for s in stencil.axes])


def _places(stencil: Stencil, points: dict[str, Array]) -> tuple[Array, Array]:
    """Return the nearest point of each place, and how far off it is."""
    index = np.stack(np.unravel_index(points["cell"], stencil.grid.shape), axis=1).astype(np.int64)
    offset = points["place"].copy()
    for k, axis in enumerate(stencil.axes):
        d = axis.axis.position
        index[:, d], offset[:, k] = _nearest(axis, index[:, d], offset[:, k])
    return index, offset


def _nearest(axis: AxisStencil, index: Array, offset: Array) -> tuple[Array, Array]:
    """Move to the nearest point; a place leads two points away at most."""
    size = axis.axis.size
    best, rest = index.copy(), offset.copy()
    for step in (-2, -1, 1, 2):
        other = index + step
        if axis.axis.period is None:
            other = np.clip(other, 0, size - 1)
        away = offset - (axis.axis.at(other) - axis.axis.at(index))
        nearer = np.abs(away) < np.abs(rest)
        best, rest = np.where(nearer, other, best), np.where(nearer, away, rest)
    return best % size, rest


def _on_sphere(stencil: Stencil, rows: dict[str, Array], noise: Array, radius: float) -> Array:
    """Make gradient and Hessian those of the sphere, and return what rounding makes of them.

    Where the gradient is zero the covariant Hessian is that of the coordinates, in their lengths:
    what it has of the Christoffel symbols is multiplied by the gradient.
    """
    axis = stencil.latitude
    if axis is None:
        return noise
    u, v = stencil.on_sphere
    latitude = np.arctan(axis.circles(0, axis.axis.size).tan * radius)
    place = latitude[rows["index"][:, axis.axis.position]] + rows["offset"][:, u] / radius
    factor = 1.0 / np.cos(place)
    rows["gradient"][:, v] *= factor
    rows["hessian"][:, v, :] *= factor[:, None]
    rows["hessian"][:, :, v] *= factor[:, None]
    noise = noise.copy()
    noise[:, v] *= factor * factor
    return noise
