"""Orders of accuracy: slopes in the log-log plot on five kinds of axes, and polynomials.

A field is a wave e^{iωx}: the error of its cosine and of its sine together, √(a² + b²), is what no
shift of the wave changes, so neither does a lucky phase at an end. Errors are root mean squares
over the points of a part of the grid, so that more points do not find a worse one. Random steps
are drawn from both ends of the axis inwards with the same seed, so that the ratios of steps near
an end or a seam stay what they are while the axis is refined.

`pytest tests/test_convergence.py -s` shows the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, cases

if TYPE_CHECKING:
    from collections.abc import Callable

    from .oracles import Float

ORDERS = (2, 4, 6, 8)
STEPS = {
    2: (96, 128, 192, 256, 384),
    4: (144, 192, 240, 320),
    6: (168, 208, 256, 320),
    8: (192, 224, 264, 312),
}
"""Steps per unit: fine enough for the leading term, coarse enough to see it over the rounding."""
WAVES = 6
"""Wave lengths on an axis of length 1."""
OMEGA = 2 * np.pi * WAVES
SEEDS = 5


def even(n: int, _seed: int) -> Float:
    return np.linspace(0, 1, n + 1)


def graded(n: int, _seed: int) -> Float:
    """Steps that double from one end to the other, level at both ends."""
    t = even(n, 0)
    grown: Float = t - np.sin(np.pi * t) / (3 * np.pi)
    return grown


def jitter(size: int, seed: int) -> Float:
    """Moves of ±30 % of a step, the same ones near both ends whatever the size."""
    draw = np.random.default_rng(seed).uniform(-0.3, 0.3, (2, 1000))
    return np.concatenate([draw[0, : size // 2], draw[1, : size - size // 2][::-1]])


def jittered(n: int, seed: int) -> Float:
    return (np.arange(n + 1) + jitter(n + 1, seed)) / n


def around(n: int, _seed: int) -> Float:
    return np.arange(n) / n


def around_jittered(n: int, seed: int) -> Float:
    return (np.arange(n) + jitter(n, seed)) / n


AXES: dict[str, tuple[Callable[[int, int], Float], bool]] = {
    "even": (even, False),
    "graded": (graded, False),
    "jittered ±30 %": (jittered, False),
    "periodic, even": (around, True),
    "periodic, jittered ±30 %": (around_jittered, True),
}
PARTS = {"f′": 1, "f″": 2, "f_xy": 3}


def parts(size: int, order: int) -> dict[str, list[int]]:
    """Indices inside and at the ends (or the seam), where order 2 to 8 have one-sided stencils."""
    rim = (order + 3) // 2
    ends = [*range(rim), *range(size - rim, size)]
    return {"inside": list(range(rim, size - rim)), "ends": ends}


def wave(x: Float) -> Float:
    return np.stack([np.cos(OMEGA * x), np.sin(OMEGA * x)])


def errors_along(axis: str, order: int, n: int, seed: int) -> dict[tuple[str, str], float]:
    """Errors of f′ and f″ over those of the exact derivative's size."""
    make, periodic = AXES[axis]
    x = make(n, seed)
    f = wave(x)
    array = xr.DataArray(f, {"x": x}, ("part", "x"))
    options: dict[str, Any] = {"dims": ["x"], "order": order}
    options |= {"period": {"x": 1.0}} if periodic else {}
    quarter = np.stack([-f[1], f[0]])
    found = {
        "f′": dhess.gradient(array, **options).values[0] / OMEGA - quarter,
        "f″": dhess.hessian(array, **options).values[0, 0] / OMEGA**2 + f,
    }
    return {
        (name, part): float(np.sqrt((error[:, where] ** 2).sum(axis=0).mean()))
        for name, error in found.items()
        for part, where in parts(len(x), order).items()
    }


