"""MetPy: Unidata/MetPy, tests/calc/test_calc_tools.py, values worked by hand or by formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import dhess

from .fact import Fact, array, ask

if TYPE_CHECKING:
    import xarray as xr

FILE = "test_calc_tools.py"
NAN = np.nan
LINE = array([13.5, 12.0, 10.0], "x", x=[0.0, 1.25, 3.75])
"""Fixture deriv_1d_data, in °C and cm; from Chapra and Canale, section 23.2."""

Y = np.array([1.0, 5, 11, 13])
X = np.array([0.0, 2, 7])


def parabola(x: np.ndarray) -> xr.DataArray:
    """Fixture deriv_2d_data: f = (x - 3)²/2 + (y - 1.5)²/4, y down the rows."""
    return array(0.5 * (x - 3) ** 2 + 0.25 * (Y[:, None] - 1.5) ** 2, "y x", y=Y, x=x)


SHEET = parabola(X)
WIDER = parabola(np.append(X, 8.0))
F_X = np.tile([-3.0, -1, 4], (4, 1))
F_Y = np.tile([[-0.25], [1.75], [4.75], [5.75]], (1, 3))
COUNT = array(np.arange(3 * 3 * 4 * 4).reshape(3, 3, 4, 4), "a b c d")
"""Fixture deriv_4d_data."""
GAP = array(np.where(np.arange(7) == 3, NAN, np.arange(7.0)), "x")

RADIUS, OTHER_RADIUS = 6370997.0, 4370997.0
"""The sphere that MetPy takes by default, and the one that its test asks for (issue #774)."""
DY, OTHER_DY = 277987.1857, 190720.72311199
OTHER_DX = np.array([146095.76101984, 140608.9751528, 134854.56713287, 128843.49645823])
LATITUDE, LONGITUDE = np.arange(40, 50, 2.5), np.arange(-100, -90, 2.5)
PARALLEL = OTHER_RADIUS * np.cos(np.radians(LATITUDE)) * np.radians(2.5)
"""Length of 2.5° along each parallel."""
# These fields count rows or columns: one over their gradient is the distance from one to the next.
ROWS, COLUMNS = (array(i, "lat lon", lat=LATITUDE, lon=LONGITUDE) for i in np.mgrid[:4.0, :4])


def distance(gradient: np.ndarray) -> np.ndarray:
    """One over the gradient of a field that counts."""
    return 1 / gradient


SPHERE: dict[str, Any] = {"geometry": "sphere", "radius": RADIUS}
OTHER_SPHERE: dict[str, Any] = {"geometry": "sphere", "radius": OTHER_RADIUS}

FACTS = (
    Fact(
        "MetPy", f"{FILE}::test_first_derivative", "f' of three uneven points, by hand",
        ask(LINE, "gradient", row="x"), [-1.333333, -1.06666667, -0.5333333], close=5e-6,
    ),
    Fact(
        "MetPy", f"{FILE}::test_gradient_2d", "f_y of a parabola, uneven",
        ask(SHEET, "gradient", row="y"), F_Y,
    ),
    Fact(
        "MetPy", f"{FILE}::test_first_derivative_2d", "f_x of a parabola, uneven",
        ask(SHEET, "gradient", row="x"), F_X,
    ),
    Fact(
        "MetPy", f"{FILE}::test_gradient_restricted_axes", "two axes of three, the third a batch",
        ask(SHEET.expand_dims(z=1, axis=2), "gradient", dims=("y", "x")),
        np.stack([F_Y, F_X])[..., None],
    ),
    Fact(
        "MetPy", f"{FILE}::test_first_derivative_scalar_delta", "f' = 1 of 0, 1, 2 by spacing",
        ask(array([0, 1, 2], "x"), "gradient", row="x", spacing={"x": 1.0}), [1, 1, 1],
    ),
    Fact(
        "MetPy", f"{FILE}::test_first_derivative_masked", "f' = 1 around a masked point",
        ask(GAP, "gradient", row="x"), [1, 1, NAN, NAN, NAN, 1, 1],
        ours=[1, 1, NAN, 1, NAN, 1, 1],
        because="the centred formula does not read the point itself, so its slope is known",
    ),
    Fact(
        "MetPy", f"{FILE}::test_first_derivative_masked", "the same with nan='adapt'",
        ask(GAP, "gradient", row="x", nan="adapt"), [1, 1, NAN, NAN, NAN, 1, 1],
        ours=[1, 1, 1, NAN, 1, 1, 1],
        because="a point beside a gap takes a one-sided formula; only the gap itself is lost",
    ),
    Fact(
        "MetPy", f"{FILE}::test_first_derivative_too_small", "f' of a single point",
        ask(array([[13.5], [12.0], [10.0]], "x y"), "gradient", dims="y"), "ValueError",
        ours=dhess.GridError,
    ),
    Fact(
        "MetPy", f"{FILE}::test_second_derivative", "f'' of three uneven points",
        ask(LINE, "hessian"), [0.2133333] * 3, ours=dhess.GridError,
        because="three uneven points give f'' to first order only; order=2 takes four",
    ),
    Fact(
        "MetPy", f"{FILE}::test_second_derivative_2d", "f_yy of a parabola, uneven",
        ask(SHEET, "hessian", row="y", col="y", dims="y"), np.full((4, 3), 0.5),
    ),
    Fact(
        "MetPy", f"{FILE}::test_second_derivative_2d", "f_xx of a parabola on a fourth x, 8",
        ask(WIDER, "hessian", row="x", col="x"), np.full((4, 4), 1.0),
    ),
    Fact(
        "MetPy", f"{FILE}::test_laplacian_2d", "Laplacian of a parabola on a fourth x, 8",
        ask(WIDER, "laplacian"), np.full((4, 4), 1.5),
    ),
    Fact(
        "MetPy", f"{FILE}::test_gradient_4d", "gradient in four dimensions",
        ask(COUNT, "gradient", where=dict.fromkeys("abcd", 0)), [48, 16, 4, 1],
    ),
    Fact(
        "MetPy", f"{FILE}::test_2d_gradient_4d_data_2_axes_2_deltas", "two axes of four",
        ask(COUNT, "gradient", dims=("a", "b"), where={"c": 3, "d": 2}),
        np.broadcast_to(np.reshape([48, 16], (2, 1, 1)), (2, 3, 3)),
    ),
    Fact(
        "MetPy", f"{FILE}::test_3d_gradient_3d_data_no_axes", "gradient in three dimensions",
        ask(COUNT[0], "gradient", where={"b": 2, "c": 0, "d": 3}), [16, 4, 1],
    ),
    Fact(
        "MetPy", f"{FILE}::test_lat_lon_grid_deltas_1d", "2.5° along a meridian in metres",
        ask(ROWS, "gradient", row="lat", then=distance, **SPHERE),
        np.full((4, 4), DY), close=2e-9,
    ),
    Fact(
        "MetPy", f"{FILE}::test_lat_lon_grid_deltas_2d", "-2.5° along a descending meridian",
        ask(ROWS.assign_coords(lat=LATITUDE[::-1]), "gradient", row="lat", then=distance, **SPHERE),
        np.full((4, 4), -DY), close=2e-9,
    ),
    Fact(
        "MetPy", f"{FILE}::test_lat_lon_grid_deltas_geod_kwargs", "2.5° on a smaller sphere",
        ask(ROWS, "gradient", row="lat", then=distance, **OTHER_SPHERE),
        np.full((4, 4), OTHER_DY), close=1e-12,
    ),
    Fact(
        "MetPy", f"{FILE}::test_lat_lon_grid_deltas_geod_kwargs", "2.5° eastwards at 40° to 47.5°",
        ask(COLUMNS, "gradient", row="lon", where={"lon": 1}, then=distance, **OTHER_SPHERE),
        OTHER_DX, ours=PARALLEL,
        because="its distance is the great circle's; a derivative goes along the parallel",
    ),
)  # fmt: skip
