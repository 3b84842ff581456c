"""What ``dhess critical`` tells: the places where a field is level, and how it curves there."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field
from rich.console import Group, RenderableType
from rich.text import Text

from dhess.answer import KINDS, counted_kind
from dhess.report.base import Coordinate, Model, Number, plain_value, text
from dhess.report.layout import MOST_ROWS, Column, Fitting, columns, counted, head, number
from dhess.report.models import Kind, ReadReport, asked_of, components, units_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr


class CriticalPoint(Model):
    """One place where the gradient is zero, or a plateau of them."""

    rank: int
    """0 for the lowest value of the field."""
    kind: Kind
    morse_index: int | None
    """How many eigenvalues are negative; none for a degenerate point."""
    field: Number
    """The field there."""
    at: dict[str, Coordinate]
    """Where it is, between the points of the grid; of a plateau its first point."""
    index: dict[str, int]
    """The nearest point of the grid."""
    gradient: dict[str, Number]
    """What is left of it."""
    hessian: tuple[tuple[Number, ...], ...]
    """Rows and columns in the order of `CriticalReport.differentiated`."""
    eigenvalues: tuple[Number, ...]
    """Ascending."""
    refined: bool
    """Whether place and Hessian are those of the local polynomial, or the spline's."""
    cells: int
    """Points of a plateau; 1 for a point."""
    extent: dict[str, tuple[int, int]]
    """First and last index of a plateau; the last is below the first over the seam of an axis that
    wraps."""


class CriticalReport(ReadReport):
    """What ``dhess critical`` prints."""

    report: Literal["critical"] = "critical"
    source: str
    options: dict[str, Coordinate]
    dims: tuple[str, ...]
    differentiated: tuple[str, ...]
    units: dict[str, str]
    """Where known: of each dimension, and of "field", "gradient", "hessian" and "eigenvalues"."""
    component_units: dict[str, dict[str, str]] = Field(default_factory=dict)
    """Of "gradient" and "hessian" by row ("x") or by row and column ("y,x"), where they differ."""
    smoothed: str | None = None
    points: int
    """Points around which there was a search."""
    nan_cells: int
    """Those among them that were left out because a sample around them is not finite."""
    partial: str | None = None
    """How much was searched before somebody interrupted; none for an answer that is whole."""
    found: int
    """Critical points, those that ``k`` leaves out included."""
    counts: dict[Kind, int]
    """How many of them are of each kind."""
    by_index: tuple[int, ...]
    """How many have 0, 1, … negative eigenvalues."""
    alternating: int | None
    """`by_index` with alternating signs added up, which is 0 on a torus; none unless all
    differentiated dimensions wrap and no cell was left out."""
    critical_points: tuple[CriticalPoint, ...]
    """Lowest value first."""

    @classmethod
    def from_dataset(cls, result: xr.Dataset, most: int | None = None) -> CriticalReport:
        """Read the report from what :func:`dhess.critical_points` returns.

        Of so many points at most: 200,000 of them take 600 MB here.

        Examples
        --------
        >>> import numpy as np, xarray as xr, dhess
        >>> x = np.arange(24.0)
        >>> wave = xr.DataArray(np.cos(2 * np.pi * (x - 3.5) / 24), {"x": x}, "x")
        >>> report = CriticalReport.from_dataset(dhess.critical_points(wave, period={"x": 24}))
        >>> [(each.kind, each.at) for each in report.critical_points], report.alternating
        ([('minimum', {'x': 15.5}), ('maximum', {'x': 3.5})], 0)
        """
        attrs = dict(result.attrs)
        dims, axes = (tuple(map(str, result[name].values)) for name in ("dim", "row"))
        by_row = {name: components(result[name].attrs) for name in ("gradient", "hessian")}
        by_index = tuple(np.atleast_1d(attrs.pop("by_index")).tolist())
        degenerate, nan_cells = int(attrs.pop("degenerate")), int(attrs.pop("nan_cells"))
        partial = text(attrs.pop("partial", None))
        around = {each.partition("=")[0] for each in str(attrs["period"]).split(",")}
        torus = around >= set(axes) and not nan_cells and partial is None
        counts = (by_index[0], by_index[-1], sum(by_index[1:-1]), degenerate)
        return cls(
            dhess_version=str(attrs.pop("dhess_version", version("dhess"))),
            source=str(attrs.pop("source", "")),
            points=int(attrs.pop("points")),
            missing_chunks=int(attrs.pop("missing_chunks", 0)),
            smoothed=text(attrs.pop("smoothed", None)),
            options={name: plain_value(value) for name, value in attrs.items()},
            dims=dims,
            differentiated=axes,
            units=units_of(result, (*dims, "field", "gradient", "hessian", "eigenvalues")),
            component_units={name: each for name, each in by_row.items() if each},
            nan_cells=nan_cells,
            partial=partial,
            found=sum(counts),
            counts=dict(zip(KINDS, counts, strict=True)),
            by_index=by_index,
            alternating=sum(by_index[::2]) - sum(by_index[1::2]) if torus else None,
            critical_points=tuple(_rows(result.isel(rank=slice(most)), dims, axes)),
        )


