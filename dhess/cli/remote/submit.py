"""``dhess submit``: a job from a file, for a gateway to run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dhess.cli.outputs import check_files, emit, json_option, warn_missing, write_json
from dhess.cli.remote.options import patience_option, remote, typed

if TYPE_CHECKING:
    from dhess.client import Client
    from dhess.job import JobSpec


@click.command(
    short_help="Hand a job in to a gateway.",
    epilog="""\b
Examples:
  dhess submit flattest.toml
  dhess submit flattest.toml --wait
  dhess submit slope.toml --server https://gateway.example --token-file ~/.token

\b
A configuration, ~/.config/dhess/config.toml, only for you to read:
  server = "https://gateway.example"
  token = "dhess_…\"""",
)
@click.argument("job_file", metavar="JOB.toml", type=click.Path())
@click.option(
    "--wait", is_flag=True,
    help="Stay until it has ended, show how far it is, and print its result.",
)  # fmt: skip
@patience_option
@json_option
@remote
def submit(
    client: Client,
    job_file: str,
    wait: bool,
    patience: float,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Hand in the search or the field that JOB.toml describes, and print the job's id.

    The file is one of 'dhess run', and paths in it are relative to it; the gateway has to see the
    same files, and allow them. The same job handed in again is the same job: it is not done twice,
    and one that failed or was cancelled goes on.

    With --wait the exit code is 1 if the job fails or is cancelled. Ctrl-C leaves it running;
    so does a gateway that is gone for longer than --patience.
    --json writes how the job stands, or with --wait its result.
    """
    from dhess.cli.remote.following import check_done, followed, going_on
    from dhess.cli.remote.result import fetched
    from dhess.cli.remote.viewing import state
    from dhess.client import Patience
    from dhess.job import JobSpec

    check_files(json_file, overwrite=overwrite)
    view = _handed_in(client, JobSpec.load(job_file), patience if wait else 0.0)
    job = view["id"]
    if not wait:
        look = typed(f"show {job}", client)
        click.echo(f"dhess: job {job} is {state(view)}; {look} tells how far it is", err=True)
        if not write_json(view, json_file):
            click.echo(job)
        return
    click.echo(f"dhess: job {job} is with {client.server}", err=True)
    with going_on(client, job):
        view = followed(client, view, patience)
        check_done(view)
        report = Patience(patience).persist(lambda: fetched(client, job))
    warn_missing(report)
    emit(report, json_file)


def _handed_in(client: Client, spec: JobSpec, patience: float) -> dict[str, Any]:
    """Hand it in; wait for a gateway that is busy or breaks off, not for one that is not there."""
    from dhess.client import RemoteError, UnreachableError

    try:
        return client.submit(spec)
    except RemoteError as error:
        absent = isinstance(error, UnreachableError) and not error.begun
        if absent or not patience or not error.passing:
            raise
    return client.submit(spec, patience=patience)
