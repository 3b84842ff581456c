"""``dhess critical``: where a field is level, and how it curves there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dhess.cli.options import Job, job_options
from dhess.cli.outputs import (
    check_files,
    check_netcdf,
    emit,
    json_option,
    report_option,
    single_file,
    warn_missing,
    write_netcdf,
)
from dhess.cli.project import project, tell_plan
from dhess.errors import Interrupted

if TYPE_CHECKING:
    import xarray as xr

    from dhess.report import CriticalReport


@click.command(
    short_help="Print minima, maxima and saddles, found between the points.",
    epilog="""\b
Examples:
  dhess critical run.zarr::temperature
  dhess critical dem.nc --plot peaks.png --smooth x=90,y=90
  dhess critical dem.nc --dims y,x --sel time=0 --order 4 --out places.nc
  dhess critical sst.nc --geometry sphere --period lon=360 --nan adapt -k 20
  dhess critical dem.nc --report peaks.html
  dhess critical run.zarr --tolerance 1e-6 --json - | python -m json.tool
  dhess critical big.zarr --workers 8 --memory-limit 4GB --json places.json""",
)
@click.option(
    "-k", "--k", type=int, metavar="N", help="How many to tell at most, those of lowest value."
)
@click.option(
    "--tolerance", type=float, default=1e-9, show_default=True, metavar="STEPS",
    help="Newton's method stops at a step below this, in steps of the grid.",
)  # fmt: skip
@click.option(
    "--out", metavar="FILE.nc", callback=single_file,
    help="Write the points as a NetCDF file, as dhess.critical_points returns them.",
)  # fmt: skip
@click.option(
    "--plot", "plot_file", metavar="FILE", callback=single_file,
    help="Draw them, each kind with a mark of its own: .png, .pdf or .svg.",
)  # fmt: skip
@report_option
@json_option
@job_options
def critical(
    job: Job,
    k: int | None,
    tolerance: float,
    out: str | None,
    plot_file: str | None,
    report_file: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Print the critical points of SRC, where its gradient is zero, lowest value first.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    The table shows the kind of each, where it is between the points of the grid, the field's value,
    the eigenvalues of the Hessian, and how many of them are negative (index). A plateau is one
    row, with its extent. After Ctrl-C it shows what was found so far, and says how much was
    searched.
    """
    from dhess import plot
    from dhess.cli.describing import drawn, is_drawn, write_answer
    from dhess.cli.progress import searching
    from dhess.critical import check_options, critical_points
    from dhess.report.html import critical_page

    check_options(tolerance, job.options.get("scheme", "direct"), k)
    check_files(json_file, out, plot_file, report_file, overwrite=overwrite, source=job.source)
    check_netcdf(out)
    if plot_file is not None or report_file is not None:
        plot.check_format(plot_file or "in a page.png")
    da = job.open()
    with job.computing(da, "critical") as client:
        tell_plan(job, da, "", client, task="critical")
        plan = None if report_file is None else project(job, da, "", client, task="critical")
        try:
            with searching("critical"):
                found = critical_points(da, tolerance=tolerance, k=k, **job.options)
        except Interrupted as stop:
            partial = _tell(stop.partial, json_file)
            write_answer(report_file, critical_page, partial, None, plan)
            raise
        write_netcdf(found, out)
        report = _tell(found, json_file)  # before the pictures are made, which may fail
        figure = None
        if is_drawn(report, report.critical_points, plot_file, report_file):
            figure = drawn(da, found, client, plot_file)
        write_answer(report_file, critical_page, report, figure, plan)


def _tell(found: xr.Dataset, json_file: str | None) -> CriticalReport:
    from dhess.report import CriticalReport
    from dhess.report.layout import MOST_ROWS

    report = CriticalReport.from_dataset(found, MOST_ROWS if json_file is None else None)
    warn_missing(report)
    emit(report, json_file)
    return report
