"""The operators: exact on polynomials, the promised windows, numpy.gradient twice when asked."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.optimize
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess

from . import oracles
from .strategies import Case, Line, cases, lines

EXPONENTS = st.lists(st.integers(0, 3), min_size=5, max_size=5)


def close(got: xr.DataArray, want: oracles.Array, tolerance: float) -> None:
    np.testing.assert_allclose(got.values, want, rtol=0, atol=tolerance)


@given(case=cases(), exponents=EXPONENTS)
@settings(max_examples=60)
def test_direct_is_exact_on_monomials(case: Case, exponents: list[int]) -> None:
    exponents = exponents[: len(case.lines)]
    data = oracles.monomial(exponents, case.points)
    scale = 1e-12 * float(np.abs(data).max())
    gradient, hessian = dhess.gradient(case.array(data)), dhess.hessian(case.array(data))
    for k in range(len(exponents)):
        if exponents[k] <= 2:
            want = oracles.monomial_derivative(exponents, case.points, [k])
            close(gradient[k], want, scale / case.min_step)
        for l in range(len(exponents)):
            if k == l or (exponents[k] <= 2 and exponents[l] <= 2):
                want = oracles.monomial_derivative(exponents, case.points, [k, l])
                close(hessian[k, l], want, 16 * scale / case.min_step**2)


@given(case=cases())
@settings(max_examples=40)
def test_direct_equals_dense_vandermonde_operators(case: Case) -> None:
    oracle = oracles.Oracle(case.random(), case.axes)
    gradient, hessian = dhess.gradient(case.array()), dhess.hessian(case.array())
    for k in range(len(case.lines)):
        error = np.abs(gradient.values[k] - oracle.component(k))
        assert (error <= 1e-13 * oracle.rounding(k)).all()
        for l in range(k, len(case.lines)):
            error = np.abs(hessian.values[k, l] - oracle.component(k, l))
            assert (error <= 1e-13 * oracle.rounding(k, l)).all()


@given(case=cases(min_size=2))
@settings(max_examples=60)
def test_iterated_is_numpy_gradient_twice(case: Case) -> None:
    data = case.random()
    want = oracles.iterated_hessian(data, case.plain_axes)
    got = dhess.hessian(case.array(), scheme="iterated")
    np.testing.assert_allclose(got.values, want, rtol=0, atol=1e-12 * float(np.abs(want).max()))
    first = oracles.iterated_gradient(data, case.plain_axes)
    slopes = dhess.gradient(case.array(), scheme="iterated")
    np.testing.assert_allclose(slopes.values, first, rtol=0, atol=1e-12 * np.abs(first).max())


@pytest.mark.parametrize("shape", [(2,), (2, 2), (2, 5), (5, 2), (3, 2, 2), (2, 3, 4)])
def test_iterated_on_axes_of_two_points(shape: tuple[int, ...]) -> None:
    """The second difference of two points is 0, and mixed derivatives are not."""
    data = np.random.default_rng(0).standard_normal(shape)
    axes = [(d, np.arange(size) * 0.5) for d, size in enumerate(shape)]
    array = xr.DataArray(data, {f"d{d}": x for d, x in axes}, [f"d{d}" for d, _ in axes])
    want = oracles.iterated_hessian(data, axes)
    for _ in range(5):  # what is never written holds whatever was in memory
        got = dhess.hessian(array, scheme="iterated")
        np.testing.assert_allclose(got.values, want, rtol=0, atol=1e-12)


@given(case=cases(min_n=2), scheme=st.sampled_from(["direct", "iterated"]))
def test_hessian_is_symmetric_to_the_bit(case: Case, scheme: str) -> None:
    hessian = dhess.hessian(case.array(), scheme=scheme).values
    np.testing.assert_array_equal(hessian, hessian.swapaxes(0, 1))


def impulses(line: Line, derivative: int) -> oracles.Array:
    """The operator's dense matrix: its answer to a one at every node in turn."""
    size = len(line.values)
    data = xr.DataArray(np.eye(size), dims=["node", "x"], coords={"x": line.values})
    if derivative == 1:
        matrix: oracles.Array = dhess.gradient(data, dims=["x"]).values[0].T
    else:
        matrix = dhess.hessian(data, dims=["x"]).values[0, 0].T
    return matrix


