"""What pages say of every question, in the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dhess.measures import MEASURES
from dhess.report.critical import CriticalReport
from dhess.report.html.page import sentence
from dhess.report.layout import SIGNS, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sized

    from dhess.report.local import AtReport
    from dhess.report.models import FindReport
    from dhess.report.regions import RegionsReport


def among(report: FindReport | RegionsReport | CriticalReport, others: str) -> str:
    """Say how much data there is, and with *others* how dimensions without derivatives count."""
    along = ", ".join(report.differentiated)
    batch = [dim for dim in report.dims if dim not in report.differentiated]
    over = f", {others.format(', '.join(batch))}" if batch else ""
    source = f" of {report.source}" if report.source else ""
    if isinstance(report, CriticalReport):
        bad, what = report.nan_cells, "beside NaN"
    else:
        bad, what = report.nan_points, "NaN"
    nans = f"{bad:,}" if bad else "none"
    return (
        f"{report.points:,} points{source}, {nans} of them {what}, differentiated along "
        f"{along}{over}."
    )


def defined(measure: str) -> Iterator[str]:
    """Return what a measure is, if it is one of the table.

    Examples
    --------
    >>> list(defined("laplacian"))
    ['laplacian = Σₖ fₖₖ: sum of the curvatures; ... Defined by D. Marr and ...']
    """
    known = MEASURES.get(measure)
    if known is not None:
        by = f" Defined by {known.source}." if known.source else ""
        yield f"{known.name} = {known.formula}: {known.meaning}.{by}"


def chosen(
    report: FindReport | RegionsReport | CriticalReport | AtReport,
) -> Iterator[tuple[str, str | None]]:
    """Return every option with its value."""
    for name, value in report.options.items():
        yield name, "not given" if value == "none" else str(value)
    yield "smoothed by", report.smoothed


def place(at: Mapping[str, Any], dims: tuple[str, ...], units: Mapping[str, str]) -> str:
    """Return where a point is.

    Examples
    --------
    >>> place({"y": 0.25, "x": 3}, ("y", "x"), {"x": "m"})
    'y = 0.25, x = 3 m'
    """
    return ", ".join(f"{dim} = {measured(number(at[dim], 8), units.get(dim))}" for dim in dims)


def measured(text: str, units: str | None) -> str:
    """Return a number with its unit.

    Examples
    --------
    >>> measured("3", "m"), measured("3", "1"), measured("3", "degrees_north")
    ('3 m', '3', '3 °N')
    """
    return f"{text} {SIGNS.get(units, units)}" if units and units != "1" else text


def noted(notes: Iterable[str]) -> Iterator[str]:
    """Return notes as paragraphs, each a sentence.

    Examples
    --------
    >>> list(noted(["with k 5"]))
    ['<p>With k 5.</p>']
    """
    yield from (sentence(ended(note)) for note in notes)


def ended(note: str) -> str:
    """Return a note as a sentence.

    Examples
    --------
    >>> ended("no point, for all are NaN")
    'No point, for all are NaN.'
    """
    return f"{note[:1].upper()}{note[1:]}."


def rest(found: Sized, most: int) -> Iterator[str]:
    """Say as a paragraph how many rows a table leaves out.

    Examples
    --------
    >>> list(rest(range(1200), 30)), list(rest(range(30), 30))
    (['<p>… 1,170 more; --json has them all.</p>'], [])
    """
    if len(found) > most:
        yield sentence(f"… {len(found) - most:,} more; --json has them all.")


def a_kind(kind: str) -> str:
    """Return a kind with its article.

    Examples
    --------
    >>> a_kind("saddle"), a_kind("degenerate")
    ('a saddle', 'a degenerate point')
    """
    return "a degenerate point" if kind == "degenerate" else f"a {kind}"
