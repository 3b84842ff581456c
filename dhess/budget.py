"""What a block costs in memory, and how large one may be: arithmetic, before anything runs.

The figures were measured on Linux workers of one thread; tests hold the projection against peaks.
"""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.stored import Stored

BLOCK_BYTES = 64 * 10**6
"""Blocks grow until they hold this many decoded bytes."""


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


def stored_blocks(stored: Stored, chunks: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Return the blocks to read a stored array in: as they are where somebody chose them."""
    if not stored.free:
        return tuple(map(tuple, chunks))
    shape = auto_chunks(stored.shape, stored.chunks, stored.dtype.itemsize)
    return tuple(cut(size, each) for size, each in zip(stored.shape, shape, strict=True))


def cut(size: int, block: int) -> tuple[int, ...]:
    """Cut an axis into blocks of one size and a rest.

    Examples
    --------
    >>> cut(10, 4)
    (4, 4, 2)
    """
    whole, rest = divmod(size, block)
    return (block,) * whole + ((rest,) if rest else ())