def errors_across(axis: str, order: int, n: int, seed: int) -> dict[tuple[str, str], float]:
    """Errors of f_xy; at the ends: where one of the two indices is."""
    make, periodic = AXES[axis]
    x, y = make(n, seed), make(n + 1, seed + 100)
    cx, sx = wave(x)
    cy, sy = wave(y)
    f = np.stack([np.outer(cy, cx) - np.outer(sy, sx), np.outer(sy, cx) + np.outer(cy, sx)])
    array = xr.DataArray(f, {"y": y, "x": x}, ("part", "y", "x"))
    options: dict[str, Any] = {"dims": ["y", "x"], "order": order}
    options |= {"period": {"x": 1.0, "y": 1.0}} if periodic else {}
    error = dhess.hessian(array, **options).values[0, 1] / OMEGA**2 + f
    square = (error**2).sum(axis=0)
    inside = np.zeros(square.shape, dtype=bool)
    inside[np.ix_(parts(len(y), order)["inside"], parts(len(x), order)["inside"])] = True
    return {
        ("f_xy", "inside"): float(np.sqrt(square[inside].mean())),
        ("f_xy", "ends"): float(np.sqrt(square[~inside].mean())),
    }


def slopes(axis: str, order: int) -> dict[tuple[str, str], float]:
    """Fit through all sizes, of the median over seeds where steps are random."""
    seeds = range(SEEDS if "jittered" in axis else 1)
    rows = []
    for n in STEPS[order]:
        drawn = [errors_along(axis, order, n, s) | errors_across(axis, order, n, s) for s in seeds]
        rows.append({key: float(np.median([d[key] for d in drawn])) for key in drawn[0]})
    logs = np.log(STEPS[order])
    return {
        key: float(-np.polyfit(logs, np.log([row[key] for row in rows]), 1)[0]) for key in rows[0]
    }


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, int], dict[tuple[str, str], float]]:
    found = {(axis, order): slopes(axis, order) for axis in AXES for order in ORDERS}
    columns = [(name, part) for name in ("f′", "f″", "f_xy") for part in ("inside", "ends")]
    heads = [f"{name} {part}" for name, part in columns]
    print("\n\n| axis | order | " + " | ".join(heads) + " |")
    print("|---|---" + "|---:" * len(columns) + "|")
    for (axis, order), row in found.items():
        cells = " | ".join(f"{row[column]:.2f}" for column in columns)
        print(f"| {axis} | {order} | {cells} |")
    return found


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("order", ORDERS)
def test_slopes_reach_the_order(
    table: dict[tuple[str, int], dict[tuple[str, str], float]], axis: str, order: int
) -> None:
    for column, slope in table[axis, order].items():
        assert slope >= order - 0.1, column


@given(data=st.data(), order=st.sampled_from(ORDERS))
@settings(max_examples=60)
def test_exact_on_polynomials(data: st.DataObject, order: int) -> None:
    """Degree p in first, p + 1 in second derivatives, tensor products of degree p in mixed ones."""
    case = data.draw(cases(max_n=3, min_size=order + 2, max_points=2500, max_size=order + 6))
    pure = data.draw(st.integers(0, len(case.lines) - 1))
    degrees = [data.draw(st.integers(0, order)) for _ in case.lines]
    check_monomial(case, degrees, order)
    degrees[pure] = order + 1
    check_monomial(case, degrees, order)


def check_monomial(case: Case, degrees: list[int], order: int) -> None:
    oracle = oracles.Oracle(oracles.monomial(degrees, case.points), case.axes, order)
    gradient = dhess.gradient(case.array(oracle.data), order=order)
    hessian = dhess.hessian(case.array(oracle.data), order=order)
    for k, degree in enumerate(degrees):
        if degree <= order:
            want = oracles.monomial_derivative(degrees, case.points, [k])
            error = np.abs(gradient.values[k] - want)
            assert (error <= 1e-12 * oracle.rounding(k) + 1e-300).all()
        for l, other in enumerate(degrees):
            if k == l or max(degree, other) <= order:
                want = oracles.monomial_derivative(degrees, case.points, [k, l])
                error = np.abs(hessian.values[k, l] - want)
                assert (error <= 1e-12 * oracle.rounding(k, l) + 1e-300).all()
