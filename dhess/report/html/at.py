"""The page about a local model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dhess.report.html.page import Image, Section, facts, page, rows, sentence
from dhess.report.html.words import chosen, measured, noted, place, rest
from dhess.report.layout import MOST_ROWS, amount, counted, sizes
from dhess.report.local import at_notes, off, principal_columns, several_columns, tensor_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import xarray as xr

    from dhess.report.local import AtReport, LocalAnswer


def at_page(
    report: AtReport, *, images: Sequence[Image] = (), data: xr.DataArray | None = None
) -> str:
    """Return the page about what :func:`dhess.local_model` found.

    Parameters
    ----------
    report
        The model, or one for each point of the batch dimensions.
    images
        What is drawn of it, see `dhess.plot.local`.
    data
        The field, of which the plan tells how much there is.

    Examples
    --------
    >>> import xarray as xr, dhess
    >>> from dhess.report import AtReport
    >>> f = xr.DataArray([0.0, 1.0, 4.0, 9.0, 16.0], dims="x")
    >>> text = at_page(AtReport.from_dataset(dhess.local_model(f, {"x": 2.5})))
    >>> "<h1>How does the field curve at x = 2.5?</h1>" in text
    True
    """
    work = [] if data is None else [Section("Plan", facts(_plan(report, data)))]
    one = report.answers[0]
    return page(
        f"How does the field curve at {place(one.at, _named(report), report.units)}?",
        question=_question(report),
        answer=_answer(report),
        sections=work,
        images=images,
        options=chosen(report),
        dhess_version=report.dhess_version,
    )


def _named(report: AtReport) -> tuple[str, ...]:
    """Return the dimensions along which all models are at one place."""
    return report.dims if len(report.answers) == 1 else report.differentiated


def _question(report: AtReport) -> Iterator[str]:
    source = f" of {report.source}" if report.source else ""
    yield (
        f"The local model{source}: f + g·h + h′Hh/2 at a distance h from the place, with the "
        "value f, the gradient g and the Hessian H of the polynomial through the grid points "
        f"around it, along {', '.join(report.differentiated)}. The estimates of error are how far "
        "the model of the next order is from this one."
    )
    if len(report.answers) > 1:
        batch = ", ".join(dim for dim in report.dims if dim not in report.differentiated)
        yield f"Each index of {batch} has a model of its own."


def _answer(report: AtReport) -> Iterator[str]:
    if len(report.answers) == 1:
        yield from _one(report, report.answers[0])
    else:
        yield sentence(f"There are {counted(len(report.answers), 'model')}.", "answer")
        shown = [replace(each, cells=each.cells[:MOST_ROWS]) for each in several_columns(report)]
        yield rows(shown, "The models, one a row")
        yield from rest(report.answers, MOST_ROWS)
    yield from noted(at_notes(report))


def _one(report: AtReport, answer: LocalAnswer) -> Iterator[str]:
    value = measured(off(answer.value, answer.value_error), report.units.get("value"))
    kind = "is degenerate" if answer.kind == "degenerate" else f"is that of a {answer.kind}"
    yield sentence(
        f"At {place(answer.at, report.dims, report.units)} the field is {value}; its curvature "
        f"{kind}.",
        "answer",
    )
    yield rows(tensor_columns(report, answer), "Gradient and Hessian")
    yield rows(
        principal_columns(report, answer),
        "Curvatures along the principal directions, radii of curvature, and the directions",
    )


def _plan(report: AtReport, data: xr.DataArray) -> Iterator[tuple[str, str]]:
    dims = tuple(str(dim) for dim in data.dims)
    yield (
        "work",
        f"{counted(len(report.answers), 'local model')} of order {report.options['order']}",
    )
    yield "dimensions", sizes(dims, data.shape)
    yield "values", f"{data.dtype}, {amount(data.nbytes)} in memory"
    yield "reads", f"the blocks that hold {counted(report.points, 'point')} around the place"
