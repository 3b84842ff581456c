"""What ``dhess regions`` tells: the connected regions where a measure is below a threshold."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Group, RenderableType
from rich.text import Text

from dhess.report.base import Coordinate, Model, Number, plain_value, text
from dhess.report.layout import MOST_ROWS, Column, Fitting, columns, counted, head, number
from dhess.report.models import ReadReport, asked_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr


class Region(Model):
    """One region."""

    region: int
    """0 for the largest."""
    size: int
    """Points."""
    content: Number
    """Length, area or volume that they stand for."""
    value: Number
    """Smallest value of the measure."""
    field: Number
    """The field there."""
    at: dict[str, Coordinate]
    """Where that is."""
    index: dict[str, int]
    low: dict[str, Coordinate]
    """First coordinate of the bounding box; of an axis that wraps it may be above the last."""
    high: dict[str, Coordinate]
    centroid: dict[str, Coordinate]
    """Along the differentiated dimensions; none around an axis that it goes all around."""
    touches_edge: bool
    wraps: tuple[str, ...]
    """Dimensions along which it goes all the way around."""


class RegionsReport(ReadReport):
    """What ``dhess regions`` prints."""

    report: Literal["regions"] = "regions"
    source: str
    measure: str
    threshold: Number
    """What the measure is below."""
    options: dict[str, Coordinate]
    dims: tuple[str, ...]
    differentiated: tuple[str, ...]
    units: dict[str, str]
    """Where known: of each dimension, and of "value", "field" and "content"."""
    content: str
    """What it is: length, area, volume or content."""
    smoothed: str | None = None
    note: str | None = None
    points: int
    points_below: int
    nan_points: int
    smallest: Number
    """Smallest value of the measure anywhere."""
    found: int
    """Regions, those that are left out included."""
    regions: tuple[Region, ...]

    @classmethod
    def from_dataset(cls, result: xr.Dataset) -> RegionsReport:
        """Read the report from what :func:`dhess.flat_regions` returns.

        Examples
        --------
        >>> import numpy as np, xarray as xr, dhess
        >>> da = xr.DataArray(np.arange(6.0) ** 3, dims="x")
        >>> report = RegionsReport.from_dataset(dhess.flat_regions(da, "slope", threshold=5.0))
        >>> report.regions[0].low, report.regions[0].high
        ({'x': 0}, {'x': 1})
        """
        attrs = dict(result.attrs)
        dims = tuple(str(dim) for dim in result["dim"].values)
        units = {
            str(name): str(result[name].attrs["units"])
            for name in (*dims, "value", "field", "content")
            if "units" in result[name].attrs
        }
        return cls(
            dhess_version=str(attrs.pop("dhess_version", version("dhess"))),
            source=str(attrs.pop("source", "")),
            measure=str(attrs["measure"]),
            threshold=float(attrs["threshold"]),
            points=int(attrs.pop("points")),
            points_below=int(attrs.pop("points_below")),
            nan_points=int(attrs.pop("nan_points")),
            missing_chunks=int(attrs.pop("missing_chunks", 0)),
            smallest=float(attrs.pop("smallest")),
            found=int(attrs.pop("regions")),
            smoothed=text(attrs.pop("smoothed", None)),
            note=text(attrs.pop("note", None)),
            options={name: plain_value(value) for name, value in attrs.items()},
            dims=dims,
            differentiated=tuple(d for d in dims if f"centroid_{d}" in result),
            units=units,
            content=str(result["content"].attrs["long_name"]),
            regions=tuple(_rows(result, dims)),
        )


def _rows(result: xr.Dataset, dims: tuple[str, ...]) -> Iterator[Region]:
    columns = {str(name): variable.values for name, variable in result.variables.items()}
    for i in range(result.sizes["region"]):

        def of(name: str, i: int = i) -> Any:
            return plain_value(columns[name][i])

        yield Region(
            region=i,
            size=of("size"), content=of("content"), value=of("value"), field=of("field"),
            at={dim: of(dim) for dim in dims},
            index=dict(zip(dims, columns["index"][i].tolist(), strict=True)),
            low={dim: of(f"low_{dim}") for dim in dims},
            high={dim: of(f"high_{dim}") for dim in dims},
            centroid={dim: of(f"centroid_{dim}") for dim in dims if f"centroid_{dim}" in columns},
            touches_edge=bool(columns["touches_edge"][i]),
            wraps=tuple(d for d, w in zip(dims, columns["wraps"][i], strict=True) if w),
        )  # fmt: skip


def regions_table(report: RegionsReport) -> RenderableType:
    """Return the report as a table."""
    lines = [*regions_rest(report), regions_summary(report), *regions_notes(report)]
    if not report.regions:
        return Group(*map(Text, lines))
    first, sizes, lowest, boxes = _columns(report)
    rows = Fitting(
        columns(first, *sizes, *lowest, *boxes),
        (columns(first, *sizes, *lowest), columns(first, *boxes)),
    )
    return Group(rows, "", *map(Text, lines))


def regions_columns(report: RegionsReport) -> list[Column]:
    """Return all columns of the table, the number of the region first."""
    first, *rest = _columns(report)
    return [first, *(column for part in rest for column in part)]


def _columns(
    report: RegionsReport,
) -> tuple[Column, list[Column], list[Column], list[Column]]:
    """Return the number of each region; its size, its lowest point, and its box."""
    shown = report.regions[:MOST_ROWS]
    first = Column("region", "right", [str(each.region) for each in shown])
    sizes = [
        Column("points", "right", [f"{each.size:,}" for each in shown]),
        Column(
            head(report.content, report.units.get("content")), "right",
            [number(each.content) for each in shown],
        ),
    ]  # fmt: skip
    lowest = [
        Column(
            head(f"lowest {report.measure}", report.units.get("value")), "right",
            [number(each.value) for each in shown],
        ),
        *(_place(report, shown, dim) for dim in report.dims),
        Column(head("field", report.units.get("field")), "right", [number(r.field) for r in shown]),
    ]  # fmt: skip
    boxes = [
        Column(f"{d} from … to", "left", [_span(r, d) for r in shown]) for d in report.dims
    ]  # fmt: skip
    remarks = Column("remarks", "left", [_remarks(each) for each in shown])
    return first, sizes, lowest, [*boxes, *([remarks] if any(remarks.cells) else [])]


def regions_rest(report: RegionsReport) -> Iterator[str]:
    """Say how many regions have no row, and why."""
    more, left = len(report.regions) - MOST_ROWS, report.found - len(report.regions)
    if more > 0:
        yield f"… {more:,} more; --json has them all"
    if left > 0:
        yield f"… {left:,} more that min_size or k leave out"


def _place(report: RegionsReport, shown: Sequence[Region], dim: str) -> Column:
    """Return the coordinate of the lowest points."""
    cells = [number(each.at[dim], digits=8) for each in shown]
    return Column(head(dim, report.units.get(dim)), "right", cells)


def _span(region: Region, dim: str) -> str:
    return f"{number(region.low[dim], digits=8)} … {number(region.high[dim], digits=8)}"


def _remarks(region: Region) -> str:
    told = ["at an edge"] if region.touches_edge else []
    return "; ".join([*told, *(f"all around {dim}" for dim in region.wraps)])


def regions_summary(report: RegionsReport) -> str:
    """Say how many regions there are, of how many points."""
    share = f"{report.points_below:,} of {report.points:,} points"
    nans = f"{report.nan_points:,}" if report.nan_points else "none"
    limit = f"{report.measure} below {number(report.threshold)}"
    if report.points == report.nan_points:
        return f"no region: {report.measure} is NaN at all of {report.points:,} points"
    if not report.found:
        return (
            f"no region: {limit} nowhere among {report.points:,} points, {nans} of them NaN; the "
            f"smallest value is {number(report.smallest)}"
        )
    whole = counted(report.found, "region")
    line = f"{whole} with {limit}: {share}, {nans} NaN"
    return f"{line}; source {report.source}" if report.source else line


def regions_notes(report: RegionsReport) -> Iterator[str]:
    """Say what was asked for beside the defaults, and what is to be known of the answer."""
    usual = {name: report.options[name] for name in ("measure", "threshold")}
    asked = asked_of(report, {**usual, "min_size": 1, "connectivity": "faces"})
    if asked:
        yield "with " + "; ".join(asked)
    if report.missing_chunks:
        yield f"the store lacks {report.missing_text}"
    if report.note:
        yield f"note: {report.note}"
