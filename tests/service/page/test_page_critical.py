"""Critical points on the page: the form fits the task, the result is a table and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import xarray as xr

from tests.browser import CONTRAST
from tests.service.page.test_page_looks import PHONE
from tests.stores import store
from tests.test_cli_critical import torus

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.service.gateway import Gateway
    from tests.service.page.conftest import Watched

pytestmark = pytest.mark.browser


def wide(folder: Path) -> Path:
    """Write a field with a minimum, a maximum, two saddles, and units."""
    axes = {d: (d, np.arange(24.0), {"units": "m"}) for d in ("y", "x")}
    return store(torus("y", "x").assign_coords(axes).chunk(8), folder / "torus.zarr")


def rows(page: Page) -> Locator:
    return page.get_by_label("Result").locator("table").first.locator("tbody tr")


def test_from_the_form_to_the_answer(empty_gateway: Gateway, look: Callable[..., Watched]) -> None:
    wide(empty_gateway.folder)
    watched = look(f"{empty_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("Measure").wait_for()
    page.get_by_label("Task").select_option("critical")
    for name in ("Measure", "Threshold", "Quantile", "Connectivity"):
        assert not page.get_by_label(name, exact=True).is_visible()
    page.get_by_label("Tolerance").fill("1e-6")
    page.get_by_text("More options").click()
    assert not page.get_by_label("Scheme").is_visible()
    page.get_by_label("Blocks", exact=True).fill("8")
    page.get_by_label("Period").fill("x=24, y=24")
    page.get_by_label("Source").fill("torus.zarr")
    page.get_by_text("The plan is ready").wait_for()
    plan = page.get_by_label("The plan")
    assert "search for critical points" in plan.inner_text()
    assert "9 blocks of up to 8 × 8" in plan.inner_text()
    page.get_by_role("button", name="Submit job").click()
    page.locator(".headline .badge[data-state=done]").wait_for()
    assert page.locator("p.lead").inner_text() == "critical points"

    rows(page).first.wait_for()
    told = page.get_by_label("Result").inner_text()
    assert "4 critical points: 1 minimum, 1 maximum, 2 saddles" in told
    assert "1 − 2 + 1 = 0" in told
    cells = [row.locator("td").all_inner_texts() for row in rows(page).all()]
    assert [row[1] for row in cells] == ["minimum", "saddle", "saddle", "maximum"]
    assert cells[0][2:4] == ["15.5", "15.5"]
    assert [row[-1] for row in cells] == ["0", "1", "1", "2"]
    head = page.get_by_label("Result").locator("thead").first.inner_text()
    assert "y (m)" in head
    image = page.get_by_label("Result").locator("figure img")
    image.wait_for()
    alt = "The field, and its critical points: 1 minimum, 1 maximum, 2 saddles"
    assert image.get_attribute("alt") == alt

    page.get_by_role("link", name="New job like this").click()
    page.get_by_text("The plan is ready").wait_for()
    assert page.get_by_label("Task").input_value() == "critical"
    assert page.get_by_label("Tolerance").input_value() == "0.000001"
    page.goto(f"{empty_gateway.url}/#/jobs")
    page.get_by_label("Task").select_option("critical")
    page.locator("ul.jobs > li").first.wait_for()
    assert "critical points" in page.locator("ul.jobs > li").first.inner_text()
    page.get_by_label("Task").select_option("regions")
    page.get_by_text("No job is like that").wait_for()
    assert watched.is_quiet()


def test_a_plateau_and_a_field_without_any(
    empty_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    terrace = np.maximum(np.abs(np.arange(21.0) - 10) - 3, 0)
    store(xr.DataArray(terrace, dims="x", name="f"), empty_gateway.folder / "terrace.zarr")
    store(xr.DataArray(np.arange(21.0), dims="x", name="f"), empty_gateway.folder / "ramp.zarr")
    for source, words in [
        ("terrace.zarr", "plateau of 5 points, indices x 8 … 12"),
        ("ramp.zarr", "0 critical points; among 21 points, none of them beside NaN."),
    ]:
        job = empty_gateway.submit(source=source, task="critical")
        assert empty_gateway.wait(job)["state"] == "done"
        watched = look(f"{empty_gateway.url}/#/jobs/{job}")
        watched.page.get_by_label("Result").get_by_text(words).wait_for()
        watched.page.get_by_label("Result").locator("figure img").wait_for()
        assert watched.is_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_width(
    empty_gateway: Gateway, look: Callable[..., Watched], scheme: Literal["light", "dark"]
) -> None:
    wide(empty_gateway.folder)
    given = {"source": "torus.zarr", "task": "critical", "period": {"x": 24, "y": 24}}
    job = empty_gateway.submit(**given)
    assert empty_gateway.wait(job)["state"] == "done"
    watched = look(f"{empty_gateway.url}/#/jobs/{job}", viewport=PHONE, color_scheme=scheme)
    watched.page.get_by_label("Result").locator("figure img").wait_for()
    found: dict[str, Any] = watched.page.evaluate(CONTRAST)
    assert found["poor"] == []
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert watched.is_quiet()
