"""A report as one HTML page that needs nothing else: no script, no other file, no network.

Styles and pictures are in the page, and its own policy forbids a browser to ask for anything.  It
is light or dark as the reader's system is, can be printed, and tells in words what pictures show.
"""

from __future__ import annotations

from dhess.report.html.at import at_page
from dhess.report.html.critical import critical_page
from dhess.report.html.find import find_page
from dhess.report.html.page import (
    Image,
    Section,
    check_page,
    facts,
    matrix,
    page,
    rows,
    sentence,
    write_page,
)
from dhess.report.html.regions import regions_page

__all__ = [
    "Image",
    "Section",
    "at_page",
    "check_page",
    "critical_page",
    "facts",
    "find_page",
    "matrix",
    "page",
    "regions_page",
    "rows",
    "sentence",
    "write_page",
]
