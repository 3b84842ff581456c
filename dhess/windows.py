"""The graph of a search: window by window, each with a task per block, one per seam, and merges.

A window is independent of the others: it reads the rim of those before it. So of a grid of a
million blocks the scheduler only ever knows one window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from dhess.passes import Candidates
from dhess.pieces import Layout, turns, windows, with_seams
from dhess.sweep import Query, Sweep, interior, seams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.stencil import Stencil
    from dhess.stored import Stored
    from dhess.tables import Range

BRANCHES = 16
"""Results that one task merges."""

MOST = 10_000
"""Blocks of a window: about as many as a scheduler takes at once without growing."""


@dataclass(frozen=True, eq=False)
class Searched:
    """What is searched, and in which blocks."""

    values: da.Array
    stored: Stored | None
    """What ``values`` reads from, if it does nothing but read."""
    stencil: Stencil
    query: Query
    sizes: tuple[tuple[int, ...], ...]
    """Points of the blocks, per dimension."""

    @classmethod
    def of(
        cls,
        values: da.Array,
        stored: Stored | None,
        stencil: Stencil,
        query: Query,
        chunks: Sequence[Sequence[int]],
    ) -> Searched:
        """Merge blocks whose seams would meet."""
        sizes = (with_seams(each, stencil.along(d)) for d, each in enumerate(chunks))
        return cls(values, stored, stencil, query, tuple(sizes))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return math.prod(map(len, self.sizes))

    def windows(self, most: int = MOST) -> list[tuple[Range, ...]]:
        """Return the windows, as ranges of blocks."""
        counts = [len(each) for each in self.sizes]
        batch = [self.stencil.along(d) is None for d in range(len(counts))]
        return list(product(*windows(counts, batch, most)))

    def layout(self, window: Sequence[Range] | None = None) -> Layout:
        """Return the blocks of a window."""
        return Layout.of(self.stencil, self.sizes, window)

    @property
    def name(self) -> str:
        """What its tasks are called."""
        return f"find-{self.query.measure.name}"


def parts(searched: Searched, window: tuple[Range, ...] | None = None) -> list[Delayed]:
    """Return the best points of a window in parts, each of up to `BRANCHES` blocks."""
    layout = searched.layout(window)
    query = searched.query
    token = tokenize(
        searched.values.name, searched.stencil.token, searched.sizes, window,
        query.measure.name, query.k, query.dtype, query.points,
    )  # fmt: skip
    shared = f"{searched.name}-sweep-{token}"
    inside, around, best = (
        f"{searched.name}-{what}-{token}" for what in ("interior", "seams", "best")
    )
    graph: dict[Any, Any] = {shared: Sweep(searched.stencil, query, layout, searched.stored)}
    sources = [] if searched.stored is not None else [_region(searched.values, layout)]
    for index in layout:
        given = [(source.name, *index) for source in sources]
        graph[inside, *index] = (interior, shared, index, *given)
        graph[around, *index] = (
            seams, shared, index, [(inside, *at) for at in layout.before(index)],
        )  # fmt: skip
    keys = [(around, *index) for index in layout]
    groups = [keys[i : i + BRANCHES] for i in range(0, len(keys), BRANCHES)]
    for i, group in enumerate(groups):
        graph[best, i] = (Candidates.merge, group, query.k)
    whole = HighLevelGraph.from_collections(best, graph, dependencies=sources)
    return [Delayed((best, i), whole, layer=best) for i in range(len(groups))]


def tree(found: Sequence[Delayed], k: int) -> Delayed:
    """Return the best of all parts as one object."""
    merge = dask.delayed(Candidates.merge, pure=True)
    left = list(found)
    while len(left) > 1:
        left = [merge(left[i : i + BRANCHES], k) for i in range(0, len(left), BRANCHES)]
    return left[0]


def _region(values: da.Array, layout: Layout) -> da.Array:
    """Return what a window reads, a Dask block for each of its blocks."""
    for d, row in enumerate(layout.pieces):
        spans = [part for part, _ in turns((row[0].data[0], row[-1].data[1]), layout.shape[d])]
        if spans != [(0, layout.shape[d])]:
            before = (slice(None),) * d
            near = [values[(*before, slice(a, b))] for a, b in spans]
            values = da.concatenate(near, axis=d) if len(near) > 1 else near[0]
        sizes = tuple(p.data[1] - p.data[0] for p in row)
        if values.chunks[d] != sizes:
            values = values.rechunk({d: sizes})
    (values,) = dask.optimize(values)
    return values
