"""The page about a search: all that it says, nothing that it fetches, in a real browser."""

from __future__ import annotations

import base64
import io
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import dhess
from dhess import plot
from dhess.cli import main
from dhess.errors import OutputError
from dhess.report import FindReport, PlanReport
from dhess.report.html import Image, find_page, write_page
from tests.browser import chromium
from tests.stores import quartic, quartic_nd, store
from tests.webpages import Read, check_closed, check_printed, check_shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser


def searched(da: xr.DataArray, measure: str = "hessian_norm", **options: Any) -> str:
    result = dhess.find_minimum(da, measure, **options)
    image = Image.of(plot.answer(da, result))
    plan = PlanReport.from_plan(dhess.plan(da, measure))
    return find_page(FindReport.from_dataset(result), images=[image], plan=plan)


@pytest.fixture(scope="module")
def text() -> str:
    return searched(quartic(), k=3, order=4)


def test_the_page_says_it_all(text: str) -> None:
    seen = Read(text)
    assert seen.open == []
    assert seen.headings["h1"] == ["Where is hessian_norm smallest?"]
    assert seen.headings["h2"] == [
        "Answer", "Pictures", "How the field curves there", "Plan", "Options", "Versions",
    ]  # fmt: skip
    assert (
        "curvature of any kind; zero only where nothing bends" in text
    )  # of the table of measures
    assert "441 points, none of them NaN, differentiated along y, x." in text
    answers = seen.tables[0]
    assert answers[0][:4] == ["rank", "hessian_norm (K m-2)", "y (m)", "x (m)"]
    assert [row[0] for row in answers[1:]] == ["0", "1", "2"]
    assert answers[1][2:4] == ["-0.2", "0.3"]
    assert seen.facts["order"] == "4"
    assert seen.facts["k"] == "3"
    assert seen.facts["period"] == "not given"
    assert seen.facts["work"] == "search for the smallest hessian_norm"
    assert seen.facts["numpy"] == version("numpy")
    assert seen.facts["dhess"] == version("dhess")
    assert "time" not in seen.facts  # which nobody asked for


def test_the_derivatives_are_those_of_the_best_point() -> None:
    """f = 3x² − 2xy + y²/2 at its flattest end: ∇f and H by hand."""
    axis = np.linspace(-1, 1, 11)
    values = 3 * axis**2 - 2 * axis * axis[:, np.newaxis] + (axis[:, np.newaxis] ** 2) / 2
    da = xr.DataArray(values, {"y": axis, "x": axis}, ("y", "x"), "f")
    table = Read(searched(da, "slope")).tables[1]
    assert table[0] == ["", "gradient", "Hessian, y", "Hessian, x"]
    got = np.array([[float(cell) for cell in row[1:]] for row in table[1:]])
    np.testing.assert_allclose(got, [[0, 1, -2], [0, -2, 6]], atol=1e-12)
    assert [row[0] for row in table[1:]] == ["y", "x"]


def test_the_picture_is_in_the_page_with_its_text(text: str) -> None:
    (image,) = Read(text).images
    assert str(image["alt"]).startswith("Map of f [K] over northing [m] from -1 to 1")
    kind, _, data = str(image["src"]).partition(",")
    assert kind == "data:image/png;base64"
    assert min(imread(io.BytesIO(base64.b64decode(data))).shape[:2]) > 400


def test_nothing_is_fetched_and_nothing_runs(text: str) -> None:
    check_closed(text)


def test_what_is_in_the_data_is_text_and_no_markup() -> None:
    wicked = '</table><script>alert("1")</script>&amp;'
    da = quartic().rename("f")
    da.attrs.update(long_name=wicked, units=wicked)
    da.encoding["source"] = wicked
    text = searched(da)
    seen = Read(text)
    assert "script" not in seen.tags
    assert "<script" not in text
    assert seen.open == []
    assert f"field ({wicked})" in seen.tables[0][0]


@pytest.mark.parametrize("ndim", [1, 3])
def test_pages_of_other_dimensions(ndim: int) -> None:
    seen = Read(searched(quartic_nd(ndim)))
    assert seen.tables[0][1][2 : 2 + ndim] == ["0.375"] * ndim


def test_notes_are_told() -> None:
    da = quartic().where(quartic() > 0.001)
    da = dhess.smooth(da, {"x": 0.1}, nan="adapt")
    text = searched(da, "slope", nan="adapt")
    seen = Read(text)
    assert seen.facts["nan"] == "adapt"
    assert seen.facts["smoothed by"] == da.attrs["smoothed"]
    assert "With nan adapt; smoothed by" in text


def test_a_page_is_whole_or_absent(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ending '\.pdf'.*\.html"):
        write_page("text", tmp_path / "a.pdf")
    with pytest.raises(OutputError, match="cannot write"):
        write_page("text", tmp_path / "none" / "a.html")
    write_page("ä", tmp_path / "a.HTM")
    assert (tmp_path / "a.HTM").read_bytes() == "ä".encode()
    assert [each.name for each in tmp_path.iterdir()] == ["a.HTM"]


def test_find_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(store(quartic().chunk(7), tmp_path / "f.zarr"))
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    outputs = ["--report", str(page), "--plot", str(picture), "--json", "-"]
    line = ["find", source, "--k", "2", *outputs]
    assert main(line) == 0
    answers = FindReport.model_validate_json(capsys.readouterr().out).answers
    seen = Read(page.read_text(encoding="utf-8"))
    assert [row[-1] for row in seen.tables[0][1:]] == [
        ", ".join(str(i) for i in each.index.values()) for each in answers
    ]
    assert seen.facts["source"].endswith("f.zarr")
    assert seen.facts["cut into"].startswith("1 block ")
    assert picture.exists()


def test_a_search_that_fails_leaves_no_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(store(quartic() * np.nan, tmp_path / "f.zarr"))
    assert main(["find", source, "--report", str(tmp_path / "a.html")]) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["f.zarr"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_browser_shows_it_without_a_complaint(
    scheme: Literal["light", "dark"], width: int, text: str, browser: Browser, tmp_path: Path
) -> None:
    check_shown(browser, text, tmp_path / "a.html", scheme, width)


@pytest.mark.browser
def test_a_browser_refuses_what_the_policy_forbids(
    text: str, browser: Browser, tmp_path: Path
) -> None:
    """Were something to get in after all, it would stay where it is."""
    file = tmp_path / "a.html"
    inside = '<img src="https://example.org/a.png" alt=""><script>document.title = "ran"</script>'
    file.write_text(text.replace("</main>", f"{inside}</main>"), encoding="utf-8")
    context = browser.new_context()
    page = context.new_page()
    done: list[str] = []
    page.on("requestfinished", lambda request: done.append(request.url))
    page.on("response", lambda response: done.append(response.url))
    page.goto(file.as_uri())
    assert page.title() == "Where is hessian_norm smallest?"
    assert not [url for url in done if url.startswith("https:")]
    context.close()


@pytest.mark.browser
def test_it_prints_in_black_on_white(text: str, browser: Browser, tmp_path: Path) -> None:
    check_printed(browser, text, tmp_path / "a.html")
