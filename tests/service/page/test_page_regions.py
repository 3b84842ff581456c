"""Regions on the page: asked for in the form, planned, followed, and shown as table and picture."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

import pytest

from tests.browser import CONTRAST
from tests.service.page.test_page_flow import fill_in, state, wait_progress
from tests.service.page.test_page_looks import PHONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.service.gateway import Gateway
    from tests.service.page.conftest import Watched

pytestmark = pytest.mark.browser

OWN = ("Threshold", "Quantile", "Least points of a region", "Connectivity")
"""Fields that only regions have."""


def seen(page: Page, *labels: str) -> list[bool]:
    return [page.get_by_label(each, exact=True).is_visible() for each in labels]


def cells(page: Page) -> dict[str, list[str]]:
    """The columns of the result's table by their heads."""
    table = page.get_by_label("Result").locator("table").first
    table.locator("tbody tr").first.wait_for()
    heads = table.locator("thead th").all_inner_texts()
    rows = [row.locator("td").all_inner_texts() for row in table.locator("tbody tr").all()]
    return dict(zip(heads, map(list, zip(*rows, strict=True)), strict=True))


def check_picture(page: Page, words: str) -> None:
    image = page.get_by_label("Result").locator("figure img")
    image.wait_for()
    assert image.evaluate("each => each.naturalWidth") > 300
    assert image.get_attribute("alt") == words


