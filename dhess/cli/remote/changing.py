"""``dhess cancel``, ``dhess retry``, ``dhess delete``: what becomes of a job of a gateway."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dhess.cli.remote.options import job_argument, remote

if TYPE_CHECKING:
    from dhess.client import Client


@click.command(
    short_help="End a job for good.",
    epilog="""\b
Examples:
  dhess cancel 3f2a
  dhess cancel 3f2a --server https://gateway.example --token-file ~/.token""",
)
@job_argument
@remote
def cancel(client: Client, job: str) -> None:
    """End a job of a gateway, be it running or queued.

    What it has done stays recorded: after 'dhess retry' it goes on from there.
    """
    _tell(client.cancel(client.resolve(job)))


@click.command(
    short_help="Have a failed or cancelled job go on.",
    epilog="""\b
Examples:
  dhess retry 3f2a
  dhess retry 3f2a --server https://gateway.example --token-file ~/.token""",
)
@job_argument
@remote
def retry(client: Client, job: str) -> None:
    """Have a job of a gateway go on that failed or was cancelled, from what is recorded of it."""
    _tell(client.retry(client.resolve(job)))


@click.command(
    short_help="Remove the record of a job.",
    epilog="""\b
Examples:
  dhess delete 3f2a
  dhess delete 3f2a --server https://gateway.example --token-file ~/.token""",
)
@job_argument
@remote
def delete(client: Client, job: str) -> None:
    """Remove what a gateway keeps of a job that has ended: its record, log, result and picture.

    What the job wrote to its output stays.
    """
    job = client.resolve(job)
    client.delete(job)
    click.echo(f"dhess: job {job} is deleted", err=True)


def _tell(view: dict[str, Any]) -> None:
    from dhess.cli.remote.viewing import state

    click.echo(f"dhess: job {view['id']} is {state(view)}", err=True)
