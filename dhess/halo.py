"""Ghost cells of Dask arrays: each block with as many cells of its neighbours as it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import dask.array as da
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from dhess.block import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from dhess.stencil import AxisStencil, Stencil
    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Cut:
    """Where a block lies along one dimension, with the weights of its points."""

    points: Range
    origin: int
    """Global index of the first element, ghost cells included."""
    stencil: AxisStencil | None
    """None: a batch dimension."""


def merged(sizes: Sequence[int], halo: int, least: int) -> tuple[int, ...]:
    """Merge chunks that are smaller than their halo; the first and the last need ``least``.

    Empty chunks vanish.

    Examples
    --------
    >>> merged((1, 1, 1, 1, 1, 1, 1, 1), halo=1, least=3)
    (3, 1, 1, 3)
    >>> merged((5, 0, 1, 5), halo=2, least=3)
    (5, 6)
    """
    chunks: list[int] = []
    grown = 0
    for size in sizes:
        grown += size
        if grown >= (halo if chunks else least) and grown > 0:
            chunks.append(grown)
            grown = 0
    while grown or (len(chunks) > 1 and chunks[-1] < least):
        grown += chunks.pop() if chunks else 0
        if not chunks or grown >= least:
            chunks.append(grown)
            grown = 0
    return tuple(chunks)


def with_halo(values: da.Array, stencil: Stencil) -> tuple[da.Array, list[list[Cut]]]:
    """Return the array with ghost cells along the stencil's axes, and the cuts per dimension."""
    axes = [stencil.along(d) for d in range(values.ndim)]
    chunks = tuple(
        merged(sizes, 0, 0) if axis is None else merged(sizes, axis.halo, axis.least)
        for sizes, axis in zip(values.chunks, axes, strict=True)
    )
    depth = {
        d: 0 if axis is None or len(chunks[d]) == 1 else axis.halo for d, axis in enumerate(axes)
    }
    values = values.rechunk(chunks)
    cuts = []
    for d, axis in enumerate(axes):
        row = []
        for last, size in zip(accumulate(chunks[d]), chunks[d], strict=True):
            first = last - size
            weights = None if axis is None else axis.cut(first, last)
            origin = first - depth[d]
            wrapped = axis is not None and axis.axis.period is not None
            row.append(Cut((first, last), origin if wrapped else max(origin, 0), weights))
        cuts.append(row)
    if any(depth.values()):
        boundary = {
            d: "periodic" if axis is not None and axis.axis.period is not None else "none"
            for d, axis in enumerate(axes)
        }
        values = da.overlap.overlap(values, depth, boundary=boundary, allow_rechunk=False)
    return values, cuts


def map_blocks(
    function: Callable[..., Any],
    values: da.Array,
    stencil: Stencil,
    *,
    leading: tuple[int, ...] = (),
    meta: Array,
    name: str,
    **kwargs: Any,
) -> da.Array:
    """Call function(stencil, block, kwargs as keywords) for every block, with its ghost cells.

    The result has the dimensions of the data behind those of ``leading``. One function serves all
    blocks; what differs between them travels with each as a `Cut` per dimension.
    """
    haloed, cuts = with_halo(values, stencil)
    dims = tuple(range(values.ndim))
    extra = tuple(range(values.ndim, values.ndim + len(leading)))
    token = tokenize(name, values, stencil.token, kwargs, leading)
    arguments: list[Any] = [haloed, dims]
    for d, row in enumerate(cuts):
        key = f"cut-{d}-{token}"
        layer = {(key, i): cut for i, cut in enumerate(row)}
        graph = HighLevelGraph.from_collections(key, layer)
        arguments += [da.Array(graph, key, ((1,) * len(row),), meta=meta.reshape(-1)[:0]), (d,)]
    grid = replace(stencil.grid, axes=(), parallels=None)
    return da.blockwise(
        _on_block,
        (*extra, *dims),
        *arguments,
        name=f"{name}-{token}",
        new_axes=dict(zip(extra, leading, strict=True)),
        adjust_chunks={
            d: tuple(c.points[1] - c.points[0] for c in row) for d, row in enumerate(cuts)
        },
        align_arrays=False,
        concatenate=True,
        meta=meta,
        function=function,
        bare=replace(stencil, grid=grid, axes=()),
        order=tuple(axis.axis.position for axis in stencil.axes),
        kwargs=kwargs,
    )


def _on_block(
    data: np.ndarray[Any, Any],
    *cuts: Cut,
    function: Callable[..., Any],
    bare: Stencil,
    order: tuple[int, ...],
    kwargs: dict[str, Any],
) -> Any:
    axes = tuple(axis for d in order if (axis := cuts[d].stencil) is not None)
    stencil = replace(bare, axes=axes)
    block = Block(data, tuple(c.origin for c in cuts), tuple(c.points for c in cuts))
    return function(stencil, block, **kwargs)
