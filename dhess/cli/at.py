"""``dhess at``: the value, slope and curvature of a field at a place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dhess.cli.compute import computing
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
from dhess.errors import InputError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from dhess.report import AtReport


@click.command(
    short_help="Print value, slope and curvature at a place.",
    epilog="""\b
Examples:
  dhess at run.zarr::temperature z=0.5 y=-1.25 x=3
  dhess at dem.nc y=4210.5 x=1300 --plot place.png
  dhess at sst.nc lat=54.2 lon=-7.9 time=2026-01-05 --dims lat,lon
  dhess at sst.nc lat=54.2 lon=-7.9 --geometry sphere --period lon=360 --nan adapt
  dhess at run.zarr t=2026-01-05T06:30 x=12 --datetime-unit h --order 6
  dhess at dem.nc y=4210.5 x=1300 --json - --out model.nc
  dhess at dem.nc y=4210.5 x=1300 --report place.html""",
)
@click.option(
    "--plot", "plot_file", metavar="FILE", callback=single_file,
    help="Draw the field along each axis with both fits: .png, .pdf or .svg.",
)  # fmt: skip
@click.option(
    "--out", metavar="FILE.nc", callback=single_file,
    help="Write the model as a NetCDF file, as dhess.local_model returns it.",
)  # fmt: skip
@report_option
@json_option
@job_options
@click.argument("place", metavar="NAME=VALUE…", nargs=-1, required=True)
def at(
    job: Job,
    place: tuple[str, ...],
    plot_file: str | None,
    out: str | None,
    report_file: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Print the local model of SRC at a place: value, gradient, Hessian, and estimates of error.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    The place is on the grid or between its points: NAME=VALUE for every differentiated dimension,
    in the unit of its coordinate, a date along times, an index where there is no coordinate. Other
    dimensions (see --dims) may be named with one of their points; without that each of their
    points has a model. Only the blocks around the place are read.
    """
    from dhess.local import local_model
    from dhess.report import AtReport

    check_files(json_file, plot_file, out, report_file, overwrite=overwrite, source=job.source)
    if plot_file is not None or report_file is not None:
        _check_drawing(plot_file or "in a page.png")
    check_netcdf(out)
    da = job.open()
    where = _read(place, da)
    # A place takes a few blocks, however large the data: threads serve unless others are asked for.
    with computing(job.place, 0, f"dhess at {da.encoding['source']}") as client:
        model = local_model(da, where, **job.options)
        several = any(name not in where for name in da.dims)  # which have no picture
        figure = None
        if plot_file is not None or (report_file is not None and not several):
            figure = _drawn(job, da, where, plot_file, client)
    write_netcdf(model, out)
    report = AtReport.from_dataset(model)
    warn_missing(report)
    emit(report, json_file)
    if report_file is not None:
        _write_page(report, da, figure, report_file)


def _read(place: tuple[str, ...], da: xr.DataArray) -> dict[str, Any]:
    """Read ``NAME=VALUE``: numbers, and text where a coordinate holds something else."""
    found: dict[str, Any] = {}
    for part in place:
        name, equals, value = (each.strip() for each in part.partition("="))
        if not (name and equals and value):
            raise InputError(f"{part!r} is no place; write NAME=VALUE, as x=1.5")
        if name in found:
            raise InputError(f"{name} is given twice, as {found[name]} and {value}; give it once")
        found[name] = _number(value) if _is_numeric(da, name) else value
    return found


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # the library says what is wrong with it


def _is_numeric(da: xr.DataArray, name: str) -> bool:
    return name not in da.coords or da.coords[name].dtype.kind in "iufb"


def _check_drawing(path: str) -> None:
    from dhess import plot

    plot.check_format(path)


def _drawn(
    job: Job, da: xr.DataArray, where: dict[str, Any], path: str | None, client: Any
) -> Figure:
    from dhess import plot
    from dhess.cli.describing import titled
    from dhess.cli.progress import counting

    with counting(client, "plot"):
        return plot.local(titled(da), where, path=path, **job.options)


def _write_page(report: AtReport, da: xr.DataArray, figure: Figure | None, path: str) -> None:
    from dhess.report.html import Image, at_page, write_page

    images = [] if figure is None else [Image.of(figure)]
    write_page(at_page(report, images=images, data=da), path)
