"""Fields made small enough to draw, block by block: each block is read once and let go at once.

A block becomes the sums (or least, or largest values) of the cells that it touches, which are a
few numbers. So of data of any size two or three blocks per thread are in memory, and the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, product
from typing import TYPE_CHECKING, Any, Final, Literal

import dask
import dask.array as darray
import numpy as np
import xarray as xr
from dask.array.optimization import optimize
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from dhess.running import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Place = tuple[int, ...]
    How = Literal["mean", "min", "max"]

PIXELS: Final = 1000
"""Longest side, in points, of what is computed and drawn of a field."""
BRANCHES: Final = 16
"""Parts that one task joins."""
SLAB: Final = 2**22
"""Points of an array in memory that are thinned at once."""


@dataclass(frozen=True)
class Cells:
    """What some data says of the cells that it touches, a rectangle of them."""

    corner: Place
    """Index of the first cell."""
    values: NDArray[np.float64]
    """Sums, or extremes."""
    counts: NDArray[np.int64] | None
    """Valid points of each cell; none for extremes, which need none."""


def step_of(size: int) -> int:
    """Return how many points along a dimension are one cell.

    Examples
    --------
    >>> step_of(1000), step_of(1001), step_of(0)
    (1, 2, 1)
    """
    return max(1, -(-size // PIXELS))


def middles(size: int) -> NDArray[np.int64]:
    """Return the index of the middle point of each cell; the last one may be a short one."""
    step = step_of(size)
    starts = np.arange(0, size, step)
    found: NDArray[np.int64] = (starts + np.minimum(starts + step, size) - 1) // 2
    return found


def thin(da: xr.DataArray, how: How) -> xr.DataArray:
    """Return the mean, least or largest value of each cell, at most `PIXELS` of them per side.

    Lazy where `da` is, without its coordinates.  NaN points are left out, and the last cell of a
    side may be a short one, so that every point counts.

    Examples
    --------
    >>> import xarray as xr
    >>> row = xr.DataArray(np.arange(2001.0), dims="x")
    >>> thin(row, "mean").values[[0, 1, -1]].tolist(), thin(row, "max").values[:2].tolist()
    ([1.0, 4.0, 1999.0], [2.0, 5.0])
    """
    bare = da.drop_vars(list(da.coords))
    steps = tuple(step_of(size) for size in da.shape)
    if max(steps, default=1) == 1:
        return bare.astype(np.float64)
    if dask.is_dask_collection(bare.data):
        small: Any = _lazily(bare.data, steps, how)
    else:
        small = _in_memory(bare.values, steps, how)
    return xr.DataArray(small, dims=da.dims, name=da.name, attrs=da.attrs)


def computed(thinned: Sequence[xr.DataArray]) -> list[NDArray[np.float64]]:
    """Compute several small fields in one go, so that the data that they share is read once."""
    lazy = [each.data.rechunk(-1) for each in thinned if dask.is_dask_collection(each.data)]
    parts = _together(lazy)
    found: dict[Any, NDArray[np.float64]] = {}

    def done(part: int, result: NDArray[np.float64]) -> None:
        found[parts[part].key] = result

    if parts:
        run(parts, done, name="picture")
    late = iter(parts)
    return [
        found[next(late).key] if dask.is_dask_collection(each.data) else each.values
        for each in thinned
    ]


def _together(arrays: Sequence[darray.Array]) -> list[Delayed]:
    """Return small arrays as parts of one graph.

    Optimised one by one, as `dask.optimize` does it, each would read the data that they share.
    """
    if not arrays:
        return []
    keys = [(each.name, *(0 for _ in each.shape)) for each in arrays]
    graph = optimize(HighLevelGraph.merge(*(each.dask for each in arrays)), keys)
    return [Delayed(key, graph) for key in keys]


def _in_memory(values: NDArray[Any], steps: Place, how: How) -> NDArray[np.float64]:
    """Thin an array slab by slab, for the cells' float64 would double its memory."""
    row = max(1, math.prod(values.shape[1:]))
    thick = steps[0] * max(1, SLAB // row // steps[0])
    rest = (0,) * (values.ndim - 1)
    parts = [
        cells(values[a : a + thick], (a, *rest), steps, how)
        for a in range(0, max(1, len(values)), thick)
    ]
    return _finished(parts, how)


def _lazily(values: darray.Array, steps: Place, how: How) -> darray.Array:
    """Thin each block, and join the cells of more and more of them."""
    name = f"thin-{how}-{tokenize(values.name, steps)}"
    starts = [list(accumulate(sizes, initial=0))[:-1] for sizes in values.chunks]
    graph: dict[Any, Any] = {}
    keys: list[Any] = []
    for index in product(*map(range, values.numblocks)):
        place = tuple(row[i] for row, i in zip(starts, index, strict=True))
        key = (f"{name}-cells", *index)
        graph[key] = (cells, (values.name, *index), place, steps, how)
        keys.append(key)
    level = 0
    while len(keys) > BRANCHES:
        groups = [keys[i : i + BRANCHES] for i in range(0, len(keys), BRANCHES)]
        keys = [(f"{name}-joined", level, i) for i in range(len(groups))]
        graph |= {key: (joined, group, how) for key, group in zip(keys, groups, strict=True)}
        level += 1
    shape = tuple(-(-size // step) for size, step in zip(values.shape, steps, strict=True))
    graph[(name, *(0 for _ in shape))] = (_finished, keys, how)
    layers = HighLevelGraph.from_collections(name, graph, dependencies=[values])
    return darray.Array(layers, name, tuple((n,) for n in shape), dtype=np.float64)


def cells(values: NDArray[Any], place: Place, steps: Place, how: How) -> Cells:
    """Return what a block says of the cells that it touches.

    Parameters
    ----------
    values
        The block.
    place
        Index of its first point in the whole array.
    steps
        Points of a cell, per dimension.
    how
        What is told of a cell: the mean of its valid points, or an extreme.

    Examples
    --------
    >>> part = cells(np.array([1.0, np.nan, 4.0, 8.0]), (2,), (3,), "mean")
    >>> part.corner, part.values, part.counts
    ((0,), array([ 1., 12.]), array([1, 2]))
    """
    values = np.array(values, dtype=np.float64)
    corner = tuple(a // step for a, step in zip(place, steps, strict=True))
    if how != "mean":
        extreme = np.fmin if how == "min" else np.fmax
        return Cells(corner, _reduced(extreme, values, place, steps), None)
    valid = ~np.isnan(values)
    values[~valid] = 0.0
    counts = _reduced(np.add, valid, place, steps, dtype=np.int64)
    return Cells(corner, _reduced(np.add, values, place, steps), counts)


def joined(parts: Sequence[Cells], how: How) -> Cells:
    """Join what parts say of their cells into one rectangle that holds them all."""
    corners = np.array([part.corner for part in parts])
    ends = np.array([np.add(part.corner, part.values.shape) for part in parts])
    low, high = corners.min(axis=0), ends.max(axis=0)
    shape = tuple(high - low)
    values = np.full(shape, 0.0 if how == "mean" else np.nan)
    counts = np.zeros(shape, np.int64) if how == "mean" else None
    for part in parts:
        inside = tuple(
            slice(a - b, a - b + n)
            for a, b, n in zip(part.corner, low, part.values.shape, strict=True)
        )
        if counts is None:
            extreme = np.fmin if how == "min" else np.fmax
            extreme(values[inside], part.values, out=values[inside])
        else:
            assert part.counts is not None
            values[inside] += part.values
            counts[inside] += part.counts
    return Cells(tuple(map(int, low)), values, counts)


def _finished(parts: Sequence[Cells], how: How) -> NDArray[np.float64]:
    whole = joined(parts, how)
    if whole.counts is None:
        return whole.values
    with np.errstate(invalid="ignore"):  # no valid point in a cell: its mean is NaN
        return whole.values / whole.counts


def _reduced(
    reduction: np.ufunc, values: NDArray[Any], place: Place, steps: Place, dtype: Any = None
) -> NDArray[Any]:
    """Reduce along every dimension what lies in one cell; the last one first, in rows of memory."""
    for axis in reversed(range(values.ndim)):
        borders = np.arange(-(place[axis] % steps[axis]), values.shape[axis], steps[axis])
        values = reduction.reduceat(values, np.maximum(borders, 0), axis=axis, dtype=dtype)
    return values
