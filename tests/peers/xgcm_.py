"""xgcm: derivatives between staggered points, xgcm/test/test_metrics_ops.py, and its issue #509."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fact import Array, Fact, Float, array, ask

FILE = "test_metrics_ops.py::test_derivative_uniform_grid"
FOO = np.array(
    [[1.0, 2.0, 4.0, 3.0], [4.0, 7.0, 1.0, 2.0], [3.0, 1.0, 0.0, 9.0], [8.0, 5.0, 2.0, 1.0]]
)
CENTRES = 10 * np.array([0.5, 1.5, 2.5, 3.5])
"""Their metric says that a cell is 10 wide."""
BASIN = array(FOO, "x y", x=CENTRES, y=CENTRES)
AROUND: dict[str, Any] = {"period": {"x": 40.0, "y": 40.0}}


def left(values: Float, axis: int) -> Float:
    """Their derivative: from the left neighbour, round the basin, at the cell's left face."""
    return (values - np.roll(values, 1, axis)) / 10


def right(values: Float, axis: int) -> Float:
    """The derivative at the cell's right face."""
    return np.roll(left(values, axis), -1, axis)


def to_centres(axis: int) -> Array:
    """Mean of the derivatives at the two faces of a cell."""
    return (left(FOO, axis) + right(FOO, axis)) / 2


LINE = array(2.0 * np.arange(1, 10), "x_c", x_c=np.arange(1.0, 10))

FACTS = (
    Fact(
        "xgcm", FILE, "X derivative at both faces, averaged, periodic",
        ask(BASIN, "gradient", row="x", **AROUND), to_centres(0),
    ),
    Fact(
        "xgcm", FILE, "Y derivative at both faces, averaged, periodic",
        ask(BASIN, "gradient", row="y", **AROUND), to_centres(1),
    ),
    Fact(
        "xgcm", FILE, "X derivative of the X derivative, periodic",
        ask(BASIN, "hessian", row="x", col="x", **AROUND), (right(FOO, 0) - left(FOO, 0)) / 10,
    ),
    Fact(
        "xgcm", "issue #509", "difference of 2, 4, … 18 at the left, not periodic",
        ask(LINE, "gradient", row="x_c", where={"x_c": 0}), -16, ours=2,
        because="it wrapped although periodic=False; an axis is periodic only by period=",
    ),
    Fact(
        "xgcm", "issue #509", "difference of 2, 4, … 18, further on",
        ask(LINE, "gradient", row="x_c", where={"x_c": slice(1, None)}), [2] * 8,
    ),
)  # fmt: skip
