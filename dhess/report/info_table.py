"""What ``dhess info`` prints for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dask.utils import format_bytes
from rich.console import Group, RenderableType
from rich.text import Text

from dhess.report.layout import SIGNS, facts, head, number, sizes, table, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from dhess.report.axes import AxisInfo
    from dhess.report.info import InfoReport


def info_table(report: InfoReport) -> RenderableType:
    """Return what is stored, the axes, and the options that suit them."""
    parts: list[RenderableType] = [facts(*_stored(report)), "", _axes(report)]
    for axis in report.axes:
        if axis.problem is not None:
            parts += ["", Text(f"no derivative along {axis.name}: {axis.problem}")]
    if report.hints:
        parts += ["", Text("options that suit this data", style="bold"), _hints(report)]
    return Group(*parts)


def _stored(report: InfoReport) -> Iterator[tuple[str, str | None]]:
    stored = "contiguous" if report.stored_chunks is None else times(report.stored_chunks)
    if report.stored_shards:
        stored += f" in shards of {times(report.stored_shards)}"
    yield "source", report.source
    yield "variable", head(report.long_name or report.name, report.units)
    yield "dimensions", sizes(report.dims, report.shape)
    yield "values", f"{report.dtype}, {format_bytes(report.bytes)} in memory"
    yield "stored chunks", stored
    yield "Dask blocks", f"{report.blocks:,} of up to {times(report.block)}"
    yield "NaN", _nan(report)
    yield "a search", _search(report)
    yield "halo", _halo(report.axes)
    yield "sphere", _sphere(report)


def _nan(report: InfoReport) -> str | None:
    if report.nan_share is not None:
        return f"{report.nan_share:.4%} of the points" if report.nan_share else "none"
    whole = report.dtype.startswith(("int", "uint", "bool"))
    return None if whole else "not counted; --nan-share does, and reads everything"


def _search(report: InfoReport) -> str | None:
    search = report.search
    if search is None:
        return None
    tasks = "" if search.tasks is None else f", in {search.tasks:,} tasks"
    blocks = "one block" if search.blocks == 1 else f"{search.blocks:,} blocks"
    return f"reads {format_bytes(search.bytes)} once, as {blocks}{tasks}"


def _halo(axes: tuple[AxisInfo, ...]) -> str | None:
    """Return the cells by order, once for all axes that have the same."""
    by_cells: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for axis in axes:
        if axis.halo:
            by_cells.setdefault(tuple(axis.halo.items()), []).append(axis.name)
    said = []
    for cells, names in by_cells.items():
        orders, counts = (", ".join(map(str, each)) for each in zip(*cells, strict=True))
        along = "" if len(by_cells) == 1 else f" along {', '.join(names)}"
        said.append(f"{counts} cells{along} at order {orders}")
    return "; ".join(said) or None


def _sphere(report: InfoReport) -> str | None:
    if report.sphere is None:
        return None
    said = f"latitude {report.sphere.latitude}, longitude {report.sphere.longitude}"
    return f"{said}; refused: {report.sphere.problem}" if report.sphere.problem else said


def _axes(report: InfoReport) -> Table:
    axes = table()
    whole = all(axis.halo for axis in report.axes)
    for name in ("dimension", "size", "from", "to"):
        axes.add_column(name, justify="left" if name == "dimension" else "right", overflow="fold")
    for name in ("step", "spacing", *(() if whole else ("derivative",))):
        axes.add_column(name, overflow="fold")
    for axis in report.axes:
        row = [axis.name, f"{axis.size:,}", number(axis.first, digits=10)]
        row += [number(axis.last, digits=10), _step(axis), _spacing(axis)]
        if not whole:
            row.append("no" if axis.problem else "yes" if axis.halo else "first only")
        axes.add_row(*map(Text, row))
    return axes


def _spacing(axis: AxisInfo) -> str:
    if axis.spacing is None:
        return "–"
    said = axis.spacing if not axis.uneven_by else f"uneven by {axis.uneven_by:.2g} steps"
    said += ", descending" if axis.direction == "descending" else ""
    said += f", {axis.calendar} calendar" if axis.calendar else ""
    return said if axis.first is not None else "no coordinate"


def _step(axis: AxisInfo) -> str:
    if axis.step_min is None:
        return "–"
    step = number(axis.step_min)
    if axis.step_max != axis.step_min:
        step += f" … {number(axis.step_max)}"
    unit = axis.datetime_unit or axis.units or ""
    return f"{step} {SIGNS.get(unit, unit)}".rstrip()


def _hints(report: InfoReport) -> Table:
    rows = table()
    rows.show_header = False
    rows.add_column(overflow="fold")
    rows.add_column(overflow="fold")
    for hint in report.hints:
        rows.add_row(Text(hint.option), Text(hint.reason))
    return rows
