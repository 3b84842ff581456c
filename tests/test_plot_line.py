"""Regions on a line: over a seam, of one point, and along axes of every kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from matplotlib.patches import Rectangle

import dhess
from dhess import plot
from tests.test_plot_flat import hatched

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def spans(figure: Figure) -> list[tuple[float, float]]:
    """Where the shades over a line begin and end, from left to right."""
    shades = [each for each in figure.axes[0].patches if isinstance(each, Rectangle)]
    ends = [sorted((each.get_x(), each.get_x() + each.get_width())) for each in shades]
    return sorted((float(low), float(high)) for low, high in ends)


@pytest.mark.parametrize("step", [1, -1], ids=["ascending", "descending"])
def test_a_region_over_the_seam_is_two_spans(step: int) -> None:
    """Between 35 degrees to either side of 0 and of 180 the slope is below that at 35."""
    degrees = np.arange(0.0, 360, 10)
    wave = xr.DataArray(np.cos(np.deg2rad(degrees)), {"x": degrees}, ("x",), "wave")[::step]
    step_long = np.sin(np.deg2rad(10)) / 10  # the difference of a wave is so much of its slope
    limit = np.sin(np.deg2rad(35)) * step_long
    found = dhess.flat_regions(wave, "slope", threshold=limit, period={"x": 360})
    figure = plot.answer(wave, found)
    assert spans(figure) == [(-5.0, 35.0), (145.0, 215.0), (325.0, 355.0)]
    for x in (8.0, 180.0, 345.0):
        assert hatched(figure, 0, x, 0.0, reach=10)
    for x in (60.0, 100.0, 280.0):
        assert not hatched(figure, 0, x, 0.6, reach=5)
    assert figure.axes[0].get_legend_handles_labels()[1].count("flat regions") == 1


def test_a_region_of_one_point_is_as_wide_as_its_cell() -> None:
    """A parabola over uneven points is level at 3, whose neighbours are 1 and 4."""
    x = np.array([-3.0, 0.0, 1.0, 3.0, 4.0, 7.0, 9.0])
    da = xr.DataArray((x - 3) ** 2, {"x": x}, ("x",), "bowl")
    figure = plot.answer(da, dhess.flat_regions(da, "slope", threshold=0.5))
    assert spans(figure) == [(2.0, 3.5)]
    assert hatched(figure, 0, 2.7, 20.0, reach=8)


DAYS = np.arange("2026-01-01", "2026-02-11", dtype="datetime64[D]").astype("datetime64[ns]")
JANUARY_1 = 20454
"""Of 2026, in days since 1970: 56 years with 14 leap days."""


@pytest.mark.parametrize(
    ("along", "first", "last"),
    [
        (DAYS, JANUARY_1 + 17.5, JANUARY_1 + 22.5),
        (DAYS - DAYS[0], 17.5, 22.5),
        (
            xr.date_range("2000-01-01", periods=41, calendar="360_day", use_cftime=True),
            17.5, 22.5,
        ),
        (np.arange(41, dtype=np.uint8), 17.5, 22.5),
    ],
    ids=["dates", "durations", "days of another calendar", "unsigned"],
)  # fmt: skip
def test_shades_are_where_the_line_is(along: Any, first: float, last: float) -> None:
    """(t − 20)² has a slope below 5 per step on points 18 to 22."""
    values = (np.arange(41.0) - 20) ** 2
    da = xr.DataArray(values, {"t": along}, ("t",), "bowl")
    step = 1.0 if getattr(along, "dtype", None) == np.uint8 else 86400.0
    figure = plot.answer(da, dhess.flat_regions(da, "slope", threshold=5 / step))
    assert spans(figure) == [(first, last)]
    (line,) = figure.axes[0].lines
    drawn_x = np.asarray(line.get_xdata(orig=False), dtype=np.float64)
    assert np.allclose(drawn_x[[18, 22]], [first + 0.5, last - 0.5])
    assert hatched(figure, 0, (first + last) / 2 + 0.8, 200.0, reach=8)


def test_durations_are_told_in_days_and_hours() -> None:
    values = (np.arange(41.0) - 20) ** 2
    da = xr.DataArray(values, {"t": DAYS - DAYS[0]}, ("t",), "bowl")
    figure = plot.answer(da, dhess.flat_regions(da, "slope", threshold=1e-5))
    assert figure.axes[0].get_title("left") == "1 region of 1 point, lowest at t = 20 days, 0:00:00"
    assert "over t [index] from 0 to 40, from 0 to 400." in plot.alt_text(figure)
    figure = plot.local(da, {"t": np.timedelta64(30, "h")})
    assert "through t = 1 day, 6:00:00, where it is 351.562:" in plot.alt_text(figure)  # 18.75²
