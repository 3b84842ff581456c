"""How far a job of a gateway is, shown while it runs; our end is not the job's."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import click

from dhess.cli.progress import SearchMeter
from dhess.cli.remote.options import typed
from dhess.cli.remote.viewing import described, state
from dhess.client import ENDED, UnreachableError
from dhess.errors import DhessError
from dhess.running import Progress

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhess.cli.remote.viewing import View
    from dhess.client import Client, RemoteError


class JobMeter(SearchMeter):
    """Shows a job as ``dhess run`` shows its own, and what it waits for."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self._known = "running"

    def look(self, view: View) -> None:
        """Take how the job stands."""
        told = state(view)
        if told != self._known and view["state"] not in ENDED:
            self._known = told
            if self.bar is not None:
                self.bar.update(self.bar.task_ids[0], told=told)
            if self.bar is None or view["note"]:
                self._say(told)
        if view["of_blocks"]:
            best = view["best"] or {}
            self.see(
                Progress(
                    view["blocks"], view["of_blocks"], view["nbytes"], view["of_nbytes"],
                    view["done"], view["windows"], best.get("value"), tuple(best.get("index", ())),
                )
            )  # fmt: skip

    def lost(self, error: RemoteError) -> None:
        """Tell that the gateway is gone."""
        self._say(f"{error}; asking again, and the job goes on")


class WatchingMeter(JobMeter):
    """Shows on a terminal also the description of the job, as it changes."""

    live: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(stderr=True)
            self.bar = self._bar(console)  # drawn below the description, not by itself
            self.live = Live(console=console, transient=True)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def look(self, view: View) -> None:
        """Take how the job stands."""
        super().look(view)
        if self.live is not None:
            from rich.console import Group

            self.live.update(Group(described(view), "", self.bar))


def followed(client: Client, view: View, patience: float, meter: type[JobMeter] = JobMeter) -> View:
    """Show how far a job is until it has ended; return how it stands then."""
    last = view
    with meter(view["task"]) as shown:
        for last in client.follow(view["id"], patience=patience, lost=shown.lost):
            shown.look(last)
    return last


@contextmanager
def going_on(client: Client, job: str) -> Iterator[None]:
    """Say on Ctrl-C, or when the gateway stays away, that the job goes on, and how to see it.

    Raises
    ------
    DhessError
        If the gateway stays away.
    """
    look = f"{typed(f'show {job} --watch', client)} tells how far it is"
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"dhess: interrupted; job {job} goes on: {look}", err=True)
        raise click.exceptions.Exit(130) from None
    except UnreachableError as error:
        raise DhessError(f"job {job} is waited for no longer: {error}; then {look}") from error


def check_done(view: View) -> None:
    """Refuse a job that has ended otherwise.

    Raises
    ------
    DhessError
        If it failed or was cancelled.
    """
    if view["state"] != "done":
        was = "was " if view["state"] == "cancelled" else ""
        raise DhessError(f"job {view['id']} {was}{state(view)}")
