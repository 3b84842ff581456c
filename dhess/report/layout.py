"""How tables and numbers look."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, ConsoleOptions, RenderResult

MOST_ROWS: Final = 30
"""Rows that a table shows of an answer that may have any number; JSON has them all."""
SIGNS: Final = {"degrees_north": "°N", "degrees_east": "°E"}
"""Shorter ways to write a unit."""


def table() -> Table:
    """Return an empty table with a line under its head."""
    from rich.box import SIMPLE_HEAD

    padding = (0, 1, 0, 0)  # with the box's own column two blanks, so that 80 columns go far
    return Table(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=padding, header_style="bold"
    )


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    head: str
    justify: Literal["left", "right"]
    cells: Sequence[str]


def columns(*given: Column) -> Table:
    """Return a table of columns, none of whose digits is cut off."""
    rows = table()
    for each in given:
        rows.add_column(each.head, justify=each.justify, overflow="fold")
    for cells in zip(*(each.cells for each in given), strict=True):
        rows.add_row(*map(Text, cells))
    return rows


@dataclass(frozen=True)
class Fitting:
    """A table if there is room for it; else its parts, one below the other."""

    whole: Table
    parts: tuple[Table, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        needed = Measurement.get(console, options.update(width=10_000), self.whole).maximum
        if needed <= options.max_width:
            yield self.whole
            return
        for i, part in enumerate(self.parts):
            if i:
                yield ""
            yield part


def facts(*pairs: tuple[str, str | None]) -> Table:
    """Return names beside texts; a pair without text is left out."""
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column(overflow="fold")
    for name, text in pairs:
        if text:
            rows.add_row(name, Text(text))
    return rows


def head(name: str, units: str | None) -> str:
    """Return a name with its unit.

    Examples
    --------
    >>> head("lat", "degrees_north"), head("x", None)
    ('lat (°N)', 'x')
    """
    return f"{name} ({SIGNS.get(units, units)})" if units else name


def sizes(dims: tuple[str, ...], shape: tuple[int, ...]) -> str:
    """Return every dimension with its size."""
    return ", ".join(f"{dim} {size:,}" for dim, size in zip(dims, shape, strict=True))


def times(shape: tuple[int, ...]) -> str:
    """Return sizes with a cross between."""
    return " × ".join(f"{size:,}" for size in shape)


def number(value: Any, digits: int = 6) -> str:
    """Return a number or the text of a date, which loses an hour and a fraction of zero.

    Examples
    --------
    >>> number(1 / 3), number(None), number("2026-01-05T06:00:00.000000000")
    ('0.333333', '–', '2026-01-05T06:00:00')
    >>> number("2026-01-05T00:00:00")
    '2026-01-05'
    """
    if value is None:
        return "–"
    if isinstance(value, str):
        return _short_date(value)
    return f"{value:.{digits}g}" if isinstance(value, float) else str(value)


def _short_date(text: str) -> str:
    date = re.fullmatch(r"([+-]?\d{4,}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?)?(\.\d+)?", text)
    if date is None:
        return text
    day, clock, fraction = date[1], date[2] or "", (date[3] or "").rstrip("0").rstrip(".")
    return day if not fraction and not clock.strip("T0:") else day + clock + fraction


def amount(nbytes: float) -> str:
    """Write a number of bytes.

    Examples
    --------
    >>> amount(830_400_000), amount(1.6e12), amount(12)
    ('830 MB', '1.6 TB', '12 B')
    """
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB", "PB"):
        if nbytes < 999.5:
            break
        nbytes, unit = nbytes / 1000, larger
    return f"{nbytes:.3g} {unit}" if nbytes < 999.5 else f"{nbytes:.0f} {unit}"


def counted(number: int, noun: str) -> str:
    """Write a number of things.

    Examples
    --------
    >>> counted(1, "block"), counted(4096, "block")
    ('1 block', '4,096 blocks')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def duration(seconds: float) -> str:
    """Write how long something takes, in two units at most.

    Examples
    --------
    >>> duration(0.4), duration(89), duration(299), duration(12_000), duration(200_000)
    ('0.4 s', '89 s', '5 min', '3 h 20 min', '2 d 8 h')
    """
    if seconds < 99.5:
        return f"{seconds:.1g} s" if seconds < 1 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    days, rest = divmod(round(minutes / 60), 24)
    return f"{days} d {rest} h" if rest else f"{days} d"
