"""Blocks of a field, each a task that writes whole stored chunks, in the order of a sweep."""

from __future__ import annotations

import uuid
from itertools import accumulate, pairwise, product
from typing import TYPE_CHECKING, Any

import dask
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from dhess.budget import LAYERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import dask.array as da

    from dhess.tables import Array, Range

    Index = tuple[int, ...]


def layers(numblocks: Index) -> dict[Index, int]:
    """Return every block with its layer, across the axis that has most of them.

    Blocks wait for their neighbours: those of a layer for the next one. So layer after layer keeps
    the fewest waiting, across the longest axis. Each is handed over by itself, with a look at the
    whole graph, so there are 32 at most.

    Examples
    --------
    >>> layers((1, 2, 3))
    {(0, 0, 0): 0, (0, 1, 0): 0, (0, 0, 1): 1, (0, 1, 1): 1, (0, 0, 2): 2, (0, 1, 2): 2}
    """
    axis = max(range(len(numblocks)), key=lambda d: numblocks[d], default=0)
    count = numblocks[axis] if numblocks else 1
    thick = -(-count // LAYERS)
    every = product(*map(range, numblocks))
    found = {index: index[axis] // thick if index else 0 for index in every}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def optimized(values: da.Array) -> da.Array:
    """Return an array of the same blocks, whose graph is what Dask makes of it."""
    (values,) = dask.optimize(values)
    return values


def writing(
    values: da.Array,
    indices: Iterable[Index],
    write: Callable[[Array, Any, tuple[Range, ...]], Any],
    target: Any,
    name: str,
) -> list[Delayed]:
    """Return what writes blocks: ``write(block, target, ranges)`` of each."""
    indices = list(indices)
    edges = [list(pairwise(accumulate(sizes, initial=0))) for sizes in values.chunks]
    # Keys of its own: a cluster that remembers them would take a second writing as done.
    label = f"{name}-write-{uuid.uuid4().hex}"
    shared = f"{label}-target"
    graph: dict[Any, Any] = {shared: target}
    for index in indices:
        ranges = tuple(row[i] for row, i in zip(edges, index, strict=True))
        graph[(label, *index)] = (write, (values.name, *index), shared, ranges)
    whole = HighLevelGraph.from_collections(label, graph, dependencies=[values])
    return [Delayed((label, *index), whole, layer=label) for index in indices]


def write_block(block: Array, target: Any, ranges: tuple[Range, ...]) -> None:
    """Write a block to its place in a Zarr array."""
    target[tuple(slice(a, b) for a, b in ranges)] = block


def open_array(store: Any, name: str) -> Any:
    """Return an array of a store that its blocks are written to."""
    import zarr

    array = zarr.open_array(store, path=name, mode="r+", zarr_format=3)
    # A chunk that is all fill value too: where one is missing, it got lost.
    return array.with_config({"write_empty_chunks": True})