@given(line=lines(), derivative=st.sampled_from([1, 2]))
def test_windows_are_the_documented_ones(line: Line, derivative: int) -> None:
    got = impulses(line, derivative)
    want = oracles.direct_matrix(line.values, derivative, even=line.even)
    np.testing.assert_array_equal(got != 0, want != 0)
    largest = np.abs(want).max(axis=1, keepdims=True)
    assert (np.abs(got - want) <= 1e-13 * largest).all()


@pytest.mark.parametrize(
    ("values", "derivative", "row", "want"),
    [
        # by hand: three- and four-point formulas for step 1/2
        ([0, 0.5, 1, 1.5, 2], 1, 0, [-3, 4, -1, 0, 0]),
        ([0, 0.5, 1, 1.5, 2], 1, 2, [0, -1, 0, 1, 0]),
        ([0, 0.5, 1, 1.5, 2], 1, 4, [0, 0, 1, -4, 3]),
        ([0, 0.5, 1, 1.5, 2], 2, 0, [8, -20, 16, -4, 0]),
        ([0, 0.5, 1, 1.5, 2], 2, 1, [4, -8, 4, 0, 0]),
        ([0, 0.5, 1, 1.5, 2], 2, 4, [0, -4, 16, -20, 8]),
        # descending: the first derivative changes its sign, the second does not
        ([2, 1.5, 1, 0.5, 0], 1, 2, [0, 1, 0, -1, 0]),
        ([2, 1.5, 1, 0.5, 0], 2, 1, [4, -8, 4, 0, 0]),
        # uneven, f' at 1 from 0, 1, 3: −2/3, 1/2, 1/6
        ([0, 1, 3, 7], 1, 1, [-2 / 3, 1 / 2, 1 / 6, 0]),
        # uneven with four nodes: all four, f'' at 0 of the cubic through 0, 1, 3, 7
        ([0, 1, 3, 7], 2, 0, [22 / 21, -20 / 12, 16 / 24, -8 / 168]),
        # equal steps to both sides of a node of an uneven axis: its own weight is 0
        ([0, 1, 2, 4, 5], 1, 1, [-1 / 2, 0, 1 / 2, 0, 0]),
    ],
)
def test_weights_worked_by_hand(
    values: list[float], derivative: int, row: int, want: list[float]
) -> None:
    got = impulses(Line(np.asarray(values, dtype=float), even=False), derivative)[row]
    np.testing.assert_allclose(got, want, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_checkerboard_is_not_flat(n: int) -> None:
    shape = (6,) * n
    board = (-1.0) ** np.indices(shape).sum(axis=0)
    data = xr.DataArray(board, dims=list("wxyz"[:n]))
    inside = (slice(1, -1),) * n
    # (1 + 2 + 1)·(±1) on every axis: |f_kk| = 4, mixed components 0
    norm = dhess.measure(data, "hessian_norm")
    np.testing.assert_allclose(norm.values[inside], 4 * np.sqrt(n), rtol=1e-14)
    assert float(norm.min()) > 1
    flat = dhess.measure(data, "hessian_norm", scheme="iterated")
    np.testing.assert_array_equal(flat.values[(slice(2, -2),) * n], 0)


def plane(function: str) -> xr.DataArray:
    """A function of x and y on steps 0.5 and 2, y first: what is mixed up here differs there."""
    y = xr.DataArray(3 - 2.0 * np.arange(6), dims="y", name="y")
    x = xr.DataArray(1 + 0.5 * np.arange(7), dims="x", name="x")
    data = {"x2": x * x + 0 * y, "y2": y * y + 0 * x, "xy": x * y, "x+y": (x + y) ** 2 / 2}[
        function
    ]
    return data.assign_coords(x=x, y=y).transpose("y", "x")


@pytest.mark.parametrize(
    ("function", "yy", "yx", "xx"),
    [("x2", 0, 0, 2), ("y2", 2, 0, 0), ("xy", 0, 1, 0), ("x+y", 1, 1, 1)],
)
def test_sign_order_and_scale_of_every_component(
    function: str, yy: float, yx: float, xx: float
) -> None:
    data = plane(function)
    hessian = dhess.hessian(data)
    for row, col, want in [("y", "y", yy), ("y", "x", yx), ("x", "y", yx), ("x", "x", xx)]:
        got = hessian.sel(row=row, col=col).values
        np.testing.assert_allclose(got, want, atol=1e-12)
    slopes = {
        "x2": (0 * data.x, 2 * data.x),
        "y2": (2 * data.y, 0 * data.y),
        "xy": (data.x, data.y),
        "x+y": (data.x + data.y, data.x + data.y),
    }[function]
    gradient = dhess.gradient(data)
    for name, slope in zip("yx", slopes, strict=True):
        want_slope = (slope + 0 * data).transpose("y", "x").values
        np.testing.assert_allclose(gradient.sel(row=name).values, want_slope, atol=1e-12)


def test_square_of_the_index_curves_by_two_everywhere() -> None:
    data = xr.DataArray(np.arange(9.0) ** 2, dims="i")
    np.testing.assert_array_equal(dhess.hessian(data).values[0, 0], 2.0)
    # what the usual recipe gives instead, and what scheme="iterated" reproduces
    twice = dhess.hessian(data, scheme="iterated").values[0, 0]
    np.testing.assert_array_equal(twice, [1, 1.5, 2, 2, 2, 2, 2, 1.5, 1])


def test_anisotropic_cells_are_not_averaged() -> None:
    y, x = np.meshgrid(np.arange(6) * 1.0, np.arange(6) * 2.0, indexing="ij")
    data = xr.DataArray(-100 * y**2 + 0 * x, dims=["y", "x"])
    curved = dhess.hessian(data, spacing={"y": 1.0, "x": 2.0})
    np.testing.assert_allclose(curved.sel(row="y", col="y").values, -200.0, rtol=1e-12)
    np.testing.assert_array_equal(curved.sel(row="x", col="x").values, 0.0)


def test_offset_of_a_float32_field_does_not_eat_the_curvature() -> None:
    data = xr.DataArray(np.float32(1e5) - np.arange(8, dtype=np.float32) ** 2, dims="x")
    np.testing.assert_array_equal(dhess.hessian(data).values, np.float32(-2))


def test_rosenbrock_against_scipy() -> None:
    points = [np.linspace(-1, 1, 5) + k / 8 for k in range(4)]
    data = xr.DataArray(
        oracles.rosenbrock(points), coords=dict(zip("abcd", points, strict=True)), dims=list("abcd")
    )
    got = dhess.hessian(data).values
    # x⁴ is one degree too many for f_kk: its error is 12·100·h²·2/12 inside, so take only f_kl
    for index in itertools.product(range(5), repeat=4):
        want = scipy.optimize.rosen_hess(
            np.array([p[i] for p, i in zip(points, index, strict=True)])
        )
        here = got[(slice(None), slice(None), *index)]
        np.testing.assert_allclose(
            here[~np.eye(4, dtype=bool)], want[~np.eye(4, dtype=bool)], atol=1e-9
        )
        np.testing.assert_allclose(here[3, 3], want[3, 3], atol=1e-9)


@pytest.mark.parametrize("n", [6, 7, 8])
def test_many_dimensions(n: int) -> None:
    names = [f"d{k}" for k in range(n)]
    points = [np.arange(4.0) - k for k in range(n)]
    exponents = [2, 1, *[0] * (n - 3), 1]
    data = xr.DataArray(
        oracles.monomial(exponents, points),
        coords=dict(zip(names, points, strict=True)),
        dims=names,
    )
    hessian = dhess.hessian(data)
    for k, l in [(0, 0), (0, 1), (1, n - 1), (n - 1, n - 1), (2, n - 2)]:
        want = oracles.monomial_derivative(exponents, points, [k, l])
        np.testing.assert_allclose(hessian.values[k, l], want, atol=1e-10)
