"""The same reports as tables for people."""

from __future__ import annotations

from functools import singledispatch
from typing import TYPE_CHECKING

import numpy as np
from dask.utils import format_bytes
from rich.console import Group, RenderableType
from rich.text import Text

from dhess.options import Settings
from dhess.report.info import InfoReport
from dhess.report.info_table import info_table
from dhess.report.layout import facts, head, number, sizes, table
from dhess.report.models import FieldReport, FindReport, MeasuresReport

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
    units = report.units
    rows = table()
    rows.add_column("rank", justify="right")
    rows.add_column(head(report.measure, units.get("value")), justify="right")
    for dim in report.dims:
        rows.add_column(head(dim, units.get(dim)), justify="right")
    rows.add_column(head("field", units.get("field")), justify="right")
    rows.add_column("kind")
    rows.add_column("eigenvalues")
    rows.add_column("index")
    for answer in report.answers:
        rows.add_row(
            str(answer.rank),
            number(answer.value),
            *(number(answer.at[dim], digits=8) for dim in report.dims),
            number(answer.field),
            answer.kind,
            ", ".join(number(each, digits=4) for each in answer.eigenvalues),
            ", ".join(str(answer.index[dim]) for dim in report.dims),
        )
    nans = f", {report.nan_points:,} of them NaN" if report.nan_points else ", none of them NaN"
    count = len(report.answers)
    what = "smallest value" if count == 1 else f"{count} smallest values"
    line = f"{what} of {report.measure} among {report.points:,} points{nans}"
    line += f"; source {report.source}" if report.source else ""
    return Group(rows, "", *map(Text, [line, *_told(report)]))


def _told(report: FindReport) -> Iterator[str]:
    """Say what was asked for beside the defaults, and what is to be known of the answer."""
    usual = Settings().describe(report.differentiated, np.dtype(np.float64))
    usual |= {"dims": ",".join(report.dims), "k": report.options.get("k"), "exclude_edges": 0}
    asked = [
        f"{name} {value}" for name, value in report.options.items() if value != usual.get(name)
    ]
    if report.smoothed:
        asked.append(f"smoothed by {report.smoothed}")
    if asked:
        yield "with " + "; ".join(asked)
    for name, units in report.component_units.items():
        yield f"{name} in " + "; ".join(f"{row}: {unit}" for row, unit in units.items())
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
    )


@render.register
def _measures(report: MeasuresReport) -> RenderableType:
    rows = table()
    for name in ("measure", "formula", "needs", "unit"):
        rows.add_column(name, no_wrap=name == "measure")
    rows.add_column("meaning", overflow="fold")
    for each in report.measures:
        needs = " and ".join(each.needs) + ("" if each.ndim is None else f", {each.ndim}-D")
        rows.add_row(each.name, each.formula, needs, each.unit, each.meaning)
    return Group(rows, "", Text("u is the field's unit, x the coordinates' unit, n their number."))
