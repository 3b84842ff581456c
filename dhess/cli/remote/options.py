"""The options of every command that asks a gateway."""

from __future__ import annotations

import functools
import shlex
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.client import Client

ACCESS = ("server", "token_file", "ca")

job_argument = click.argument("job", metavar="ID")


def remote(function: Callable[..., None]) -> Callable[..., None]:
    """Add ``--server``, ``--token-file`` and ``--ca``; hand them over as a client, first."""

    @functools.wraps(function)
    def command(server: str | None, token_file: str | None, ca: str | None, **rest: Any) -> None:
        from dhess.client import Access, Client

        function(Client.of(Access.of(server, token_file=token_file, ca=ca)), **rest)

    return functools.reduce(lambda decorated, add: add(decorated), reversed(_ACCESS), command)


def patience_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--patience``."""
    return click.option(
        "--patience", type=click.FloatRange(min=0), default=600.0, show_default=True,
        metavar="SECONDS",
        help="How long a gateway that is gone is waited for; jobs go on without us.",
    )(function)  # fmt: skip


def typed(words: str, client: Client) -> str:
    """Return a command to type, for the same gateway as this one.

    What the environment and the configuration say holds for that command, too.
    """
    given = click.get_current_context().params
    options = [
        f" --{name.replace('_', '-')} {shlex.quote(client.server if name == 'server' else value)}"
        for name in ACCESS
        if (value := given.get(name)) is not None
    ]
    return f"'dhess {words}{''.join(options)}'"


_ACCESS = (
    click.option(
        "--server", metavar="URL",
        help="The gateway.  [env: DHESS_SERVER; default: http://127.0.0.1:8765]",
    ),
    click.option(
        "--token-file", metavar="FILE",
        help="What holds the token, and only you can read.  [env: DHESS_TOKEN_FILE; DHESS_TOKEN "
        "is the token itself]",
    ),
    click.option(
        "--ca", metavar="FILE",
        help="PEM file of the authority that signed the gateway's certificate.  [env: DHESS_CA]",
    ),
)  # fmt: skip
