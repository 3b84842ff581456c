"""Fields of Dask arrays: each block with the rims of its neighbours, which travel alone.

Three tasks per block: the source's own, one that copies the rim off it, and one that takes the
block and the rims around it. Inner points are computed on the block as it is; only what lies near
its faces is put together anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

import dask.array as da
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from dhess.block import Block
from dhess.pieces import Layout, Piece, merged
from dhess.shell import Shell, joined

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.stencil import AxisStencil, Stencil
    from dhess.stored import Stored
    from dhess.tables import Array, Range

    Index = tuple[int, ...]


class Work(Protocol):
    """What computes a field, and knows its dimensions of components."""

    def empty(self, stencil: Stencil, shape: tuple[int, ...]) -> Array:
        """Return room for the results on so many points."""

    def write(self, stencil: Stencil, block: Block, out: Array, held: tuple[Range, ...]) -> None:
        """Write the results on the points of a block to their place in ``out``."""


@dataclass(frozen=True, eq=False)
class Shared:
    """All that the tasks of a field share."""

    stencil: Stencil
    work: Work
    layout: Layout
    corners: int
    """Along how many axes at once a stencil reaches."""
    stored: Stored | None
    """What blocks are read from, by both tasks; None where a graph brings them."""

    def data(self, index: Index, given: Array | None) -> Array:
        """Return a block, read now unless it comes."""
        if given is not None:
            return given
        assert self.stored is not None
        return self.stored.read(tuple(p.data for p in self.layout.block(index)))[0]

    def neighbours(self, index: Index) -> Iterator[tuple[Index, Index]]:
        """Return the blocks around one, and how far each is moved if it lies over a seam."""
        layout = self.layout
        steps = []
        for d, (i, row) in enumerate(zip(index, layout.pieces, strict=True)):
            here = [(i, 0, 0)]
            low, high = row[i].keep
            if low:
                here.append((i - 1, 0, 1) if i else (len(row) - 1, -layout.shape[d], 1))
            if high:
                last = i == len(row) - 1
                here.append((0, layout.shape[d], 1) if last else (i + 1, 0, 1))
            steps.append(here)
        for way in product(*steps):
            if 0 < sum(off for *_, off in way) <= self.corners:
                yield tuple(j for j, *_ in way), tuple(by for _, by, _ in way)


def field(
    values: da.Array,
    stencil: Stencil,
    work: Work,
    *,
    leading: tuple[int, ...],
    meta: Array,
    name: str,
    stored: Stored | None = None,
) -> da.Array:
    """Return a lazy field, with the dimensions of the data behind those of ``leading``.

    With what the array is ``stored`` in, blocks are read twice and none is held in between: once
    for the rim, once for the field.
    """
    values, layout = in_blocks(values, stencil)
    corners = 2 if stencil.need.mixed else 1
    corners = values.ndim if stencil.adapts else corners
    shared = Shared(stencil, work, layout, corners, stored)
    token = tokenize(name, values.name, stencil.token, work, leading, stored is None)
    everyone, rims, own = f"{name}-all-{token}", f"{name}-rim-{token}", f"{name}-{token}"
    graph: dict[Any, Any] = {everyone: shared}
    none = (0,) * len(leading)
    for index in layout:
        block = (values.name, *index) if stored is None else None
        around = [(rims, *at) for at, _ in shared.neighbours(index)]
        graph[own, *none, *index] = (on_block, everyone, index, block, around)
        if around:
            graph[rims, *index] = (rim, everyone, index, block)
    chunks = (*((n,) for n in leading), *values.chunks)
    sources = [values] if stored is None else []
    whole = HighLevelGraph.from_collections(own, graph, dependencies=sources)
    return da.Array(whole, own, chunks, meta=meta)


def rim(shared: Shared, index: Index, given: Array | None) -> Shell:
    """Copy off a block what its neighbours need."""
    block, data = shared.layout.block(index), shared.data(index, given)
    return Shell.of(data, tuple(p.data for p in block), [p.keep for p in block])


def on_block(shared: Shared, index: Index, given: Array | None, rims: Sequence[Shell]) -> Array:
    """Compute the field on a block."""
    data = shared.data(index, given)
    stencil, block = shared.stencil, shared.layout.block(index)
    points = tuple(p.data for p in block)
    out = shared.work.empty(stencil, data.shape)
    around = [
        shell.moved(by) if any(by) else shell
        for (_, by), shell in zip(shared.neighbours(index), rims, strict=True)
    ]
    shells = [Shell.whole(data, points), *around]
    for part in _parts(block):
        if part == tuple(p.inner for p in block):
            found = Block(data, tuple(a for a, _ in points), part)
        else:
            region = tuple(
                _around(stencil.along(d), p, r)
                for d, (p, r) in enumerate(zip(block, part, strict=True))
            )
            found = Block(joined(shells, region), tuple(a for a, _ in region), part)
        shared.work.write(stencil, found, out, points)
    return out


def in_blocks(values: da.Array, stencil: Stencil) -> tuple[da.Array, Layout]:
    """Merge blocks that are smaller than their halo, and tell what is computed of each alone."""
    axes = [stencil.along(d) for d in range(values.ndim)]
    chunks = tuple(
        merged(sizes, 0, 0) if axis is None else merged(sizes, axis.halo, axis.least)
        for sizes, axis in zip(values.chunks, axes, strict=True)
    )
    pieces = tuple(tuple(_pieces(sizes, axis)) for sizes, axis in zip(chunks, axes, strict=True))
    return values.rechunk(chunks), Layout(pieces, values.shape)


def _pieces(sizes: Sequence[int], axis: AxisStencil | None) -> Iterator[Piece]:
    first = 0
    wrapped = axis is not None and axis.axis.period is not None
    for i, size in enumerate(sizes):
        last = first + size
        part = first, last
        if axis is None or len(sizes) == 1:
            yield Piece(part, part)
        else:
            low = axis.halo if i or wrapped else 0
            high = axis.halo if i < len(sizes) - 1 or wrapped else 0
            # So short that its one-sided rows reach out of it, or that its faces meet: no point of
            # it is computed alone.
            short = size < max(axis.depth, 2 * axis.halo)
            inner = (first, first) if short else (first + low, last - high)
            yield Piece(part, inner, keep=(low, high))
        first = last


def _parts(block: Sequence[Piece]) -> Iterator[tuple[Range, ...]]:
    """Cut a block into its inner points and slabs along its faces."""
    if any(p.inner[0] >= p.inner[1] for p in block):
        yield tuple(p.data for p in block)
        return
    yield tuple(p.inner for p in block)
    for d, piece in enumerate(block):
        (first, last), (low, high) = piece.data, piece.inner
        for part in ((first, low), (high, last)):
            if part[0] < part[1]:
                yield (*(p.inner for p in block[:d]), part, *(p.data for p in block[d + 1 :]))


def _around(axis: AxisStencil | None, piece: Piece, points: Range) -> Range:
    if axis is None:
        return points
    first, last = axis.around(*points)
    low, high = piece.keep
    return (
        first if low else max(first, piece.data[0]),
        last if high else min(last, piece.data[1]),
    )