def test_fields_of_the_task(open_gateway: Gateway, look: Callable[..., Watched]) -> None:
    watched = look(f"{open_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("Task").wait_for()
    assert seen(page, *OWN, "How many to find") == [False] * 4 + [True]
    page.get_by_label("Task").select_option("regions")
    assert seen(page, *OWN, "How many to find", "Measure") == [True] * 6
    page.get_by_text("More options").click()
    assert not page.get_by_label("Without edges").is_visible()
    page.get_by_label("Task").select_option("field")
    assert seen(page, *OWN, "How many to find") == [False] * 5
    assert watched.is_quiet()


def test_a_limit_is_asked_for_beside_its_field(
    open_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    """Neither, both, and no number are told before anything is sent; a share of 2 afterwards."""
    watched = look(f"{open_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("Task").select_option("regions")
    page.get_by_label("Source").fill("run.zarr")
    threshold, quantile = page.get_by_label("Threshold"), page.get_by_label("Quantile")
    page.locator(".key-threshold").get_by_text("This or a quantile is needed.").wait_for()
    assert threshold.get_attribute("aria-invalid") == "true"
    threshold.fill("low")
    page.locator(".key-threshold").get_by_text("“low” is no number.").wait_for()
    threshold.fill("1.5")
    page.get_by_text("The plan is ready").wait_for()
    assert threshold.get_attribute("aria-invalid") is None
    quantile.fill("0.1")
    page.locator(".key-quantile").get_by_text("There is a threshold already").wait_for()
    page.get_by_role("button", name="Submit job").click()
    assert quantile.evaluate("each => each === document.activeElement")
    assert watched.is_quiet()
    threshold.fill("")
    quantile.fill("2")
    page.get_by_text("it must be from 0 to 1").wait_for()
    assert watched.is_quiet("status of 422")


def test_submit_watch_and_read(empty_gateway: Gateway, look: Callable[..., Watched]) -> None:
    """Σ (d − d₂₀)⁴ on 64 points of [−1, 1] a side: the 33 with i² + j² + k² ≤ 4 are level."""
    step = 2 / 63
    watched = look(f"{empty_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("Task").select_option("regions")
    page.get_by_label("Measure").select_option("laplacian_abs")
    limit = str(12 * 4.5 * step**2 + 6 * step**2)  # a second difference of d⁴ is 12 d² + 2 h²
    fill_in(page, "long.zarr", Threshold=limit, Blocks="8", Blocks_of_a_window="1")
    plan = page.get_by_label("The plan").inner_text()
    assert "label the regions of low laplacian_abs" in plan
    assert "512 blocks of up to 8 × 8 × 8" in plan
    assert "It fits the memory" in plan
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"#/jobs/[0-9a-f]{16}$"))
    job = page.url.rsplit("/", 1)[1]
    page.get_by_text("regions where laplacian_abs is below 0.0604").wait_for()
    first = wait_progress(page, 0.0)
    wait_progress(page, first)
    state(page, "done")

    shown = cells(page)
    assert shown["region"] == ["0"]
    assert shown["points"] == ["33"]
    assert float(shown["volume (m3)"][0]) == pytest.approx(33 * step**3, rel=1e-5)
    assert float(shown["lowest laplacian_abs (K m-2)"][0]) == pytest.approx(6 * step**2, rel=1e-5)
    ends = [float(each) for each in shown["z from … to"][0].split(" … ")]
    assert ends == pytest.approx([-1 + 18 * step, -1 + 22 * step], abs=1e-7)
    assert "remarks" not in shown
    told = page.get_by_label("Result").inner_text()
    assert "1 region where laplacian_abs is below 0.0604" in told
    assert "33 of 262,144 points, none of them NaN." in told
    check_picture(page, "The field, and the regions where laplacian_abs is below 0.0604686")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as NetCDF").click()
    assert saved.value.path().read_bytes()[:4] == b"\x89HDF"
    kept = empty_gateway.ask("GET", f"/v1/jobs/{job}/result").json()
    assert [each["size"] for each in kept["regions"]] == [33]

    page.get_by_role("link", name="New job like this").click()
    page.get_by_text("The plan is ready").wait_for()
    assert page.get_by_label("Threshold").input_value() == limit
    assert page.get_by_label("Task").input_value() == "regions"
    page.goto(f"{empty_gateway.url}/#/jobs?task=regions")
    page.locator("ul.jobs .badge[data-state=done]").wait_for()
    assert watched.is_quiet()


def test_answers_with_few_regions_and_none(
    open_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    """On the square of `quartic`, laplacian_abs is 0.12 (i² + j²) + 0.04: 25 points below 1.1."""
    common = {"source": "run.zarr", "task": "regions", "measure": "laplacian_abs"}
    words = {
        "No region: laplacian_abs is below 0.01 nowhere among 441 points, none of them NaN; the "
        "smallest value is 0.04.": {"threshold": 0.01},
        "1 more is left out, as asked by the least size or the number of regions.": {
            "threshold": 1.1, "min_size": 26,
        },
        "1 region where laplacian_abs is below 1: 25 of 441 points, none of them NaN.": {
            "quantile": 0.0566,
        },
    }  # fmt: skip
    watched = look(open_gateway.url)
    for sentence, given in words.items():
        job = open_gateway.submit(**common, **given)
        open_gateway.wait(job)
        watched.page.goto(f"{open_gateway.url}/#/jobs/{job}")
        watched.page.get_by_label("Result").get_by_text(sentence).wait_for()
        watched.page.get_by_label("Result").locator("figure img").wait_for()
    watched.page.get_by_text("regions of the lowest 5.66 % of laplacian_abs").wait_for()
    assert watched.is_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_width(
    open_gateway: Gateway, look: Callable[..., Watched], scheme: Literal["light", "dark"]
) -> None:
    """Form and result of regions can be read, and a phone needs no scrolling to the side."""
    job = open_gateway.submit(
        source="run.zarr", task="regions", measure="slope", quantile=0.3, min_size=2
    )
    open_gateway.wait(job)
    watched = look(f"{open_gateway.url}/#/jobs/{job}", viewport=PHONE, color_scheme=scheme)
    page = watched.page
    page.get_by_label("Result").locator("figure img").wait_for()
    check_looks(page)
    page.goto(f"{open_gateway.url}/#/submit")
    page.get_by_label("Task").select_option("regions")
    fill_in(page, "run.zarr", Threshold="0.5", Blocks="5")
    check_looks(page)
    assert watched.is_quiet()


def check_looks(page: Page) -> None:
    found: dict[str, Any] = page.evaluate(CONTRAST)
    assert found["poor"] == []
    assert found["seen"] > 10
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
