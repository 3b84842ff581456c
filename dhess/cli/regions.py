"""``dhess regions``: where a measure stays below a threshold, as connected regions."""

from __future__ import annotations

import click

from dhess.cli.options import Job, job_options, measure_names
from dhess.cli.outputs import (
    check_files,
    emit,
    json_option,
    report_option,
    single_file,
    warn_missing,
)
from dhess.cli.project import project, tell_plan


@click.command(
    short_help="Print the connected regions where a measure is below a threshold.",
    epilog="""\b
Examples:
  dhess regions run.zarr::temperature --quantile 0.01
  dhess regions dem.nc --measure slope --threshold 0.02 --min-size 50
  dhess regions dem.nc -m slope -t 0.02 --out labels.zarr --plot level.png
  dhess regions sst.nc --quantile 0.05 --geometry sphere --period lon=360 --nan adapt
  dhess regions run.zarr --quantile 0.001 --connectivity full --json regions.json
  dhess regions dem.nc --quantile 0.02 --report level.html
  dhess regions big.zarr -t 1e-6 --workers 8 --memory-limit 4GB""",
)
@click.option(
    "-m", "--measure", default="hessian_norm", show_default=True, metavar="NAME",
    shell_complete=lambda *_: measure_names(), help="What to compare; see 'dhess measures'.",
)  # fmt: skip
@click.option("-t", "--threshold", type=float, help="What the measure has to be below.")
@click.option(
    "-q", "--quantile", type=float, metavar="SHARE",
    help="Instead of a threshold: the share of all points, those of smallest measure.",
)  # fmt: skip
@click.option(
    "--connectivity", default="faces", show_default=True, metavar="faces|full",
    help="Whether points that only touch at an edge or a corner are neighbours.",
)  # fmt: skip
@click.option(
    "--min-size", type=int, default=1, show_default=True, metavar="N",
    help="Leave out regions of fewer points.",
)  # fmt: skip
@click.option("-k", "--k", type=int, metavar="N", help="How many to tell at most, the largest.")
@click.option(
    "--out", metavar="OUT.zarr",
    help="Write the field of labels too, as a new Zarr store: 0, or 1 + the row of the region.",
)  # fmt: skip
@click.option(
    "--plot", "plot_file", metavar="FILE", callback=single_file,
    help="Draw the regions: .png, .pdf or .svg.",
)  # fmt: skip
@report_option
@json_option
@job_options
def regions(
    job: Job,
    measure: str,
    threshold: float | None,
    quantile: float | None,
    connectivity: str,
    min_size: int,
    k: int | None,
    out: str | None,
    plot_file: str | None,
    report_file: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Print the connected regions of SRC where a measure is below a threshold, largest first.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    The table shows the size of each, its lowest point, and its bounding box. With --quantile the
    threshold is found first, exactly, which reads the data two to four times more.
    """
    from dhess import plot
    from dhess.cli.describing import drawn, is_drawn, write_answer
    from dhess.cli.progress import counting, searching
    from dhess.regions import check_options, flat_regions
    from dhess.report import RegionsReport
    from dhess.report.html import regions_page
    from dhess.sink import write_field

    check_options(threshold, quantile, connectivity, min_size, k)
    check_files(json_file, out, plot_file, report_file, overwrite=overwrite, source=job.source)
    if plot_file is not None or report_file is not None:
        plot.check_format(plot_file or "in a page.png")
    da = job.open()
    with job.computing(da, "regions") as client:
        tell_plan(job, da, measure, client, task="regions")
        plan = None
        if report_file is not None:
            plan = project(job, da, measure, client, task="regions")
        with searching("regions"):
            table, labels = flat_regions(
                da, measure, threshold=threshold, quantile=quantile, connectivity=connectivity,
                min_size=min_size, k=k, labels=True, **job.options,
            )  # fmt: skip
        if out is not None:
            with counting(client, "labels"):
                write_field(labels, out, overwrite=overwrite)
        report = RegionsReport.from_dataset(table)
        warn_missing(report)
        emit(report, json_file)  # before the pictures are made, which may fail
        figure = None
        if is_drawn(report, report.regions, plot_file, report_file):
            figure = drawn(da, table, client, plot_file, labels)
        write_answer(report_file, regions_page, report, figure, plan)
