"""Pages of reports: as a parser sees them, and as a real browser shows and prints them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Literal

from dhess.report.html import write_page
from tests.browser import CONTRAST

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, ViewportSize


class Read(HTMLParser):
    """A page as a parser sees it: headings, tables, pictures, and all that it points to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.headings: dict[str, list[str]] = {"h1": [], "h2": []}
        self.images: list[dict[str, str | None]] = []
        self.links: list[str | None] = []
        self.told: list[tuple[str, str]] = []
        self.policy = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.links += [given[name] for name in ("src", "href", "action", "srcset") if name in given]
        if tag == "img":
            self.images.append(given)
        elif tag == "meta" and given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])
        elif tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag == "p":
            self.told.append((given.get("class") or "", ""))
        if tag not in ("img", "meta", "link", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif inside == "p":
            self.told[-1] = (self.told[-1][0], self.told[-1][1] + data)
        elif inside in self.headings:
            self.headings[inside].append(data)

    def paragraphs(self, kind: str = "") -> list[str]:
        """Texts of all paragraphs of a class."""
        return [text for each, text in self.told if each == kind]

    @property
    def facts(self) -> dict[str, str]:
        """Names and texts of all tables of two columns."""
        return {row[0]: row[1] for table in self.tables for row in table if len(row) == 2}


def check_closed(text: str) -> None:
    """Nothing is fetched and nothing runs."""
    seen = Read(text)
    assert all(str(link).startswith("data:") for link in seen.links)
    assert not {"script", "iframe", "object", "embed", "form", "a"} & set(seen.tags)
    assert "default-src 'none'" in seen.policy
    assert not re.search(r"url\(|@import|\son\w+=", text)


def check_shown(
    browser: Browser, text: str, file: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    """The worst a user can have: no network, a phone, or the dark."""
    write_page(text, file)
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, offline=True
    )
    page = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_load_state("networkidle")
    assert complaints == []
    assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()]
    assert page.evaluate("document.querySelector('img').naturalWidth") > 400
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(255, 255, 255)") == (scheme == "light")  # the style is not refused
    seen = page.evaluate(CONTRAST)
    assert seen["poor"] == []
    assert seen["seen"] > 50
    context.close()


def check_printed(browser: Browser, text: str, file: Path) -> None:
    """Black on white whatever the screen is, and no table wider than the paper."""
    write_page(text, file)
    paper: ViewportSize = {"width": 680, "height": 980}  # A4 between margins of 15 mm
    context = browser.new_context(color_scheme="dark", viewport=paper)
    page = context.new_page()
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    style = "getComputedStyle(document.body)"
    assert page.evaluate(f"{style}.backgroundColor") == "rgb(255, 255, 255)"
    assert page.evaluate(f"{style}.color") == "rgb(0, 0, 0)"
    assert page.evaluate("document.documentElement.scrollWidth") <= paper["width"]
    assert page.pdf().startswith(b"%PDF")
    context.close()
