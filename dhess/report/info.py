"""What ``dhess info`` tells of an array, without reading its values."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

from dhess.errors import InputError, UnitsWarning
from dhess.report.advice import Hint, Sphere, find_hints, find_sphere
from dhess.report.axes import AxisInfo, read_axes
from dhess.report.base import Model, Number, Report, block_of, text

if TYPE_CHECKING:
    import xarray as xr

CHEAP: Final = 64
"""Blocks up to which the tasks of a search are counted, for which its graph has to be made."""


class SearchInfo(Model):
    """What a search with the default options would take."""

    dims: tuple[str, ...]
    """Dimensions that it could differentiate along."""
    bytes: int
    """Read and decoded, each block once."""
    blocks: int
    tasks: int | None
    """Of Dask's graph; none if there are too many to count in passing."""


class InfoReport(Report):
    """What ``dhess info`` prints."""

    report: Literal["info"] = "info"
    source: str
    name: str
    long_name: str | None
    units: str | None
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    bytes: int
    """In memory, uncompressed."""
    stored_chunks: tuple[int, ...] | None
    stored_shards: tuple[int, ...] | None
    block: tuple[int, ...]
    """Largest Dask block."""
    blocks: int
    """Number of Dask blocks."""
    axes: tuple[AxisInfo, ...]
    sphere: Sphere | None = None
    """Which axes are latitude and longitude, if two of them are."""
    search: SearchInfo | None = None
    """None if there is no axis to differentiate along."""
    hints: tuple[Hint, ...] = ()
    """Options that suit the data."""
    nan_share: Number = None
    """Part of the points that are NaN; none unless it was asked for, since it reads everything."""

    @classmethod
    def from_array(
        cls, da: xr.DataArray, *, source: str = "", nan_share: float | None = None
    ) -> InfoReport:
        """Describe an array from its metadata and coordinates, without reading its values.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> da = xr.DataArray(np.zeros((4, 5)), {"x": [0.0, 1.0, 2.0, 4.0, 8.0]}, ("y", "x"))
        >>> [(axis.spacing, axis.step_max) for axis in InfoReport.from_array(da).axes]
        [('even', 1.0), ('uneven', 4.0)]
        """
        axes, sphere = read_axes(da), find_sphere(da)
        return cls(
            source=source,
            name=str(da.name),
            long_name=text(da.attrs.get("long_name")),
            units=text(da.attrs.get("units")),
            dims=tuple(map(str, da.dims)),
            shape=da.shape,
            dtype=str(da.dtype),
            bytes=da.nbytes,
            stored_chunks=_sizes(da.encoding.get("chunks") or da.encoding.get("chunksizes")),
            stored_shards=_sizes(da.encoding.get("shards")),
            block=block_of(da),
            blocks=_blocks(da),
            axes=axes,
            sphere=sphere,
            search=_search(da, axes),
            hints=find_hints(axes, sphere, nan_share),
            nan_share=nan_share,
        )


def _blocks(da: xr.DataArray) -> int:
    return math.prod(max(1, len(along)) for along in da.chunks or ((),))


def _search(da: xr.DataArray, axes: tuple[AxisInfo, ...]) -> SearchInfo | None:
    dims = tuple(axis.name for axis in axes if axis.halo)
    if not dims:
        return None
    blocks = _blocks(da)
    cheap = da.chunks is not None and blocks <= CHEAP
    return SearchInfo(
        dims=dims,
        bytes=da.nbytes,
        blocks=blocks,
        tasks=_tasks(da, [dim for dim in da.dims if str(dim) in dims]) if cheap else None,
    )


def _tasks(da: xr.DataArray, dims: list[Any]) -> int | None:
    from dhess.search import find_minimum

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnitsWarning)
            lazy: Any = find_minimum(da, dims=dims, compute=False)
            return len(lazy.__dask_graph__())
    except InputError:
        return None


def _sizes(stored: object) -> tuple[int, ...] | None:
    """Return stored chunk sizes; none for a contiguous array."""
    if isinstance(stored, Mapping):
        stored = tuple(stored.values())
    return tuple(int(n) for n in stored) if isinstance(stored, tuple | list) else None
