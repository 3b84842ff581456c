"""Open one variable of one or many stores as a lazy array, cut along the chunks it is stored in.

``PATH::VARIABLE`` → engine → Dataset → variable → blocks of whole stored chunks. What a file says
about itself (its first bytes, its metadata) decides how it is opened; its name only where reading
would cost a request. Many files are put in the order of their coordinates.
"""

from __future__ import annotations

import textwrap
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import SourceError, line
from dhess.source.chunks import auto_chunks, blocks, check_count, check_shape
from dhess.source.elsewhere import data_elsewhere
from dhess.source.engine import ZARR_METADATA
from dhess.source.location import is_url, location_of, split_source
from dhess.source.many import open_many
from dhess.source.paths import locations_of
from dhess.source.single import opened
from dhess.stored.origin import public

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterable, Mapping

    import xarray as xr

    from dhess.stored import Stored

    Index = tuple[int, ...]

__all__ = [
    "ZARR_METADATA",
    "auto_chunks",
    "data_elsewhere",
    "is_url",
    "line",
    "location_of",
    "open",
    "public",
    "split_source",
]


def open(  # noqa: A001  (the name is part of the public API)
    path: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    variable: str | None = None,
    *,
    chunks: Any = "auto",
    **kw: Any,
) -> xr.DataArray:
    """Open one variable of a Zarr store or a NetCDF/HDF5 file, or of many as one, lazily.

    A block that cannot be read raises `ReadError` when it is computed, with the name of the stored
    chunk. So does one of a local store that has changed since it was opened; elsewhere a change is
    not noticed.

    Parameters
    ----------
    path
        ``PATH`` or ``PATH::VARIABLE``. A Zarr store (format 2 or 3, sharded or not, consolidated
        or not), a NetCDF4 or HDF5 file (needs ``dhess[netcdf]``), local or any fsspec URL
        (``s3://`` needs ``dhess[s3]``), chained ones included. With *variable* given, the whole
        of *path* is the path. A pattern (``run_*.nc::T``) or a list of paths opens all of them as
        one array, in the order of their coordinates, along every dimension in which these differ;
        all else must be the same in all files. Coordinates of several dimensions are those of the
        first file, or left out where the files are joined along one of them.
    variable
        Its name. Left out, the store must have exactly one data variable that is numeric, has a
        dimension and is not the bounds of a coordinate.
    chunks
        ``"auto"``: whole multiples of the stored chunk (or shard) per axis, see `auto_chunks`.
        ``None``: one block per stored chunk. An int for all axes, a tuple for each in order, or a
        dictionary by dimension; there an axis that is left out keeps its stored chunk. ``-1`` is
        a whole axis.
    **kw
        Handed to `xarray.open_dataset`: ``group=``, ``storage_options=``, ``decode_times=``, …

    Returns
    -------
    DataArray
        Dask-backed, decoded as CF says (scale and offset, fill values as NaN, times). Its
        ``encoding["source"]`` is the absolute path, the URL without a password, the pattern, or
        the first and the last of a list. A variable whose only sign of being a time difference is
        its unit ("days") stays numeric.

    Raises
    ------
    SourceError
        No such file or variable, several variables and none named, files that disagree, overlap or
        leave a hole (two of them are named), not a Zarr store or NetCDF file, not readable,
        written by `dhess` but not finished, data that is not numeric, chunks that do not fit. The
        cause is chained.

    Examples
    --------
    >>> import dhess, xarray as xr
    >>> squares = xr.Dataset({"f": ("x", [1.0, 4.0, 9.0])})
    >>> store = squares.to_zarr("memory://squares.zarr", zarr_format=2, mode="w")
    >>> dhess.open("memory://squares.zarr::f").values
    array([1., 4., 9.])
    """
    locations, variable, source = locations_of(path, variable, kw.get("storage_options"))
    stored: Stored
    pieces: dict[Hashable, Index] = {}
    if len(locations) == 1:
        array, stored = opened(locations[0], variable, kw)
    else:
        array, stored, pieces = open_many(locations, variable, source, kw)
    try:
        check_shape(array.shape, stored.label)
        lazy = _cut(array, stored, chunks, pieces)
    except SourceError:
        array.close()
        raise
    lazy.set_close(array.close)
    lazy.encoding["source"] = source
    return lazy


def _cut(
    array: xr.DataArray, stored: Stored, chunks: Any, pieces: Mapping[Hashable, Index]
) -> xr.DataArray:
    """Return the array in Dask blocks."""
    import dask.array as da

    sizes = blocks(array, chunks, pieces)
    # A name of its own for every opening: keys made of path and date would let a cluster hand out
    # blocks that it kept from a store that has been written anew since.
    name = f"dhess-open-{array.name}-{uuid.uuid4().hex}"
    meta = np.empty((0,) * array.ndim, array.dtype)
    auto = isinstance(chunks, str) and chunks == "auto"
    stored = replace(stored, free=stored.free and auto)
    check_count(array.shape, sizes, stored.label)
    try:
        data = da.from_array(stored, tuple(sizes.values()), name=name, meta=meta)
    except (ValueError, TypeError, ZeroDivisionError, NotImplementedError) as error:
        raise SourceError(
            f"chunks={chunks!r} do not fit a variable of shape {array.shape} in {stored.label}: "
            f"{textwrap.shorten(line(error), 140)}; give positive sizes, or chunks='auto'"
        ) from error
    return array.copy(deep=False, data=data)
