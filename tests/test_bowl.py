r"""f = (1 − exp(−10x² − y²)) / 100: why the Laplacian does not measure flatness, on paper.

With E = exp(−10x² − y²): f_xx = (20 − 400x²) E / 100, f_yy = (2 − 4y²) E / 100 and
f_xy = −40xy E / 100.  So

- Δf = (22 − 400x² − 4y²) E / 100 vanishes on the ellipse 400x² + 4y² = 22 and nowhere else;
- there f_yy = −f_xx, and |∇∇f|² = 2 (f_xx² + f_xy²) vanishes nowhere: f_xx is 0 at x² = 1/20, where
  y² = 1/2 and f_xy = 40 e⁻¹ / √40 / 100;
- |∇∇f| goes to 0 with E, far away, and is largest in the trough, at the origin.

Below 0.004 are, of both, the far left and the far right: beyond its last maximum along x, at
400x² = 62 − 4y², Δf falls for good, and |∇∇f| with it.  Of |Δf| there is a third region, the ring
along the ellipse: it closes where the ends of y cut the ellipse off, for on x = 0 Δf is
(22 − 4y²) exp(−y²) / 100, 0.0035 at y = 1.8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from scipy import integrate, ndimage, optimize

import dhess
from dhess import plot
from tests.test_plot import drawn, pixel, red

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

THRESHOLD = 0.004
X, Y = 0.8, 1.8
"""Half the extent along x and y."""
STEP_X, STEP_Y = 2 * X / 400, 2 * Y / 400


def second(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """f_xx, f_xy and f_yy."""
    e = np.exp(-10 * x**2 - y**2) / 100
    return (20 - 400 * x**2) * e, -40 * x * y * e, (2 - 4 * y**2) * e


def laplacian(x: Any, y: Any) -> Any:
    xx, _, yy = second(x, y)
    return np.abs(xx + yy)


def norm(x: Any, y: Any) -> Any:
    xx, xy, yy = second(x, y)
    return np.sqrt(xx**2 + 2 * xy**2 + yy**2)


def bowl(rows: int = 401, columns: int = 401) -> xr.DataArray:
    y, x = np.linspace(-Y, Y, rows), np.linspace(-X, X, columns)
    values = (1 - np.exp(-10 * x**2 - (y**2)[:, np.newaxis])) / 100
    return xr.DataArray(values, {"y": y, "x": x}, ("y", "x"), "f")


def ellipse(count: int = 60) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points where the Laplacian is zero, on the grid's half of the plane."""
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    x, y = np.sqrt(22 / 400) * np.cos(turn), np.sqrt(22 / 4) * np.sin(turn)
    inside = np.abs(y) < 0.97 * Y
    return x[inside], y[inside]


def regions(da: xr.DataArray, of: Any) -> list[NDArray[np.int64]]:
    """Indices of the connected regions where a formula is below the threshold, largest first."""
    x, y = da["x"].values, da["y"].values[:, np.newaxis]
    labels, count = ndimage.label(of(x, y) < THRESHOLD)
    return sorted((np.argwhere(labels == i) for i in range(1, count + 1)), key=len, reverse=True)


def test_the_laplacian_vanishes_where_the_field_bends_most() -> None:
    """On paper first: along the ellipse Δf is rounding, and |∇∇f| is least at y = 0, where it is
    √2 · 0.02 · exp(−0.55), four times what counts as flat."""
    x, y = ellipse()
    np.testing.assert_allclose(laplacian(x, y), 0, atol=1e-15)
    least = np.sqrt(2) * 0.02 * np.exp(-0.55)
    assert norm(np.sqrt(22) / 20, 0.0) == pytest.approx(least)
    assert norm(x, y)[np.abs(y) < 1].min() == pytest.approx(least)
    assert least > 4 * THRESHOLD
    assert norm(np.sqrt(1 / 20), np.sqrt(1 / 2)) == pytest.approx(
        np.sqrt(2) * 0.4 / np.sqrt(40) * np.exp(-1)
    )


def test_both_measures_are_those_of_the_formula() -> None:
    da = bowl(801, 801)
    x, y = da["x"].values, da["y"].values[:, np.newaxis]
    for name, of in (("laplacian_abs", laplacian), ("hessian_norm", norm)):
        got = dhess.measure(da, name, order=6)
        np.testing.assert_allclose(got, of(x, y), atol=2e-6)


