"""Open one variable of a store as a lazy array, cut along the chunks that it is stored in.

``PATH::VARIABLE`` → engine → Dataset → variable → blocks of whole stored chunks. What a file says
about itself (its first bytes, its metadata) decides how it is opened; its name only where reading
would cost a request.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from dhess.errors import SourceError
from dhess.source.chunks import auto_chunks, blocks
from dhess.source.engine import ZARR_METADATA, line, open_dataset
from dhess.source.location import is_url, location_of, public, split_source
from dhess.source.variable import choose, named

if TYPE_CHECKING:
    import os

    import xarray as xr

__all__ = [
    "ZARR_METADATA",
    "auto_chunks",
    "is_url",
    "line",
    "location_of",
    "open",
    "public",
    "split_source",
]


def open(  # noqa: A001  (the name is part of the public API)
    path: str | os.PathLike[str],
    variable: str | None = None,
    *,
    chunks: Any = "auto",
    **kw: Any,
) -> xr.DataArray:
    """Open one variable of a Zarr store or a NetCDF/HDF5 file, lazily.

    Parameters
    ----------
    path
        ``PATH`` or ``PATH::VARIABLE``. A Zarr store (format 2 or 3, sharded or not, consolidated
        or not), a NetCDF4 or HDF5 file (needs ``dhess[netcdf]``), local or any fsspec URL
        (``s3://`` needs ``dhess[s3]``), chained ones included. With *variable* given, the whole
        of *path* is the path.
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
        ``encoding["source"]`` is the absolute path or the URL, without a password. A variable whose
        only sign of being a time difference is its unit ("days") stays numeric.

    Raises
    ------
    SourceError
        No such file or variable, several variables and none named, not a Zarr store or NetCDF
        file, not readable, written by `dhess` but not finished, data that is not numeric,
        chunks that do not fit. The cause is chained.

    Examples
    --------
    >>> import dhess, xarray as xr
    >>> squares = xr.Dataset({"f": ("x", [1.0, 4.0, 9.0])})
    >>> store = squares.to_zarr("memory://squares.zarr", zarr_format=2, mode="w")
    >>> dhess.open("memory://squares.zarr::f").values
    array([1., 4., 9.])
    """
    if variable is None:
        path, variable = split_source(path)
    location = location_of(path)
    dataset = open_dataset(location, kw)
    source = public(location)
    try:
        array = _cut(named(dataset, choose(dataset, variable, source)), chunks, source)
    except SourceError:
        dataset.close()
        raise
    array.set_close(dataset.close)
    array.encoding["source"] = source
    return array


def _cut(array: xr.DataArray, chunks: Any, source: str) -> xr.DataArray:
    """Return the array in Dask blocks."""
    sizes = blocks(array, chunks)
    # A name of its own for every opening: keys made of path and date would let a cluster hand out
    # blocks that it kept from a store that has been written anew since.
    token = uuid.uuid4().hex
    try:
        return array.chunk(sizes, name_prefix="dhess-open-", token=token)
    except (ValueError, TypeError, ZeroDivisionError, NotImplementedError) as error:
        raise SourceError(
            f"chunks={chunks!r} do not fit a variable of shape {array.shape} in {source!r}: "
            f"{line(error)}; give positive sizes, or chunks='auto'"
        ) from error
