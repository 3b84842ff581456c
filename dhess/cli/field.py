"""``dhess field``: a measure, or a whole tensor field, written to a new store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from dhess.cli.options import Job, job_options, measure_names
from dhess.cli.outputs import check_files, emit, json_option, performance_option, warn_missing
from dhess.cli.project import tell_plan
from dhess.errors import InputError, suggest

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

TENSORS = ("gradient", "hessian", "eigenvalues")
"""What can be written besides the measures."""


@click.command(
    short_help="Write a measure, gradient or Hessian to a new Zarr store.",
    epilog="""\b
Examples:
  dhess field run.zarr::temperature --measure slope --out slope.zarr
  dhess field run.zarr::temperature --measure gradient --out gradient.zarr
  dhess field dem.nc --dims y,x --measure hessian --out hessian.zarr --overwrite
  dhess field sst.nc -m slope --dims lat,lon --geometry sphere --nan adapt --out slope.zarr
  dhess field 'run_*.nc::T' -m slope --dims y,x --out slope.zarr --performance tasks.html
  dhess field run.zarr -m gradient --order 6 --datetime-unit h --out gradient.zarr
  dhess field dem.nc -m laplacian --smooth x=90,y=90 --out laplacian.zarr""",
)
@click.option(
    "-m", "--measure", default="hessian_norm", show_default=True, metavar="NAME",
    shell_complete=lambda *_: [*measure_names(), *TENSORS],
    help="What to write: a measure (see 'dhess measures'), gradient, hessian or eigenvalues.",
)  # fmt: skip
@click.option("--out", required=True, metavar="OUT.zarr", help="The new Zarr store.")
@performance_option
@json_option
@job_options
def field(
    job: Job,
    measure: str,
    out: str,
    performance_file: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Write a measure of SRC, its gradient, Hessian or eigenvalues, to a new Zarr store.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL, or a
    quoted pattern of many such files that continue each other.
    The store appears only when it is complete; what is interrupted leaves nothing behind.
    """
    from dhess.report import FieldReport
    from dhess.sink import write_field

    check_files(json_file, out, performance_file, overwrite=overwrite, source=job.source)
    function = _function(measure)
    da = job.open()
    with job.running(da, "field", performance=performance_file) as client:
        tell_plan(job, da, measure, client, field=True)
        lazy = function(da, **job.options)
        write_field(lazy, out, overwrite=overwrite)
    report = FieldReport.from_array(
        lazy, field=measure, source=job.source, out=out, missing=_missing(job.source, da)
    )
    warn_missing(report)
    emit(report, json_file)


def _missing(source: str, da: xr.DataArray) -> int:
    """Return how many stored chunks are missing; of a URL, whose listing may take long, none."""
    from dhess.source import is_url
    from dhess.stored import stored_of

    stored = stored_of(da.data)
    return 0 if stored is None or is_url(source) else stored.missing()


def _function(name: str) -> Callable[..., xr.DataArray]:
    """Return what makes a field of an array."""
    from dhess import fields
    from dhess.measures import MEASURES

    if name in TENSORS:
        function: Callable[..., xr.DataArray] = getattr(fields, name)
        return function
    if name in MEASURES:
        return partial(fields.measure, name=name)
    known = (*MEASURES, *TENSORS)
    raise InputError(f"unknown field {name!r}; {suggest(name, known)}; see 'dhess measures'")
