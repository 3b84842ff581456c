"""``dhess result``: what a job of a gateway has found."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dhess.cli.outputs import check_files, emit, json_option, single_file, warn_missing
from dhess.cli.remote.options import job_argument, remote
from dhess.errors import InputError

if TYPE_CHECKING:
    from dhess.client import Client
    from dhess.report import CriticalReport, FieldReport, FindReport, RegionsReport

    Told = FindReport | RegionsReport | CriticalReport | FieldReport


@click.command(
    short_help="Print what a job has found, or fetch it as files.",
    epilog="""\b
Examples:
  dhess result 3f2a
  dhess result 3f2a --json flattest.json --netcdf flattest.nc
  dhess result 3f2a --plot flattest.png
  dhess result 3f2a --json - | python -m json.tool""",
)
@job_argument
@click.option(
    "--netcdf", "netcdf_file", metavar="FILE", callback=single_file,
    help="Write what a search found as NetCDF.",
)  # fmt: skip
@click.option(
    "--plot", "plot_file", metavar="FILE", callback=single_file,
    help="Write the picture that the gateway draws of it, a .png.",
)  # fmt: skip
@json_option
@remote
def result(
    client: Client,
    job: str,
    netcdf_file: str | None,
    plot_file: str | None,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Print what a job of a gateway has found, as 'dhess find' or 'dhess field' would.

    ID is its id, or the first digits of it (4 or more) if no other job begins so. A field itself is
    where the job wrote it.
    """
    check_files(json_file, netcdf_file, plot_file, overwrite=overwrite)
    if plot_file is not None and Path(plot_file).suffix.lower() != ".png":
        raise InputError(f"picture {plot_file!r} would be a PNG file; name a .png")
    job = client.resolve(job)
    report = fetched(client, job)
    # All are fetched before the first is written: none is there if one cannot be had.
    files = {
        path: fetch(job)
        for path, fetch in (
            (netcdf_file, client.result_netcdf),
            (plot_file, client.picture),
        )
        if path is not None
    }
    _write(files)
    warn_missing(report)
    emit(report, json_file)


def fetched(client: Client, job: str) -> Told:
    """Return the report of a job.

    Raises
    ------
    InputError
        If this version cannot read what the gateway's sends.
    """
    from pydantic import ValidationError

    from dhess.report import CriticalReport, FieldReport, FindReport, RegionsReport

    plain = client.result(job)
    models: dict[Any, Any] = {
        "field": FieldReport, "regions": RegionsReport, "critical": CriticalReport,
    }  # fmt: skip
    model = models.get(plain.get("report"), FindReport)
    try:
        report: Told = model.model_validate(plain)
    except ValidationError as error:
        theirs = plain.get("dhess_version")
        raise InputError(
            f"the result of job {job} is of another version of dhess ({theirs}) and has no table "
            "here; install that version, or fetch it with dhess.Client().result(…)"
        ) from error
    return report


def _write(files: dict[str, bytes]) -> None:
    from dhess.sink import whole_file

    with ExitStack() as stack:
        for path, content in files.items():
            stack.enter_context(whole_file(path)).write_bytes(content)
