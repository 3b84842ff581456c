"""What a block costs in memory, and how large one may be: arithmetic, before anything runs.

The figures were measured on Linux workers of one thread; tests hold the projection against peaks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhess.errors import InputError
from dhess.passes import PART
from dhess.shapes import BLOCK_BYTES, CHUNK_BYTES, auto_chunks, by, cut, halves, mega

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    import numpy as np

    from dhess.running import Workers
    from dhess.stencil import Stencil
    from dhess.stored import Stored

    Projection = Callable[["Blocks"], dict[str, int]]

FLOOR = 275 * 10**6
"""What a worker takes that has imported everything and compiled the kernels."""

USABLE = 0.7
"""Share of a worker's memory above which Dask spills to disk."""

PAUSED = 0.8
"""Share above which Dask gives a worker no more tasks: for good, where memory is kept."""

AT_ONCE = 4
"""Chunks in memory while a block is read: two are read at a time, compressed and not."""

GAP_BYTES = 90
"""For each point of a part that is looked through for gaps."""

MOST = 10_000
"""Blocks of a window: about as many as a scheduler takes at once without growing."""

LEAST = 64
"""Fewer would read too much twice."""

LAYERS = 32
"""Parts in which the layers of a field are written, one after the other."""

SHELLS = 0.2
"""Share of the memory that the shells of a window may take."""

SLACK = 1.15
"""For what the allocator cannot use again."""


