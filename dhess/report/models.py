"""The models behind ``--json``: frozen, versioned, and closed to unknown keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dhess.errors import InputError
from dhess.grid import Grid
from dhess.measures import MEASURES
from dhess.options import settings

if TYPE_CHECKING:
    import xarray as xr

SCHEMA_VERSION: Final = 1
"""Raised when a key changes its name or meaning; a new key alone does not raise it."""


def _finite(value: Any) -> float | None:
    """Return a plain float, or none for NaN, infinity and none."""
    return float(value) if value is not None and math.isfinite(value) else None


def _plain(value: Any) -> Any:
    """Return a coordinate's value as JSON can hold it, exact: dates as ISO 8601 text."""
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    value = value.item() if isinstance(value, np.generic) else value
    return _finite(value) if isinstance(value, float) else value


Number = Annotated[float | None, BeforeValidator(_finite)]
Coordinate = Annotated[int | float | str | None, BeforeValidator(_plain)]
Kind = Literal["minimum", "maximum", "saddle", "degenerate"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Report(_Model):
    """What every report begins with."""

    schema_version: Literal[1] = SCHEMA_VERSION
    dhess_version: str = Field(default_factory=lambda: version("dhess"))


class Answer(_Model):
    """One place that a search found."""

    rank: int
    """0 for the smallest value."""
    value: Number
    """Of the measure."""
    field: Number
    """Of the field itself."""
    at: dict[str, Coordinate]
    """Coordinate per dimension; the index where a dimension has no coordinate."""
    index: dict[str, int]
    kind: Kind
    """What the signs of the eigenvalues say."""
    gradient: dict[str, Number]
    hessian: tuple[tuple[Number, ...], ...]
    """Rows and columns in the order of `FindReport.differentiated`."""
    eigenvalues: tuple[Number, ...]
    """Ascending."""


class FindReport(Report):
    """What ``dhess find`` prints."""

    report: Literal["find"] = "find"
    source: str
    measure: str
    options: dict[str, Coordinate]
    dims: tuple[str, ...]
    differentiated: tuple[str, ...]
    units: dict[str, str]
    """Where known: of each dimension, of "value" and of "field"."""
    points: int
    """Points that were searched."""
    nan_points: int
    """Those among them where the measure is NaN."""
    answers: tuple[Answer, ...]

    @classmethod
    def from_dataset(cls, result: xr.Dataset) -> FindReport:
        """Read the report from what :func:`dhess.find_minimum` returns.

        Examples
        --------
        >>> import numpy as np, xarray as xr, dhess
        >>> da = xr.DataArray(np.arange(6.0) ** 3, dims="x")
        >>> report = FindReport.from_dataset(dhess.find_minimum(da))
        >>> report.answers[0].at
        {'x': 0}
        """
        attrs = dict(result.attrs)
        named = [str(dim) for dim in result["dim"].values]
        units = {
            str(name): str(result[name].attrs["units"])
            for name in (*named, "value", "field")
            if "units" in result[name].attrs
        }
        found = (result["index"].values >= 0).all(axis=1)  # a lazy search keeps k ranks, some blank
        return cls(
            dhess_version=str(attrs.pop("dhess_version", version("dhess"))),
            source=str(attrs.pop("source", "")),
            measure=str(attrs.pop("measure", "")),
            points=int(attrs.pop("points", 0)),
            nan_points=int(attrs.pop("nan_points", 0)),
            options=attrs,
            dims=tuple(named),
            differentiated=tuple(str(dim) for dim in result["row"].values),
            units=units,
            answers=tuple(_answer(result.isel(rank=k)) for k in np.flatnonzero(found)),
        )


def _answer(one: xr.Dataset) -> Answer:
    dims, rows = (tuple(map(str, one[name].values)) for name in ("dim", "row"))
    return Answer(
        rank=int(one["rank"]),
        value=one["value"].item(),
        field=one["field"].item(),
        at={dim: _plain(one[dim].values[()]) for dim in dims},
        index=dict(zip(dims, one["index"].values.tolist(), strict=True)),
        kind=one["kind"].item(),
        gradient=dict(zip(rows, one["gradient"].values.tolist(), strict=True)),
        hessian=one["hessian"].values.tolist(),
        eigenvalues=one["eigenvalues"].values.tolist(),
    )


class FieldReport(Report):
    """What ``dhess field`` prints."""

    report: Literal["field"] = "field"
    source: str
    field: str
    """Name of the measure, or gradient, hessian or eigenvalues."""
    out: str
    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    units: str | None
    chunks: tuple[int, ...]
    """Largest block of each dimension, which is the chunk that was stored."""
    bytes: int
    """Uncompressed."""

    @classmethod
    def from_array(cls, da: xr.DataArray, *, field: str, source: str, out: str) -> FieldReport:
        """Describe a lazy field that was written to `out`.

        Examples
        --------
        >>> import numpy as np, xarray as xr
        >>> da = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"), name="slope").chunk(x=2)
        >>> FieldReport.from_array(da, field="slope", source="a.zarr::f", out="b.zarr").chunks
        (2, 2)
        """
        return cls(
            source=source,
            field=field,
            out=out,
            name=str(da.name),
            dims=tuple(map(str, da.dims)),
            shape=da.shape,
            dtype=str(da.dtype),
            units=_text(da.attrs.get("units")),
            chunks=_block(da),
            bytes=da.nbytes,
        )


class AxisInfo(_Model):
    """One dimension of an array."""

    name: str
    size: int
    first: Coordinate
    last: Coordinate
    """First and last coordinate; none where there is no coordinate."""
    spacing: Literal["even", "uneven"] | None
    step_min: Number
    step_max: Number
    """Smallest and largest distance between neighbours; 1 without a coordinate."""
    units: str | None
    problem: str | None
    """Why no derivative can be taken along it."""


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
        blocks = da.chunks or ((),)
        return cls(
            source=source,
            name=str(da.name),
            long_name=_text(da.attrs.get("long_name")),
            units=_text(da.attrs.get("units")),
            dims=tuple(map(str, da.dims)),
            shape=da.shape,
            dtype=str(da.dtype),
            bytes=da.nbytes,
            stored_chunks=_sizes(da.encoding.get("chunks") or da.encoding.get("chunksizes")),
            stored_shards=_sizes(da.encoding.get("shards")),
            block=_block(da),
            blocks=math.prod(max(1, len(along)) for along in blocks),
            axes=tuple(_axis(da, str(dim)) for dim in da.dims),
            nan_share=nan_share,
        )


def _axis(da: xr.DataArray, dim: str) -> AxisInfo:
    known = dim in da.coords and da.sizes[dim] > 0
    steps, problem = None, None
    try:
        steps = np.abs(Grid.of(da, settings(dims=(dim,))).axes[0].steps())
    except InputError as error:
        problem = str(error)
    return AxisInfo(
        name=dim,
        size=da.sizes[dim],
        first=da[dim].values[0] if known else None,
        last=da[dim].values[-1] if known else None,
        spacing=None if steps is None else "even" if steps.size == 1 else "uneven",
        step_min=None if steps is None else steps.min(),
        step_max=None if steps is None else steps.max(),
        units=_text(da[dim].attrs.get("units")) if dim in da.coords else None,
        problem=problem,
    )


class MeasureInfo(_Model):
    """One row of the table of measures."""

    name: str
    formula: str
    needs: tuple[Literal["gradient", "hessian"], ...]
    ndim: int | None
    """Number of differentiated dimensions that it is defined for; none: any."""
    unit: str
    """Made of u, the field's unit, and x, the coordinates' unit."""
    meaning: str


class MeasuresReport(Report):
    """What ``dhess measures`` prints."""

    report: Literal["measures"] = "measures"
    measures: tuple[MeasureInfo, ...]

    @classmethod
    def of_table(cls) -> MeasuresReport:
        """Read the report from the table of measures.

        Examples
        --------
        >>> [each.name for each in MeasuresReport.of_table().measures][:2]
        ['slope', 'slope_angle']
        """
        return cls(
            measures=tuple(
                MeasureInfo(
                    name=each.name,
                    formula=each.formula,
                    needs=each.need.names,
                    ndim=each.ndim,
                    unit=each.unit,
                    meaning=each.meaning,
                )
                for each in MEASURES.values()
            )
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _block(da: xr.DataArray) -> tuple[int, ...]:
    return tuple(max(along) for along in da.chunks) if da.chunks else da.shape


def _sizes(stored: object) -> tuple[int, ...] | None:
    """Return stored chunk sizes; none for a contiguous array."""
    if isinstance(stored, Mapping):
        stored = tuple(stored.values())
    return tuple(int(n) for n in stored) if isinstance(stored, tuple | list) else None
