"""``dhess find``: where a measure is smallest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dhess.cli.options import Job, job_options, measure_names
from dhess.cli.outputs import (
    check_files,
    emit,
    json_option,
    performance_option,
    report_option,
    single_file,
    warn_missing,
)
from dhess.cli.project import project, tell_plan
from dhess.errors import Interrupted

if TYPE_CHECKING:
    import xarray as xr

    from dhess.report import FindReport


@click.command(
    short_help="Print where a field is flattest, or any measure smallest.",
    epilog="""\b
Examples:
  dhess find run.zarr::temperature
  dhess find run.zarr::temperature --k 10 --measure slope --plot flattest.png
  dhess find dem.nc --dims y,x --sel time=0:12 --exclude-edges
  dhess find 'run_*.nc::T' --dims y,x
  dhess find sst.nc --geometry sphere --period lon=360 --nan adapt --dims lat,lon
  dhess find run.zarr --order 4 --datetime-unit h --scale time=6,x=1000,y=1000
  dhess find dem.nc --smooth x=90,y=90 --measure slope --plot level.png
  dhess find dem.nc --k 5 --report flattest.html
  dhess find big.zarr --workers 8 --memory-limit 4GB --performance tasks.html
  dhess find big.zarr --scheduler tcp://127.0.0.1:8786
  dhess find dem.nc --json - | python -m json.tool""",
)
@click.option(
    "-m", "--measure", default="hessian_norm", show_default=True, metavar="NAME",
    shell_complete=lambda *_: measure_names(), help="What to minimise; see 'dhess measures'.",
)  # fmt: skip
@click.option(
    "-k",
    "--k",
    type=int,
    default=1,
    show_default=True,
    metavar="N",
    help="How many points to find.",
)
@click.option(
    "--exclude-edges", is_flag=True, help="Leave out points where the stencil is one-sided."
)
@click.option(
    "--plot", "plot_file", metavar="FILE", callback=single_file,
    help="Draw the answer: .png, .pdf or .svg.",
)  # fmt: skip
@report_option
@performance_option
@json_option
@job_options
def find(
    job: Job,
    measure: str,
    k: int,
    exclude_edges: bool,
    plot_file: str | None,
    report_file: str | None,
    performance_file: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Print where a measure of SRC is smallest: by default, where the field is flattest.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    The table shows the coordinates, the field's value, and how it curves there. After Ctrl-C it
    shows the best so far, and says how much was searched.
    """
    from dhess import plot
    from dhess.cli.describing import drawn, write_answer
    from dhess.cli.progress import searching
    from dhess.report.html import find_page
    from dhess.search import find_minimum

    check_files(
        json_file, plot_file, report_file, performance_file, overwrite=overwrite, source=job.source
    )
    if plot_file is not None or report_file is not None:
        plot.check_format(plot_file or "in a page.png")
    da = job.open()
    with job.computing(da, "find", performance=performance_file) as client:
        tell_plan(job, da, measure, client, k=k)
        plan = None if report_file is None else project(job, da, measure, client, k=k)
        try:
            with searching("find"):
                result = find_minimum(da, measure, k=k, exclude_edges=exclude_edges, **job.options)
        except Interrupted as stop:
            partial = _tell(stop.partial, json_file)
            write_answer(report_file, find_page, partial, None, plan)
            raise
        figure = None
        if plot_file is not None or report_file is not None:
            figure = drawn(da, result, client, plot_file)
        report = _tell(result, json_file)  # before the page is made, which may fail
        write_answer(report_file, find_page, report, figure, plan)


def _tell(result: xr.Dataset, json_file: str | None) -> FindReport:
    from dhess.report import FindReport

    report = FindReport.from_dataset(result)
    warn_missing(report)
    emit(report, json_file)
    return report