@dataclass(frozen=True)
class Blocks:
    """The largest block of a layout, and how many there are: all that memory depends on."""

    points: tuple[int, ...]
    counts: tuple[int, ...]
    itemsize: int
    chunk_bytes: int
    """Of one stored chunk, decoded; 0 where a graph brings the blocks."""
    copied: bool
    """Whether kernels need a copy in float64."""

    @classmethod
    def of(cls, sizes: Sequence[Sequence[int]], dtype: np.dtype, stored: Stored | None) -> Blocks:
        """Take the largest of blocks of these sizes."""
        chunk = 0
        if stored is not None and stored.chunks is not None:
            chunk = math.prod(stored.chunks) * dtype.itemsize
        copied = not (dtype.char in "fd" and dtype.isnative)
        points = tuple(max(each) for each in sizes)
        return cls(points, tuple(map(len, sizes)), dtype.itemsize, chunk, copied)

    @property
    def number(self) -> int:
        """How many blocks there are."""
        return math.prod(self.counts)

    @property
    def nbytes(self) -> int:
        """Of the largest one, decoded."""
        return math.prod(self.points) * self.itemsize

    @property
    def reading(self) -> int:
        """Bytes beside the block while it is read."""
        return min(AT_ONCE * self.chunk_bytes, max(2 * self.nbytes, 2 * self.chunk_bytes))

    def computing(self, stencil: Stencil) -> int:
        """Bytes beside the block while kernels pass over it."""
        points = math.prod(self.points)
        gaps = 0
        if stencil.adapts:
            first = stencil.along(0)
            thick = 1 if first is None else 4 * first.halo
            gaps = GAP_BYTES * min(points, max(PART, thick * points // self.points[0]))
        return (8 * points if self.copied else 0) + gaps

    def shell(self, stencil: Stencil, thick: int) -> int:
        """Bytes of the rims along all faces, so many halos thick."""
        total = math.prod(self.points)
        found = 0
        for d, count in enumerate(self.counts):
            axis = stencil.along(d)
            if axis is not None and count > 1:
                found += 2 * min(thick * axis.halo, self.points[d]) * (total // self.points[d])
        return found * self.itemsize

    def seams(self, stencil: Stencil) -> int:
        """Along how many dimensions there are seams."""
        return sum(n > 1 and stencil.along(d) is not None for d, n in enumerate(self.counts))

    @property
    def front(self) -> int:
        """Blocks between those that are done and those that are still to come, as Dask goes."""
        return min(self.number, -(-self.number // max(self.counts)))


def search_memory(
    blocks: Blocks, stencil: Stencil, k: int, workers: Workers, scratch: int = 0
) -> dict[str, int]:
    """Return the parts of a worker's peak in a search, in bytes, by name.

    ``scratch`` are the bytes per point that a task holds beside the block.
    """
    shell = blocks.shell(stencil, 2)
    around = 2 ** blocks.seams(stencil)
    n = len(stencil.axes)
    points = 8 * k * (n * n + n + 5) * 4
    beside = blocks.computing(stencil) + scratch * math.prod(blocks.points)
    inside = blocks.nbytes + max(blocks.reading, beside) + shell
    task = max(inside, around * shell + 2 * shell) + points
    waiting = min(blocks.number, 4 * blocks.front) * (shell + points // 4)
    return _parts(task, blocks, workers, {"shells that wait": waiting})


def field_memory(
    blocks: Blocks, stencil: Stencil, out_itemsize: int, workers: Workers, *, reread: bool
) -> dict[str, int]:
    """Return the parts of a worker's peak while a field is written, in bytes, by name.

    ``out_itemsize`` are the bytes of a point, all components together.
    """
    rim = blocks.shell(stencil, 1)
    out = math.prod(blocks.points) * out_itemsize
    around = 3 ** blocks.seams(stencil) - 1
    writing = out + 6 * min(out, CHUNK_BYTES)
    rims = 2 * rim if around else 0
    task = blocks.nbytes + max(blocks.reading, blocks.computing(stencil) + rims + writing)
    # Layers that are written together, and one more to each side; every worker has those rims.
    near = (-(-max(blocks.counts) // LAYERS) + 3) * blocks.front
    waiting = {"rims that wait": min(blocks.number, near) * rim * workers.count}
    if not reread:
        ahead = near - 2 * blocks.front + 4
        waiting["blocks that wait"] = min(blocks.number, ahead) * blocks.nbytes
    return _parts(task, blocks, workers, waiting)


def _parts(task: int, blocks: Blocks, workers: Workers, waiting: dict[str, int]) -> dict[str, int]:
    busy = min(workers.threads, blocks.number)
    parts = {
        "process": FLOOR,
        "blocks": busy * blocks.nbytes,
        "work on them": busy * (task - blocks.nbytes),
        **{name: nbytes // workers.count for name, nbytes in waiting.items()},
    }
    return {name: int(SLACK * nbytes) for name, nbytes in parts.items()}


def starved(parts: dict[str, int], workers: Workers) -> bool:
    """Tell whether a worker would get no more tasks, for the memory that it takes."""
    return workers.memory is not None and sum(parts.values()) > PAUSED * workers.memory


def fits(parts: dict[str, int], workers: Workers) -> bool:
    """Tell whether a peak stays below what Dask lets a worker have before it spills."""
    return workers.memory is None or sum(parts.values()) <= USABLE * workers.memory


def refuse(
    project: Projection,
    sizes: Sequence[Sequence[int]],
    dtype: np.dtype[Any],
    stored: Stored | None,
    workers: Workers,
    dims: Sequence[Hashable],
    grow: Callable[[Sequence[Sequence[int]]], Sequence[Sequence[int]]] = tuple,
) -> None:
    """Raise InputError if a worker would get no more tasks, for the memory that it takes.

    The sentence names the two numbers, and the blocks that would fit.
    """
    blocks = Blocks.of(sizes, dtype, stored)
    parts = project(blocks)
    if workers.memory is None or not starved(parts, workers):
        return
    needed = sum(parts.values())
    smaller = smaller_blocks(project, sizes, dtype, stored, workers, grow)
    remedy = f"give workers {mega(needed / USABLE)}"
    if smaller is not None:
        remedy = f"use chunks={dict(zip(map(str, dims), smaller, strict=True))}, or {remedy}"
    elif stored is not None and stored.chunks is not None and 2 * blocks.chunk_bytes > FLOOR:
        remedy += f", or store it in chunks smaller than {by(stored.chunks)}"
    raise InputError(
        f"blocks of {by(blocks.points)} points would take {mega(needed)}, and a worker gets tasks "
        f"up to {PAUSED:.0%} of its {mega(workers.memory)}; {remedy}"
    )


def smaller_blocks(
    project: Projection,
    sizes: Sequence[Sequence[int]],
    dtype: np.dtype[Any],
    stored: Stored | None,
    workers: Workers,
    grow: Callable[[Sequence[Sequence[int]]], Sequence[Sequence[int]]] = tuple,
) -> tuple[int, ...] | None:
    """Return the largest shape of blocks that fits; None if none does.

    ``grow`` tells what becomes of blocks that are too small for their rims.
    """
    shape = tuple(map(sum, sizes))
    unit = (1,) * len(shape) if stored is None else stored.chunks
    nbytes = Blocks.of(sizes, dtype, stored).nbytes // 2
    while nbytes:
        block = auto_chunks(shape, unit, dtype.itemsize, nbytes)
        each = grow([cut(size, n) for size, n in zip(shape, block, strict=True)])
        if fits(project(Blocks.of(each, dtype, stored)), workers):
            return block
        nbytes = 0 if block == unit else nbytes // 2
    return None


def window_blocks(blocks: Blocks, stencil: Stencil, workers: Workers | None) -> int:
    """Return how many blocks a window may have: fewer where its waiting shells would not fit."""
    shell, n = blocks.shell(stencil, 2), blocks.seams(stencil)
    if workers is None or workers.memory is None or n < 2:
        return MOST
    room = SHELLS * USABLE * workers.memory * workers.count
    return max(LEAST, min(MOST, int((room / (4 * shell)) ** (n / (n - 1)))))


def stored_blocks(
    stored: Stored,
    chunks: Sequence[Sequence[int]],
    project: Projection,
    workers: Workers | None,
) -> tuple[tuple[int, ...], ...]:
    """Return the blocks to read a stored array in: as they are where somebody chose them.

    Otherwise as `auto_chunks` joins them, in halves until what ``project`` says of them fits.
    """
    if not stored.free:
        return tuple(map(tuple, chunks))
    sizes: tuple[tuple[int, ...], ...] = ()
    for nbytes in halves(BLOCK_BYTES):
        shape = auto_chunks(stored.shape, stored.chunks, stored.dtype.itemsize, nbytes)
        sizes = tuple(cut(size, each) for size, each in zip(stored.shape, shape, strict=True))
        if workers is None or fits(project(Blocks.of(sizes, stored.dtype, stored)), workers):
            break
    return sizes
