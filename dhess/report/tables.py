"""The same reports as tables for people."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

from dask.utils import format_bytes
from rich.console import Group, RenderableType
from rich.text import Text

from dhess.report.critical import CriticalReport, critical_table
from dhess.report.info import InfoReport
from dhess.report.info_table import info_table
from dhess.report.layout import Column, Fitting, columns, facts, head, number, sizes, table
from dhess.report.local import AtReport, at_table
from dhess.report.models import FieldReport, FindReport, MeasuresReport, asked_of
from dhess.report.plan import PlanReport, plan_table
from dhess.report.regions import RegionsReport, regions_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhess.report.base import Report


@singledispatch
def render(report: Report) -> RenderableType:
    """Return a report as something that a rich console prints."""
    raise TypeError(f"no table for {type(report).__name__}")


@render.register
def _info(report: InfoReport) -> RenderableType:
    return info_table(report)


@render.register
def _find(report: FindReport) -> RenderableType:
    rank = Column("rank", "right", [str(answer.rank) for answer in report.answers])
    where, how = _places(report), _curvatures(report)
    rows = Fitting(columns(rank, *where, *how), (columns(rank, *where), columns(rank, *how)))
    source = f"; source {report.source}" if report.source else ""
    lines = [f"{find_summary(report)}{source}", *find_notes(report)]
    return Group(rows, "", *map(Text, lines))


def find_columns(report: FindReport) -> list[Column]:
    """Return all columns of the table, the rank first."""
    rank = Column("rank", "right", [str(answer.rank) for answer in report.answers])
    return [rank, *_places(report), *_curvatures(report)]


def find_summary(report: FindReport) -> str:
    """Say how much was found, and among how much."""
    count = len(report.answers)
    what = "smallest value" if count == 1 else f"{count} smallest values"
    if report.partial:
        return f"partial answer, {report.partial}: {what} of {report.measure} so far"
    nans = f"{report.nan_points:,}" if report.nan_points else "none"
    return f"{what} of {report.measure} among {report.points:,} points, {nans} of them NaN"


def _places(report: FindReport) -> list[Column]:
    units, answers = report.units, report.answers
    at = [
        Column(head(dim, units.get(dim)), "right", [number(a.at[dim], digits=8) for a in answers])
        for dim in report.dims
    ]
    value = head(report.measure, units.get("value"))
    return [
        Column(value, "right", [number(a.value) for a in answers]),
        *at,
        Column(head("field", units.get("field")), "right", [number(a.field) for a in answers]),
        Column("kind", "left", [a.kind for a in answers]),
    ]


def _curvatures(report: FindReport) -> list[Column]:
    eigenvalues = [
        ", ".join(number(each, digits=4) for each in answer.eigenvalues)
        for answer in report.answers
    ]
    index = [", ".join(str(a.index[dim]) for dim in report.dims) for a in report.answers]
    return [Column("eigenvalues", "left", eigenvalues), Column("index", "left", index)]


def find_notes(report: FindReport) -> Iterator[str]:
    """Say what was asked for beside the defaults, and what is to be known of the answer."""
    asked = asked_of(report, {"k": report.options.get("k"), "exclude_edges": 0})
    if asked:
        yield "with " + "; ".join(asked)
    if report.missing_chunks:
        yield f"the store lacks {report.missing_text}"
    if report.note:
        yield f"note: {report.note}"


@render.register
def _field(report: FieldReport) -> RenderableType:
    return facts(
        ("wrote", report.out),
        ("variable", head(report.name, report.units)),
        ("units", "; ".join(f"{row}: {unit}" for row, unit in report.component_units.items())),
        ("datetime unit", report.datetime_unit),
        ("dimensions", sizes(report.dims, report.shape)),
        ("chunks", sizes(report.dims, report.chunks)),
        ("values", f"{report.dtype}, {format_bytes(report.bytes)} uncompressed"),
        ("smoothed", report.smoothed),
        ("note", report.note),
        ("from", report.source),
        ("lacking", report.missing_text if report.missing_chunks else None),
    )


@render.register
def _plan(report: PlanReport) -> RenderableType:
    return plan_table(report)


@render.register
def _at(report: AtReport) -> RenderableType:
    return at_table(report)


@render.register
def _regions(report: RegionsReport) -> RenderableType:
    return regions_table(report)


@render.register
def _critical(report: CriticalReport) -> RenderableType:
    return critical_table(report)


@render.register
def _measures(report: MeasuresReport) -> RenderableType:
    rows = table()
    for name in ("measure", "formula", "needs", "unit"):
        rows.add_column(name, no_wrap=name == "measure")
    rows.add_column("meaning", overflow="fold")
    for each in report.measures:
        needs = " and ".join(each.needs) + ("" if each.ndim is None else f", {each.ndim}-D")
        rows.add_row(each.name, each.formula, needs, each.unit, each.meaning)
    legend = (
        "u is the field's unit, x the coordinates' unit, n their number; p and q are the first "
        "derivatives of a surface, r, s and t the second ones. Curvatures are above zero where the "
        "surface curves up; geomorphometry often takes the opposite sign."
    )
    found = _sources(report)
    sources = facts(*((", ".join(names), source) for source, names in found.items()))
    return Group(rows, "", Text(legend), "", sources)


def _sources(report: MeasuresReport) -> dict[str, list[str]]:
    """Return the names of the measures that each source defines."""
    found: dict[str, list[str]] = {}
    for each in report.measures:
        if each.source:
            found.setdefault(each.source, []).append(each.name)
    return found
