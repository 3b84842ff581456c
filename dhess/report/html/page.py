"""The parts of a page, and the page that is made of them."""

from __future__ import annotations

import base64
import hashlib
import platform
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from dhess.errors import OutputError
from dhess.report.plan import plan_facts
from dhess.sink import whole_file

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

    from matplotlib.figure import Figure

    from dhess.report.layout import Column
    from dhess.report.plan import PlanReport

ENDINGS: Final = (".html", ".htm")
PARTS: Final = ("numpy", "scipy", "numba", "xarray", "dask", "zarr", "matplotlib")
"""What else had a hand in the numbers and pictures."""


@dataclass(frozen=True)
class Image:
    """A picture, and what it shows in words."""

    png: bytes
    alt: str
    caption: str = ""

    @classmethod
    def of(cls, figure: Figure, caption: str = "") -> Image:
        """Return a figure of `dhess.plot` as it goes into a page."""
        from dhess.plot import alt_text, png

        return cls(png(figure), alt_text(figure), caption)


@dataclass(frozen=True)
class Section:
    """A heading, and HTML below it."""

    title: str
    body: str


def page(
    title: str,
    *,
    question: Iterable[str],
    answer: Iterable[str],
    sections: Iterable[Section] = (),
    images: Sequence[Image] = (),
    plan: PlanReport | None = None,
    options: Iterable[tuple[str, str | None]] = (),
    dhess_version: str,
) -> str:
    """Return a whole page.

    Parameters
    ----------
    title
        The question in a line; it is the heading too.
    question
        What is asked, in more words, a paragraph each.
    answer
        HTML of the answer: see `sentence`, `rows` and `matrix`.
    sections
        What else is told between the pictures and the plan.
    images
        The pictures.
    plan
        What the work took.
    options
        Every option by name.
    dhess_version
        Of the dhess that answered.

    Examples
    --------
    >>> text = page("Where?", question=["Where is f < 1?"], answer=[sentence("Here.")],
    ...             dhess_version="1")
    >>> "<h1>Where?</h1>" in text, "f &lt; 1" in text, "<script" in text
    (True, True, False)
    """
    style = files("dhess.report.html").joinpath("style.css").read_text(encoding="utf-8")
    made = [
        Section("Answer", "\n".join(answer)),
        Section("Pictures", "\n".join(map(_figure, images))),
        *sections,
        Section("Plan", "" if plan is None else facts(_plan(plan))),
        Section("Options", facts(options)),
        Section("Versions", facts(_versions(dhess_version))),
    ]
    asked = "\n".join(sentence(each) for each in question)
    body = "\n".join(_section(each) for each in made if each.body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(style)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="dhess {escape(dhess_version)}">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>{style}</style>\n</head>\n<body>\n<header>\n<p>dhess</p>\n"
        f"<h1>{escape(title)}</h1>\n{asked}\n</header>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def sentence(text: str, kind: str = "") -> str:
    """Return a paragraph, of a class of the style sheet if one is given.

    Examples
    --------
    >>> sentence("a < b", "answer")
    '<p class="answer">a &lt; b</p>'
    """
    opening = f'<p class="{kind}">' if kind else "<p>"
    return f"{opening}{escape(text)}</p>"


def rows(columns: Sequence[Column], caption: str) -> str:
    """Return a table, its first column as the heads of its rows."""
    heads = "".join(f'<th scope="col"{_side(each)}>{escape(each.head)}</th>' for each in columns)
    body = "\n".join(
        "<tr>" + "".join(_cell(i, columns[i], text) for i, text in enumerate(cells)) + "</tr>"
        for cells in zip(*(each.cells for each in columns), strict=True)
    )
    return (
        f'<div class="wide" role="region" aria-label="{escape(caption)}" tabindex="0">\n'
        f"<table><caption>{escape(caption)}</caption>\n<thead><tr>{heads}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody></table>\n</div>"
    )


def matrix(names: Sequence[str], columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Return numbers with a name before each row and above each column."""
    heads = "".join(f'<th scope="col" class="right">{escape(each)}</th>' for each in columns)
    body = "\n".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(f'<td class="right">{escape(each)}</td>' for each in row)
        + "</tr>"
        for name, row in zip(names, cells, strict=True)
    )
    return (
        '<div class="wide" role="region" aria-label="Derivatives" tabindex="0">\n'
        f"<table>\n<thead><tr><td></td>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody></table>\n"
        "</div>"
    )


def facts(pairs: Iterable[tuple[str, str | None]]) -> str:
    r"""Return names beside texts; a pair without text is left out, and nothing without pairs.

    Examples
    --------
    >>> facts([("order", "2"), ("note", None)])
    '<table class="facts">\n<tr><th scope="row">order</th><td>2</td></tr>\n</table>'
    """
    lines = [
        f'<tr><th scope="row">{escape(name)}</th><td>{escape(text)}</td></tr>'
        for name, text in pairs
        if text
    ]
    return "\n".join(['<table class="facts">', *lines, "</table>"]) if lines else ""


def check_page(path: str | os.PathLike[str]) -> None:
    """Refuse a file whose ending is not that of a page.

    Raises
    ------
    OutputError
        If the ending is another one.
    """
    ending = PurePath(path).suffix
    if ending.lower() not in ENDINGS:
        seen = f"the ending {ending!r}" if ending else "no ending"
        raise OutputError(
            f"cannot write a report to {str(path)!r}: {seen} is not that of a page; end it in .html"
        )


def write_page(text: str, path: str | os.PathLike[str]) -> None:
    """Write a page, whole or not at all."""
    check_page(path)
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def _policy(style: str) -> str:
    """Return what a browser may load: this style, pictures that are in the page, nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'"


def _section(section: Section) -> str:
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{section.body}\n</section>"


def _figure(image: Image) -> str:
    data = base64.b64encode(image.png).decode()
    caption = f"<figcaption>{escape(image.caption)}</figcaption>\n" if image.caption else ""
    return (
        f'<figure>\n<img alt="{escape(image.alt)}" src="data:image/png;base64,{data}">\n'
        f"{caption}</figure>"
    )


def _cell(i: int, column: Column, text: str) -> str:
    name, scope = ("td", "") if i else ("th", ' scope="row"')
    return f"<{name}{scope}{_side(column)}>{escape(text)}</{name}>"


def _side(column: Column) -> str:
    return ' class="right"' if column.justify == "right" else ""


def _plan(plan: PlanReport) -> Iterator[tuple[str, str | None]]:
    """Return what the work took; a time that nobody asked for is left out."""
    for name, text in plan_facts(plan):
        if name != "time" or plan.seconds is not None:
            yield name, text


def _versions(own: str) -> Iterator[tuple[str, str]]:
    yield "dhess", own
    yield "Python", platform.python_version()
    for name in PARTS:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
    yield "system", f"{platform.system()} {platform.machine()}"
