"""kornia: hessian_response and spatial_gradient, issues #4710 and #4683."""

from __future__ import annotations

import numpy as np

from .fact import Fact, array, ask

DETERMINANTS, SIGNS = "issue #4710", "PR #4683"
C = np.arange(9.0)
X, Y = C[None, :], C[:, None]
BOWL, SADDLE = array(X**2 + Y**2, "y x"), array(X * Y, "y x")
TROUGH = array(0.5 * X**2 + 0.5 * Y**2 + X * Y, "y x")
"""(x + y)²/2: a parabolic cylinder."""
MIDDLE = {"y": 4, "x": 4}
UNLIKE = "its kernels for f_xx and f_xy are normalised by different factors"
DEPTH_XY = array(C[:, None, None] * (X + 2 * Y), "d y x")
"""d (x + 2y)."""

FACTS = (
    Fact(
        "kornia", DETERMINANTS, "det H of x² + y²: the true value",
        ask(BOWL, "hessian_det"), np.full((9, 9), 4.0),
    ),
    Fact(
        "kornia", DETERMINANTS, "det H of x y: the true value",
        ask(SADDLE, "hessian_det"), np.full((9, 9), -1.0),
    ),
    Fact(
        "kornia", DETERMINANTS, "det H of (x + y)²/2: the true value",
        ask(TROUGH, "hessian_det"), np.zeros((9, 9)),
    ),
    Fact(
        "kornia", DETERMINANTS, "det H of x y, sobel",
        ask(SADDLE, "hessian_det", where=MIDDLE), -3.1605, ours=-1, because=UNLIKE,
    ),
    Fact(
        "kornia", DETERMINANTS, "det H of (x + y)²/2, sobel",
        ask(TROUGH, "hessian_det", where=MIDDLE), -2.1605, ours=0, because=UNLIKE,
    ),
    Fact(
        "kornia", DETERMINANTS, "det H of x² + y², diff",
        ask(BOWL, "hessian_det", where=MIDDLE), 0.25, ours=4, because=UNLIKE,
    ),
    Fact(
        "kornia", DETERMINANTS, "det H of (x + y)²/2, diff",
        ask(TROUGH, "hessian_det", where=MIDDLE), -0.9375, ours=0, because=UNLIKE,
    ),
    Fact(
        "kornia", DETERMINANTS, "f_xy of x y, sobel normalised",
        ask(SADDLE, "hessian", row="x", col="y", where=MIDDLE), 64 / 36, ours=1, because=UNLIKE,
    ),
    Fact(
        "kornia", SIGNS, "f_xx of x², sobel normalised",
        ask(array(X**2 + 0 * Y, "y x"), "hessian", row="x", col="x", where=MIDDLE), -2, ours=2,
        because="its second-order kernels were the negatives of the derivative's",
    ),
    Fact(
        "kornia", SIGNS, "f_xy of x y, diff",
        ask(SADDLE, "hessian", row="x", col="y", where=MIDDLE), -4, ours=1,
        because="its mixed kernel had the wrong sign, and is not divided by 4",
    ),
    Fact(
        "kornia", SIGNS, "f_dx and f_dy of d (x + 2y)",
        ask(
            DEPTH_XY, "hessian", row="d", col=["y", "x"], where={"d": 4, **MIDDLE},
        ),
        "negated", ours=[2, 1], because="its depth axis was flipped",
    ),
)  # fmt: skip
