"""``dhess field``: a measure, or a whole tensor field, written to a new store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dhess.cli.options import Job, job_options, measure_names
from dhess.cli.outputs import check_files, emit, json_option
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
  dhess field run.zarr -m gradient --order 6 --datetime-unit h --out gradient.zarr
  dhess field dem.nc -m laplacian --smooth x=90,y=90 --out laplacian.zarr""",
)
@click.option(
    "-m", "--measure", default="hessian_norm", show_default=True, metavar="NAME",
    shell_complete=lambda *_: [*measure_names(), *TENSORS],
    help="What to write: a measure (see 'dhess measures'), gradient, hessian or eigenvalues.",
)  # fmt: skip
@click.option("--out", required=True, metavar="OUT.zarr", help="The new Zarr store.")
@json_option
@job_options
def field(job: Job, measure: str, out: str, json_file: str | None, overwrite: bool) -> None:
    """Write a measure of SRC, its gradient, Hessian or eigenvalues, to a new Zarr store.

    SRC is PATH or PATH::VARIABLE: a Zarr store or a NetCDF file, local or any fsspec URL.
    The store appears only when it is complete; what is interrupted leaves nothing behind.
    """
    from dhess.report import FieldReport
    from dhess.sink import write_field

    check_files(json_file, out, overwrite=overwrite)
    da = job.open()
    lazy = _lazy(da, measure, job.options)
    with job.running(da, "field"):
        write_field(lazy, out, overwrite=overwrite)
    emit(FieldReport.from_array(lazy, field=measure, source=job.source, out=out), json_file)


def _lazy(da: xr.DataArray, name: str, options: dict[str, Any]) -> xr.DataArray:
    from dhess import fields
    from dhess.measures import MEASURES

    function: Callable[..., xr.DataArray]
    if name in TENSORS:
        function = getattr(fields, name)
    elif name in MEASURES:
        function = partial(fields.measure, name=name)
    else:
        known = (*MEASURES, *TENSORS)
        raise InputError(f"unknown field {name!r}; {suggest(name, known)}; see 'dhess measures'")
    return function(da, **options)
