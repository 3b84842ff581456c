"""``dhess logs``: what was logged of a job of a gateway."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from dhess.cli.remote.options import job_argument, patience_option, remote
from dhess.errors import plain

if TYPE_CHECKING:
    from dhess.client import Client

EVERY = 1.0
"""Seconds between two questions for more."""


@click.command(
    short_help="Print what was logged of a job.",
    epilog="""\b
Examples:
  dhess logs 3f2a
  dhess logs 3f2a --follow
  dhess logs 3f2a | grep warning""",
)
@job_argument
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@patience_option
@remote
def logs(client: Client, job: str, follow: bool, patience: float) -> None:
    """Print what was logged of a job of a gateway, the oldest first.

    ID is its id, or the first digits of it (4 or more) if no other job begins so.
    """
    from dhess.cli.remote.following import going_on

    job = client.resolve(job)
    if not follow:
        for line in client.logs(job):
            _print(line)
        return
    client.show(job)  # a gateway that is not there at first is not waited for
    with going_on(client, job):
        _follow(client, job, patience)


def _follow(client: Client, job: str, patience: float) -> None:
    from dhess.client import ENDED, Patience

    waiting, after, ended = Patience(patience, _lost), 0, False
    while True:
        before = after
        lines, after = waiting.persist(partial(client.log, job, before))
        for line in lines:
            _print(line)
        if after > before:
            continue
        if ended:
            return
        # Asked before the last lines are: all of them are there when the state says so.
        ended = waiting.persist(partial(client.show, job))["state"] in ENDED
        if not ended:
            time.sleep(EVERY)


def _lost(error: Exception) -> None:
    click.echo(f"dhess: {plain(error)}; asking again, and the job goes on", err=True)


def _print(line: dict[str, Any]) -> None:
    from dhess.cli.remote.viewing import moment

    level, message = plain(line.get("level", "")), plain(line.get("message", ""))
    click.echo(f"{moment(line.get('time'))} {level:7} {message}")
