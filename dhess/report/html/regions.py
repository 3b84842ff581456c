"""The page about regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhess.report.html.page import Image, page, rows, sentence
from dhess.report.html.words import among, chosen, defined, measured, noted, place
from dhess.report.layout import counted, number
from dhess.report.regions import regions_columns, regions_notes, regions_rest, regions_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dhess.report.plan import PlanReport
    from dhess.report.regions import RegionsReport

TOUCH = {
    "faces": "that are neighbours along an axis",
    "full": "that are neighbours, if only at an edge or a corner,",
}


def regions_page(
    report: RegionsReport, *, images: Sequence[Image] = (), plan: PlanReport | None = None
) -> str:
    """Return the page about what :func:`dhess.flat_regions` found.

    Parameters
    ----------
    report
        The answer; of many regions the largest have a row, and the others are counted.
    images
        What is drawn of it, see `dhess.plot.answer`.
    plan
        What the work took.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> from dhess.report import RegionsReport
    >>> da = xr.DataArray(np.arange(6.0) ** 3, dims="x", name="f")
    >>> found = dhess.flat_regions(da, "slope", threshold=5.0)
    >>> text = regions_page(RegionsReport.from_dataset(found))
    >>> "<h1>Where is slope below 5?</h1>" in text
    True
    """
    return page(
        f"Where is {report.measure} below {_threshold(report)}?",
        question=_question(report),
        answer=_answer(report),
        images=images,
        plan=plan,
        options=chosen(report),
        dhess_version=report.dhess_version,
    )


def _question(report: RegionsReport) -> Iterator[str]:
    yield among(report, "each index of {} by itself")
    yield from defined(report.measure)
    touch = TOUCH[str(report.options["connectivity"])]
    yield f"Points {touch} make one region. A point that is NaN belongs to none."
    share = report.options.get("quantile")
    if share is not None:
        yield (
            f"The threshold is the one that a share of {share} of all valid points is below, found "
            "by counting them."
        )


def _answer(report: RegionsReport) -> Iterator[str]:
    yield sentence(_first(report), "answer")
    if report.regions:
        yield rows(regions_columns(report), regions_summary(report))
    yield from noted([*regions_rest(report), *regions_notes(report)])


def _first(report: RegionsReport) -> str:
    """Say what there is, and of the largest region all that matters."""
    if not report.found:
        least = measured(number(report.smallest), report.units.get("value"))
        return f"Nowhere: the smallest value of {report.measure} is {least}."
    if not report.regions:
        return f"In {counted(report.found, 'region')}, none of them of the size that is asked for."
    first = report.regions[0]
    content = measured(number(first.content), report.units.get("content"))
    value = measured(number(first.value), report.units.get("value"))
    largest = f"{counted(first.size, 'point')}, which stand for {_article(report)} {content}"
    found = (
        f"In one region of {largest}"
        if report.found == 1
        else f"In {report.found:,} regions, the largest of {largest}"
    )
    at = place(first.at, report.dims, report.units)
    return f"{found}; {report.measure} is lowest in it at {at}, where it is {value}."


def _article(report: RegionsReport) -> str:
    return f"{'an' if report.content == 'area' else 'a'} {report.content} of"


def _threshold(report: RegionsReport) -> str:
    return measured(number(report.threshold), report.units.get("value"))
