"""Figures as files and bytes, with what they show in words."""

from __future__ import annotations

import io
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from dhess.errors import OutputError, suggest
from dhess.plot.draw import figure
from dhess.sink import whole_file

if TYPE_CHECKING:
    import os

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI: Final = 150
DESCRIBED: Final = {
    "png": "Description", "svg": "Description", "svgz": "Description", "pdf": "Subject",
}  # fmt: skip
"""Where picture formats keep an alt text."""
SEVERAL: Final = {"pgf"}
"""Formats that are no picture by themselves: text for LaTeX, and images in files beside it."""


def check_format(path: str | os.PathLike[str]) -> None:
    """Refuse a file whose ending names no picture format.

    Raises
    ------
    OutputError
        If the ending is unknown.
    InputError
        If matplotlib is missing.
    """
    known = {*figure(1, 1).canvas.get_supported_filetypes()} - SEVERAL
    ending = PurePath(path).suffix.lower().lstrip(".")
    if ending not in known:
        seen = f"the ending {ending!r}" if ending else "no ending"
        raise OutputError(
            f"cannot draw {str(path)!r}: {seen} is not a picture format; "
            f"{suggest(ending, sorted(known))}"
        )


def describe(drawn: Figure, text: str) -> None:
    """Give a figure its alt text; one that somebody has labelled keeps its label."""
    if not drawn.get_label():
        drawn.set_label(text)


def alt_text(drawn: Figure) -> str:
    """Return what a picture shows, for those who cannot see it.

    Saved files carry it too: PNG and SVG as their description, PDF as its subject.

    Examples
    --------
    >>> import xarray as xr, dhess
    >>> da = xr.DataArray([[0.0, 1.0], [2.0, 3.0]], dims=("y", "x"), name="height")
    >>> alt_text(dhess.plot.map(da))
    'Map of height over y [index] from 0 to 1 and x [index] from 0 to 1, in colours from 0 to 3.'
    """
    return str(drawn.get_label())


def png(drawn: Figure) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    file = io.BytesIO()
    _write(drawn, file, "png")
    return file.getvalue()


def save(drawn: Figure, path: str | os.PathLike[str] | None) -> None:
    """Save a figure if there is a path, whole or not at all; its ending says the format.

    Raises
    ------
    OutputError
        If the ending is unknown, or the file cannot be written.
    """
    if path is not None:
        check_format(path)
        with whole_file(path) as partial:
            _write(drawn, partial, PurePath(path).suffix.lower().lstrip("."))


def _write(drawn: Figure, file: Any, ending: str) -> None:
    name, text = DESCRIBED.get(ending), alt_text(drawn)
    metadata = {name: text} if name and text else None
    drawn.savefig(
        file, format=ending, dpi=DPI, bbox_inches="tight", pad_inches=0.15, metadata=metadata
    )


def finish(ax: Axes, path: str | os.PathLike[str] | None, text: str) -> Figure:
    """Return the figure of some axes with its alt text, saved if there is a path."""
    from matplotlib.figure import Figure

    whole = ax.get_figure(root=True)
    assert isinstance(whole, Figure)
    _without_broken_formulas(whole)
    describe(whole, text)
    save(whole, path)
    return whole


def _without_broken_formulas(drawn: Figure) -> None:
    r"""Draw a text as it is written where matplotlib would take it for a formula and fail.

    A name such as ``r"$\foo$"`` comes from somebody's file, and is no reason for no picture.
    """
    from matplotlib.cbook import is_math_text
    from matplotlib.mathtext import MathTextParser
    from matplotlib.text import Text

    parser = MathTextParser("path")
    for each in drawn.findobj(Text):
        for line in each.get_text().split("\n"):
            try:
                if is_math_text(line):
                    parser.parse(line)
            except ValueError:
                each.set_parse_math(False)
