"""Pages of regions, critical points and local models, from the command line to a browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import plot
from dhess.cli import main
from dhess.report import AtReport, CriticalReport, PlanReport, RegionsReport
from dhess.report.html import Image, at_page, critical_page, regions_page
from tests.browser import chromium
from tests.stores import quartic, quartic_nd, store
from tests.test_pictures import hills
from tests.webpages import Read, check_closed, check_printed, check_shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

ASKED = ["Answer", "Pictures", "Plan", "Options", "Versions"]
"""Headings of a page that has everything."""


def level(da: xr.DataArray, **options: Any) -> str:
    """The page about where a field is level."""
    table, labels = dhess.flat_regions(da, "slope", labels=True, **options)
    image = Image.of(plot.answer(da, table, regions=labels))
    plan = PlanReport.from_plan(dhess.plan(da, "slope", task="regions"))
    return regions_page(RegionsReport.from_dataset(table), images=[image], plan=plan)


def around(da: xr.DataArray, **place: float) -> str:
    """The page about how a field curves at a place."""
    report = AtReport.from_dataset(dhess.local_model(da, place))
    return at_page(report, images=[Image.of(plot.local(da, place))], data=da)


def turning(da: xr.DataArray, **options: Any) -> str:
    """The page about the critical points of a field."""
    found = dhess.critical_points(da, **options)
    image = Image.of(plot.answer(da, found))
    plan = PlanReport.from_plan(dhess.plan(da, task="critical"))
    return critical_page(CriticalReport.from_dataset(found), images=[image], plan=plan)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {
        "regions": level(hills(), threshold=0.5),
        "at": around(hills(), y=0.13, x=0.93),
        "critical": turning(hills()),
    }


def checker(size: int) -> xr.DataArray:
    """Zero but for walls two points wide, ``size`` by ``size`` rooms: level nowhere else."""
    wall = np.tile([0.0, 0.0, 0.0, 0.0, 1.0, 1.0], size)
    values = wall[:, np.newaxis] + wall + np.hypot(wall[:, np.newaxis], wall)
    axis = np.arange(6.0 * size)
    return xr.DataArray(values, {"y": axis, "x": axis}, ("y", "x"), "f")


def test_the_page_about_regions_says_it_all() -> None:
    """3x² of |x| < 1 and a step of 0.1: the slope 6|x| is below 1.3 on 5 points, x = ±0.2, …"""
    x = np.arange(-10, 11) / 10
    da = xr.DataArray(3 * x**2, {"x": ("x", x, {"units": "m"})}, "x", "f", {"units": "K"})
    seen = Read(level(da, threshold=1.3))
    assert seen.open == []
    assert seen.headings == {"h1": ["Where is slope below 1.3 K m-1?"], "h2": ASKED}
    (answer,) = seen.paragraphs("answer")
    assert answer == (
        "In one region of 5 points, which stand for a length of 0.5 m; slope is lowest in it at "
        "x = 0 m, where it is 0 K m-1."
    )
    table = seen.tables[0]
    assert table[0][:2] == ["region", "points"]
    assert table[0][-1] == "x from … to"
    assert [table[1][0], table[1][1], table[1][-1]] == ["0", "5", "-0.2 … 0.2"]
    assert seen.facts["connectivity"] == "faces"
    assert seen.facts["threshold"] == "1.3"
    (image,) = seen.images
    assert str(image["alt"]).startswith("Line of f [K] over x [m]")


def test_many_regions_have_the_first_rows_and_are_counted() -> None:
    """In each of 36 rooms of a checker, some points have no wall beside them."""
    seen = Read(level(checker(6), threshold=1e-9))
    rows = seen.tables[0][1:]
    assert [row[0] for row in rows] == [str(i) for i in range(30)]
    assert "… 6 more; --json has them all." in seen.paragraphs()
    few = Read(level(checker(6), threshold=1e-9, k=2))
    assert [row[0] for row in few.tables[0][1:]] == ["0", "1"]
    assert "… 34 more that min_size or k leave out." in few.paragraphs()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"threshold": -1.0}, "Nowhere: the smallest value of slope is 0."),
        (
            {"threshold": 1e-9, "min_size": 10},
            "In 4 regions, none of them of the size that is asked for.",
        ),
    ],
)
def test_an_answer_without_regions(keys: dict[str, Any], words: str) -> None:
    table = dhess.flat_regions(checker(2), "slope", **keys)
    seen = Read(regions_page(RegionsReport.from_dataset(table)))
    assert seen.paragraphs("answer") == [words]
    assert seen.images == []


def bumps(size: int) -> xr.DataArray:
    """sin x sin y on a torus, a quarter step off: extrema at odd quarters, saddles at wholes."""
    axis = (np.arange(24) + 0.25) / 24 * 2 * np.pi
    values = np.sin(size * axis) * np.sin(size * axis)[:, np.newaxis]
    return xr.DataArray(values, {"y": axis, "x": axis}, ("y", "x"), "f", {"units": "m"})


def test_the_page_about_critical_points_says_it_all() -> None:
    """sin x sin y: minima (π/2, 3π/2) and (3π/2, π/2), as many maxima, and saddles at kπ, lπ."""
    around = dict.fromkeys(("y", "x"), 2 * np.pi)
    seen = Read(turning(bumps(1), period=around, order=6))
    assert seen.open == []
    assert seen.headings == {"h1": ["Where is the field level?"], "h2": ASKED}
    (answer,) = seen.paragraphs("answer")
    assert answer.startswith("At 8 critical points, 2 minima, 2 maxima, 4 saddles.")
    assert "The lowest, a minimum, is at " in answer
    assert answer.endswith("where the field is -1 m.")
    table = seen.tables[0]
    assert table[0][:5] == ["rank", "kind", "y", "x", "field (m)"]
    kinds = ["minimum"] * 2 + ["saddle"] * 4 + ["maximum"] * 2
    assert [row[1] for row in table[1:]] == kinds
    places = np.array([[float(cell) for cell in row[2:4]] for row in table[1:]]) / np.pi
    np.testing.assert_allclose(np.sort(places[:2], axis=0), [[0.5, 0.5], [1.5, 1.5]], atol=1e-5)
    np.testing.assert_allclose(places[2:6] % 1 * (1 - places[2:6] % 1), 0, atol=1e-4)
    assert [row[-1] for row in table[1:]] == ["0", "0", "1", "1", "1", "1", "2", "2"]
    assert "Alternating sum 2 − 4 + 2 = 0; all axes wrap, where it is 0." in seen.paragraphs()
    assert seen.facts["work"] == "search for critical points"
    assert seen.facts["order"] == "6"
    (image,) = seen.images
    assert "minimum at y = " in str(image["alt"])


def test_many_critical_points_have_the_first_rows_and_are_counted() -> None:
    """3 × 3 periods have 9 times as many: 72."""
    around = dict.fromkeys(("y", "x"), 2 * np.pi)
    seen = Read(turning(bumps(3), period=around))
    assert len(seen.tables[0]) == 31
    assert "… 42 more; --json has them all." in seen.paragraphs()
    assert seen.paragraphs("answer")[0].startswith("At 72 critical points, 18 minima, 18 maxima")


def test_a_field_that_is_level_nowhere_or_once() -> None:
    axis = np.linspace(-1, 1, 11)
    da = xr.DataArray(axis + axis[:, np.newaxis], {"y": axis, "x": axis}, ("y", "x"), "f")
    seen = Read(turning(da))
    assert seen.paragraphs("answer") == ["Nowhere: there is no critical point."]
    seen = Read(turning(da**2 + (da.x - da.y) ** 2))
    (answer,) = seen.paragraphs("answer")
    assert answer.startswith("At one critical point, a minimum: at y = ")


def test_an_interrupted_search_says_how_much_it_has_seen() -> None:
    found = dhess.critical_points(bumps(1)).assign_attrs(partial="5 of 12 blocks searched")
    (answer,) = Read(critical_page(CriticalReport.from_dataset(found))).paragraphs("answer")
    assert answer.startswith("Partial answer, 5 of 12 blocks searched: ")


def test_a_quantile_is_told_as_what_it_is() -> None:
    text = level(hills(), quantile=0.25, connectivity="full", period={"x": 5.05})
    assert "a share of 0.25 of all valid points is below" in text
    assert "if only at an edge or a corner" in text
    assert Read(text).facts["quantile"] == "0.25"


def test_the_page_about_a_place_says_it_all() -> None:
    """f = 3x² − 2xy + y²/2 at y = 0.25, x = 0.5, between the points: exact, by hand."""
    axis = np.linspace(-1, 1, 11)
    values = 3 * axis**2 - 2 * axis * axis[:, np.newaxis] + (axis[:, np.newaxis] ** 2) / 2
    seen = Read(
        around(xr.DataArray(values, {"y": axis, "x": axis}, ("y", "x"), "f"), y=0.25, x=0.5)
    )
    assert seen.open == []
    assert seen.headings == {"h1": ["How does the field curve at y = 0.25, x = 0.5?"], "h2": ASKED}
    (answer,) = seen.paragraphs("answer")
    assert answer.startswith("At y = 0.25, x = 0.5 the field is 0.53125 ± ")
    assert answer.endswith("its curvature is that of a minimum.")
    table = seen.tables[0]
    assert table[0] == ["row", "gradient", "Hessian, y", "Hessian, x"]
    got = np.array([[float(cell.split(" ± ")[0]) for cell in row[1:]] for row in table[1:]])
    np.testing.assert_allclose(got, [[-0.75, 1, -2], [2.5, -2, 6]], atol=1e-6)
    low, high = (7 - np.sqrt(41)) / 2, (7 + np.sqrt(41)) / 2  # λ² − 7λ + 2 = 0
    found = [float(row[0]) for row in seen.tables[1][1:]]
    np.testing.assert_allclose(found, [low, high], atol=1e-5)
    assert seen.facts["work"] == "1 local model of order 2"
    assert seen.facts["dimensions"] == "y 11, x 11"


def test_a_page_of_many_models() -> None:
    f = (quartic() * xr.DataArray(np.arange(1, 41), dims="run")).transpose("run", "y", "x")
    report = AtReport.from_dataset(dhess.local_model(f, {"y": 0.1, "x": 0.3}, dims=["y", "x"]))
    seen = Read(at_page(report))
    assert seen.headings["h1"] == ["How does the field curve at y = 0.1 m, x = 0.3 m?"]
    assert [row[0] for row in seen.tables[0][1:]] == [str(i) for i in range(30)]
    assert "… 10 more; --json has them all." in seen.paragraphs()


def test_nothing_is_fetched_and_nothing_runs(pages: dict[str, str]) -> None:
    for text in pages.values():
        check_closed(text)


def test_what_is_in_the_data_is_text_and_no_markup() -> None:
    wicked = '</table><script>alert("1")</script>&amp;'
    da = quartic()
    da.attrs.update(long_name=wicked, units=wicked)
    for axis in (da["y"], da["x"]):
        axis.attrs.update(long_name=wicked, units=wicked)
    da.encoding["source"] = wicked
    for text in (level(da, threshold=0.5), around(da, y=0.1, x=0.2), turning(da)):
        assert "<script" not in text
        assert Read(text).open == []


def test_regions_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(store(hills().chunk(40), tmp_path / "f.zarr"))
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    outputs = ["--report", str(page), "--plot", str(picture), "--json", "-"]
    assert main(["regions", source, "-m", "slope", "-q", "0.05", *outputs]) == 0
    report = RegionsReport.model_validate_json(capsys.readouterr().out)
    seen = Read(page.read_text(encoding="utf-8"))
    assert [row[1] for row in seen.tables[0][1:]] == [str(each.size) for each in report.regions]
    assert seen.headings["h2"] == ASKED
    assert seen.facts["source"].endswith("f.zarr")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_critical_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(store(hills().chunk(40), tmp_path / "f.zarr"))
    page, picture = tmp_path / "a.html", tmp_path / "a.png"
    outputs = ["--report", str(page), "--plot", str(picture), "--json", "-"]
    assert main(["critical", source, *outputs]) == 0
    report = CriticalReport.model_validate_json(capsys.readouterr().out)
    seen = Read(page.read_text(encoding="utf-8"))
    assert [row[1] for row in seen.tables[0][1:]] == [e.kind for e in report.critical_points]
    assert seen.headings["h2"] == ASKED
    assert seen.facts["source"].endswith("f.zarr")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_at_writes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(store(hills().chunk(40), tmp_path / "f.zarr"))
    assert main(["at", source, "y=0.13", "x=0.93", "--report", str(tmp_path / "a.html")]) == 0
    assert "maximum" in capsys.readouterr().out
    seen = Read((tmp_path / "a.html").read_text(encoding="utf-8"))
    assert seen.headings["h2"] == ASKED
    assert str(seen.images[0]["alt"]).startswith("Lines of height [m] through y = 0.13, x = 0.93")


def test_pages_of_what_has_no_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No place to cut through, and models of many fields."""
    source = str(store(quartic_nd(3), tmp_path / "f.zarr"))
    none, many = str(tmp_path / "none.html"), str(tmp_path / "many.html")
    left = str(tmp_path / "left.html")
    assert main(["regions", source, "-m", "slope", "-t", "-1", "--report", none]) == 0
    assert "no region" in capsys.readouterr().out
    small = ["regions", source, "-m", "slope", "-t", "0.1", "--min-size", "1000"]
    assert main([*small, "--report", left]) == 0
    assert "more that min_size or k leave out" in capsys.readouterr().out
    line = ["at", source, "d1=0.3", "d2=0.4", "--dims", "d1,d2", "--report", many]
    assert main(line) == 0
    for page in ("none.html", "many.html", "left.html"):
        assert Read((tmp_path / page).read_text(encoding="utf-8")).images == []


@pytest.mark.parametrize(
    "line",
    [["regions", "{}", "-t", "1"], ["critical", "{}"], ["at", "{}", "y=0", "x=0"]],
    ids=["regions", "critical", "at"],
)
def test_a_page_is_refused_before_any_work(
    line: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(store(quartic(), tmp_path / "f.zarr"))
    line = [each.format(source) for each in line]
    assert main([*line, "--report", str(tmp_path / "a.pdf")]) == 2
    assert "'.pdf'" in capsys.readouterr().err
    (tmp_path / "a.html").write_text("mine")
    assert main([*line, "--report", str(tmp_path / "a.html")]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert (tmp_path / "a.html").read_text() == "mine"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["regions", "at", "critical"])
def test_a_browser_shows_it_without_a_complaint(
    name: str,
    scheme: Literal["light", "dark"],
    width: int,
    pages: dict[str, str],
    browser: Browser,
    tmp_path: Path,
) -> None:
    check_shown(browser, pages[name], tmp_path / "a.html", scheme, width)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["regions", "at", "critical"])
def test_it_prints_in_black_on_white(
    name: str, pages: dict[str, str], browser: Browser, tmp_path: Path
) -> None:
    check_printed(browser, pages[name], tmp_path / "a.html")
