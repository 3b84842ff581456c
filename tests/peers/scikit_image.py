"""scikit-image: hessian_matrix and what is made of it, tests/skimage/feature/test_corner.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import dhess

from .fact import Array, Fact, array, ask

if TYPE_CHECKING:
    from collections.abc import Callable

    import xarray as xr

FILE = "test_corner.py"
NAN = np.nan
SQUARE = array(4.0 * (np.outer(*2 * [np.arange(5) == 2])), "r c")
"""4 in the middle of 5 × 5 zeros; sigma=0.1 does not smooth, and gradient of gradient follows."""
CUBE = array(np.pad([[[4.0]]], 2), "p r c")
ITERATED: dict[str, Any] = {"scheme": "iterated"}

H_RR = np.zeros((5, 5))
H_RR[[0, 2, 4], 2] = 2, -2, 2
H_RC = np.outer([0, 1, 0, -1, 0], [0, 1, 0, -1, 0])
L1 = np.array(
    [[0, 0, 2, 0, 0], [0, 1, 0, 1, 0], [2, 0, -2, 0, 2], [0, 1, 0, 1, 0], [0, 0, 2, 0, 0]]
)
L2 = np.array(
    [[0, 0, 0, 0, 0], [0, -1, 0, -1, 0], [0, 0, -2, 0, 0], [0, -1, 0, -1, 0], [0, 0, 0, 0, 0]]
)
COMPACT = np.zeros((5, 5))
COMPACT[:, 2] = 16, 4, -8, 4, 16
"""1 -2 1 inside and 2 -5 4 -1 at the ends, times 4."""

RUTS, SADDLES = ([0, 2, 2, 4], [2, 0, 4, 2]), ([1, 1, 3, 3], [1, 3, 1, 3])
FLAT = ([0, 0, 1, 4], [0, 1, 2, 3])

LINE = np.arange(16.0)
QUADRATIC = array(np.tile(LINE**2, (16, 1)), "r c")
BORDER = [-17.17147367, -26.66532281, -23.95690003]
"""Hcc of the last three columns, measured with scikit-image 0.26, sigma=1, mode='constant'."""


def at(points: tuple[list[int], list[int]]) -> Callable[[Array], Array]:
    """Return a function that picks points of a plane."""

    def pick(plane: Array) -> Array:
        return plane[points]

    return pick


def smoothed_hessian(data: xr.DataArray) -> xr.DataArray:
    """Smooth at a scale of one pixel, as theirs does first."""
    bent: xr.DataArray = dhess.hessian(dhess.smooth(data, 1.0))
    return bent


FACTS = (
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix", "H_rr of a dot, scheme='iterated'",
        ask(SQUARE, "hessian", row="r", col="r", **ITERATED), H_RR,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix", "H_rc of a dot, scheme='iterated'",
        ask(SQUARE, "hessian", row="r", col="c", **ITERATED), H_RC,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix", "H_cc of a dot, scheme='iterated'",
        ask(SQUARE, "hessian", row="c", col="c", **ITERATED), H_RR.T,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix", "H_rc of a dot, inside",
        ask(SQUARE, "hessian", row="r", col="c", where={"r": slice(1, 4), "c": slice(1, 4)}),
        H_RC[1:4, 1:4],
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix", "H_rr of a dot",
        ask(SQUARE, "hessian", row="r", col="r"), H_RR, ours=COMPACT,
        because="f'' of three neighbours, not of every second point, and of order 2 at the ends",
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix_order, issue #5230",
        "'xy' reverses 'rc': a field of x² and 3y²",
        ask(
            array(LINE**2 + 3 * LINE[:, None] ** 2, "y x"), "hessian",
            where={"y": 5, "x": 7},
        ),
        [[6, 0], [0, 2]],
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix_3d", "H_pc of a dot in a cube, iterated",
        ask(CUBE, "hessian", row="p", col="c", where={"r": 2}, **ITERATED), H_RC,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix_3d", "H_pp of a dot in a cube, iterated",
        ask(CUBE, "hessian", row="p", col="p", where={"r": 2}, **ITERATED), H_RR,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix_eigvals", "larger eigenvalue of a dot",
        ask(SQUARE, "eigenvalues", where={"eigen": -1}, **ITERATED), L1,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix_eigvals", "smaller eigenvalue of a dot",
        ask(SQUARE, "eigenvalues", where={"eigen": 0}, **ITERATED), L2,
    ),
    Fact(
        "scikit-image", "issue #1389", "sum of the eigenvalues is the trace",
        ask(SQUARE, "laplacian", **ITERATED), L1 + L2,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_hessian_matrix_det", "determinant of a dot far from it",
        ask(SQUARE, "hessian_det", then=at(([0, 4], [0, 0])), **ITERATED), [0, 0],
    ),
    Fact(
        "scikit-image", f"{FILE}::test_shape_index", "shape index of ruts",
        ask(SQUARE, "shape_index", then=at(RUTS), **ITERATED), [-0.5] * 4,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_shape_index", "shape index of saddles",
        ask(SQUARE, "shape_index", then=at(SADDLES), **ITERATED), [0] * 4,
    ),
    Fact(
        "scikit-image", f"{FILE}::test_shape_index", "shape index where it is flat",
        ask(SQUARE, "shape_index", then=at(FLAT), **ITERATED), [NAN] * 4, ours=[0] * 4,
        because="0/0 is no shape; flat is 0 by our definition",
    ),
    Fact(
        "scikit-image", f"{FILE}::test_shape_index", "shape index of the dot itself, a cap",
        ask(SQUARE, "shape_index", then=at(([2], [2])), **ITERATED), [-1], ours=[1],
        because="equal eigenvalues: its sign is that of a zero; their docs too call +1 a cap",
    ),
    Fact(
        "scikit-image", "hessian_matrix(sigma=1), 0.26", "f'' at the last three of 16 pixels",
        ask(QUADRATIC, "hessian", row="c", col="c", where={"r": 8, "c": slice(-3, None)}),
        BORDER, ours=[2, 2, 2],
        because="it smooths with zeros beyond the border, so a border is an edge of the image",
    ),
    Fact(
        "scikit-image", "hessian_matrix(sigma=1), 0.26", "f'' of i² well inside",
        ask(QUADRATIC, "hessian", row="c", col="c", where={"r": 8, "c": slice(6, 10)}), [2] * 4,
        close=1e-11,
    ),
    Fact(
        "scikit-image", "hessian_matrix(sigma=1), 0.26", "f'' of i², smoothed, well inside",
        ask(QUADRATIC, smoothed_hessian, row="c", col="c", where={"r": 8, "c": slice(6, 10)}),
        [2] * 4, close=1e-11,
    ),
)  # fmt: skip
