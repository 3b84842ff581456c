"""numdifftools: the examples in the documentation of its Hessian, and its issue on symmetry."""

from __future__ import annotations

import numpy as np

from .fact import Fact, array, ask

DOC = "docs of Hessian"
OFFSETS = 0.05 * np.arange(-6, 7)
AT = 1 + OFFSETS
ROSENBROCK = array((1 - AT[:, None]) ** 2 + 105 * (AT - AT[:, None] ** 2) ** 2, "a b", a=AT, b=AT)
COSINE = array(np.cos(OFFSETS[:, None] - OFFSETS), "a b", a=OFFSETS, b=OFFSETS)
MIDDLE = {"a": 6, "b": 6}

FACTS = (
    Fact(
        "numdifftools", DOC, "Hessian of Rosenbrock (105) at (1, 1), order 4",
        ask(ROSENBROCK, "hessian", where=MIDDLE, order=4), [[842, -420], [-420, 210]], close=1e-9,
    ),
    Fact(
        "numdifftools", DOC, "Hessian of cos(x - y) at (0, 0), order 8",
        ask(COSINE, "hessian", where=MIDDLE, order=8), [[-1, 1], [1, -1]], close=1e-9,
    ),
    Fact(
        "numdifftools", "issue #30", "the Hessian is its transpose, bit for bit",
        ask(COSINE, "hessian", then=lambda h: np.abs(h - h.swapaxes(0, 1)).max()),
        "not quite symmetric", ours=0.0, close=0.0,
        because="f_xy is computed once and stands in both places",
    ),
)  # fmt: skip