def test_the_flattest_points_of_both_measures() -> None:
    """The smallest |Laplacian| is on the ellipse, on steep ground; the flattest by the Hessian is
    a corner, furthest from the trough."""
    da = bowl()
    steep = dhess.find_minimum(da, "laplacian_abs", k=40, order=6, exclude_edges=True)
    x, y = steep["x"].values, steep["y"].values
    off = np.abs(400 * x**2 + 4 * y**2 - 22) / np.hypot(800 * x, 8 * y)
    assert (off < 0.004).all()  # grid steps are 0.004 and 0.009
    assert norm(x, y).max() > THRESHOLD
    flat = dhess.find_minimum(da, "hessian_norm", k=4, order=6)
    corners = {(x, y) for x in (-X, X) for y in (-Y, Y)}
    assert set(zip(flat["x"].values.tolist(), flat["y"].values.tolist(), strict=True)) == corners
    np.testing.assert_allclose(flat["value"], norm(X, Y), rtol=2e-2)


def test_regions_of_both_measures() -> None:
    """The Laplacian's are more and larger: the bands along the ellipse are no part of the plain."""
    da = bowl()
    flat, small = regions(da, norm), regions(da, laplacian)
    y, x = da["y"].values, da["x"].values
    assert all(10 * x[j] ** 2 + y[i] ** 2 > 3 for region in flat for i, j in region[::7])
    bands = [r for r in small if (10 * x[r[:, 1]] ** 2 + y[r[:, 0]] ** 2).min() < 1]
    assert bands
    assert sum(map(len, small)) > 1.3 * sum(map(len, flat))


def border(of: Any, y: float) -> float:
    """Where a measure falls below the threshold for good, on the way out along x."""
    return float(optimize.brentq(lambda x: of(x, y) - THRESHOLD, np.sqrt(62) / 20, X))


@pytest.mark.parametrize(
    ("measure", "of", "count"), [("laplacian_abs", laplacian, 3), ("hessian_norm", norm, 2)]
)
def test_the_regions_found_are_those_of_the_formula(measure: str, of: Any, count: int) -> None:
    """Sixth order is so near the formula that no point changes sides."""
    da = bowl()
    x, y = da["x"].values, da["y"].values
    exact = of(x, y[:, np.newaxis])
    error = np.abs(dhess.measure(da, measure, order=6).values - exact).max()
    assert error < 1e-9 < np.abs(exact - THRESHOLD).min()
    found = dhess.flat_regions(da, measure, threshold=THRESHOLD, order=6)
    expected = regions(da, of)
    assert found["size"].values.tolist() == [len(each) for each in expected]
    assert len(expected) == count == found.attrs["regions"]
    assert found["touches_edge"].values.all()
    assert not found["wraps"].values.any()
    for row, each in enumerate(expected):  # equal ones are in the order of their first points
        one = found.isel(region=row)
        low, last = each.min(axis=0), each.max(axis=0)
        assert one["low_index"].values.tolist() == low.tolist()
        assert one["high_index"].values.tolist() == last.tolist()
        assert (one["low_y"], one["low_x"]) == (y[low[0]], x[low[1]])
        assert (one["high_y"], one["high_x"]) == (y[last[0]], x[last[1]])
        inside = tuple(each.T)
        assert float(one["content"]) == pytest.approx(len(each) * STEP_X * STEP_Y, rel=1e-12)
        i, j = one["index"].values
        assert (i, j) in set(map(tuple, each.tolist()))
        assert exact[i, j] == pytest.approx(exact[inside].min(), abs=2 * error)
        assert float(one["value"]) == pytest.approx(exact[inside].min(), abs=2 * error)
        assert float(one["field"]) == da.values[i, j]


