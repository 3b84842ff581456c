"""NumPy: the examples in the documentation of numpy.gradient, and the recipe of using it twice."""

from __future__ import annotations

from typing import Any

import numpy as np

from .fact import Fact, array, ask

DOC = "docs of numpy.gradient"
F = [1, 2, 4, 7, 11, 16]
"""1 + i (i + 1)/2, so f' = i + 1/2."""
EVEN, WIDE = array(F, "x"), array(F, "x", x=2.0 * np.arange(6))
UNEVEN = array(F, "x", x=[0.0, 1, 1.5, 3.5, 4, 6])
SMALL = array([[1, 2, 6], [3, 4, 5]], "y x")
SPACED = array([[1, 2, 6], [3, 4, 5]], "y x", y=[0.0, 2], x=[1.0, 1.5, 3.5])
SQUARES = array(np.arange(8.0) ** 2, "x")
CHECKERS = array((-1.0) ** np.arange(8), "x")
ITERATED: dict[str, Any] = {"scheme": "iterated"}

FACTS = (
    Fact(
        "NumPy", DOC, "1 2 4 7 11 16, scheme='iterated'",
        ask(EVEN, "gradient", row="x", **ITERATED), [1, 1.5, 2.5, 3.5, 4.5, 5],
    ),
    Fact(
        "NumPy", DOC, "1 2 4 7 11 16",
        ask(EVEN, "gradient", row="x"), [1, 1.5, 2.5, 3.5, 4.5, 5],
        ours=[0.5, 1.5, 2.5, 3.5, 4.5, 5.5],
        because="the default edge_order=1; the field is 1 + i(i + 1)/2 and its slope i + 1/2",
    ),
    Fact(
        "NumPy", DOC, "the same at a spacing of 2",
        ask(WIDE, "gradient", row="x", **ITERATED), [0.5, 0.75, 1.25, 1.75, 2.25, 2.5],
    ),
    Fact(
        "NumPy", DOC, "the same, uneven, scheme='iterated'",
        ask(UNEVEN, "gradient", row="x", **ITERATED), [1, 3, 3.5, 6.7, 6.9, 2.5],
    ),
    Fact(
        "NumPy", DOC, "the same, uneven, inside",
        ask(UNEVEN, "gradient", row="x", where={"x": slice(1, -1)}), [3, 3.5, 6.7, 6.9],
    ),
    Fact(
        "NumPy", DOC, "i², edge_order=2",
        ask(array(np.arange(5) ** 2, "x"), "gradient", row="x"), [0, 2, 4, 6, 8],
    ),
    Fact(
        "NumPy", DOC, "two rows of three, along the rows first",
        ask(SMALL, "gradient", **ITERATED),
        [[[2, 2, -1], [2, 2, -1]], [[1, 2.5, 4], [1, 1, 1]]],
    ),
    Fact(
        "NumPy", DOC, "two rows of three, dy = 2 and uneven x",
        ask(SPACED, "gradient", **ITERATED),
        [[[1, 1, -0.5], [1, 1, -0.5]], [[2, 2, 2], [2, 1.7, 0.5]]],
    ),
    Fact(
        "NumPy", "gradient of gradient", "f'' of i², scheme='iterated'",
        ask(SQUARES, "hessian", row="x", col="x", **ITERATED), [1, 1.5, 2, 2, 2, 2, 1.5, 1],
    ),
    Fact(
        "NumPy", "gradient of gradient", "f'' of i²",
        ask(SQUARES, "hessian", row="x", col="x"), [1, 1.5, 2, 2, 2, 2, 1.5, 1], ours=[2] * 8,
        because="its ends do not converge, and draw a search for the flattest place to the border",
    ),
    Fact(
        "NumPy", "gradient of gradient", "f'' of a checkerboard, inside",
        ask(CHECKERS, "hessian", row="x", col="x", where={"x": slice(2, -2)}), [0] * 4,
        ours=[-4, 4, -4, 4], because="twice a centred difference is blind to it; f'' is not",
    ),
)  # fmt: skip
