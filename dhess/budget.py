"""What a block costs in memory, and how large one may be: arithmetic, before anything runs.

The figures were measured on Linux workers of one thread; tests hold the projection against peaks.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dhess.errors import InputError
from dhess.passes import PART
from dhess.pieces import turns

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from typing import Any

    import numpy as np

    from dhess.running import Workers
    from dhess.stencil import Stencil
    from dhess.stored import Stored
    from dhess.tables import Range

    Projection = Callable[["Blocks"], dict[str, int]]

BLOCK_BYTES = 64 * 10**6
"""Blocks grow until they hold this many decoded bytes."""

CHUNK_BYTES = 16 * 10**6
"""Stored chunks of a field that is written stay below this."""

LEAST_BYTES = 4 * 10**6
"""Where memory is short they become smaller, down to this."""

FLOOR = 270 * 10**6
"""What a worker takes that has imported everything and compiled the kernels."""

USABLE = 0.7
"""Share of a worker's memory above which Dask spills to disk."""

KILLED = 0.95
"""Share above which Dask ends a worker."""

AT_ONCE = 4
"""Chunks in memory while a block is read: two are read at a time, compressed and not."""

GAP_BYTES = 90
"""For each point of a part that is looked through for gaps."""

MOST = 10_000
"""Blocks of a window: about as many as a scheduler takes at once without growing."""

LEAST = 64
"""Fewer would read too much twice."""

SHELLS = 0.2
"""Share of the memory that the shells of a window may take."""

SLACK = 1.1
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


