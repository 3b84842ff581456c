"""``dhess info``: what is stored, and what can be differentiated."""

from __future__ import annotations

import click

from dhess.cli.options import Job, source_options
from dhess.cli.outputs import check_files, emit, json_option


@click.command(
    short_help="Describe what is stored and what can be differentiated.",
    epilog="""\b
Examples:
  dhess info run.zarr::temperature
  dhess info dem.nc --nan-share
  dhess info 'run_*.nc::T'
  dhess info run.zarr --sel time=0 --chunks z=64,y=64,x=64 --json -""",
)
@click.option("--nan-share", is_flag=True, help="Count the NaN points, which reads everything.")
@json_option
@source_options
def info(job: Job, nan_share: bool, json_file: str | None, overwrite: bool) -> None:
    """Describe SRC: what is stored, what its axes are, and which options suit it.

    Spacing, units, calendar and direction of every axis; whether a longitude goes around; which
    axes are latitude and longitude; what a search would read.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    Only metadata and coordinates are read, unless --nan-share is given.
    """
    from dhess.report import InfoReport

    check_files(json_file, overwrite=overwrite, source=job.source)
    da = job.open()
    share = None
    if nan_share:
        with job.running(da, "info"):
            share = float(da.isnull().mean().compute())
    emit(InfoReport.from_array(da, source=job.source, nan_share=share), json_file)
