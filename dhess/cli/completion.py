"""``dhess completion``: the script that teaches a shell our options."""

from __future__ import annotations

import click

from dhess.errors import InputError, suggest

SHELLS = ("bash", "zsh", "fish")


@click.command(
    short_help="Print the script that teaches a shell these commands.",
    epilog="""\b
Examples:
  eval "$(dhess completion bash)"      # in ~/.bashrc
  eval "$(dhess completion zsh)"       # in ~/.zshrc
  dhess completion fish > ~/.config/fish/completions/dhess.fish""",
)
@click.argument("shell", shell_complete=lambda *_: list(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for SHELL: bash, zsh or fish.

    With it the Tab key completes commands, options, and the names of measures.
    """
    from click.shell_completion import get_completion_class

    script = get_completion_class(shell) if shell in SHELLS else None
    if script is None:
        raise InputError(f"no completion for the shell {shell!r}; {suggest(shell, SHELLS)}")
    click.echo(script(ctx.find_root().command, {}, "dhess", "_DHESS_COMPLETE").source())
