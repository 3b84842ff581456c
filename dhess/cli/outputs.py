"""Where results go: tables and JSON on stdout, files that are whole or absent."""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dhess.errors import DhessWarning, InputError, OutputError, escaped, harmless

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from dhess.report import (
        AtReport,
        CriticalReport,
        FieldReport,
        FindReport,
        RegionsReport,
        Report,
    )

PIPE_WIDTH = 240
"""Columns of a table that does not go to a terminal: wide enough that no row is folded."""


def json_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--json`` and ``--overwrite``."""
    function = click.option(
        "--overwrite", is_flag=True, help="Replace outputs that exist already."
    )(function)
    return click.option(
        "--json", "json_file", metavar="FILE", callback=single_file,
        help="Write the result as JSON; '-' is stdout, in place of the table.",
    )(function)  # fmt: skip


def report_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--report``."""
    return click.option(
        "--report", "report_file", metavar="FILE.html", callback=_page,
        help="Write one HTML page: the question, the answer, pictures, the plan and all options.",
    )(function)  # fmt: skip


def performance_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--performance``."""
    return click.option(
        "--performance", "performance_file", metavar="FILE.html", callback=single_file,
        help="Write Dask's performance report of the work, an HTML page; needs dhess[performance].",
    )(function)  # fmt: skip


def _page(context: click.Context, option: click.Parameter, path: str | None) -> str | None:
    """Refuse what is no single local file, and what is no page."""
    path = single_file(context, option, path)
    if path is not None:
        from dhess.report.html import check_page

        check_page(path)
    return path


def single_file(_: click.Context, __: click.Parameter, path: str | None) -> str | None:
    """Refuse, as the callback of an option, what can never be one local file of ours.

    Raises
    ------
    OutputError
        A URL, a folder, or a special file.
    """
    if path and path != "-":
        from dhess.sink import check_single_file

        check_single_file(path)
    return path


def check_files(*paths: str | None, overwrite: bool = False, source: str | None = None) -> None:
    """Refuse, before any work, a file that exists, cannot be written, or is the source itself.

    Raises
    ------
    OutputError
        For the first such file.
    """
    from dhess.sink import check_apart, check_output
    from dhess.source import split_source

    files = [path for path in paths if path is not None and path != "-"]
    places = [Path(path).expanduser().resolve() for path in files]
    for path, place in zip(files, places, strict=True):
        if places.count(place) > 1:
            raise OutputError(f"{path!r} is named for two outputs; give each a name of its own")
        check_output(path, overwrite=overwrite)
        if source is not None:
            check_apart(path, [split_source(source)[0]])


def emit(report: Report, json_file: str | None) -> None:
    """Write the JSON file, if one is asked for, and print the table unless stdout has the JSON."""
    from dhess.report import render

    if not write_json(report.model_dump_json(indent=2), json_file):
        say(render(report))


def write_json(what: Any, json_file: str | None) -> bool:
    """Write JSON to a file or stdout, if asked for; tell whether it took the place of a table.

    ``what`` is text already, or what such a text is made of.
    """
    if json_file is None:
        return False
    text = what if isinstance(what, str) else json.dumps(what, indent=2)
    if json_file == "-":
        sys.stdout.write(f"{escaped(text)}\n")
        sys.stdout.flush()
        return True
    from dhess.sink import whole_file

    with whole_file(json_file) as file:
        file.write_text(f"{text}\n", encoding="utf-8")
    return False


def say(what: Any) -> None:
    """Print text or a table on stdout, without guessing colours for numbers or reading markup."""
    from rich.console import Console

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a λ must not fail on an ASCII terminal
    width = None if sys.stdout.isatty() else PIPE_WIDTH
    console = Console(file=sys.stdout, markup=False, highlight=False, emoji=False, width=width)
    with console.capture() as captured:  # rich would leave the process when a pipe breaks
        console.print(what if isinstance(what, str) else _Harmless(what))
    sys.stdout.write(captured.get())
    sys.stdout.flush()


@dataclass(frozen=True)
class _Harmless:
    """Something for rich, of whose text a terminal takes nothing as a command.

    What is in files is text; the commands for bold and lines are added to it later.
    """

    what: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        for text, style, control in console.render(self.what, options):
            yield Segment(text if control else harmless(text), style, control)


def check_netcdf(out: str | None) -> None:
    """Refuse, before any work, a file that cannot be written as NetCDF.

    Raises
    ------
    OutputError
        Its name does not end in .nc.
    InputError
        h5netcdf is missing.
    """
    if out is None:
        return
    if Path(out).suffix != ".nc":
        raise OutputError(f"--out {out!r} is written as NetCDF; give it a name that ends in .nc")
    try:
        import h5netcdf  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"--out {out!r} is a NetCDF file, which needs h5netcdf: pip install 'dhess[netcdf]'"
        ) from error


def write_netcdf(result: xr.Dataset, out: str | None) -> None:
    """Write an answer as a NetCDF file, if one is asked for."""
    if out is None:
        return
    from dhess.sink import whole_file

    with whole_file(out) as file:
        result.to_netcdf(file, engine="h5netcdf")


def warn_missing(
    report: FindReport | FieldReport | AtReport | RegionsReport | CriticalReport,
) -> None:
    """Say on stderr that the store lacks chunks."""
    if report.missing_chunks:
        sentence = f"{report.source} lacks {report.missing_text}"
        warnings.warn(sentence, DhessWarning, stacklevel=1)
