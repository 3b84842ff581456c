"""Shapes of blocks, as whole multiples of what is stored together: arithmetic on tuples of ints."""

from __future__ import annotations

import bisect
import math
from typing import TYPE_CHECKING

from dhess.pieces import turns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dhess.tables import Range

BLOCK_BYTES = 64 * 10**6
"""Blocks grow until they hold this many decoded bytes."""

CHUNK_BYTES = 2**24
"""Stored chunks of a field that is written stay below this."""

LEAST_BYTES = 4 * 10**6
"""Where memory is short they become smaller, down to this."""


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


def stored_chunk(block: Sequence[int], itemsize: int) -> tuple[int, ...]:
    """Cut a block into equal stored chunks of up to `CHUNK_BYTES`, as far as its sizes divide.

    Examples
    --------
    >>> stored_chunk((256, 256, 256), 4)
    (128, 128, 256)
    >>> stored_chunk((3, 50, 50), 8)
    (3, 50, 50)
    """
    chunk = list(block)
    while math.prod(chunk) * itemsize > CHUNK_BYTES:
        ways = [(size, -d) for d, size in enumerate(chunk) if _divisor(size)]
        if not ways:
            break
        d = -max(ways)[1]
        chunk[d] //= _divisor(chunk[d])
    return tuple(chunk)


def _divisor(size: int) -> int:
    """Return the smallest prime that divides a size, if it is a small one; 0 otherwise."""
    return next((prime for prime in (2, 3, 5, 7) if size > 1 and size % prime == 0), 0)


def cut(size: int, block: int) -> tuple[int, ...]:
    """Cut an axis into blocks of one size and a rest.

    Examples
    --------
    >>> cut(10, 4)
    (4, 4, 2)
    """
    whole, rest = divmod(size, block)
    return (block,) * whole + ((rest,) if rest else ())
