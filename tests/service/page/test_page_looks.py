"""How the page looks: contrast in light and dark, the width of a phone, no motion unasked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

import dhess.service
from dhess.report.layout import amount, duration, number
from tests.browser import CONTRAST

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.service.gateway import Gateway
    from tests.service.page.conftest import Watched

FILES = Path(str(dhess.service.__file__)).parent / "page"
PHONE = {"width": 360, "height": 740}


def show(watched: Watched, gateway: Gateway, job: str, view: str) -> None:
    """Go to a view, and wait until all of it is there."""
    page = watched.page
    page.goto("about:blank")
    if view == "list":
        page.goto(f"{gateway.url}/#/jobs")
        page.locator("ul.jobs > li").first.wait_for()
    elif view == "job":
        page.goto(f"{gateway.url}/#/jobs/{job}")
        page.get_by_label("Result").locator("figure img").wait_for()
        for each in page.locator("main summary").all():
            each.click()
        page.get_by_label("Log of the job").locator("li").first.wait_for()
    elif view == "submit":
        page.goto(f"{gateway.url}/#/submit")
        page.get_by_text("More options").click()
        page.get_by_label("Source").fill("run.zarr")
        page.get_by_text("The plan is ready").wait_for()
    else:
        page.goto(f"{gateway.url}/docs#post-v1-jobs")
        page.locator("details.call[open]").wait_for()
        for each in page.locator("details.call[open] .inside > section > details > summary").all():
            each.click()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_width(
    open_gateway: Gateway, look: Callable[..., Watched], scheme: Literal["light", "dark"]
) -> None:
    """Every text can be read, and a phone needs no scrolling to the side."""
    job = open_gateway.submit(source="run.zarr", measure="hessian_norm", k=3)
    open_gateway.wait(job)
    watched = look(open_gateway.url, viewport=PHONE, color_scheme=scheme)
    for view in ("list", "job", "submit", "docs"):
        show(watched, open_gateway, job, view)
        found: dict[str, Any] = watched.page.evaluate(CONTRAST)
        assert found["poor"] == [], view
        assert found["seen"] > 10
        width = watched.page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], view
    assert watched.is_quiet()


@pytest.mark.browser
def test_motion_only_for_who_likes_it(open_gateway: Gateway, look: Callable[..., Watched]) -> None:
    watched = look(open_gateway.url, reduced_motion="reduce")
    watched.page.locator("main h1").wait_for()
    moving = watched.page.evaluate(
        "[...document.querySelectorAll('*')].filter((e) => { const s = getComputedStyle(e);"
        " return s.transitionDuration !== '0s' || s.animationName !== 'none'; }).length"
    )
    assert moving == 0
    assert watched.is_quiet()


@pytest.mark.browser
def test_numbers_are_written_as_on_the_terminal(
    open_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    watched = look(open_gateway.url)
    load = "async (all) => { const m = await import('/page/format.js'); return all.map(m.%s); }"
    sizes = [0, 1, 999, 1000, 999_499, 999_500, 830_400_000, 1.6e12, 7e15]
    assert watched.page.evaluate(load % "amount", sizes) == [amount(each) for each in sizes]
    seconds = [1, 89, 299, 5999, 12_000, 14_400, 200_000, 864_000]
    assert watched.page.evaluate(load % "duration", seconds) == [duration(s) for s in seconds]
    values: list[Any] = [1 / 3, -2.5e-7, 1e300, 12, 0.1, 123456.789, 1e-4, 5e-324]
    told = watched.page.evaluate(
        "async (all) => { const m = await import('/page/format.js');"
        " return all.map((each) => m.number(each)); }",
        values,
    )
    assert [float(each) for each in told] == [float(number(float(each))) for each in values]
    dates = ["2026-01-05T06:00:00.000000000", "2026-01-05T00:00:00", "2026-01-05", "a name"]
    told = watched.page.evaluate(
        "async (all) => { const m = await import('/page/format.js');"
        " return all.map((each) => m.number(each)); }",
        dates,
    )
    assert told == [number(each) for each in dates]


@pytest.mark.browser
def test_values_are_typed_as_on_the_terminal(
    open_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    """What a value is shown as means the same value, for each key of a job."""
    schema = open_gateway.ask("GET", "/v1/spec").json()["schema"]["properties"]
    samples: dict[str, list[Any]] = {
        "source": ["a.zarr", ["a.nc", "b.nc"]],
        "chunks": ["auto", 64, {"x": 64, "y": -1}],
        "sel": [{"time": [0, 10], "level": 3}, {"x": [None, 5]}, {"a,b=c": 1}],
        "smooth": [{"x": 90.0, "y": 1.5}],
        "dims": [["lat", "lon"], ["a,b"]],
        "scale": ["span", {"x": 2.0}],
        "k": [3],
        "radius": [6371008.8],
        "datetime_unit": ["h"],
        "period": [{"lon": 360}],
    }
    watched = look(open_gateway.url)
    for name, values in samples.items():
        told = watched.page.evaluate(
            "async ([name, schema, values]) => { const m = await import('/page/schema.js');"
            " const key = m.keyOf(name, schema);"
            " return values.map((each) => m.parse(key, m.show(key, each))); }",
            [name, schema[name], values],
        )
        assert told == values


def test_files_are_plain_and_small() -> None:
    """No build step, nothing inline, nothing from elsewhere, no way for text to become markup."""
    for path in FILES.iterdir():
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) < 300, path.name
        for banned in (
            "innerHTML",
            "outerHTML",
            "insertAdjacent",
            "document.write",
            "eval(",
            "new Function",
            "style=",
            "<style",
            "javascript:",
            "@import",
            " url(",
        ):
            assert banned not in text, f"{banned} in {path.name}"
        if path.suffix in (".html", ".css", ".js"):
            assert "http" not in text.replace("http-equiv", ""), path.name
    for page in FILES.glob("*.html"):
        assert "<script>" not in page.read_text(encoding="utf-8")
