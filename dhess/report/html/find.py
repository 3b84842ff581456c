"""The page about a search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhess.report.html.page import Image, Section, matrix, page, rows, sentence
from dhess.report.html.words import a_kind, among, chosen, defined, measured, noted, place
from dhess.report.layout import head, number
from dhess.report.tables import find_columns, find_notes, find_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.report.models import Answer, FindReport
    from dhess.report.plan import PlanReport


def find_page(
    report: FindReport, *, images: Sequence[Image] = (), plan: PlanReport | None = None
) -> str:
    """Return the page about what :func:`dhess.find_minimum` found.

    Parameters
    ----------
    report
        The answer.
    images
        What is drawn of it, see `dhess.plot.answer`.
    plan
        What the search took.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> from dhess.report import FindReport
    >>> da = xr.DataArray(np.arange(6.0) ** 3, dims="x", name="f")
    >>> text = find_page(FindReport.from_dataset(dhess.find_minimum(da, "slope")))
    >>> "<h1>Where is slope smallest?</h1>" in text
    True
    """
    best = report.answers[0]
    return page(
        f"Where is {report.measure} smallest?",
        question=[among(report, "searched over {} too"), *defined(report.measure)],
        answer=_answer(report),
        sections=[Section("How the field curves there", _curvature(report, best))],
        images=images,
        plan=plan,
        options=chosen(report),
        dhess_version=report.dhess_version,
    )


def _answer(report: FindReport) -> Iterator[str]:
    best = report.answers[0]
    at = place(best.at, report.dims, report.units)
    value = measured(number(best.value), report.units.get("value"))
    field = measured(number(best.field), report.units.get("field"))
    yield sentence(
        f"At {at}: {report.measure} is {value}, the field is {field}; by its curvature the "
        f"place is {a_kind(best.kind)}.",
        "answer",
    )
    yield rows(find_columns(report), find_summary(report))
    yield from noted(find_notes(report))


def _curvature(report: FindReport, best: Answer) -> str:
    """Return gradient and Hessian at the best point as one table."""
    names = report.differentiated
    slopes, bends = (report.units.get(each) for each in ("gradient", "hessian"))
    columns = [head("gradient", slopes), *(head(f"Hessian, {name}", bends) for name in names)]
    cells = [
        [number(best.gradient[name]), *(number(each) for each in row)]
        for name, row in zip(names, best.hessian, strict=True)
    ]
    eigenvalues = ", ".join(number(each) for each in best.eigenvalues)
    return matrix(names, columns, cells) + sentence(
        f"Eigenvalues of the Hessian, its curvatures along the principal directions: {eigenvalues}."
    )
