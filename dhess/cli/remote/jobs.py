"""``dhess jobs``: what a gateway has to do, and has done."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import click

from dhess.cli.outputs import check_files, json_option, say, write_json
from dhess.cli.remote.options import remote

if TYPE_CHECKING:
    from dhess.client import Client

STATES = ("queued", "running", "paused", "stopped", "done", "failed", "cancelled")


@click.command(
    short_help="List the jobs of a gateway.",
    epilog="""\b
Examples:
  dhess jobs
  dhess jobs --state running
  dhess jobs --limit 500 --json jobs.json
  dhess jobs --server https://gateway.example --token-file ~/.token""",
)
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option(
    "--task",
    type=click.Choice(["find", "field", "regions", "critical"]),
    help="Only those of this kind.",
)
@click.option("--submitter", metavar="NAME", help="Only those that this token has handed in.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=50, show_default=True, metavar="N",
    help="How many at most.",
)  # fmt: skip
@json_option
@remote
def jobs(
    client: Client,
    state: str | None,
    task: str | None,
    submitter: str | None,
    limit: int,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """List the jobs of a gateway, the newest first."""
    check_files(json_file, overwrite=overwrite)
    # One more, to know whether there are more.
    found = list(
        islice(client.jobs(state=state, task=task, submitter=submitter, limit=limit + 1), limit + 1)
    )
    shown = found[:limit]
    if len(found) > limit:
        click.echo(f"dhess: the newest {limit:,}; --limit shows more", err=True)
    if not write_json({"jobs": shown}, json_file):
        from dhess.cli.remote.viewing import listed

        say(listed(shown) if shown else "no jobs")
