"""The page about critical points."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhess.answer import counted_kind
from dhess.report.critical import (
    critical_columns,
    critical_notes,
    critical_rest,
    critical_summary,
)
from dhess.report.html.page import Image, page, rows, sentence
from dhess.report.html.words import a_kind, among, chosen, ended, measured, noted, place
from dhess.report.layout import MOST_ROWS, counted, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.report.critical import CriticalReport
    from dhess.report.plan import PlanReport


def critical_page(
    report: CriticalReport, *, images: Sequence[Image] = (), plan: PlanReport | None = None
) -> str:
    """Return the page about what :func:`dhess.critical_points` found.

    Parameters
    ----------
    report
        The answer; of many points those of lowest value have a row, and the others are counted.
    images
        What is drawn of it, see `dhess.plot.answer`.
    plan
        What the work took.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> from dhess.report import CriticalReport
    >>> x = np.linspace(-1, 1, 21)
    >>> da = xr.DataArray(x**2, {"x": x}, "x", name="f")
    >>> text = critical_page(CriticalReport.from_dataset(dhess.critical_points(da)))
    >>> "<h1>Where is the field level?</h1>" in text, "one critical point, a minimum" in text
    (True, True)
    """
    return page(
        "Where is the field level?",
        question=_question(report),
        answer=_answer(report),
        images=images,
        plan=plan,
        options=chosen(report),
        dhess_version=report.dhess_version,
    )


def _question(report: CriticalReport) -> Iterator[str]:
    yield among(report, "each index of {} by itself")
    yield (
        "A critical point is a place where the slope is zero, on the grid or between its points. "
        "By the signs of the eigenvalues of its Hessian it is a minimum (all above zero), a "
        "maximum (all below) or a saddle (some of each; the Morse index tells how many are "
        "below); where one is zero, it is degenerate."
    )


def _answer(report: CriticalReport) -> Iterator[str]:
    yield sentence(_first(report), "answer")
    if report.critical_points:
        shown = report.critical_points[:MOST_ROWS]
        yield rows(critical_columns(report, shown), critical_summary(report))
    yield from noted([*critical_rest(report), *critical_notes(report)])


def _first(report: CriticalReport) -> str:
    """Say how many of each kind there are, and where the lowest is."""
    if report.partial:
        return ended(critical_summary(report))
    if not report.found:
        return "Nowhere: there is no critical point."
    first = report.critical_points[0]
    value = measured(number(first.field), report.units.get("field"))
    at = f"at {place(first.at, report.dims, report.units)}, where the field is {value}"
    if report.found == 1:
        return f"At one critical point, {a_kind(first.kind)}: {at}."
    kinds = ", ".join(counted_kind(n, kind) for kind, n in report.counts.items() if n)
    many = counted(report.found, "critical point")
    return f"At {many}, {kinds}. The lowest, {a_kind(first.kind)}, is {at}."
