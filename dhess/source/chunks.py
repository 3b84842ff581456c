"""Blocks made of whole stored chunks: planned on tuples of ints, or as the user asks."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import SourceError, suggest

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import xarray as xr

BLOCK_BYTES = 64 * 10**6
"""Blocks grow until they hold this many decoded bytes."""

SHARD_BYTES = 256 * 10**6
"""A shard larger than this is read by its inner chunks."""


def auto_chunks(
    shape: Sequence[int], stored: Sequence[int] | None, itemsize: int
) -> tuple[int, ...]:
    """Return the block shape: stored chunks joined, nearly cubic, to 64 MB and hardly more.

    A block reaches `BLOCK_BYTES` and stays below twice that, unless one stored chunk is already
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
    points = -(-BLOCK_BYTES // itemsize)
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


def blocks(array: xr.DataArray, chunks: Any) -> dict[Hashable, Any]:
    """Return the block size per dimension that *chunks* asks for."""
    if isinstance(chunks, str) and chunks == "auto":
        stored = _stored(array, shards=True)
        return dict(
            zip(array.dims, auto_chunks(array.shape, stored, array.dtype.itemsize), strict=True)
        )
    if isinstance(chunks, (tuple, list)) and len(chunks) == array.ndim:
        asked = dict(zip(array.dims, chunks, strict=True))
    elif isinstance(chunks, Mapping) or chunks is None:
        asked = dict(chunks or {})
    elif isinstance(chunks, (int, np.integer)) and not isinstance(chunks, bool):
        asked = dict.fromkeys(array.dims, chunks)
    else:
        raise SourceError(
            f"chunks={chunks!r} does not fit the dimensions {array.dims}; give 'auto', a whole "
            "number, one for each dimension, or a dictionary of them"
        )
    for dim, size in asked.items():
        if dim not in array.dims:
            known = suggest(str(dim), map(str, array.dims))
            raise SourceError(f"chunks name {dim!r}, which is no dimension of the data; {known}")
        if isinstance(size, (int, np.integer)) and size < 1 and size != -1:
            raise SourceError(
                f"chunks along {dim!r} must be at least 1 (or -1, the whole axis), not {size}"
            )
    stored = _stored(array, shards=False) or array.shape
    return dict(zip(array.dims, stored, strict=True)) | asked


def _stored(array: xr.DataArray, *, shards: bool) -> tuple[int, ...] | None:
    """Return the stored chunk, or the shard where that is what one read should be made of."""
    encoding = array.encoding
    chunk = encoding.get("chunks") or encoding.get("chunksizes")
    shard = encoding.get("shards")
    if shards and shard and math.prod(shard) * array.dtype.itemsize <= SHARD_BYTES:
        chunk = shard
    if chunk is None:
        return None
    # An axis that the store cuts unevenly (a tuple of sizes) is one piece: no size has multiples.
    pairs = zip(array.shape, chunk, strict=True)
    return tuple(min(size, part) if isinstance(part, int) else size for size, part in pairs)
