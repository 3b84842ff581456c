"""Cells without any slope: labelled per block, joined across blocks at the end."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from dhess.critical.refine import polished

if TYPE_CHECKING:
    from dhess.block import Block
    from dhess.stencil import Stencil
    from dhess.tables import Array


def plateaus(
    stencil: Stencil, block: Block, mask: Array
) -> tuple[dict[str, Array], tuple[Array, Array]]:
    """Return the connected parts of a block's flat cells, and the cells of its faces among them.

    Cells that share a corner are connected: flat ones are so up to their faces. Nothing is joined
    over the seam of an axis that wraps; so along each axis a part is without gaps, and its box is
    the same however the array is cut.
    """
    dims, shape = mask.ndim, stencil.grid.shape
    first = np.array([a for a, _ in block.ranges])
    along = {axis.axis.position for axis in stencil.axes}
    near = np.zeros((3,) * dims, bool)
    near[tuple(slice(None) if d in along else 1 for d in range(dims))] = True
    labels, count = ndimage.label(mask, near) if mask.size else (np.zeros(mask.shape, np.int32), 0)
    boxes = ndimage.find_objects(labels) if count else []
    lows = np.array([[s.start for s in box] for box in boxes], np.int64).reshape(count, dims)
    highs = np.array([[s.stop - 1 for s in box] for box in boxes], np.int64).reshape(count, dims)
    flat = labels.reshape(-1)
    places = np.flatnonzero(flat)
    _, begin, sizes = np.unique(flat[places], return_index=True, return_counts=True)
    index = np.stack(np.unravel_index(places[begin], mask.shape), axis=1) + first
    at = np.zeros((count, len(stencil.axes)))
    told = polished(stencil, block, index, at, np.full(count, -1), 0.0)
    parts = {
        "cell": np.ravel_multi_index(tuple(index.T), shape).astype(np.int64),
        "cells": sizes.astype(np.int64),
        "first": lows + first,
        "last": highs + first,
        **{name: told[name] for name in ("value", "gradient", "hessian")},
    }
    return parts, _rim(stencil, block, labels)


def _rim(stencil: Stencil, block: Block, labels: Array) -> tuple[Array, Array]:
    """Return the flat cells on faces of a block beyond which the array goes on."""
    cells, owners = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    if labels.size:
        for axis in stencil.axes:
            d, size = axis.axis.position, axis.axis.size
            (a, b), wraps = block.ranges[d], axis.axis.period is not None
            faces = {i for i in (a, b - 1) if wraps or 0 < i < size - 1}
            for i in faces:
                face = np.take(labels, [i - a], axis=d)
                at = np.nonzero(face)
                index = [x + o for x, (o, _) in zip(at, block.ranges, strict=True)]
                index[d] = np.full(len(at[0]), i)
                cells.append(np.ravel_multi_index(tuple(index), stencil.grid.shape))
                owners.append(face[at].astype(np.int64) - 1)
    cell, only = np.unique(np.concatenate(cells), return_index=True)
    return cell.astype(np.int64), np.concatenate(owners)[only]


def joined(stencil: Stencil, parts: dict[str, Array], rim: tuple[Array, Array]) -> dict[str, Array]:
    """Put together the plateaus whose parts touch: one row each, in the order of their first cell.

    The order in which the parts came does not matter.
    """
    count = len(parts["cell"])
    one, two = _touching(stencil, *rim)
    graph = coo_array((np.ones(len(one), bool), (one, two)), (count, count))
    groups, member = connected_components(graph, directed=False) if count else (0, np.zeros(0, int))
    order = np.lexsort((parts["cell"], member))
    starts = np.searchsorted(member[order], np.arange(groups))
    lead = order[starts]
    sizes = np.bincount(member, parts["cells"], minlength=groups).astype(np.int64)
    extent = np.zeros((groups, parts["first"].shape[1], 2), np.int64)
    for d, size in enumerate(stencil.grid.shape):
        axis = stencil.along(d)
        wraps = axis is not None and axis.axis.period is not None
        for g, rows in enumerate(np.split(order, starts[1:])[:groups]):
            spans = parts["first"][rows, d], parts["last"][rows, d]
            extent[g, d] = _arc(*spans, size) if wraps else (spans[0].min(), spans[1].max())
    told = {name: parts[name][lead] for name in ("cell", "value", "gradient", "hessian")}
    found = {**told, "cells": sizes, "extent": extent}
    rank = np.argsort(found["cell"])
    return {name: values[rank] for name, values in found.items()}


def _touching(stencil: Stencil, cells: Array, owners: Array) -> tuple[Array, Array]:
    """Return pairs of parts that touch: those of cells beside each other."""
    shape = stencil.grid.shape
    order = np.argsort(cells)
    cells, owners = cells[order], owners[order]
    index = np.stack(np.unravel_index(cells, shape), axis=1) if len(cells) else None
    one, two = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for step in product((-1, 0, 1), repeat=len(stencil.axes)):
        if index is None:
            break
        other, there = index.copy(), np.ones(len(cells), bool)
        for axis, side in zip(stencil.axes, step, strict=True):
            d, size = axis.axis.position, axis.axis.size
            other[:, d] += side
            if axis.axis.period is not None:
                other[:, d] %= size
            else:
                there &= (other[:, d] >= 0) & (other[:, d] < size)
        wanted = np.ravel_multi_index(tuple(other[there].T), shape)
        left = np.searchsorted(cells, wanted)
        right = np.searchsorted(cells, wanted, side="right")
        for shift in range(int((right - left).max(initial=0))):
            hit = left + shift < right
            one.append(owners[there][hit])
            two.append(owners[(left + shift)[hit]])
    return np.concatenate(one), np.concatenate(two)


def _arc(first: Array, last: Array, size: int) -> tuple[int, int]:
    """Return the shortest arc of an axis that wraps over all spans; last < first over the seam.

    Examples
    --------
    >>> _arc(np.array([0, 8]), np.array([2, 9]), 10)
    (8, 2)
    """
    order = np.argsort(first)
    first, last = first[order], np.maximum.accumulate(last[order])
    gaps = np.append(first[1:], first[0] + size) - last - 1
    widest = int(gaps.argmax())
    if gaps[widest] <= 0:
        return 0, size - 1
    return int(np.roll(first, -1)[widest]), int(last[widest])
