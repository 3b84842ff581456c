"""What a person does on the page: hand in, watch, read the answer, cancel; and a gateway dies."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING, Any

import pytest

from tests.service.page.conftest import SLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.service.gateway import Gateway
    from tests.service.page.conftest import Watched

pytestmark = pytest.mark.browser


def fill_in(page: Page, source: str, **more: str) -> None:
    """Fill in the form, and wait until the plan is shown."""
    page.get_by_label("Source").fill(source)
    if more:
        page.get_by_text("More options").click()
    for label, text in more.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    page.get_by_text("The plan is ready").wait_for()


def progress(page: Page) -> float:
    return float(page.locator("main progress").evaluate("bar => bar.value / bar.max"))


def wait_progress(page: Page, beyond: float) -> float:
    page.wait_for_function(
        "least => { const b = document.querySelector('main progress');"
        " return b && b.value / b.max > least }",
        arg=beyond,
    )
    return progress(page)


def state(page: Page, name: str) -> None:
    page.locator(f".headline .badge[data-state={name}]").wait_for()


def test_submit_watch_kill_result_cancel(
    own_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    """The whole story, with a gateway that is killed in the middle of it."""
    watched = look(own_gateway.url)
    page = watched.page
    page.get_by_text("There are no jobs yet").wait_for()
    page.get_by_role("link", name="Submit the first one").click()

    fill_in(page, "long.zarr", Blocks="8", Blocks_of_a_window="1", How_many_to_find="2")
    data, plan = page.get_by_label("The data"), page.get_by_label("The plan")
    assert "z 64, y 64, x 64" in data.inner_text()
    assert "Warmth (K)" in data.inner_text()
    assert "512 blocks of up to 8 × 8 × 8" in plan.inner_text()
    assert "It fits the memory" in plan.inner_text()
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"#/jobs/[0-9a-f]{16}$"))
    job = page.url.rsplit("/", 1)[1]

    first = wait_progress(page, 0.0)
    moved = wait_progress(page, first)
    assert watched.is_quiet()

    own_gateway.end(signal.SIGKILL)
    page.get_by_text("Reconnecting").wait_for()
    own_gateway.start()
    page.get_by_text("Reconnecting").wait_for(state="hidden")
    wait_progress(page, moved)
    state(page, "done")

    check_result(page, own_gateway.ask("GET", f"/v1/jobs/{job}/result").json())
    check_picture(page)
    cancel_another(page)
    page.get_by_role("link", name="All jobs").click()
    page.locator("ul.jobs .badge[data-state=cancelled]").wait_for()
    assert page.locator("ul.jobs .badge[data-state=done]").count() == 1
    assert watched.is_quiet("ERR_CONNECTION", "ERR_INCOMPLETE", "ERR_EMPTY", "ERR_SOCKET")


def check_result(page: Page, report: dict[str, Any]) -> None:
    """The table shows what the gateway answers."""
    rows = page.get_by_label("Result").locator("table").first.locator("tbody tr")
    rows.first.wait_for()
    assert rows.count() == len(report["answers"]) == 2
    head = page.get_by_label("Result").locator("thead").first.inner_text()
    assert "hessian_norm (K m-2)" in head
    cells = rows.first.locator("td").all_inner_texts()
    best = report["answers"][0]
    assert best["index"] == {"z": 20, "y": 20, "x": 20}
    assert float(cells[1]) == pytest.approx(best["value"], rel=1e-5, abs=1e-300)
    assert [float(each) for each in cells[2:5]] == pytest.approx([best["at"][d] for d in "zyx"])
    assert cells[-1] == "20, 20, 20"


def check_picture(page: Page) -> None:
    image = page.get_by_label("Result").locator("figure img")
    image.wait_for()
    assert image.evaluate("each => each.naturalWidth") > 300
    assert str(image.get_attribute("src")).startswith("blob:")
    assert "hessian_norm" in str(image.get_attribute("alt"))


def cancel_another(page: Page) -> None:
    page.get_by_role("link", name="New job", exact=True).first.click()
    page.get_by_label("Measure").select_option("slope")
    fill_in(page, "long.zarr", Blocks="4", Blocks_of_a_window="1")
    page.get_by_role("button", name="Submit job").click()
    wait_progress(page, 0.0)
    page.get_by_role("button", name="Cancel…").click()
    dialog = page.get_by_role("dialog", name="Cancel this job?")
    dialog.get_by_role("button", name="Go back").click()
    dialog.wait_for(state="detached")
    page.get_by_role("button", name="Cancel…").click()
    dialog.get_by_role("button", name="Cancel the job").click()
    state(page, "cancelled")


def test_retry_log_and_delete(empty_gateway: Gateway, look: Callable[..., Watched]) -> None:
    job = empty_gateway.submit(source="long.zarr", chunks=8, resources={"window": 1})
    empty_gateway.wait(job, "running")
    empty_gateway.ask("POST", f"/v1/jobs/{job}/cancel", json={})
    empty_gateway.wait(job, "cancelled")
    watched = look(f"{empty_gateway.url}/#/jobs/{job}")
    page = watched.page
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("dialog").get_by_role("button", name="Try again").click()
    state(page, "done")
    page.get_by_text("Log", exact=True).click()
    lines = page.get_by_label("Log of the job").locator("li")
    lines.first.wait_for()
    kept = empty_gateway.ask("GET", f"/v1/jobs/{job}/log", params={"limit": 1}).json()["lines"]
    assert kept[0]["message"] in lines.first.inner_text()

    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as NetCDF").click()
    assert saved.value.path().read_bytes()[:4] in (b"\x89HDF", b"CDF\x01", b"CDF\x02")

    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the job").click()
    page.get_by_text("There are no jobs yet").wait_for()
    assert empty_gateway.ask("GET", f"/v1/jobs/{job}").status_code == 404
    page.goto(f"{empty_gateway.url}/#/jobs/{job}")
    page.get_by_role("heading", name="There is no such job").wait_for()
    assert watched.is_quiet("status of 404")


def test_new_job_like_an_old_one(open_gateway: Gateway, look: Callable[..., Watched]) -> None:
    given = {"source": "run.zarr", "k": 2, "period": {"x": 3.5}, "sel": {"y": [0, 20]}}
    job = open_gateway.submit(**given)
    watched = look(f"{open_gateway.url}/#/jobs/{job}")
    page = watched.page
    page.get_by_role("link", name="New job like this").click()
    page.get_by_text("The plan is ready").wait_for()
    assert page.get_by_label("How many to find").input_value() == "2"
    assert page.get_by_label("Period").input_value() == "x=3.5"
    assert page.get_by_label("Selection").input_value() == "y=0:20"
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(f"**/#/jobs/{job}")  # the same job: it is known
    assert watched.is_quiet()


def test_field_needs_an_output(open_gateway: Gateway, look: Callable[..., Watched]) -> None:
    watched = look(f"{open_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("Task").select_option("field")
    assert not page.get_by_label("How many to find").is_visible()
    page.get_by_label("Measure").select_option("gradient")
    page.get_by_label("Source").fill("run.zarr")
    page.get_by_label("The data").get_by_text("y 21, x 21").wait_for()
    page.locator(".key-output").get_by_text("This is needed.").wait_for()
    page.get_by_label("Output").fill("gradient.zarr")
    page.get_by_text("The plan is ready").wait_for()
    page.get_by_role("button", name="Submit job").click()
    state(page, "done")
    page.get_by_label("Result").get_by_text("Written to").wait_for()
    page.get_by_label("Result").locator("figure img, figure p").first.wait_for()
    assert watched.is_quiet()


def test_wrong_values_are_told_beside_their_fields(
    open_gateway: Gateway, look: Callable[..., Watched]
) -> None:
    watched = look(f"{open_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("How many to find").fill("many")
    page.get_by_role("button", name="Submit job").click()
    source = page.get_by_label("Source")
    assert source.evaluate("each => each === document.activeElement")
    assert source.get_attribute("aria-invalid") == "true"
    page.get_by_text("“many” is no whole number.").wait_for()
    assert watched.is_quiet()


def test_list_is_filtered_and_paged(empty_gateway: Gateway, look: Callable[..., Watched]) -> None:
    for k in range(1, 28):
        empty_gateway.submit(source="run.zarr", k=k, measure="curvedness")
    watched = look(empty_gateway.url)
    page = watched.page
    items = page.locator("ul.jobs > li")
    page.wait_for_function("() => document.querySelectorAll('ul.jobs > li').length === 25")
    newest = items.first.inner_text()
    page.get_by_role("link", name="Older jobs").click()
    page.get_by_role("link", name="Newest jobs").wait_for()
    page.wait_for_function(
        "text => document.querySelector('ul.jobs > li')?.innerText !== text", arg=newest
    )
    page.get_by_label("State").select_option("failed")
    page.get_by_text("No job is like that").wait_for()
    assert page.url.endswith("#/jobs?state=failed")
    page.go_back()
    page.get_by_role("link", name="Newest jobs").wait_for(timeout=SLOW)
    assert watched.is_quiet()