def search_memory(blocks: Blocks, stencil: Stencil, k: int, workers: Workers) -> dict[str, int]:
    """Return the parts of a worker's peak in a search, in bytes, by name."""
    shell = blocks.shell(stencil, 2)
    around = 2 ** blocks.seams(stencil)
    n = len(stencil.axes)
    points = 8 * k * (n * n + n + 5) * 4
    inside = blocks.nbytes + max(blocks.reading, blocks.computing(stencil)) + shell
    task = max(inside, around * shell + 2 * shell) + points
    waiting = min(blocks.number, 4 * blocks.front) * (shell + points // 4)
    return _parts(task, blocks.nbytes, workers, {"shells that wait": waiting})


def field_memory(
    blocks: Blocks, stencil: Stencil, out_itemsize: int, workers: Workers, *, reread: bool
) -> dict[str, int]:
    """Return the parts of a worker's peak while a field is written, in bytes, by name.

    ``out_itemsize`` are the bytes of a point, all components together.
    """
    rim = blocks.shell(stencil, 1)
    out = math.prod(blocks.points) * out_itemsize
    around = 3 ** blocks.seams(stencil) - 1
    writing = out + 4 * min(out, CHUNK_BYTES)
    rims = 2 * rim if around else 0
    task = blocks.nbytes + max(blocks.reading, blocks.computing(stencil) + rims + writing)
    waiting = {"rims that wait": min(blocks.number, 4 * blocks.front) * rim}
    if not reread:
        waiting["blocks that wait"] = min(blocks.number, 2 * blocks.front + 4) * blocks.nbytes
    return _parts(task, blocks.nbytes, workers, waiting)


def _parts(task: int, block: int, workers: Workers, waiting: dict[str, int]) -> dict[str, int]:
    parts = {
        "process": FLOOR,
        "blocks": workers.threads * block,
        "work on them": workers.threads * (task - block),
        **{name: nbytes // workers.count for name, nbytes in waiting.items()},
    }
    return {name: int(SLACK * nbytes) for name, nbytes in parts.items()}


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
) -> None:
    """Raise InputError if a worker would be killed for the memory that it takes.

    The sentence names the two numbers, and the blocks that would fit.
    """
    blocks = Blocks.of(sizes, dtype, stored)
    needed = sum(project(blocks).values())
    if workers.memory is None or needed <= KILLED * workers.memory:
        return
    smaller = smaller_blocks(project, sizes, dtype, stored, workers)
    remedy = f"give workers {mega(needed / USABLE)}"
    if smaller is not None:
        remedy = f"use chunks={dict(zip(map(str, dims), smaller, strict=True))}, or {remedy}"
    elif stored is not None and stored.chunks is not None:
        remedy += f", or store it in chunks smaller than {by(stored.chunks)}"
    raise InputError(
        f"blocks of {by(blocks.points)} points would take {mega(needed)} of a worker's memory, "
        f"which is {mega(workers.memory)}; {remedy}"
    )


def smaller_blocks(
    project: Projection,
    sizes: Sequence[Sequence[int]],
    dtype: np.dtype[Any],
    stored: Stored | None,
    workers: Workers,
) -> tuple[int, ...] | None:
    """Return the largest shape of blocks that fits; None if none does."""
    shape = tuple(map(sum, sizes))
    unit = (1,) * len(shape) if stored is None else stored.chunks
    for nbytes in halves(Blocks.of(sizes, dtype, stored).nbytes // 2):
        block = auto_chunks(shape, unit, dtype.itemsize, nbytes)
        each = tuple(cut(size, n) for size, n in zip(shape, block, strict=True))
        if fits(project(Blocks.of(each, dtype, stored)), workers):
            return block
    return None


def by(points: Sequence[int]) -> str:
    """Write a shape.

    Examples
    --------
    >>> by((2, 30))
    '2 × 30'
    """
    return " × ".join(map(str, points))


def mega(nbytes: float) -> str:
    """Write a number of bytes, as an option of memory takes it.

    Examples
    --------
    >>> mega(400_000_000)
    '400MB'
    """
    return f"{math.ceil(nbytes / 1e6)}MB"


def window_blocks(blocks: Blocks, stencil: Stencil, workers: Workers | None) -> int:
    """Return how many blocks a window may have: fewer where its waiting shells would not fit."""
    shell, n = blocks.shell(stencil, 2), blocks.seams(stencil)
    if workers is None or workers.memory is None or n < 2:
        return MOST
    room = SHELLS * USABLE * workers.memory * workers.count
    return max(LEAST, min(MOST, int((room / (4 * shell)) ** (n / (n - 1)))))


def auto_chunks(
    shape: Sequence[int], stored: Sequence[int] | None, itemsize: int, nbytes: int = BLOCK_BYTES
) -> tuple[int, ...]:
    """Return the block shape: stored chunks joined, nearly cubic, to 64 MB and hardly more.

    A block reaches ``nbytes`` and stays below twice that, unless one stored chunk is already
    larger (a part of it could only be read by decoding all of it) or the array is smaller (then it
    is one block). Without stored chunks (*stored* is None: a contiguous file) the leading axes are
    cut, so that a block is one run of bytes.

    Parameters
    ----------
    shape
        Points per axis.
    stored
        Points per axis of one stored chunk or shard, or None.
    itemsize
        Bytes of one decoded point.
    nbytes
        Decoded bytes of a block.

    Returns
    -------
    tuple of int
        Points per axis of one block.

    Examples
    --------
    >>> auto_chunks((768, 768, 768), (64, 64, 64), 4)
    (256, 256, 256)
    >>> auto_chunks((8760, 721, 1440), (1, 721, 1440), 4)  # one hour per stored chunk
    (16, 721, 1440)
    >>> auto_chunks((100, 100), (10, 10), 8)
    (100, 100)
    >>> auto_chunks((5000, 2000, 2000), None, 8)
    (2, 2000, 2000)
    """
    points = -(-nbytes // itemsize)
    return _slab(shape, points) if stored is None else _grown(shape, stored, points)


def _grown(shape: Sequence[int], stored: Sequence[int], points: int) -> tuple[int, ...]:
    """Return the smallest near-cube of whole stored chunks that has so many points."""

    def block(side: int) -> list[int]:
        pairs = zip(shape, stored, strict=True)
        return [min(size, chunk * max(1, -(-side // chunk))) for size, chunk in pairs]

    sides = range(max(shape) + 1)
    side = bisect.bisect_left(sides, points, key=lambda side: math.prod(block(side)))
    full = block(side)
    grown = block(max(0, side - 1))
    # Several axes may step at the same side; the last ones are the ones whose rows get longer.
    for axis in reversed(range(len(shape))):
        if math.prod(grown) >= points:
            break
        grown[axis] = full[axis]
    return tuple(grown)


def _slab(shape: Sequence[int], points: int) -> tuple[int, ...]:
    """Return the smallest run of consecutive bytes, as a block, that has so many points."""
    block: list[int] = []
    for size in reversed(shape):
        block.append(min(size, max(1, -(-points // math.prod(block)))))
    return tuple(reversed(block))


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


def read_factor(
    rows: Iterable[Sequence[Range]], chunks: Sequence[int], shape: Sequence[int]
) -> float:
    """Return how often stored chunks are read on average when these ranges are, per dimension.

    Examples
    --------
    >>> read_factor([[(0, 4), (4, 8)]], (4,), (8,)), read_factor([[(0, 3), (3, 6)]], (2,), (6,))
    (1.0, 1.3333333333333333)
    """
    found = 1.0
    for ranges, chunk, size in zip(rows, chunks, shape, strict=True):
        parts = (part for each in ranges for part, _ in turns(each, size))
        read = sum(min(-(-b // chunk) * chunk, size) - a // chunk * chunk for a, b in parts)
        found *= read / size
    return found


def halves(nbytes: int) -> list[int]:
    """Return sizes of blocks to try, from the largest on.

    Examples
    --------
    >>> halves(32_000_000)
    [32000000, 16000000, 8000000, 4000000]
    """
    return [nbytes >> i for i in range(8) if nbytes >> i >= LEAST_BYTES]


def cut(size: int, block: int) -> tuple[int, ...]:
    """Cut an axis into blocks of one size and a rest.

    Examples
    --------
    >>> cut(10, 4)
    (4, 4, 2)
    """
    whole, rest = divmod(size, block)
    return (block,) * whole + ((rest,) if rest else ())
