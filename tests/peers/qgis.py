"""xarray-spatial: QGIS slopes and aspects and ArcGIS-like curvatures, xrspatial/tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

import dhess

from .fact import Array, Fact, Float, array, ask

SLOPE, ASPECT, CURVATURE = "test_slope.py", "test_aspect.py", "test_curvature.py"
NAN = np.nan
TERRACE = np.array(
    [
        [1432.6542, 1432.4764, 1432.4764, 1432.1207, 1431.9429, NAN],
        [1432.6542, 1432.6542, 1432.4764, 1432.2986, 1432.1207, NAN],
        [1432.832, 1432.6542, 1432.4764, 1432.2986, 1432.1207, NAN],
        [1432.832, 1432.6542, 1432.4764, 1432.4764, 1432.1207, NAN],
        [1432.832, 1432.6542, 1432.6542, 1432.4764, 1432.2986, NAN],
        [1432.832, 1432.6542, 1432.6542, 1432.4764, 1432.2986, NAN],
        [1432.832, 1432.832, 1432.6542, 1432.4764, 1432.4764, NAN],
    ],
    np.float32,
)
"""Cells of 10 × 10."""
TERRACE_SLOPE = np.array(
    [
        [0.742317, 1.0500116, 1.2082565, NAN],
        [0.9002944, 0.9002944, 1.0502871, NAN],
        [0.9003686, 0.742317, 1.1390567, NAN],
        [0.64938396, 0.5692523, 1.0500116, NAN],
        [0.56964326, 0.64914393, 0.9002944, NAN],
    ]
)
"""In degrees, without the border, as everything here."""
HILLS = np.array(
    [
        [NAN, NAN, NAN, NAN, NAN, NAN],
        [704.237, 242.24084, 429.3324, 779.8816, 193.29506, 984.6926],
        [226.56795, 815.7483, 290.6041, 76.49687, 820.89716, 32.27882],
        [344.8238, 256.34998, 806.8326, 602.0442, 721.1633, 496.95636],
        [185.43515, 834.10425, 387.0871, 716.0262, 49.61273, 752.95483],
        [302.4271, 151.49211, 442.32797, 358.4702, 659.8187, 447.1241],
        [148.04834, 819.2133, 468.97913, 977.11694, 597.69666, 999.14185],
        [268.1575, 625.96466, 840.26483, 448.28333, 859.2699, 528.04095],
    ],
    np.float32,
)
"""Cells of 1 × 1, north up."""
HILLS_SLOPE = np.array(
    [
        [88.56143, 89.45366, 89.50229, 88.82584],
        [89.61588, 89.47127, 89.24196, 88.385376],
        [89.61132, 89.59183, 89.56854, 88.90889],
        [89.42886, 89.25054, 89.60963, 89.71719],
        [89.75693, 89.67336, 89.502174, 89.24611],
    ]
)
HILLS_ASPECT = np.array(
    [
        [278.358, 45.18813, 306.6476, 358.34296],
        [274.42487, 11.035832, 357.9641, 129.98279],
        [238.47426, 196.37103, 149.25227, 187.85748],
        [271.05124, 312.09726, 348.89136, 351.618],
        [314.11356, 345.76315, 327.5568, 339.5455],
    ]
)
PIT = np.zeros((5, 6))
PIT[2, 3] = -1
PIT_CURVATURE = np.array([[0, 0, 100, 0], [0, 100, -400, 100], [0, 0, 100, 0]])
INSIDE = {"y": slice(1, -1), "x": slice(1, -1)}
X, Y = np.linspace(0, 50, 101)[None, :], np.linspace(0, 50, 101)[:, None]
BELL = np.exp(-((X - 25) ** 2 + (Y - 25) ** 2) / (2 * 5**2)) / (2.5 * 5)


def grid(values: Array, x: float, y: float) -> xr.DataArray:
    """North up: y falls with the row."""
    rows, columns = values.shape
    return array(values, "y x", y=-y * np.arange(rows), x=x * np.arange(columns))


def horn(data: xr.DataArray, **options: Any) -> xr.DataArray:
    """Return dhess's gradient, each component averaged 1 2 1 across it, as Horn (1981) has it."""
    slopes = dhess.gradient(data, dtype="float64", **options)
    parts = []
    for name, across in (("y", "x"), ("x", "y")):
        part = slopes.sel(row=name)
        parts.append((part.shift({across: 1}) + 2 * part + part.shift({across: -1})) / 4)
    gradient: xr.DataArray = xr.concat(parts, "row")
    return gradient


