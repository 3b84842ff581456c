"""Blocks made of whole stored chunks: planned on tuples of ints, or as the user asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.budget import BLOCK_BYTES, auto_chunks
from dhess.errors import SourceError, suggest
from dhess.stored.origin import SHARD_BYTES, reading_unit

if TYPE_CHECKING:
    from collections.abc import Hashable

    import xarray as xr

__all__ = ["BLOCK_BYTES", "SHARD_BYTES", "auto_chunks", "blocks", "unit_of"]


def blocks(array: xr.DataArray, chunks: Any) -> dict[Hashable, Any]:
    """Return the block size per dimension that *chunks* asks for."""
    if isinstance(chunks, str) and chunks == "auto":
        stored = unit_of(array)
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
    stored = unit_of(array, shards=False) or array.shape
    return dict(zip(array.dims, stored, strict=True)) | asked


def unit_of(array: xr.DataArray, *, shards: bool = True) -> tuple[int, ...] | None:
    """Return what one read should be made of: the stored chunk, or the shard if it may be that."""
    encoding = array.encoding
    chunk = encoding.get("chunks") or encoding.get("chunksizes")
    shard = encoding.get("shards") if shards else None
    return reading_unit(array.shape, chunk, shard, array.dtype.itemsize)
