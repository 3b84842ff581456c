"""Blocks made of whole stored chunks: planned on tuples of ints, or as the user asks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import SourceError, suggest
from dhess.shapes import BLOCK_BYTES, auto_chunks
from dhess.stored.origin import SHARD_BYTES, reading_unit

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    import xarray as xr

__all__ = ["BLOCK_BYTES", "SHARD_BYTES", "auto_chunks", "blocks", "unit_of"]


def blocks(
    array: xr.DataArray, chunks: Any, pieces: Mapping[Hashable, tuple[int, ...]] | None = None
) -> dict[Hashable, Any]:
    """Return the block size (or sizes) per dimension that *chunks* asks for.

    Where *pieces* says that what is stored along a dimension has no even size, blocks are whole
    pieces too.
    """
    pieces = pieces or {}
    if isinstance(chunks, str) and chunks == "auto":
        sizes = auto_chunks(array.shape, unit_of(array), array.dtype.itemsize)
        auto: dict[Hashable, Any] = dict(zip(array.dims, sizes, strict=True))
        return auto | {dim: merged(parts, auto[dim]) for dim, parts in pieces.items()}
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
    stored = unit_of(array, shards=False) or array.shape
    return dict(zip(array.dims, stored, strict=True)) | dict(pieces) | asked


MOST_DIMENSIONS = 32
MOST_POINTS = 2**60
"""Of so many every byte has an index in 64 bits."""
MOST_BLOCKS_ALONG, MOST_BLOCKS = 1_000_000, 1_000_000_000
"""Blocks of one dimension, of each of which Dask keeps the size, and of all together."""


def check_shape(shape: Sequence[int], label: str) -> None:
    """Refuse what no array can be, whatever a store states of itself.

    Raises
    ------
    SourceError
        It has too many dimensions, or too many points to count.
    """
    if len(shape) > MOST_DIMENSIONS:
        raise SourceError(
            f"{label} has {len(shape)} dimensions, and at most {MOST_DIMENSIONS} can be handled; "
            "store it in fewer"
        )
    if math.prod(shape) > MOST_POINTS:
        power = len(str(math.prod(shape))) - 1
        raise SourceError(
            f"{label} states some 1e+{power} points, and at most {MOST_POINTS:.3g} can be counted; "
            "check its shape"
        )


def check_count(shape: Sequence[int], sizes: Mapping[Hashable, Any], label: str) -> None:
    """Refuse more blocks than can be handled, before there is a list of them.

    Raises
    ------
    SourceError
        There are too many along one dimension, or in all.
    """
    counts = {
        dim: -(-n // size) if isinstance(size, (int, np.integer)) and size > 0 else 1
        for n, (dim, size) in zip(shape, sizes.items(), strict=True)
    }
    total = math.prod(counts.values())
    most = max(counts, key=lambda dim: counts[dim], default=None)
    if total <= MOST_BLOCKS and (most is None or counts[most] <= MOST_BLOCKS_ALONG):
        return
    raise SourceError(
        f"{label} would be {total:,} blocks, {counts[most]:,} of them along {most!r}; at most "
        f"{MOST_BLOCKS:,} can be handled, and {MOST_BLOCKS_ALONG:,} along a dimension: give larger "
        "chunks, if the sizes that it states are right"
    )


def merged(pieces: Sequence[int], size: int) -> tuple[int, ...]:
    """Join neighbouring pieces up to a size.

    Examples
    --------
    >>> merged((31, 28, 31, 30, 31, 30), 62)  # files of a month each
    (59, 61, 61)
    """
    sizes = [0]
    for piece in pieces:
        if sizes[-1] and sizes[-1] + piece > size:
            sizes.append(0)
        sizes[-1] += piece
    return tuple(sizes)


def unit_of(array: xr.DataArray, *, shards: bool = True) -> tuple[int, ...] | None:
    """Return what one read should be made of: the stored chunk, or the shard if it may be that."""
    encoding = array.encoding
    chunk = encoding.get("chunks") or encoding.get("chunksizes")
    shard = encoding.get("shards") if shards else None
    return reading_unit(array.shape, chunk, shard, array.dtype.itemsize)
