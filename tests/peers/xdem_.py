"""xDEM: curvatures of synthetic surfaces, tests/test_terrain/test_surfit.py.

Its curvatures are those of Minár et al. (2020): negative where the surface bends up. Ours are
positive there, as a second derivative is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage as ndi
import xarray as xr

import dhess

from .fact import Fact, Float, array, ask

FILE = "test_surfit.py::test_curvatures__synthetic"
STEPS = np.arange(5.0)
VALLEY, RIDGE = np.array([2.0, 1, 0, 1, 2]), np.array([0.0, 1, 2, 1, 0])
CENTRE = {"y": 2, "x": 2}
PLANE = ("y", "x")
SIGN = "its sign is negative where the surface bends up, ours positive"


def surfaces(resolution: float, *heights: Float) -> xr.DataArray:
    """Stack surfaces of 5 × 5 cells along a batch dimension."""
    place = resolution * STEPS
    return array(np.stack(heights), "surface y x", y=place, x=place)


def both_ways(along_x: Float) -> tuple[Float, Float]:
    """Return a surface and the one with x and y exchanged."""
    return along_x, along_x.T


def principal(data: xr.DataArray, **options: Any) -> xr.DataArray:
    """Return the two principal curvatures, the larger first, of mean and Gaussian curvature."""
    mean = dhess.measure(data, "mean_curvature", **options)
    product = dhess.measure(data, "gaussian_curvature", **options)
    apart = np.sqrt(np.maximum(mean**2 - product, 0))
    both: xr.DataArray = xr.concat([mean + apart, mean - apart], "principal")
    return both


FLAT = surfaces(
    10, np.ones((5, 5)), STEPS + 0 * STEPS[:, None], STEPS[:, None] + 0 * STEPS,
    STEPS + STEPS[:, None], STEPS[::-1, None] + STEPS,
)  # fmt: skip
"""A plane, and ramps in four directions."""
ACROSS = surfaces(
    5, *both_ways(VALLEY + STEPS[:, None]), *both_ways(RIDGE + STEPS[:, None])
)  # fmt: skip
"""V-shaped valleys and roofs, sloping along the crease."""
TILT, LEVEL = np.linspace(0, 1, 5), np.zeros((5, 1))
ALONG = surfaces(
    5, *both_ways(VALLEY + TILT + LEVEL), *both_ways(RIDGE + STEPS + LEVEL)
)  # fmt: skip
"""V-shaped valleys and roofs, sloping across the crease."""
UNIT = np.linspace(-1, 1, 5)
SADDLE = surfaces(5, UNIT**2 - UNIT[:, None] ** 2)
BUMP = np.exp(-(UNIT[:, None] ** 2))
CRESTS = surfaces(5, 0.6 * UNIT + BUMP, 0.6 * UNIT - BUMP)
"""A slope with a Gaussian ridge, and with a trough."""

# On the crease of ACROSS: p = 0, q = 1/5, r = ±2/25, s = t = 0.
PLAN = 0.4 * np.array([1, 1, -1, -1])
"""q² r / q³ = r / q."""
BENT = 0.08 / np.sqrt(1.04)
"""κ of the section across: r / √(1 + q²)."""
# On the crease of ALONG: q = s = t = 0, r = ±2/25, p = 1/20 in the valleys and 1/5 on the roofs.
PROFILE = np.array([0.08 / 1.0025**1.5] * 2 + [-0.08 / 1.04**1.5] * 2)

HOLES = np.random.default_rng(42).normal(size=(20, 20))
HOLES[4, 4:6] = HOLES[17, 16] = np.nan
INSIDE = {"y": slice(1, -1), "x": slice(1, -1)}
SQUARE_GROWN = ndi.binary_dilation(np.isnan(HOLES), np.ones((3, 3), bool))[1:-1, 1:-1]
BESIDE = ndi.binary_dilation(np.isnan(HOLES), [[0, 0, 0], [1, 0, 1], [0, 0, 0]])
ABOVE = ndi.binary_dilation(np.isnan(HOLES), [[0, 1, 0], [0, 0, 0], [0, 1, 0]])
QUADRIC = array(np.repeat((STEPS[:, None] - 1) ** 2, 5, axis=1), "y x")

FACTS = (
    *(
        Fact("xDEM", FILE, f"{name} of planes", ask(FLAT, name, dims=PLANE, where=CENTRE), [0] * 5)
        for name in ("profile_curvature", "plan_curvature")
    ),
    Fact(
        "xDEM", FILE, "principal curvatures of planes",
        ask(FLAT, principal, dims=PLANE, where=CENTRE), np.zeros((2, 5)),
    ),
    Fact(
        "xDEM", "PR #777", "plan_curvature of ones in float32",
        ask(array(np.ones((5, 5), np.float32), "y x"), "plan_curvature", where=CENTRE), 0.5, ours=0,
        because="it divided rounding by rounding (0.5 to 2) before a threshold; flat is 0",
    ),
    Fact(
        "xDEM", FILE, "profile_curvature along a crease",
        ask(ACROSS, "profile_curvature", dims=PLANE, where=CENTRE), [0] * 4,
    ),
    Fact(
        "xDEM", FILE, "plan_curvature across a crease, sign",
        ask(ACROSS, "plan_curvature", dims=PLANE, where=CENTRE), [-1, -1, 1, 1], ours=PLAN,
        because=SIGN,
    ),
    Fact(
        "xDEM", FILE, "plan_curvature of valley and roof, ratio",
        ask(
            ACROSS, "plan_curvature", dims=PLANE, where=CENTRE, then=lambda c: c / c[0],
        ),
        [1, 1, -1, -1],
    ),
    Fact(
        "xDEM", FILE, "principal curvatures of valleys, sign",
        ask(ACROSS[:2], principal, dims=PLANE, where=CENTRE), [[0, 0], [-1, -1]],
        ours=[[BENT, BENT], [0, 0]], because=SIGN,
    ),
    Fact(
        "xDEM", FILE, "principal curvatures of roofs, sign",
        ask(ACROSS[2:], principal, dims=PLANE, where=CENTRE), [[1, 1], [0, 0]],
        ours=[[0, 0], [-BENT, -BENT]], because=SIGN,
    ),
    Fact(
        "xDEM", FILE, "profile_curvature across a crease, sign",
        ask(ALONG, "profile_curvature", dims=PLANE, where=CENTRE), [-1, -1, 1, 1], ours=PROFILE,
        because=SIGN,
    ),
    Fact(
        "xDEM", FILE, "plan_curvature where the slope goes across",
        ask(ALONG, "plan_curvature", dims=PLANE, where=CENTRE), [0] * 4,
    ),
    Fact(
        "xDEM", FILE, "principal curvatures of a saddle are opposite",
        ask(SADDLE, principal, dims=PLANE, where={"surface": 0, **CENTRE}, then=np.sum), 0,
    ),
    Fact(
        "xDEM", FILE, "plan_curvature of ridge and trough are opposite",
        ask(CRESTS, "plan_curvature", dims=PLANE, where=CENTRE, then=np.sum), 0,
    ),
    Fact(
        "xDEM", FILE, "profile_curvature of ridge and trough",
        ask(CRESTS, "profile_curvature", dims=PLANE, where=CENTRE), [0, 0],
    ),
    Fact(
        "xDEM", "test_surfit.py::test_convolution__quadric_coefficients", "f_y, f_x of (i - 1)²: "
        "which are zero",
        ask(QUADRIC, "gradient", where=CENTRE, then=lambda g: g != 0), [1, 0],
    ),
    Fact(
        "xDEM", "test_surfit.py::test_convolution__quadric_coefficients", "Hessian of (i - 1)²: "
        "which are zero",
        ask(QUADRIC, "hessian", where=CENTRE, then=lambda h: h != 0), [[1, 0], [0, 0]],
    ),
    Fact(
        "xDEM", "test_surfit.py::test_surface_fit_attribute__nan_propag",
        "curvature is NaN in the 3 × 3 around a NaN",
        ask(array(HOLES, "y x"), "profile_curvature", where=INSIDE, then=np.isnan), SQUARE_GROWN,
    ),
    Fact(
        "xDEM", "test_surfit.py::test_surface_fit_attribute__nan_propag",
        "slope is NaN in the 3 × 3 around a NaN",
        ask(array(HOLES, "y x"), "slope", where=INSIDE, then=np.isnan), SQUARE_GROWN,
        ours=(BESIDE | ABOVE)[1:-1, 1:-1],
        because="a slope reads the four points beside it, not corners, nor the point itself",
    ),
)  # fmt: skip
