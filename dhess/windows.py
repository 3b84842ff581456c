"""The graph of a search: window by window, each with a task per block, one per seam, and merges.

A window is independent of the others: it reads the rim of those before it. So of a grid of a
million blocks the scheduler only ever knows one window.
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import TYPE_CHECKING, Any

import dask
import dask.array as da
import numpy as np
from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from dhess.budget import Blocks, refuse, search_memory, smaller_blocks, stored_blocks, window_blocks
from dhess.pieces import Layout, pieces, turns, windows, with_seams
from dhess.running import NOBODY, Progress, Workers, run, tell
from dhess.shapes import by, mega, read_factor
from dhess.stored import stored_of
from dhess.sweep import Sweep, interior, seams

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dhess.stencil import Stencil
    from dhess.stored import Stored
    from dhess.sweep import Wanted
    from dhess.tables import Range

Key = tuple[Any, ...]

log = logging.getLogger(__name__)

BRANCHES = 4
"""Results that one task merges: few, so that the order of tasks keeps few shells waiting."""


@dataclass(frozen=True, eq=False)
class Searched:
    """What is searched, and in which blocks."""

    values: da.Array
    stored: Stored | None
    """What ``values`` reads from, if it does nothing but read."""
    stencil: Stencil
    query: Wanted
    sizes: tuple[tuple[int, ...], ...]
    """Points of the blocks, per dimension."""

    workers: Workers | None = None
    """Who will search, if that is a cluster."""
    fixed: tuple[tuple[Range, ...], ...] | None = None
    """Windows that were chosen before, for other workers perhaps."""

    @classmethod
    def of(
        cls, values: da.Array, stencil: Stencil, query: Wanted, workers: Workers | None = None
    ) -> Searched:
        """Choose the blocks: those of the array, or better ones where a store takes any."""
        stored = stored_of(values)
        chunks = values.chunks
        if stored is not None:
            project = partial(
                search_memory, stencil=stencil, k=query.k, workers=workers or NOBODY,
                scratch=query.scratch,
            )  # fmt: skip
            chunks = stored_blocks(stored, chunks, project, workers)
        sizes = tuple(with_seams(each, stencil.along(d)) for d, each in enumerate(chunks))
        return cls(values, stored, stencil, query, sizes, workers)

    @classmethod
    def lazily(cls, values: da.Array, stencil: Stencil, query: Wanted) -> Searched:
        """Take the blocks of the graph, so that what else is made of them shares them."""
        sizes = (with_seams(each, stencil.along(d)) for d, each in enumerate(values.chunks))
        return cls(values, None, stencil, query, tuple(sizes))

    @property
    def blocks(self) -> Blocks:
        """Number and sizes of the blocks."""
        return Blocks.of(self.sizes, self.values.dtype, self.stored)

    @cached_property
    def along(self) -> tuple[tuple[Range, ...], ...]:
        """The windows along each dimension, as ranges of blocks."""
        return self.fixed or self._windows(self.blocks, self.workers)

    def _windows(self, blocks: Blocks, workers: Workers | None) -> tuple[tuple[Range, ...], ...]:
        batch = [self.stencil.along(d) is None for d in range(len(blocks.counts))]
        return windows(blocks.counts, batch, window_blocks(blocks, self.stencil, workers))

    def memory(self, workers: Workers) -> dict[str, int]:
        """Return the parts of a worker's peak, in bytes, by name."""
        return self.project(self.blocks, workers)

    def project(self, blocks: Blocks, workers: Workers) -> dict[str, int]:
        """Return the parts of a worker's peak with such blocks."""
        along = self._windows(blocks, workers)
        counts = tuple(max(b - a for a, b in row) for row in along)
        window = replace(blocks, counts=counts)
        return search_memory(window, self.stencil, self.query.k, workers, self.query.scratch)

    def refuse(self, dims: Sequence[Hashable]) -> None:
        """Raise InputError if the workers cannot hold it."""
        if self.workers is not None:
            project = partial(self.project, workers=self.workers)
            values, grow = self.values, self._grown
            refuse(project, self.sizes, values.dtype, self.stored, self.workers, dims, grow)

    def smaller(self, workers: Workers) -> tuple[int, ...] | None:
        """Return blocks that would fit."""
        project = partial(self.project, workers=workers)
        dtype, grow = self.values.dtype, self._grown
        return smaller_blocks(project, self.sizes, dtype, self.stored, workers, grow)

    def _grown(self, sizes: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
        return tuple(with_seams(each, self.stencil.along(d)) for d, each in enumerate(sizes))

    def read_factor(self) -> float:
        """Return how often the data is read on average: more than once where windows meet."""
        stored = self.stored
        chunks = stored.chunks if stored is not None else tuple(map(max, self.values.chunks))
        rows = []
        for d, (sizes, parts) in enumerate(zip(self.sizes, self.along, strict=True)):
            axis = self.stencil.along(d)
            rows.append([p.data for part in parts for p in pieces(sizes, axis, part)])
        return read_factor(rows, chunks or (1,) * len(rows), self.values.shape)

    def layout(self, window: Sequence[Range] | None = None) -> Layout:
        """Return the blocks of a window."""
        return Layout.of(self.stencil, self.sizes, window)

    @property
    def name(self) -> str:
        """What its tasks are called."""
        return self.query.name


class Tally:
    """What is found so far."""

    def __init__(self, searched: Searched) -> None:
        self.searched = searched
        self.best: Any = None
        # Keys of its own, so that the same search, run twice at a time, can be stopped once.
        self.run = uuid.uuid4().hex
        self.total = searched.blocks.number

    def add(self, found: Any) -> None:
        """Count in what a part of the search found."""
        known = [] if self.best is None else [self.best]
        self.best = self.searched.query.merge([*known, found])

    @property
    def done(self) -> int:
        """Blocks that are searched."""
        return 0 if self.best is None else int(self.best.blocks)

    def progress(self, window: int, of_windows: int) -> Progress:
        """Return how far it is."""
        value: float | None = None
        index: tuple[int, ...] = ()
        first = None if self.best is None else self.searched.query.first(self.best)
        if first is not None:
            value = first[0]
            index = tuple(map(int, np.unravel_index(first[1], self.searched.values.shape)))
        nbytes = int(self.searched.values.nbytes)
        share = nbytes * self.done // self.total
        return Progress(self.done, self.total, share, nbytes, window, of_windows, value, index)


def gather(tally: Tally) -> None:
    """Search window by window and count in each part as it is done."""
    searched = tally.searched
    blocks = searched.blocks
    all_windows = list(product(*searched.along))
    log.info(
        "%s: %s blocks of %s points and %s, windows: %d, read %s",
        searched.name, f"{blocks.number:,}", by(blocks.points), mega(blocks.nbytes),
        len(all_windows), "from the store" if searched.stored else "through the graph",
    )  # fmt: skip
    tell(tally.progress(1, len(all_windows)))
    for i, window in enumerate(all_windows, 1):

        def done(_: int, found: Any, i: int = i) -> None:
            tally.add(found)
            tell(tally.progress(i, len(all_windows)))

        begin, before = time.perf_counter(), tally.done
        run(parts(searched, window, tally.run), done, name=searched.name)
        took = time.perf_counter() - begin
        rate = (tally.done - before) * blocks.nbytes / took
        log.info("window %d of %d: %.1f s, %s/s", i, len(all_windows), took, mega(rate))
    if tally.best is not None and tally.best.missing and searched.stored is not None:
        # Blocks and windows may have met the same chunk.
        there = min(tally.best.missing, searched.stored.missing())
        tally.best = replace(tally.best, missing=there)
        log.info("%d stored chunks are missing and were read as fill value", tally.best.missing)


def parts(
    searched: Searched,
    window: tuple[Range, ...] | None = None,
    run: str = "",
    most: int = BRANCHES,
) -> list[Delayed]:
    """Return the best points of a window in parts, each of up to so many blocks, in C order."""
    graph, sources, keys = _tasks(searched, window, run)
    return _merged(searched, graph, sources, keys, most)


def whole(searched: Searched) -> Delayed:
    """Return the best points of all blocks as one object."""
    graph, sources, keys = _tasks(searched, None, "")
    level = 0
    while len(keys) > BRANCHES:
        name = f"{searched.name}-merge-{level}-{tokenize(keys[0])}"
        keys, level = _merge(graph, name, keys, searched.query), level + 1
    (found,) = _merged(searched, graph, sources, keys)
    return found


def _tasks(
    searched: Searched, window: tuple[Range, ...] | None, run: str
) -> tuple[dict[Any, Any], list[da.Array], list[Key]]:
    """Return the tasks of a window, what they depend on, and the keys of its blocks' results."""
    layout = searched.layout(window)
    query = searched.query
    token = tokenize(
        searched.values.name, searched.stencil.token, searched.sizes, window, query.token, run,
    )  # fmt: skip
    shared, inside, around = (
        f"{searched.name}-{what}-{token}" for what in ("sweep", "interior", "seams")
    )
    graph: dict[Any, Any] = {shared: Sweep(searched.stencil, query, layout, searched.stored)}
    sources = [] if searched.stored is not None else [region_of(searched.values, layout)]
    keys = []
    for index in layout:
        key = (around, *index)
        near = [(inside, *at) for at in layout.before(index)]
        graph[inside, *index] = (interior, shared, index, *((s.name, *index) for s in sources))
        graph[key] = (seams, shared, index, near)
        keys.append(key)
    return graph, sources, keys


def _merge(
    graph: dict[Any, Any], name: str, keys: list[Key], query: Wanted, most: int = BRANCHES
) -> list[Key]:
    """Add the tasks that merge results, up to so many each, and return their keys."""
    groups = [keys[i : i + most] for i in range(0, len(keys), most)]
    for i, group in enumerate(groups):
        graph[name, i] = (query.merge, group)
    return [(name, i) for i in range(len(groups))]


def _merged(
    searched: Searched,
    graph: dict[Any, Any],
    sources: list[da.Array],
    keys: list[Key],
    most: int = BRANCHES,
) -> list[Delayed]:
    name = f"{searched.name}-best-{tokenize(keys[0])}"
    merged = _merge(graph, name, keys, searched.query, most)
    layers = HighLevelGraph.from_collections(name, graph, dependencies=sources)
    return [Delayed(key, layers, layer=name) for key in merged]


def region_of(values: da.Array, layout: Layout) -> da.Array:
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