def degrees(gradient: Float) -> Float:
    """Angle of the steepest slope."""
    angle: Float = np.degrees(np.arctan(np.hypot(*gradient)))
    return angle


def compass(gradient: Float) -> Float:
    """Direction downhill, clockwise from the north."""
    north, east = -gradient
    direction: Float = np.degrees(np.arctan2(east, north)) % 360
    return direction


def centred(values: Float, cell: float) -> Float:
    """Slope in degrees of the four neighbours, worked out here."""
    f_y, f_x = (values[2:, 1:-1] - values[:-2, 1:-1]), (values[1:-1, 2:] - values[1:-1, :-2])
    return degrees(np.stack([f_y, f_x]) / (2 * cell))


def hundredfold(laplacian: Array) -> Array:
    """Their unit: percent, and negative where the surface bends up."""
    percent: Array = -100 * laplacian
    return percent


FAR = 1e5 + 0.01 * np.arange(9.0)[:, None] ** 2 + np.zeros((1, 9))
DRIFT = hundredfold(np.diff(FAR.astype(np.float32)[:, 0], n=2))
"""Anything from -3.1 to -0.8: float32 knows steps of 1/128 there."""
ROUNDED = (
    "it casts to float32, where 1e5 has steps of 1/128; ours computes in float64 whatever comes in"
)

FACTS = (
    Fact(
        "QGIS", f"{SLOPE}::test_slope_against_qgis", "slope of a terrace in degrees, Horn",
        ask(grid(TERRACE, 10, 10), horn, where=INSIDE, then=degrees), TERRACE_SLOPE, close=2e-7,
    ),
    Fact(
        "QGIS", f"{SLOPE}::test_slope_against_qgis", "slope of a terrace in degrees",
        ask(
            grid(TERRACE, 10, 10), "slope", where=INSIDE, dtype="float64",
            then=lambda s: np.degrees(np.arctan(s)),
        ),
        TERRACE_SLOPE, ours=centred(TERRACE.astype(np.float64), 10), close=1e-10,
        because="Horn averages over three rows; f_x and f_y of the point's own row and column",
    ),
    Fact(
        "QGIS", f"{SLOPE}::test_numpy_equals_qgis", "slope of rough hills in degrees, Horn",
        ask(
            grid(HILLS, 1, 1), horn, where={"y": slice(2, -1), "x": slice(1, -1)}, then=degrees,
        ),
        HILLS_SLOPE, close=1e-6,
    ),
    Fact(
        "QGIS", f"{ASPECT}::test_numpy_equals_qgis", "aspect of rough hills, Horn",
        ask(
            grid(HILLS, 1, 1), horn, where={"y": slice(2, -1), "x": slice(1, -1)}, then=compass,
        ),
        HILLS_ASPECT, close=2e-6,
    ),
    Fact(
        "xarray-spatial", f"{SLOPE}::test_slope_transfer_function", "slope on top of a bell",
        ask(array(BELL, "y x"), "slope", where={"y": 50, "x": 50}), 0,
    ),
    Fact(
        "xarray-spatial", f"{CURVATURE}::test_curvature_on_flat_surface", "curvature of zeros",
        ask(array(np.zeros((5, 6)), "y x"), "laplacian", where=INSIDE, then=hundredfold),
        np.zeros((3, 4)),
    ),
    Fact(
        "xarray-spatial", f"{CURVATURE}::test_curvature_on_convex_surface", "curvature of a pit",
        ask(array(PIT, "y x"), "laplacian", where=INSIDE, then=hundredfold), PIT_CURVATURE,
    ),
    Fact(
        "xarray-spatial", f"{CURVATURE}::test_curvature_on_concave_surface",
        "curvature of a peak",
        ask(array(-PIT, "y x"), "laplacian", where=INSIDE, then=hundredfold), -PIT_CURVATURE,
    ),
    Fact(
        "xarray-spatial", "curvature with res=(2, 1)", "curvature of y², dx = 2 dy",
        ask(
            grid(np.arange(7.0)[:, None] ** 2 + np.zeros((1, 7)), 2, 1), "laplacian",
            where={"y": 3, "x": 3}, then=hundredfold,
        ),
        -200 / 1.5**2, ours=-200,
        because="it takes the mean of the two cell sizes along both axes",
    ),
    Fact(
        "xarray-spatial", "curvature casts to float32", "curvature of 1e5 + i²/100",
        ask(array(FAR, "y x"), "laplacian", where={"y": slice(1, -1), "x": 4}, then=hundredfold),
        DRIFT, ours=[-2] * 7, close=1e-8, because=ROUNDED,
    ),
)  # fmt: skip
