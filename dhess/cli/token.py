"""``dhess token``: who may use a gateway."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from dhess.cli.serve import data_option, make_folder
from dhess.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from dhess.ledger import Ledger


@click.group(
    short_help="Make, list and revoke the tokens of a gateway.",
    epilog="""\b
Examples:
  dhess token add ada
  dhess token add dashboard --scope read
  dhess token list
  dhess token revoke ada""",
)
def token() -> None:
    """Make, list and revoke the tokens of a gateway, at once also for one that runs."""


@token.command("add")
@click.argument("name")
@click.option(
    "--scope", default="submit", show_default=True, metavar="read|submit|admin",
    help="read: look at jobs and results. submit: also hand in jobs and change one's own. admin: "
    "also change those of others.",
)  # fmt: skip
@data_option
def add(name: str, scope: str, data: Path) -> None:
    """Make a token for NAME and print it, once: only its hash is kept."""
    from dhess.service.tokens import new_token

    text, kept = new_token(name, scope)
    with _ledger(data) as ledger:
        if not ledger.add_token(kept):
            raise InputError(
                f"there is a token {name!r} already; revoke it first, or choose another name"
            )
    click.echo(text)
    click.echo(f"dhess: {name} may {scope}; keep the token, it cannot be shown again", err=True)


@token.command("list")
@data_option
def listed(data: Path) -> None:
    """List names and scopes, when each was made, and when it was used last."""
    with _ledger(data) as ledger:
        rows = [
            (each.name, each.scopes[-1], _day(each.created), _day(each.used))
            for each in ledger.tokens()
        ]
    if not rows:
        click.echo("dhess: there is no token; make one with: dhess token add NAME", err=True)
        return
    table = [("name", "scope", "made", "used"), *rows]
    widths = [max(len(row[i]) for row in table) for i in range(4)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())


@token.command("revoke")
@click.argument("name")
@data_option
def revoke(name: str, data: Path) -> None:
    """Revoke the token of NAME; its jobs stay."""
    with _ledger(data) as ledger:
        if not ledger.drop_token(name):
            known = ", ".join(each.name for each in ledger.tokens()) or "none"
            raise InputError(f"there is no token {name!r}; known: {known}")
        left = ledger.tokens()
    click.echo(f"dhess: the token of {name} is revoked", err=True)
    if not left:
        click.echo(
            "dhess: warning: no token is left, and a gateway that only this machine reaches asks "
            "for none from its next start on",
            err=True,
        )


def _ledger(data: Path) -> Ledger:
    from dhess.ledger import Ledger

    return Ledger(make_folder(data) / "ledger.sqlite")


def _day(seconds: float | None) -> str:
    if seconds is None:
        return "never"
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M UTC")
