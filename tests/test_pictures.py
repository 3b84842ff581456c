"""Pictures as they were when somebody looked at them: ``tests/pictures`` holds them.

Without their texts, as matplotlib compares its own: another version of a font would move all else.
What the texts say is asserted beside, in test_plot, test_plot_flat and test_cli_at.  After a change
that is meant, ``python -m tests.test_pictures`` draws them anew; look at each.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread
from matplotlib.legend import Legend
from matplotlib.testing.compare import compare_images
from matplotlib.text import Text

import dhess
from dhess import plot
from dhess.plot import draw as strokes
from tests.flatness import label_regions, tell_critical, tell_regions

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.figure import Figure

STORED = Path(__file__).parent / "pictures"
SMALL = 50
"""Dots per inch: enough to look at, and files stay small."""
TOLERANCE = 3.0
"""Root mean square of what may differ in a whole picture, of 255."""
LOCAL = 25.0
"""The same in a small square: a mark that is lost or moved differs by more, smoother edges do not,
see `test_a_lost_mark_is_noticed`."""
SQUARE = 16


def hills() -> xr.DataArray:
    y, x = np.linspace(0, 3, 61), np.linspace(0, 5, 101)
    values = np.sin(1.3 * x) * np.cos(2 * y)[:, np.newaxis] + 0.1 * x
    coords = {
        "y": ("y", y, {"units": "km", "long_name": "northing"}),
        "x": ("x", x, {"units": "km", "long_name": "easting"}),
    }
    return xr.DataArray(values, coords, ("y", "x"), "height", {"units": "m"})


def regions_on_a_map() -> Figure:
    da = hills()
    slope = dhess.measure(da, "slope")
    rows, labels = tell_regions(da, slope, 0.4, "slope"), label_regions(slope, 0.4)
    return plot.map(da, rows, regions=labels, relief=True, title="Flat regions of some hills")


def points_and_a_threshold() -> Figure:
    da = hills()
    best = dhess.find_minimum(da, "slope", k=4, exclude_edges=True)
    return plot.map(da, best, threshold=1.0, measure="slope")


def critical_points() -> Figure:
    da = hills()
    first, other = (np.arccos(each / 1.3) / 1.3 for each in (-0.1, 0.1))  # where sin 2y = 0
    back, again = (2 * np.pi / 1.3 - each for each in (first, other))
    half, middle = np.pi / 2, np.pi / 1.3  # cos 2y = −1; sin 1.3x = 0
    up = np.arccos(0.1 / 1.3) / 2
    points: list[tuple[str, tuple[float, ...]]] = [
        ("maximum", (0.0, first)), ("minimum", (0.0, back)), ("minimum", (half, other)),
        ("maximum", (half, again)), ("saddle", (up, middle)), ("saddle", (np.pi - up, middle)),
        ("degenerate", (2.7, 4.6)),  # there is none, but it has a mark
    ]  # fmt: skip
    return plot.answer(da, tell_critical(da, points))


def two_measures() -> Figure:
    y, x = np.linspace(-1.8, 1.8, 501), np.linspace(-0.8, 0.8, 501)
    values = (1 - np.exp(-10 * x**2 - (y**2)[:, np.newaxis])) / 100
    da = xr.DataArray(values, {"y": y, "x": x}, ("y", "x"), "f")
    return plot.compare(da, threshold=0.004)


def cuts() -> Figure:
    axis = np.linspace(-1, 1, 24)
    z, y, x = np.meshgrid(axis, axis, axis, indexing="ij")
    values = np.sin(3 * x) * np.cos(2 * y) + z**3
    da = xr.DataArray(values, {"z": axis, "y": axis, "x": axis}, ("z", "y", "x"), "f")
    slope = dhess.measure(da, "slope")
    return plot.answer(da, tell_regions(da, slope, 0.6, "slope"))


def line() -> Figure:
    axis = np.linspace(0, 4, 201)
    da = xr.DataArray(np.cos(np.pi * axis) + axis / 3, {"x": axis}, ("x",), "wave", {"units": "m"})
    slope = dhess.measure(da, "slope")
    return plot.answer(da, tell_regions(da, slope, 1.0, "slope"))


def globe() -> Figure:
    lat, lon = np.linspace(35, 70, 71), np.linspace(-20, 40, 121)
    values = 15 - 0.3 * (lat[:, np.newaxis] - 50) + 4 * np.sin(np.deg2rad(6 * lon))
    coords = {
        "lat": ("lat", lat, {"units": "degrees_north"}),
        "lon": ("lon", lon, {"units": "degrees_east"}),
    }
    da = xr.DataArray(values, coords, ("lat", "lon"), "warmth", {"units": "degC"})
    sea = np.hypot(lat[:, np.newaxis] - 45, lon - 5) < 8
    da = da.where(~sea)
    return plot.map(da, dhess.find_minimum(da, "slope", geometry="sphere", nan="adapt"))


def around_a_place() -> Figure:
    """Between the lines of the grid, beside the top of a hill."""
    return plot.local(hills(), {"y": 0.13, "x": 0.93}, order=4)


PICTURES: dict[str, Callable[[], Figure]] = {
    each.__name__: each
    for each in (
        regions_on_a_map, points_and_a_threshold, critical_points, two_measures, cuts, line, globe,
        around_a_place,
    )
}  # fmt: skip


def draw(name: str, folder: Path, **style: Any) -> Path:
    """Draw one in matplotlib's own style, whatever the user's is."""
    path = folder / f"{name}.png"
    with mpl.rc_context():
        mpl.rcdefaults()
        for option, value in style.items():
            mpl.rcParams[option] = value  # type: ignore[index]
        figure = PICTURES[name]()
        figure.set_layout_engine("none")  # which makes room for texts
        for each in [*figure.findobj(Text), *figure.findobj(Legend)]:
            each.set_visible(False)
        figure.savefig(path, dpi=SMALL, metadata={"Software": None})
    return path


def worst(drawn: Path) -> float:
    """Root mean square of the difference from the stored picture, in its worst square."""
    now, then = (imread(path)[..., :3] * 255 for path in (drawn, STORED / drawn.name))
    assert now.shape == then.shape
    squared = ((now - then) ** 2).mean(axis=-1)
    rows, columns = (n // SQUARE for n in squared.shape)
    squares = squared[: rows * SQUARE, : columns * SQUARE].reshape(rows, SQUARE, columns, SQUARE)
    return float(np.sqrt(squares.mean(axis=(1, 3)).max()))


DRAWN = {
    "regions_on_a_map": ("points", "flat", "arrows"),
    "points_and_a_threshold": ("points", "flat", "arrows"),
    "critical_points": ("points", "arrows"),
    "two_measures": ("points", "flat", "arrows"),
    "cuts": ("points", "flat"),
    "line": ("points", "stretches"),
    "globe": ("points", "arrows"),
    "around_a_place": ("points",),
}
"""What a picture has beside its colours."""


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_as_they_were(name: str, tmp_path: Path) -> None:
    drawn = draw(name, tmp_path)
    assert compare_images(str(STORED / drawn.name), str(drawn), TOLERANCE) is None
    assert worst(drawn) < LOCAL


@pytest.mark.parametrize("style", [{"font.size": 12.0}, {"text.hinting": "none"}])
def test_other_fonts_are_tolerated(style: Any, tmp_path: Path) -> None:
    assert worst(draw("cuts", tmp_path, **style)) < 1


@pytest.mark.parametrize(
    ("name", "stroke"),
    [
        (name, stroke)
        for name in PICTURES
        for stroke in ("points", "flat", "arrows", "stretches")
        if stroke in DRAWN[name]
    ],
)
def test_a_lost_mark_is_noticed(
    name: str, stroke: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strokes, stroke, lambda *_args, **_options: None)
    assert worst(draw(name, tmp_path)) > LOCAL


if __name__ == "__main__":
    for each in PICTURES:
        print(draw(each, STORED))
