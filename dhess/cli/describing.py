"""Pictures and pages of what a command found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sized

    import xarray as xr
    from matplotlib.figure import Figure

    from dhess.planning import Plan
    from dhess.report import CriticalReport, RegionsReport


def titled(da: xr.DataArray) -> xr.DataArray:
    """Return the field with a name that says if it was smoothed, for a picture.

    By how much would be too long beside a colour bar; the table and the JSON tell.
    """
    if "smoothed" not in da.attrs:
        return da
    name = da.attrs.get("long_name") or da.name
    return da.assign_attrs(long_name=f"{name}, smoothed")


def is_drawn(
    report: RegionsReport | CriticalReport,
    rows: Sized,
    plot_file: str | None,
    report_file: str | None,
) -> bool:
    """Tell whether an answer is drawn: someone wants a picture of it, and it has one.

    A cut goes through the first row, and needs one. What --plot asks for and there is nothing to
    draw of is told, since that file is missing then.
    """
    if len(rows) > 0 or len(report.dims) == len(report.differentiated) <= 2:
        return plot_file is not None or report_file is not None
    if plot_file is not None:
        click.echo(
            f"dhess: nothing was found, so there is no place to cut through, and {plot_file!r} "
            "was not drawn",
            err=True,
        )
    return False


def drawn(
    da: xr.DataArray,
    found: xr.Dataset,
    client: Any,
    path: str | None,
    regions: xr.DataArray | None = None,
) -> Figure:
    """Draw an answer, show how many tasks are done, and save it if a file is named."""
    from dhess import plot
    from dhess.cli.progress import counting

    with counting(client, "plot"):
        return plot.answer(titled(da), found, regions=regions, path=path)


def write_answer(
    path: str | None,
    page: Callable[..., str],
    report: Any,
    figure: Figure | None,
    plan: Plan | None,
) -> None:
    """Write the page about an answer, if one is asked for; the plan is made whenever it is."""
    if path is None or plan is None:
        return
    from dhess.report import PlanReport
    from dhess.report.html import Image, write_page

    images = [] if figure is None else [Image.of(figure)]
    write_page(page(report, images=images, plan=PlanReport.from_plan(plan)), path)
