"""SciPy: the Rosenbrock function and its derivatives, and ndimage's Laplacian and Gaussian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.ndimage as ndi
from scipy.optimize import rosen, rosen_der, rosen_hess_prod

import dhess

from .fact import Array, Fact, array, ask

if TYPE_CHECKING:
    import xarray as xr

DOC = "docs of rosen_hess"
STEP = 0.1
PLACE = STEP * np.arange(4)
HESSIAN = np.array([[-38, 0, 0, 0], [0, 134, -40, 0], [0, -40, 130, -80], [0, 0, -80, 200]])
"""As printed for X = 0.1 * np.arange(4)."""


def rosenbrock(place: Array, step: float = STEP) -> xr.DataArray:
    """The function on 7 points along each axis around a place."""
    coords = {f"x{i}": x + step * np.arange(-3, 4) for i, x in enumerate(place)}
    mesh = np.stack(np.meshgrid(*coords.values(), indexing="ij"))
    return array(rosen(mesh), " ".join(coords), **coords)


def middle(n: int) -> dict[str, int]:
    """Return the indices of the place."""
    return {f"x{i}": 3 for i in range(n)}


FOUR = rosenbrock(PLACE)
THREE_PLACE, DIRECTION = np.array([3.0, 4, 5]), np.array([2.0, 2, 2])
"""Of TestRosen in test_optimize.py."""
THREE = rosenbrock(THREE_PLACE)
# f_xx of three points adds h²/12 of the fourth derivative, which is 2400 for all but the last.
QUARTIC = np.diag(2400 / 12 * STEP**2 * np.array([1, 1, 1, 0]))

IMAGE = np.array([[3, 2, 5, 1, 4], [5, 8, 3, 7, 1], [5, 6, 9, 3, 5]], np.uint8)
MIRRORED = np.pad(IMAGE, 1, mode="symmetric")
"""With what ndimage takes to be beyond the borders."""
INNER = {"y": slice(1, -1), "x": slice(1, -1)}
LAPLACE, WRAPPED = ndi.laplace(IMAGE.astype(np.float64)), ndi.laplace(IMAGE)

RANDOM = np.random.default_rng(3).normal(size=(24, 30))
SIGMA = (2.0, 0.75)
BLURRED = {mode: ndi.gaussian_filter(RANDOM, SIGMA, mode=mode) for mode in ("reflect", "wrap")}


def smoothed(data: xr.DataArray, **options: Any) -> xr.DataArray:
    """Ask for a Gaussian scale of its own along each axis."""
    blurred: xr.DataArray = dhess.smooth(data, dict(zip("yx", SIGMA, strict=True)), **options)
    return blurred


FACTS = (
    Fact(
        "SciPy", DOC, "Hessian of Rosenbrock in 4-D, order 4",
        ask(FOUR, "hessian", where=middle(4), order=4), HESSIAN, close=1e-9,
    ),
    Fact(
        "SciPy", DOC, "Hessian of Rosenbrock in 4-D, order 2, h = 0.1",
        ask(FOUR, "hessian", where=middle(4)), HESSIAN, ours=HESSIAN + QUARTIC, close=1e-9,
        because="order 2 leaves h²/12 · 2400 of a quartic along all axes but the last",
    ),
    Fact(
        "SciPy", "rosen_der", "gradient of Rosenbrock in 4-D, order 4",
        ask(FOUR, "gradient", where=middle(4), order=4), rosen_der(PLACE), close=1e-9,
    ),
    Fact(
        "SciPy", "test_optimize.py::TestRosen", "Hessian times (2, 2, 2) at (3, 4, 5), order 4",
        ask(THREE, "hessian", where=middle(3), order=4, then=lambda h: h @ DIRECTION),
        rosen_hess_prod(THREE_PLACE, DIRECTION), close=1e-8,
    ),
    Fact(
        "SciPy", "test_filters.py::test_laplace", "ndimage.laplace of a small image, mirrored",
        ask(array(MIRRORED.astype(np.float64), "y x"), "laplacian", where=INNER), LAPLACE,
        close=1e-12,
    ),
    Fact(
        "SciPy", "test_filters.py::test_laplace", "ndimage.laplace of the same in uint8",
        ask(array(MIRRORED, "y x"), "laplacian", where=INNER), WRAPPED, ours=LAPLACE,
        because="it answers in uint8, so that below zero becomes 256 less; ours is float64",
    ),
    Fact(
        "SciPy", "ndimage.gaussian_filter", "a random field, smoothed, mirrored at its ends",
        ask(array(RANDOM, "y x"), smoothed), BLURRED["reflect"], close=1e-12,
    ),
    Fact(
        "SciPy", "ndimage.gaussian_filter, mode='wrap'", "a random field, smoothed, periodic",
        ask(
            array(RANDOM, "y x", y=np.arange(24.0), x=np.arange(30.0)), smoothed,
            period={"y": 24.0, "x": 30.0},
        ),
        BLURRED["wrap"], close=1e-12,
    ),
)  # fmt: skip
