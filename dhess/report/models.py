"""What ``dhess find``, ``dhess field`` and ``dhess measures`` tell."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from pydantic import Field

from dhess.measures import MEASURES
from dhess.options import Settings
from dhess.report.base import Coordinate, Model, Number, Report, block_of, plain_value, text
from dhess.report.layout import counted
from dhess.shapes import stored_chunk

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    import xarray as xr

Kind = Literal["minimum", "maximum", "saddle", "degenerate"]


class Answer(Model):
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


class Asked(Protocol):
    """A report that tells its options."""

    @property
    def options(self) -> dict[str, Any]:
        """By name."""

    @property
    def dims(self) -> tuple[str, ...]:
        """Of the data."""

    @property
    def differentiated(self) -> tuple[str, ...]:
        """Those among them that are differentiated."""

    @property
    def smoothed(self) -> str | None:
        """Standard deviations of a Gaussian that came first."""


class ReadReport(Report):
    """What is told of the chunks that were read."""

    missing_chunks: int = 0
    """Stored chunks that the store does not have, which are fill value by Zarr's rule."""

    @property
    def missing_text(self) -> str:
        """Say how many stored chunks are missing, as the object of a sentence."""
        chunks = counted(self.missing_chunks, "chunk")
        return f"{chunks}, read as fill value"


class FindReport(ReadReport):
    """What ``dhess find`` prints."""

    report: Literal["find"] = "find"
    source: str
    measure: str
    options: dict[str, Coordinate]
    dims: tuple[str, ...]
    differentiated: tuple[str, ...]
    units: dict[str, str]
    """Where known: of each dimension, and of "value", "field", "gradient", "hessian" and
    "eigenvalues"."""
    component_units: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Of "gradient" and "hessian" by row ("x") or by row and column ("y,x"), where they differ."""
    smoothed: str | None = None
    """Standard deviations of the Gaussian that the field was smoothed with before."""
    note: str | None = None
    points: int
    """Points that were searched."""
    nan_points: int
    """Those among them where the measure is NaN."""
    partial: str | None = None
    """How much was searched before somebody interrupted; none for an answer that is whole."""
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
        units = units_of(result, (*named, "value", "field", "gradient", "hessian", "eigenvalues"))
        by_row = {name: components(result[name].attrs) for name in ("gradient", "hessian")}
        found = (result["index"].values >= 0).all(axis=1)  # a lazy search keeps k ranks, some blank
        return cls(
            dhess_version=str(attrs.pop("dhess_version", version("dhess"))),
            source=str(attrs.pop("source", "")),
            measure=str(attrs.pop("measure", "")),
            points=int(attrs.pop("points", 0)),
            nan_points=int(attrs.pop("nan_points", 0)),
            missing_chunks=int(attrs.pop("missing_chunks", 0)),
            partial=text(attrs.pop("partial", None)),
            smoothed=text(attrs.pop("smoothed", None)),
            note=text(attrs.pop("note", None)),
            options={name: plain_value(value) for name, value in attrs.items()},
            dims=tuple(named),
            differentiated=tuple(str(dim) for dim in result["row"].values),
            units=units,
            component_units={name: each for name, each in by_row.items() if each},
            answers=tuple(_answer(result.isel(rank=k)) for k in np.flatnonzero(found)),
        )


def _answer(one: xr.Dataset) -> Answer:
    dims, rows = (tuple(map(str, one[name].values)) for name in ("dim", "row"))
    return Answer(
        rank=int(one["rank"]),
        value=one["value"].item(),
        field=one["field"].item(),
        at={dim: plain_value(one[dim].values[()]) for dim in dims},
        index=dict(zip(dims, one["index"].values.tolist(), strict=True)),
        kind=one["kind"].item(),
        gradient=dict(zip(rows, one["gradient"].values.tolist(), strict=True)),
        hessian=one["hessian"].values.tolist(),
        eigenvalues=one["eigenvalues"].values.tolist(),
    )


class FieldReport(ReadReport):
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
    component_units: dict[str, str] = Field(default_factory=dict)
    """By row ("x") or by row and column ("y,x"), where they differ."""
    datetime_unit: str | None = None
    """Unit of derivatives along times; none where there are none."""
    smoothed: str | None = None
    """Standard deviations of the Gaussian that the data was smoothed with before."""
    note: str | None = None
    chunks: tuple[int, ...]
    """Points of a stored chunk, per dimension."""
    bytes: int
    """Uncompressed."""

    @classmethod
    def from_array(
        cls, da: xr.DataArray, *, field: str, source: str, out: str, missing: int = 0
    ) -> FieldReport:
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
            units=text(da.attrs.get("units")),
            component_units=components(da.attrs),
            datetime_unit=text(da.attrs.get("datetime_unit")),
            smoothed=text(da.attrs.get("smoothed")),
            note=text(da.attrs.get("note")),
            chunks=stored_chunk(block_of(da), da.dtype.itemsize),
            bytes=da.nbytes,
            missing_chunks=missing,
        )


class MeasureInfo(Model):
    """One row of the table of measures."""

    name: str
    formula: str
    needs: tuple[Literal["gradient", "hessian"], ...]
    ndim: int | None
    """Number of differentiated dimensions that it is defined for; none: any."""
    unit: str
    """Made of u, the field's unit, and x, the coordinates' unit."""
    meaning: str
    source: str
    """Where it is defined; empty for what every textbook has."""


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
                    source=each.source,
                )
                for each in MEASURES.values()
            )
        )


def units_of(result: xr.Dataset, names: Iterable[str]) -> dict[str, str]:
    """Return the units of some variables, where they have any."""
    attrs = {name: result[name].attrs for name in names}
    return {name: str(each["units"]) for name, each in attrs.items() if "units" in each}


def asked_of(report: Asked, usual: Mapping[str, Any]) -> list[str]:
    """Return the options that are not the usual ones, as texts; ``usual`` adds to the common."""
    common = Settings().describe(report.differentiated, np.dtype(np.float64))
    known = {**common, "dims": ",".join(report.dims), **usual}
    asked = [f"{name} {each}" for name, each in report.options.items() if each != known.get(name)]
    return [*asked, f"smoothed by {report.smoothed}"] if report.smoothed else asked


def components(attrs: Mapping[Any, Any]) -> dict[str, str]:
    """Return the units by component that the attributes of a gradient or Hessian tell.

    Examples
    --------
    >>> components({"component_units": "time: K s-1; x: K m-1"})
    {'time': 'K s-1', 'x': 'K m-1'}
    """
    pairs = (part.rpartition(": ") for part in attrs.get("component_units", "").split("; "))
    return {name: unit for name, _, unit in pairs if name}