def _rows(
    result: xr.Dataset, dims: tuple[str, ...], axes: tuple[str, ...]
) -> Iterator[CriticalPoint]:
    columns = {str(name): variable.values for name, variable in result.variables.items()}
    for i in range(result.sizes["rank"]):
        row: dict[str, Any] = {name: columns[name][i].tolist() for name in _PLAIN}
        morse = int(columns["morse_index"][i])
        yield CriticalPoint(
            rank=i,
            kind=columns["kind"][i],
            morse_index=None if morse < 0 else morse,
            at={dim: plain_value(columns[dim][i]) for dim in dims},
            index=dict(zip(dims, columns["index"][i].tolist(), strict=True)),
            gradient=dict(zip(axes, columns["gradient"][i].tolist(), strict=True)),
            extent=dict(zip(dims, columns["extent"][i].tolist(), strict=True)),
            **row,
        )


_PLAIN = ("field", "hessian", "eigenvalues", "refined", "cells")


def critical_table(report: CriticalReport) -> RenderableType:
    """Return the report as a table."""
    lines = [*critical_rest(report), critical_summary(report), *critical_notes(report)]
    shown = report.critical_points[:MOST_ROWS]
    if not shown:
        return Group(*map(Text, lines))
    rank, *rest = critical_columns(report, shown)
    place, curved = rest[: len(report.dims) + 2], rest[len(report.dims) + 2 :]
    rows = Fitting(columns(rank, *rest), (columns(rank, *place), columns(rank, *curved)))
    return Group(rows, "", *map(Text, lines))


def critical_columns(report: CriticalReport, shown: Sequence[CriticalPoint]) -> list[Column]:
    """Return all columns of the table, the rank first."""
    units, remarks = report.units, [_remarks(each) for each in shown]
    return [
        Column("rank", "right", [str(each.rank) for each in shown]),
        Column("kind", "left", [each.kind for each in shown]),
        *(
            Column(head(d, units.get(d)), "right", [number(each.at[d], digits=8) for each in shown])
            for d in report.dims
        ),
        Column(head("field", units.get("field")), "right", [number(each.field) for each in shown]),
        Column(
            head("eigenvalues", units.get("eigenvalues")), "left",
            [", ".join(number(one, digits=4) for one in each.eigenvalues) for each in shown],
        ),
        Column("Morse index", "right", [number(each.morse_index) for each in shown]),
        *([Column("remarks", "left", remarks)] if any(remarks) else []),
    ]  # fmt: skip


def critical_rest(report: CriticalReport) -> Iterator[str]:
    """Say how many points have no row, and why."""
    kept = min(int(report.options.get("k") or report.found), report.found)
    if kept > MOST_ROWS:
        yield f"… {kept - MOST_ROWS:,} more; --json has them all"
    if kept < report.found:
        yield f"… {report.found - kept:,} more that k leaves out"


def _remarks(point: CriticalPoint) -> str:
    if point.cells > 1:
        spans = ", ".join(f"{dim} {a} … {b}" for dim, (a, b) in point.extent.items())
        return f"plateau of {point.cells:,} points, indices {spans}"
    return "" if point.refined else "not refined"


def critical_summary(report: CriticalReport) -> str:
    """Say how much was found, and among how much."""
    nans = f"{report.nan_cells:,}" if report.nan_cells else "none"
    among = f"among {report.points:,} points, {nans} of them beside NaN"
    if not report.found:
        what = "no critical point"
    else:
        kinds = ", ".join(counted_kind(n, kind) for kind, n in report.counts.items() if n)
        what = f"{counted(report.found, 'critical point')} ({kinds})"
    if report.partial:
        return f"partial answer, {report.partial}: {what} so far"
    line = f"{what} {among}"
    return f"{line}; source {report.source}" if report.source else line


def critical_notes(report: CriticalReport) -> Iterator[str]:
    """Say what was asked for beside the defaults, and what is to be known of the answer."""
    if len(report.by_index) > 3 and report.found:
        told = [f"{n:,} of index {i}" for i, n in enumerate(report.by_index) if n]
        yield f"by the number of negative eigenvalues: {', '.join(told) or 'none'}"
    if report.alternating is not None and report.found:
        rest = f", {report.counts['degenerate']:,} degenerate left out"
        signs = " ".join(f"{'−' if i % 2 else '+'} {n:,}" for i, n in enumerate(report.by_index))
        yield (
            f"alternating sum {signs.removeprefix('+ ')} = {report.alternating:,}"
            f"{rest if report.counts['degenerate'] else ''}; all axes wrap, where it is 0"
        )
    asked = asked_of(report, {"tolerance": 1e-9, "k": None})
    if asked:
        yield "with " + "; ".join(asked)
    if report.missing_chunks:
        yield f"the store lacks {report.missing_text}"
