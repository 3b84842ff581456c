"""The command ``dhess``: one sentence per mistake, results on stdout, everything else on stderr.

Exit codes: 0 done, 1 the work failed, 2 the input was wrong, 130 interrupted.  Only click is
imported here and beside this file; a command imports what it needs when it runs, so that
``dhess --help`` and the shell's completion answer at once.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import click

from dhess.cli.at import at
from dhess.cli.completion import completion
from dhess.cli.critical import critical
from dhess.cli.demo import demo
from dhess.cli.field import field
from dhess.cli.find import find
from dhess.cli.info import info
from dhess.cli.logs import shown_log
from dhess.cli.measures import measures
from dhess.cli.plan import plan
from dhess.cli.regions import regions
from dhess.cli.remote import COMMANDS as REMOTE
from dhess.cli.run import run
from dhess.cli.serve import serve
from dhess.cli.token import token
from dhess.errors import DhessError, DhessWarning, Interrupted, plain, was_interrupted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRACEBACK = "DHESS_TRACEBACK"
"""Environment variable that has the same effect as ``--traceback``."""

__all__ = ["commands", "main"]


class _Interrupted(Exception):  # noqa: N818  (Ctrl-C is no error)
    """Ctrl-C, kept from click, which would print a line of its own."""


class _ReaderGone(Exception):  # noqa: N818  (nor is `| head`)
    """Whoever read our output has had enough."""


class _Commands(click.Group):
    """A group that reads as a tutorial: what to type first, then all commands by what they do."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return list(self.commands)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_epilog(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        longest = max(map(len, self.commands))
        for title, members in SECTIONS.items():
            with formatter.section(title):
                rows = [(f"{c.name:<{longest}}", c.get_short_help_str(72)) for c in members]
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            value = super().invoke(ctx)
            sys.stdout.flush()
        except KeyboardInterrupt as stop:
            raise _Interrupted from stop
        except BrokenPipeError as gone:
            raise _ReaderGone from gone
        except (click.exceptions.Exit, click.ClickException):
            raise
        except BaseException as error:
            if was_interrupted(error):  # what a lock, or a clean-up, made of Ctrl-C
                raise _Interrupted from error
            raise
        return value


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"dhess {version('dhess')}")
        ctx.exit()


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Type these one after the other:
  dhess demo                         # a first answer, on hills of its own
  dhess info run.zarr::temperature   # your data, and the options it asks for
  dhess find run.zarr::temperature   # where it is flattest, and how it curves
  dhess find run.zarr::temperature --k 5 --plot flattest.png

\b
Then, by what you want to know:
  dhess regions run.zarr::temperature --quantile 0.01   # flat all around
  dhess critical run.zarr::temperature                  # tops and passes
  dhess at run.zarr::temperature z=0.5 y=-1.25 x=3      # at one place
  dhess field run.zarr::temperature -m slope --out slope.zarr

\b
For hours of work, which may be interrupted:
  dhess plan run.zarr::temperature   # what it will take, before it runs
  dhess run flattest.toml            # a job; the same line goes on with it

\b
A source is PATH or PATH::VARIABLE (Zarr or NetCDF), a URL, or a pattern.
Exit codes: 0 done, 1 the work failed, 2 the input was wrong,
130 interrupted.""",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version,
    help="Print the version and leave.",
)  # fmt: skip
@click.option(
    "-v", "--verbose", is_flag=True,
    help="Tell on stderr what is decided and done: where it computes, blocks, windows, rates.",
)  # fmt: skip
@click.option(
    "--traceback", is_flag=True, expose_value=False,
    help=f"Show where an error came from.  [env: {TRACEBACK}]",
)  # fmt: skip
@click.pass_context
def commands(ctx: click.Context, verbose: bool) -> None:
    """Find where an n-dimensional field is flattest, and how it curves there.

    dhess reads a labelled array from Zarr or NetCDF, takes the spacing from its coordinates, and
    computes slopes, Hessians and curvature measures block by block, on data of any size.
    """
    ctx.with_resource(shown_log(verbose=verbose))


SECTIONS: Final[dict[str, tuple[click.Command, ...]]] = {
    "Look": (demo, info, measures),
    "Find": (find, regions, critical, at),
    "Compute": (plan, field),
    "Jobs": (run, *REMOTE),
    "Service": (serve, token),
    "Shell": (completion,),
}
"""All commands, in the order in which one meets them."""

for _command in chain.from_iterable(SECTIONS.values()):
    commands.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Parameters
    ----------
    argv
        What follows ``dhess`` on the command line; by default `sys.argv`.

    Returns
    -------
    int
        0 done, 1 the work failed, 2 the input was wrong, 130 interrupted.

    Examples
    --------
    >>> main(["completion", "tcsh"])  # the sentence goes to stderr
    2
    """
    args = list(sys.argv[1:] if argv is None else argv)
    try:
        with _warnings_in_one_line():
            code = commands.main(args, prog_name="dhess", standalone_mode=False)
    except Exception as error:  # noqa: BLE001  (the last line of defence: no traceback by default)
        if "--traceback" in args or os.environ.get(TRACEBACK):
            traceback.print_exc()
        code = _explain(error)
        if isinstance(error, _Interrupted) and argv is None and "dhess.cluster" not in sys.modules:
            # Threads that still read would be torn down one by one, each with a complaint. A
            # cluster has ended its own by now, and wants to leave in order.
            sys.stderr.flush()
            os._exit(code)
        return code
    return code if isinstance(code, int) else 0


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Write each of our warnings once, as a line on stderr; those of others stay as they are."""
    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", DhessWarning)
        others = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, DhessWarning):
                others(message, category, *rest, **more)
            elif (sentence := _one_line(str(message))) not in said:
                said.add(sentence)
                click.echo(f"dhess: warning: {sentence}", err=True)

        warnings.showwarning = show
        yield


def _explain(error: Exception) -> int:
    """Write one sentence about what went wrong, and return the exit code."""
    match error:
        case _ReaderGone():
            # The interpreter flushes stdout once more as it leaves, which must not fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case _Interrupted():
            click.echo(f"dhess: interrupted; {_what_is_left(error)}", err=True)
            return 130
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.format_message(), err=True)
            return 2
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "dhess"
            return _say(f"{_one_line(error.format_message())} (see '{path} --help')", 2)
        case click.ClickException():
            return _say(_one_line(error.format_message()), error.exit_code)
        case DhessError():
            return _say(_one_line(str(error)), error.exit_code)
    said = _one_line(str(error)) or "no message"
    return _say(f"{type(error).__name__}: {said} (dhess --traceback … shows where)", 1)


def _what_is_left(error: _Interrupted) -> str:
    """Say what an interrupt left, be it that another one followed while workers ended."""
    stop = error.__cause__
    while stop is not None and not isinstance(stop, Interrupted):
        stop = stop.__context__
    return "nothing was written" if stop is None else f"{stop}, so the answer is partial"


def _say(sentence: str, code: int) -> int:
    click.echo(f"dhess: error: {sentence}", err=True)
    return code


def _one_line(text: str) -> str:
    return plain(text).rstrip(".")
