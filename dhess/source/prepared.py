"""A source as it is asked for: opened, a part of it selected, and smoothed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dask.array as da

from dhess.errors import InputError, suggest
from dhess.smoothing import smooth as smoothing
from dhess.source import open as open_source
from dhess.stored import stored_of
from dhess.stored.array import chosen, hull

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr

    from dhess.stored.census import Census

SMOOTHING = ("period", "spacing", "nan", "datetime_unit")
"""Options of derivatives that smoothing takes too."""


def prepared(
    source: Any,
    options: Mapping[str, Any],
    chunks: Any = "auto",
    sel: Mapping[str, int | slice] | None = None,
    smooth: Mapping[str, float] | None = None,
) -> xr.DataArray:
    """Open a source lazily, select from it, and smooth what is selected; see `shaped`."""
    return shaped(open_source(source, chunks=chunks), options, sel, smooth)


def shaped(
    data: xr.DataArray,
    options: Mapping[str, Any],
    sel: Mapping[str, int | slice] | None = None,
    smooth: Mapping[str, float] | None = None,
) -> xr.DataArray:
    """Select from what was opened, and smooth what is selected.

    Parameters
    ----------
    data
        From `dhess.open`.
    options
        The options of the derivatives, some of which smoothing takes too.
    sel
        Indices or ranges of them, by dimension.
    smooth
        Standard deviations of a Gaussian, by dimension, in units of the coordinates.
    """
    data = select(data, sel or {})
    if smooth is None:
        return data
    taken = {name: options[name] for name in SMOOTHING if options.get(name) is not None}
    if options.get("dtype") == "float64":
        taken["dtype"] = "float64"  # float32 here would put its rounding into the result
    smoothed: xr.DataArray = smoothing(data, dict(smooth), **taken)
    smoothed.encoding["source"] = data.encoding["source"]
    return smoothed


def census(data: xr.DataArray, sel: Mapping[str, int | slice] | None = None) -> Census | None:
    """Return what can be seen of the files that hold what is selected; None if nothing can."""
    stored = stored_of(data.data)
    if stored is None:
        return None
    select(data, sel or {})  # refuses what is outside
    index = tuple((sel or {}).get(str(dim), slice(None)) for dim in data.dims)
    return stored.census(hull(chosen(index, stored.shape)))


def as_of(data: xr.DataArray, then: Census) -> xr.DataArray:
    """Return an array as it was at a census.

    So a chunk that is written anew between two runs of a job is refused like one that changes
    within a run.
    """
    stored = stored_of(data.data)
    if stored is None:
        return data
    name = f"{data.data.name}-{then.digest[:16]}-{then.newest}"
    past = da.from_array(stored.as_of(then), data.chunks, name=name, meta=data.data._meta)
    return data.copy(data=past)


def select(data: xr.DataArray, sel: Mapping[str, int | slice]) -> xr.DataArray:
    """Select by position, strictly: nothing is clipped to what is there.

    Raises
    ------
    InputError
        For a dimension that the array does not have, or an index outside of it.

    Examples
    --------
    >>> import xarray as xr
    >>> da = xr.DataArray([[1, 2, 3], [4, 5, 6]], dims=("t", "x"))
    >>> select(da, {"t": -1, "x": slice(0, 2)}).values
    array([4, 5])
    """
    for dim, what in sel.items():
        if dim not in data.dims:
            known = suggest(dim, map(str, data.dims))
            raise InputError(f"sel names {dim!r}, which is no dimension of the data; {known}")
        size = data.sizes[dim]
        start, stop = _bounds(what, size)
        if not 0 <= start < stop <= size:
            raise InputError(
                f"sel {dim}={_written(what)} is outside of {dim!r}, which has {size} points; "
                f"give an index from 0 to {size - 1}, or start:stop up to {size}"
            )
    return data.isel(sel)


def _bounds(what: int | slice, size: int) -> tuple[int, int]:
    """Return start and stop counted from 0, unclipped."""
    if isinstance(what, int):
        start, stop = what, what + 1
        return (start + size, stop + size) if what < 0 else (start, stop)
    start = 0 if what.start is None else what.start
    stop = size if what.stop is None else what.stop
    return start + size * (start < 0), stop + size * (stop < 0)


def _written(what: int | slice) -> str:
    if isinstance(what, int):
        return str(what)
    return ":".join("" if end is None else str(end) for end in (what.start, what.stop))
