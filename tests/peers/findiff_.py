"""findiff: maroba/findiff, its coefficients, exact polynomials and orders of convergence."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import findiff
import numpy as np

import dhess

from .fact import Fact, array, ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

COEFS, FINDIFF = "test_coefs.py", "test_findiff.py"
SCALING, ACCURACY = "test_scaling.py", "test_accuracy.py"
IMPULSES = array(np.eye(12), "impulse x")
"""The derivative of the impulse at j, at i, is the weight that j has for i."""

ROOTS = np.sqrt(np.linspace(0, 1, 10))
CUBIC = array(ROOTS**3, "x", x=ROOTS)
AXIS = np.linspace(0, 1, 50)
X, Y, Z = np.meshgrid(AXIS, AXIS, AXIS, indexing="ij")
CUBES = array(X**3 + Y**3 + Z**3, "x y z", x=AXIS, y=AXIS, z=AXIS)
BIAXIS = np.linspace(-1, 1, 100)
SADDLE = array(BIAXIS[:, None] * BIAXIS, "x y", x=BIAXIS, y=BIAXIS)


def of_three_points() -> str:
    """What findiff says to the second derivative of three points."""
    try:
        (findiff.Diff(0, 1.0, acc=2) ** 2)(np.array([0.0, 1, 4]))
    except IndexError as error:
        return type(error).__name__
    return "a value"


def slope(errors: Callable[[int], float], sizes: Iterable[float]) -> float:
    """Fit the slope of the error over the step on logarithmic axes."""
    n = np.array([int(s) for s in sizes])
    steps = 1 / (n - 1)
    return float(np.polyfit(np.log(steps), np.log([errors(int(m)) for m in n]), 1)[0])


def error_1d(order: int, n: int) -> float:
    """Largest error of (sin x)' on [0, π], the ends included."""
    x = np.linspace(0, np.pi, n)
    got = dhess.gradient(array(np.sin(x), "x", x=x), order=order).sel(row="x")
    return float(np.abs(got - np.cos(x)).max())


def error_2d(order: int, n: int) -> float:
    """Largest error of f_x of sin x sin y on [0, 3]²."""
    x = np.linspace(0, 3, n)
    f = array(np.sin(x)[:, None] * np.sin(x), "x y", x=x, y=x)
    got = dhess.gradient(f, dims="x", order=order).sel(row="x").values
    return float(np.abs(got - np.cos(x)[:, None] * np.sin(x)).max())


def error_power(order: int, n: int, **options: Any) -> float:
    """Largest relative error of (x⁸)'' on [0.1, 1]."""
    x = np.linspace(0.1, 1, n)
    got = dhess.hessian(array(x**8, "x", x=x), order=order, **options).values[0, 0]
    return float(np.abs(got / (56 * x**6) - 1).max())


SIZES_1D, SIZES_2D = 10 ** np.linspace(1.75, 2, 10), (10, 30, 100, 300)
SIZES_POWER = np.logspace(2, 3, 10)


def weights(what: str, at: int, count: int, order: int) -> Any:
    """Ask for the weights of the first or last ``count`` points at one of them."""
    points = slice(0, count) if at < 6 else slice(-count, None)
    part: dict[str, Any] = {"row": "x"} | ({"col": "x"} if what == "hessian" else {})
    return ask(IMPULSES, what, where={"x": at, "impulse": points}, dims="x", order=order, **part)


def centred(what: str, reach: int, order: int) -> Any:
    """Ask for the weights of a centred formula."""
    around = slice(6 - reach, 7 + reach)
    part: dict[str, Any] = {"row": "x"} | ({"col": "x"} if what == "hessian" else {})
    return ask(IMPULSES, what, where={"x": 6, "impulse": around}, dims="x", order=order, **part)


FORWARD_2_4 = np.array([15 / 4, -77 / 6, 107 / 6, -13, 61 / 12, -5 / 6])
FORWARD_1_4 = np.array([-25 / 12, 4, -3, 4 / 3, -1 / 4])

