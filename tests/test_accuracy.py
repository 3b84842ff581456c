"""The second derivative of sin 3x on [0, 1]: dhess beside the usual recipes, in one table.

The largest error at n = 100 and at n = 400, for the columns that people meet: even axes inside and
at the ends, steps jittered by ±30 % inside, steps that grow from one end to the other at the ends.
`pytest tests/test_accuracy.py -s` shows the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import findiff
import numpy as np
import pytest
import xarray as xr

import dhess

from .oracles import Float, three_point_second_derivative

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (100, 400)
INSIDE, ENDS = slice(2, -2), [0, -1]


def even(n: int) -> Float:
    return np.linspace(0, 1, n)


def jittered(n: int) -> Float:
    moved = np.random.default_rng(0).uniform(-0.3, 0.3, n) / (n - 1)
    return even(n) + moved


def graded(n: int) -> Float:
    grown: Float = np.expm1(2 * even(n)) / np.expm1(2)
    return grown


COLUMNS: dict[str, tuple[Callable[[int], Float], slice | list[int]]] = {
    "even, inside": (even, INSIDE),
    "even, ends": (even, ENDS),
    "jittered, inside": (jittered, INSIDE),
    "graded, ends": (graded, ENDS),
}


def gradient_twice(data: Float, x: Float, edge_order: Literal[1, 2]) -> Float:
    first = np.gradient(data, x, edge_order=edge_order)
    second: Float = np.gradient(first, x, edge_order=edge_order)
    return second


def by_findiff(data: Float, x: Float) -> Float:
    # an even axis is given by its step, as its users do; a coordinate chooses wider stencils
    steps = np.diff(x)
    grid = float(x[1] - x[0]) if np.allclose(steps, steps[0]) else x
    second: Float = (findiff.Diff(0, grid, acc=2) ** 2)(data)
    return second


def by_dhess(data: Float, x: Float) -> Float:
    second: Float = dhess.hessian(xr.DataArray(data, coords={"x": x}, dims="x")).values[0, 0]
    return second


ROWS: dict[str, Callable[[Float, Float], Float]] = {
    "np.gradient twice, edge_order=1": lambda f, x: gradient_twice(f, x, 1),
    "np.gradient twice, edge_order=2": lambda f, x: gradient_twice(f, x, 2),
    "three-point formula (MetPy)": three_point_second_derivative,
    "findiff, acc=2": by_findiff,
    "dhess": by_dhess,
}


def error(row: str, column: str, n: int) -> float:
    axis, where = COLUMNS[column]
    x = axis(n)
    second = ROWS[row](np.sin(3 * x), x)
    return float(np.abs(second + 9 * np.sin(3 * x))[where].max())


@pytest.fixture(scope="module")
def table() -> dict[tuple[str, str, int], float]:
    cells = {(r, c, n): error(r, c, n) for r in ROWS for c in COLUMNS for n in SIZES}
    lines = ["| largest error of f″, n = 100 → 400 | " + " | ".join(COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 1) + "|")
    for row in ROWS:
        entries = (" → ".join(f"{cells[row, c, n]:.1e}" for n in SIZES) for c in COLUMNS)
        lines.append(f"| {row} | " + " | ".join(entries) + " |")
    print("\n" + "\n".join(lines))
    return cells


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("n", SIZES)
def test_dhess_is_at_least_as_good_as_the_best(
    table: dict[tuple[str, str, int], float], column: str, n: int
) -> None:
    best = min(table[row, column, n] for row in ROWS if row != "dhess")
    # 16 roundings of values near 1, divided by the square of the smallest step; where the
    # stencils are the same ones, two orders of summing differ by that much
    axis, _ = COLUMNS[column]
    rounding = 16 * np.finfo(float).eps / np.diff(axis(n)).min() ** 2
    assert table["dhess", column, n] <= best + rounding


@pytest.mark.parametrize("column", COLUMNS)
def test_dhess_converges_with_order_two(
    table: dict[tuple[str, str, int], float], column: str
) -> None:
    """Steps four times smaller: errors at least about sixteen times smaller."""
    coarse, fine = (table["dhess", column, n] for n in SIZES)
    assert coarse / fine > 4**1.9


def test_the_usual_recipe_does_not_converge_at_the_ends(
    table: dict[tuple[str, str, int], float],
) -> None:
    row = "np.gradient twice, edge_order=1"
    assert table[row, "even, ends", 400] > table[row, "even, ends", 100] > 0.3


@pytest.mark.parametrize("axis", [even, jittered, graded])
@pytest.mark.parametrize("where", [INSIDE, ENDS], ids=["inside", "ends"])
@pytest.mark.parametrize("derivative", [1, 2])
def test_slope_in_the_log_log_plot(
    axis: Callable[[int], Float], where: slice | list[int], derivative: int
) -> None:
    sizes = np.array([50, 100, 200, 400])
    errors = []
    for n in sizes:
        x = axis(n)
        data = xr.DataArray(np.exp(x), coords={"x": x}, dims="x")
        got = dhess.gradient(data)[0] if derivative == 1 else dhess.hessian(data)[0, 0]
        errors.append(np.abs(got.values - np.exp(x))[where].max())
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order > 1.85


def test_mixed_derivative_converges_with_order_two_everywhere() -> None:
    errors = []
    for n in (25, 100):
        x, y = even(n), graded(n)
        data = np.exp(y[:, None] * x[None, :])
        array = xr.DataArray(data, coords={"y": y, "x": x}, dims=["y", "x"])
        got = dhess.hessian(array).sel(row="y", col="x").values
        want = (1 + y[:, None] * x[None, :]) * data
        errors.append(np.abs(got - want).max())
    assert errors[0] / errors[1] > 4**1.8
