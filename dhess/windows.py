"""The graph of a search: window by window, each with a task per block, one per seam, and merges.

A window is independent of the others: it reads the rim of those before it. So of a grid of a
million blocks the scheduler only ever knows one window.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from dhess.budget import stored_blocks
from dhess.passes import Candidates
from dhess.pieces import Layout, turns, windows, with_seams
from dhess.running import Progress, run, tell
from dhess.stored import stored_of
from dhess.sweep import Query, Sweep, interior, seams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.stencil import Stencil
    from dhess.stored import Stored
    from dhess.tables import Range

log = logging.getLogger(__name__)

BRANCHES = 4
"""Results that one task merges: few, so that the order of tasks keeps few shells waiting."""

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
        cls, values: da.Array, stencil: Stencil, query: Query, *, direct: bool = True
    ) -> Searched:
        """Choose the blocks: those of the array, or better ones where a store takes any."""
        stored = stored_of(values) if direct else None
        chunks = values.chunks if stored is None else stored_blocks(stored, values.chunks)
        sizes = (with_seams(each, stencil.along(d)) for d, each in enumerate(chunks))
        return cls(values, stored, stencil, query, tuple(sizes))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return math.prod(map(len, self.sizes))

    def windows(self) -> list[tuple[Range, ...]]:
        """Return the windows, as ranges of blocks."""
        counts = [len(each) for each in self.sizes]
        batch = [self.stencil.along(d) is None for d in range(len(counts))]
        return list(product(*windows(counts, batch, MOST)))

    def layout(self, window: Sequence[Range] | None = None) -> Layout:
        """Return the blocks of a window."""
        return Layout.of(self.stencil, self.sizes, window)

    @property
    def name(self) -> str:
        """What its tasks are called."""
        return f"find-{self.query.measure.name}"


class Tally:
    """What is found so far."""

    def __init__(self, searched: Searched) -> None:
        self.searched = searched
        self.best: Candidates | None = None
        self.total = searched.blocks

    def add(self, found: Candidates) -> None:
        """Count in what a part of the search found."""
        known = [] if self.best is None else [self.best]
        self.best = Candidates.merge([*known, found], self.searched.query.k)

    @property
    def done(self) -> int:
        """Blocks that are searched."""
        return 0 if self.best is None else self.best.blocks

    def progress(self, window: int, of_windows: int) -> Progress:
        """Return how far it is."""
        value: float | None = None
        index: tuple[int, ...] = ()
        if self.best is not None and len(self.best.columns["place"]):
            value = float(self.best.columns["value"][0])
            place = np.unravel_index(self.best.columns["place"][0], self.searched.values.shape)
            index = tuple(map(int, place))
        nbytes = int(self.searched.values.nbytes)
        share = nbytes * self.done // self.total
        return Progress(self.done, self.total, share, nbytes, window, of_windows, value, index)


def gather(tally: Tally) -> None:
    """Search window by window and count in each part as it is done."""
    searched = tally.searched
    all_windows = searched.windows()
    for i, window in enumerate(all_windows, 1):

        def done(found: Candidates, i: int = i) -> None:
            tally.add(found)
            tell(tally.progress(i, len(all_windows)))

        run(parts(searched, window), done)
        if len(all_windows) > 1:
            log.info("window %d of %d: %d blocks done", i, len(all_windows), tally.done)


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