FACTS = (
    Fact(
        "findiff", f"{COEFS}::test_order2_acc2", "weights of f'', order 2, inside",
        centred("hessian", 1, 2), [1, -2, 1],
    ),
    Fact(
        "findiff", f"{COEFS}::test_order2_acc2", "weights of f'', order 2, first point",
        weights("hessian", 0, 4, 2), [2, -5, 4, -1],
    ),
    Fact(
        "findiff", f"{COEFS}::test_order1_acc2", "weights of f', order 2, last point",
        weights("gradient", 11, 3, 2), [0.5, -2, 1.5],
    ),
    Fact(
        "findiff", f"{COEFS}::test_order2_acc4", "weights of f'', order 4, inside",
        centred("hessian", 2, 4), [-1 / 12, 4 / 3, -2.5, 4 / 3, -1 / 12],
    ),
    Fact(
        "findiff", f"{COEFS}::test_order2_acc4", "weights of f'', order 4, first point",
        weights("hessian", 0, 6, 4), FORWARD_2_4,
    ),
    Fact(
        "findiff", f"{COEFS}::test_order2_acc4", "weights of f'', order 4, last point",
        weights("hessian", 11, 6, 4), FORWARD_2_4[::-1],
    ),
    Fact(
        "findiff", f"{COEFS}::test_order1_acc4", "weights of f', order 4, inside",
        centred("gradient", 2, 4), [1 / 12, -2 / 3, 0, 2 / 3, -1 / 12],
    ),
    Fact(
        "findiff", "test_bugs.py, issue #31", "weights of f', order 4, first point",
        weights("gradient", 0, 5, 4), FORWARD_1_4,
    ),
    Fact(
        "findiff", "test_bugs.py, issue #31", "weights of f', order 4, second point",
        weights("gradient", 1, 6, 4), [0, *FORWARD_1_4],
        ours=[-1 / 4, -5 / 6, 3 / 2, -1 / 2, 1 / 12, 0],
        because="it shifts the forward formula; our window goes in only as far as it must",
    ),
    Fact(
        "findiff", f"{FINDIFF}::test_1d_linear_combination", "f' of x³ on √x, order 4",
        ask(CUBIC, "gradient", row="x", order=4), 3 * ROOTS**2, close=1e-11,
    ),
    Fact(
        "findiff", f"{FINDIFF}::test_1d_linear_combination", "f'' of x³ on √x, order 4",
        ask(CUBIC, "hessian", row="x", col="x", order=4), 6 * ROOTS, close=1e-10,
    ),
    Fact(
        "findiff", f"{FINDIFF}::test_laplace", "Laplacian of x³ + y³ + z³, 50³ points",
        ask(CUBES, "laplacian"), 6 * (X + Y + Z), close=1e-10,
    ),
    Fact(
        "findiff", f"{FINDIFF}::test_spac", "f_xy of x y",
        ask(SADDLE, "hessian", row="x", col="y"), np.ones((100, 100)), close=1e-10,
    ),
    *(
        Fact(
            "findiff", f"{SCALING}::test_1d_acc{p}", f"slope of the error of f', order {p}",
            partial(slope, partial(error_1d, p), SIZES_1D), float(p), close=0.05 / (1 + p),
        )
        for p in (2, 4, 6)
    ),
    *(
        Fact(
            "findiff", f"{SCALING}::test_2d_acc{p}", f"slope of the error of f_x, order {p}",
            partial(slope, partial(error_2d, p), SIZES_2D), float(p), close=0.05 / (1 + p),
        )
        for p in (2, 4)
    ),
    *(
        Fact(
            "findiff", f"{ACCURACY}::test_iterative_accuracy",
            f"slope of the error of f'', order {p}",
            partial(slope, partial(error_power, p), SIZES_POWER), float(p), close=0.2 / (1 + p),
        )
        for p in (2, 4)
    ),
    Fact(
        "findiff", f"{ACCURACY}::test_iterative_accuracy", "slope of the error of (f')', order 4",
        partial(slope, partial(error_power, 4, scheme="iterated"), SIZES_POWER), 3.0, close=0.1,
    ),
    Fact(
        "findiff", f"{ACCURACY}::test_iterative_accuracy", "slope of the error of (f')', order 2",
        partial(slope, partial(error_power, 2, scheme="iterated"), SIZES_POWER), 1.0, ours=0.0,
        close=0.1, because="order 2 repeats numpy.gradient, whose first-order ends leave nothing",
    ),
    Fact(
        "findiff", "(Diff(0, 1.0, acc=2) ** 2)(f)", "f'' of three even points",
        ask(array([0.0, 1, 4], "x"), "hessian"), of_three_points(), ours=dhess.GridError,
    ),
)  # fmt: skip