@pytest.mark.parametrize(("measure", "of"), [("laplacian_abs", laplacian), ("hessian_norm", norm)])
def test_the_far_regions_are_as_large_as_on_paper(measure: str, of: Any) -> None:
    """They are widest at the ends of y, and their flattest points are the corners.

    The cell of a point at an end reaches half a step beyond it.
    """
    da = bowl()
    found = dhess.flat_regions(da, measure, threshold=THRESHOLD, order=6).isel(region=slice(2))
    end, top = X + STEP_X / 2, Y + STEP_Y / 2
    area, _ = integrate.quad(lambda y: end - border(of, y), -top, top)
    np.testing.assert_allclose(found["content"], area, rtol=2e-3)
    x = da["x"].values
    first = x[x > border(of, Y)].min()
    assert set(found["low_x"].values) == {-X, first}
    assert set(found["high_x"].values) == {X, x[x < -border(of, Y)].max()}
    np.testing.assert_array_equal(np.abs(found["x"]), X)
    np.testing.assert_array_equal(np.abs(found["y"]), Y)
    np.testing.assert_allclose(found["value"], of(X, Y), rtol=1e-6)


def test_the_third_region_of_the_laplacian_is_flat_nowhere() -> None:
    """The ring: somewhere on it |Δf| is almost 0, and |∇∇f| is above the threshold everywhere."""
    da = bowl()
    x, y = da["x"].values, da["y"].values[:, np.newaxis]
    table, labels = dhess.flat_regions(
        da, "laplacian_abs", threshold=THRESHOLD, order=6, labels=True
    )
    ring = table.isel(region=2)
    at = float(ring["x"]), float(ring["y"])
    off = abs(400 * at[0] ** 2 + 4 * at[1] ** 2 - 22) / np.hypot(800 * at[0], 8 * at[1])
    assert off < STEP_X
    assert (ring["low_y"], ring["high_y"], ring["high_x"]) == (-Y, Y, -ring["low_x"])
    inside = labels.values == 3
    np.testing.assert_array_equal(inside, (laplacian(x, y) < THRESHOLD) & (np.abs(x) < 0.3))
    assert norm(x, y)[inside].min() > 1.4 * THRESHOLD
    assert norm(x, y)[inside].max() > 8 * THRESHOLD
    flat = dhess.flat_regions(da, "hessian_norm", threshold=THRESHOLD, order=6, labels=True)[1]
    assert not (flat.values[inside] > 0).any()
    outside = labels.values * ~inside
    assert (outside[flat.values > 0] > 0).all()  # what is flat, the Laplacian calls flat too


def near(marked: Any, figure: Figure, panel: int, x: float, y: float) -> bool:
    """Whether something is red around a place of a panel."""
    row, column = pixel(figure, panel, x, y)
    return bool(marked[row - 6 : row + 7, column - 6 : column + 7].any())


@pytest.fixture(scope="module")
def figure() -> Figure:
    return plot.compare(bowl(), threshold=THRESHOLD)


def test_the_left_picture_is_red_along_the_ellipse_and_the_right_one_is_not(
    figure: Figure,
) -> None:
    marked = red(drawn(figure))
    steep = 0
    for x, y in zip(*ellipse(), strict=True):
        assert near(marked, figure, 0, x, y)
        if norm(x, y) > 2 * THRESHOLD:
            assert not near(marked, figure, 1, x, y)
            steep += 1
    assert steep > 20


@pytest.mark.parametrize(("panel", "of"), [(0, laplacian), (1, norm)])
def test_what_is_red_is_where_the_formula_is_small(panel: int, of: Any, figure: Figure) -> None:
    """At places drawn evenly: red near all that are far below the threshold, none far above."""
    marked = red(drawn(figure))
    seen, wrong = 0, []
    for y in np.linspace(-0.97 * Y, 0.97 * Y, 35):
        for x in np.linspace(-0.97 * X, 0.97 * X, 35):
            around = of(x + np.linspace(-0.03, 0.03, 9), y + np.linspace(-0.07, 0.07, 9)[:, None])
            if around.max() < THRESHOLD or around.min() > THRESHOLD:
                seen += 1
                if near(marked, figure, panel, x, y) != (around.max() < THRESHOLD):
                    wrong.append((x, y))
    assert seen > 700
    assert wrong == []


def test_the_pictures_say_it_in_words_too(figure: Figure) -> None:
    """The shares of the alt text are those of the formulas."""
    da = bowl()
    x, y = da["x"].values, da["y"].values[:, np.newaxis]
    for name, of in (("laplacian_abs", laplacian), ("hessian_norm", norm)):
        share = 100 * (of(x, y) < THRESHOLD).mean()
        assert f"{name} on {share:.2g} % of the picture" in plot.alt_text(figure)
