"""``dhess show``: how a job of a gateway stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dhess.cli.outputs import check_files, json_option, say, write_json
from dhess.cli.remote.options import job_argument, patience_option, remote

if TYPE_CHECKING:
    from dhess.client import Client


@click.command(
    short_help="Tell how a job stands.",
    epilog="""\b
Examples:
  dhess show 3f2a
  dhess show 3f2a --watch
  dhess show 3f2a --json - | python -m json.tool""",
)
@job_argument
@click.option(
    "--watch", is_flag=True,
    help="Stay until the job has ended, and show how far it is; then exit with 1 if it failed.",
)  # fmt: skip
@patience_option
@json_option
@remote
def show(
    client: Client,
    job: str,
    watch: bool,
    patience: float,
    json_file: str | None,
    overwrite: bool,
) -> None:
    """Tell how a job of a gateway stands: its windows, its rate, the best so far.

    ID is its id, or the first digits of it (4 or more) if no other job begins so.
    """
    from dhess.cli.remote.following import WatchingMeter, check_done, followed, going_on
    from dhess.cli.remote.viewing import described

    check_files(json_file, overwrite=overwrite)
    job = client.resolve(job)
    view = client.show(job)
    if watch:
        with going_on(client, job):
            view = followed(client, view, patience, WatchingMeter)
    if not write_json(view, json_file):
        say(described(view))
    if watch:
        check_done(view)
