"""The same reports as tables for people."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

from dask.utils import format_bytes
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from dhess.report.models import (
    FieldReport,
    FindReport,
    InfoReport,
    MeasuresReport,
    Report,
)


@singledispatch
def render(report: Report) -> RenderableType:
    """Return a report as something that a rich console prints."""
    raise TypeError(f"no table for {type(report).__name__}")


@render.register
def _find(report: FindReport) -> RenderableType:
    units = report.units
    table = _table()
    table.add_column("rank", justify="right")
    table.add_column(_head(report.measure, units.get("value")), justify="right")
    for dim in report.dims:
        table.add_column(_head(dim, units.get(dim)), justify="right")
    table.add_column(_head("field", units.get("field")), justify="right")
    table.add_column("kind")
    table.add_column("eigenvalues")
    table.add_column("index")
    for answer in report.answers:
        table.add_row(
            str(answer.rank),
            _number(answer.value),
            *(_number(answer.at[dim], digits=8) for dim in report.dims),
            _number(answer.field),
            answer.kind,
            ", ".join(_number(each, digits=4) for each in answer.eigenvalues),
            ", ".join(str(answer.index[dim]) for dim in report.dims),
        )
    nans = f", {report.nan_points:,} of them NaN" if report.nan_points else ", none of them NaN"
    count = len(report.answers)
    what = "smallest value" if count == 1 else f"{count} smallest values"
    line = f"{what} of {report.measure} among {report.points:,} points{nans}"
    return Group(table, "", Text(line + (f"; source {report.source}" if report.source else "")))


@render.register
def _field(report: FieldReport) -> RenderableType:
    return _facts(
        ("wrote", report.out),
        ("variable", _head(report.name, report.units)),
        ("dimensions", _sizes(report.dims, report.shape)),
        ("chunks", _sizes(report.dims, report.chunks)),
        ("values", f"{report.dtype}, {format_bytes(report.bytes)} uncompressed"),
        ("from", report.source),
    )


@render.register
def _info(report: InfoReport) -> RenderableType:
    stored = "contiguous" if report.stored_chunks is None else _times(report.stored_chunks)
    if report.stored_shards:
        stored += f" in shards of {_times(report.stored_shards)}"
    facts = [
        ("source", report.source),
        ("variable", _head(report.long_name or report.name, report.units)),
        ("dimensions", _sizes(report.dims, report.shape)),
        ("values", f"{report.dtype}, {format_bytes(report.bytes)} in memory"),
        ("stored chunks", stored),
        ("Dask blocks", f"{report.blocks:,} of up to {_times(report.block)}"),
    ]
    if report.nan_share is not None:
        facts.append(("NaN", f"{report.nan_share:.4%} of the points"))
    axes = _table()
    for name in ("dimension", "size", "from", "to", "spacing", "step"):
        axes.add_column(name, justify="right" if name in ("size", "from", "to") else "left")
    axes.add_column("derivative", overflow="fold")
    for axis in report.axes:
        step = "–" if axis.step_min is None else _number(axis.step_min)
        if axis.step_max != axis.step_min:
            step += f" … {_number(axis.step_max)}"
        bare = axis.first is None and axis.problem is None
        axes.add_row(
            _head(axis.name, axis.units),
            f"{axis.size:,}",
            _number(axis.first, digits=10),
            _number(axis.last, digits=10),
            "no coordinate" if bare else axis.spacing or "–",
            step,
            "yes" if axis.problem is None else f"no: {axis.problem}",
        )
    return Group(_facts(*facts), "", axes)


@render.register
def _measures(report: MeasuresReport) -> RenderableType:
    table = _table()
    for name in ("measure", "formula", "needs", "unit"):
        table.add_column(name, no_wrap=name == "measure")
    table.add_column("meaning", overflow="fold")
    for each in report.measures:
        needs = " and ".join(each.needs) + ("" if each.ndim is None else f", {each.ndim}-D")
        table.add_row(each.name, each.formula, needs, each.unit, each.meaning)
    return Group(table, "", Text("u is the field's unit, x the coordinates' unit, n their number."))


def _table() -> Table:
    from rich.box import SIMPLE_HEAD

    return Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")


def _facts(*pairs: tuple[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in pairs:
        table.add_row(name, Text(text))
    return table


def _head(name: str, units: str | None) -> str:
    return f"{name} ({units})" if units else name


def _sizes(dims: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    return ", ".join(f"{dim} {size:,}" for dim, size in zip(dims, sizes, strict=True))


def _times(sizes: tuple[int, ...]) -> str:
    return " × ".join(f"{size:,}" for size in sizes)


def _number(value: Any, digits: int = 6) -> str:
    if value is None:
        return "–"
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)
