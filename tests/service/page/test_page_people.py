"""For whom the page is: with a keyboard only, with a token, and with hostile data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from tests.stores import store

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from tests.service.conftest import Tokens
    from tests.service.gateway import Gateway
    from tests.service.page.conftest import Watched

pytestmark = pytest.mark.browser

MOST = 60
"""Presses of Tab after which something cannot be reached."""

FOCUS = """() => {
  const e = document.activeElement, own = getComputedStyle(e), after = getComputedStyle(e, "::after");
  const seen = (s) => s.outlineStyle !== "none" && parseFloat(s.outlineWidth) >= 2;
  return {name: (e.getAttribute("aria-label") ?? e.labels?.[0]?.textContent ?? e.textContent).trim(),
          tag: e.tagName, seen: seen(own) || seen(after)};
}"""  # noqa: E501


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something has the focus; all that has it on the way shows it."""
    for _ in range(MOST):
        page.keyboard.press("Tab")
        found: dict[str, Any] = page.evaluate(FOCUS)
        if found["tag"] != "BODY":
            assert found["seen"], f"{found} has the focus, and nobody sees it"
        if found["name"].startswith(name):
            return
    raise AssertionError(f"{name!r} cannot be reached with Tab")


def test_keyboard_alone_does_it_all(empty_gateway: Gateway, look: Callable[..., Watched]) -> None:
    watched = look(empty_gateway.url)
    page = watched.page
    page.get_by_text("There are no jobs yet").wait_for()
    tab_to(page, "Skip to the content")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    tab_to(page, "New job")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.activeElement.textContent === 'New job'")
    assert page.evaluate("document.activeElement.tagName") == "H1"

    tab_to(page, "Source")
    page.keyboard.type("long.zarr")
    tab_to(page, "Measure")
    page.keyboard.type("lap")
    assert page.get_by_label("Measure").input_value() == "laplacian"
    tab_to(page, "More options")
    page.keyboard.press("Enter")
    tab_to(page, "Blocks")
    page.keyboard.press("Control+a")
    page.keyboard.type("4")
    tab_to(page, "Blocks of a window")
    page.keyboard.type("1")
    page.keyboard.press("Tab")
    page.get_by_text("The plan is ready: 4,096 blocks").wait_for()
    tab_to(page, "Submit job")
    page.keyboard.press("Enter")
    page.wait_for_url("**/#/jobs/*")
    page.locator(".headline .badge[data-state=running]").wait_for()

    tab_to(page, "Cancel…")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="detached")
    assert page.evaluate(FOCUS)["name"] == "Cancel…"
    page.keyboard.press("Enter")
    assert page.evaluate(FOCUS)["name"] == "Go back"
    tab_to(page, "Cancel the job")
    page.keyboard.press("Enter")
    page.locator(".headline .badge[data-state=cancelled]").wait_for()
    assert "cancelled" in str(page.locator("#said").text_content())
    assert watched.is_quiet()


def test_token_is_asked_for_and_kept_for_the_tab(
    gateway: Gateway, tokens: Tokens, look: Callable[..., Watched]
) -> None:
    watched = look(gateway.url)
    page = watched.page
    dialog = page.get_by_role("dialog", name="This gateway asks for a token")
    dialog.get_by_label("Token").fill("dhess_nobodys")
    dialog.get_by_label("Token").press("Enter")
    dialog.get_by_role("alert").wait_for()
    page.keyboard.press("Escape")
    assert dialog.is_visible()
    dialog.get_by_label("Token").fill(tokens.ada)
    dialog.get_by_role("button", name="Go on").click()
    page.get_by_text("ada", exact=True).wait_for()
    assert tokens.ada not in page.content()
    assert page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    page.reload()
    page.get_by_text("ada", exact=True).wait_for()
    assert dialog.count() == 0
    page.get_by_role("button", name="Sign out").click()
    dialog.wait_for()
    assert watched.is_quiet("status of 401")


def test_viewer_may_look_only(
    gateway: Gateway, tokens: Tokens, done: str, look: Callable[..., Watched]
) -> None:
    watched = look(f"{gateway.url}/#/jobs/{done}")
    page = watched.page
    page.get_by_role("dialog").get_by_label("Token").fill(tokens.viewer)
    page.get_by_role("dialog").get_by_label("Token").press("Enter")
    page.get_by_text("Your token may only read.").wait_for()
    assert page.get_by_role("button", name="Delete…").is_disabled()
    page.get_by_label("Result").locator("figure img").wait_for()
    page.goto(f"{gateway.url}/#/submit")
    assert page.get_by_role("button", name="Submit job").is_disabled()
    assert watched.is_quiet("status of 401")


HOSTILE = "<img src=x onerror=window.owned=1>"


def test_hostile_names_are_text(empty_gateway: Gateway, look: Callable[..., Watched]) -> None:
    axis = np.linspace(-1, 1, 12)
    values = axis[:, None] ** 4 + axis**4
    dims = (f"{HOSTILE}y", f"{HOSTILE}x")
    coords = {dim: (dim, axis, {"units": HOSTILE}) for dim in dims}
    attrs = {"long_name": HOSTILE, "units": HOSTILE}
    da = xr.DataArray(values, coords, dims, HOSTILE, attrs)
    folder = empty_gateway.folder
    store(da.chunk(6), folder / f"{HOSTILE}.zarr")
    watched = look(f"{empty_gateway.url}/#/submit")
    page = watched.page
    page.get_by_label("Source").fill(f"{HOSTILE}.zarr")
    page.get_by_label("Variable").fill(HOSTILE)
    page.get_by_label("Output").fill(f"{HOSTILE}.json")
    page.get_by_text("The plan is ready").wait_for()
    assert HOSTILE in page.get_by_label("The data").inner_text()
    page.get_by_role("button", name="Submit job").click()
    page.get_by_label("Result").locator("figure img, figure p").first.wait_for()
    page.get_by_text("Log", exact=True).click()
    page.get_by_text("Gradient and Hessian at each place").click()
    assert HOSTILE in page.locator("h1").inner_text()
    assert f"{HOSTILE}.json" in page.locator(".lead").inner_text()
    assert f"{HOSTILE}y" in page.get_by_label("Result").locator("thead").first.inner_text()
    check_unharmed(page)

    for chunk in (folder / f"{HOSTILE}.zarr" / HOSTILE).glob("c/**/[0-9]"):
        if chunk.is_file():
            chunk.write_bytes(b"torn")
    job = empty_gateway.submit(source=f"{HOSTILE}.zarr", variable=HOSTILE, k=2)
    assert HOSTILE in empty_gateway.wait(job, "failed")["note"]
    page.goto(f"{empty_gateway.url}/#/jobs/{job}")
    page.locator(".note.problem").get_by_text(HOSTILE).first.wait_for()
    check_unharmed(page)
    page.goto(f"{empty_gateway.url}/#/jobs")
    page.locator("ul.jobs > li").nth(1).wait_for()
    check_unharmed(page)
    assert watched.is_quiet()


def check_unharmed(page: Page) -> None:
    """No name became an element, and nothing of one was run."""
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src=x], [onerror]").count() == 0
