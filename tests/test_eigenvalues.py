"""Eigenvalues against LAPACK: n = 2 … 6, near-equal, rank-one, diagonal, zero, tiny and huge."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import dhess
from dhess.kernels.eigen import symmetric_eigenvalues

from . import oracles

if TYPE_CHECKING:
    from .oracles import Float

SIZES = [2, 3, 4, 5, 6]


def form(matrix: Float, size: int = 4) -> xr.DataArray:
    """x'Ax/2 on a grid around 0: its second derivatives are A everywhere, edges included."""
    n = len(matrix)
    points = np.meshgrid(*[np.arange(size) - 1.0] * n, indexing="ij")
    data = np.zeros((size,) * n)
    for k, l in itertools.product(range(n), repeat=2):
        data += matrix[k, l] * points[k] * points[l] / 2
    return xr.DataArray(data, dims=[f"d{k}" for k in range(n)])


def rotated(values: list[float], seed: int) -> Float:
    """A symmetric matrix with these eigenvalues."""
    random = np.random.default_rng(seed).standard_normal((len(values), len(values)))
    turn, _ = np.linalg.qr(random)
    made: Float = (turn * np.asarray(values)) @ turn.T
    return (made + made.T) / 2


def check(data: xr.DataArray, tolerance: float = 1e-12) -> None:
    """dhess's eigenvalues against LAPACK's of dhess's own Hessian, relative to the largest."""
    n = data.ndim
    got = dhess.eigenvalues(data)
    assert got.dims == ("eigen", *data.dims)
    assert got.shape == (n, *data.shape)
    hessian = np.moveaxis(dhess.hessian(data).values, (0, 1), (-2, -1))
    # LAPACK itself squares entries; a power of two takes them near 1 without rounding
    largest = np.abs(hessian).max()
    power = np.exp2(np.floor(np.log2(largest))) if largest > 0 else 1.0
    want = np.moveaxis(np.linalg.eigvalsh(hessian / power), -1, 0) * power
    bound = tolerance * np.abs(want).max(axis=0)
    assert (np.abs(got.values - want) <= bound).all(), np.abs(got.values - want).max() / largest
    assert (np.diff(got.values, axis=0) >= 0).all(), "not ascending"


@pytest.mark.parametrize("n", [1, *SIZES])
def test_random_fields(n: int) -> None:
    data = np.random.default_rng(n).standard_normal((4 if n > 3 else 12,) * n)
    check(xr.DataArray(data, dims=[f"d{k}" for k in range(n)]))


SPECTRA = {
    "distinct": [-2.0, 0.5, 1.0, 3.0, 4.0, 7.0],
    "double at the top": [-1.0, 2.0, 2.0, 2.0, 2.0, 2.0],
    "double at the bottom": [-3.0, -3.0, 5.0, 5.0, 5.0, 5.0],
    "rank one": [0.0, 0.0, 4.0, 0.0, 0.0, 0.0],
    "negative rank one": [-4.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    "all equal": [2.0] * 6,
    "spread": [1e-9, 1.0, 1e6, 1e-3, 10.0, -1e4],
    "opposite": [-1.0, 1.0, 0.0, -1.0, 1.0, 0.0],
}


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_known_spectra(n: int, spectrum: str) -> None:
    values = SPECTRA[spectrum][:n]
    data = form(rotated(values, seed=n))
    check(data)
    largest = max(abs(v) for v in values)
    got = dhess.eigenvalues(data).values
    want = np.array(sorted(values)).reshape((n,) + (1,) * n)
    # the field's own rounding: 16 values of about n² · largest enter each second derivative
    np.testing.assert_allclose(
        got, want + 0 * got, rtol=0, atol=1e-13 * n * n * max(largest, 1e-300)
    )


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-8, 1e-10, 1e-14, 1e-15])
@pytest.mark.parametrize("where", ["low", "high"])
def test_near_equal(n: int, gap: float, where: str) -> None:
    third = -2.0 if where == "high" else 4.0
    values = [1.0, 1.0 + gap, third, third, third + gap, third]
    for seed in range(4 if n < 5 else 1):
        check(form(rotated(values[:n], seed)))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("gap", [1e-6, 1e-9, 1e-12, 1e-15])
def test_nearly_a_multiple_of_the_identity(n: int, gap: float) -> None:
    values = [1.0 + gap * k for k in range(n)]
    check(form(rotated(values, seed=7)))


@pytest.mark.parametrize("n", SIZES)
def test_diagonal_and_multiples_of_the_identity_are_exact(n: int) -> None:
    diagonal = np.array([3.0, -1.0, 2.0, 0.0, 3.0, -8.0][:n])
    got = dhess.eigenvalues(form(np.diag(diagonal))).values
    want = np.sort(diagonal).reshape((n,) + (1,) * n)
    np.testing.assert_allclose(got, want + 0 * got, rtol=0, atol=8e-15)
    got = dhess.eigenvalues(form(-2.0 * np.eye(n))).values
    np.testing.assert_allclose(got, -2.0, rtol=0, atol=2e-15)


@pytest.mark.parametrize("n", SIZES)
def test_zero_hessian(n: int) -> None:
    np.testing.assert_array_equal(dhess.eigenvalues(form(np.zeros((n, n)))).values, 0.0)


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("scale", [1e-100, 1e-30, 1e30, 1e100])
@pytest.mark.parametrize("spectrum", ["distinct", "double at the top", "rank one", "opposite"])
def test_tiny_and_huge(n: int, scale: float, spectrum: str) -> None:
    check(form(scale * rotated(SPECTRA[spectrum][:n], seed=n)))


@given(
    n=st.integers(2, 4),
    entries=st.lists(st.integers(-3, 3), min_size=10, max_size=10),
)
@settings(max_examples=60)
def test_small_integer_matrices(n: int, entries: list[int]) -> None:
    """Many of these have repeated or zero eigenvalues."""
    matrix = np.zeros((n, n))
    matrix[np.triu_indices(n)] = entries[: n * (n + 1) // 2]
    matrix = matrix + np.triu(matrix, 1).T
    check(form(matrix))


@pytest.mark.parametrize("n", SIZES)
def test_sum_and_product_are_trace_and_determinant(n: int) -> None:
    data = xr.DataArray(
        np.random.default_rng(5).standard_normal((5,) * n), dims=[f"d{k}" for k in range(n)]
    )
    values, hessian = dhess.eigenvalues(data).values, dhess.hessian(data).values
    size = np.abs(hessian).max()
    np.testing.assert_allclose(values.sum(axis=0), np.trace(hessian), rtol=0, atol=1e-13 * n * size)
    determinant = dhess.measure(data, "hessian_det").values
    scale = float(np.abs(values).max() ** n)
    np.testing.assert_allclose(values.prod(axis=0), determinant, rtol=0, atol=1e-13 * n * scale)


@pytest.mark.parametrize("n", SIZES)
def test_nan_and_infinite_hessians_end_and_say_nan(n: int) -> None:
    data = form(rotated([1.0, 2.0, 3.0, 4.0, 5.0, 6.0][:n], 0))
    for bad in (np.nan, np.inf):
        data[(0,) * n] = bad
        got = dhess.eigenvalues(data).values
        hessian = dhess.hessian(data).values
        broken = ~np.isfinite(hessian).all(axis=(0, 1))
        assert broken.any()
        assert np.isnan(got[:, np.isnan(hessian).any(axis=(0, 1))]).all()
        assert np.isfinite(got[:, ~broken]).all()


def test_measures_agree_with_the_eigenvalues() -> None:
    data = xr.DataArray(np.random.default_rng(2).standard_normal((6, 7, 8)), dims=list("zyx"))
    values = dhess.eigenvalues(data).values
    for name, want in [
        ("eigenvalue_min", values[0]),
        ("eigenvalue_max", values[-1]),
        ("hessian_spectral", np.abs(values).max(axis=0)),
    ]:
        np.testing.assert_array_equal(dhess.measure(data, name).values, want)


def test_the_oracle_agrees_with_lapack_on_a_batch() -> None:
    """The eigenvalues of x² + 3 xy: 1 ± √10, by hand."""
    matrix = np.array([[2.0, 3.0], [3.0, 0.0]])
    want = np.array([1 - np.sqrt(10), 1 + np.sqrt(10)])
    np.testing.assert_allclose(oracles.MEASURES["eigenvalue_min"](matrix, matrix), want[0])
    np.testing.assert_allclose(dhess.eigenvalues(form(matrix)).values[:, 0, 0], want, rtol=1e-15)


def hard_matrices(n: int, count: int = 2000) -> Float:
    """Rotated spectra with gaps of every size down to one rounding, and matrices of integers."""
    random = np.random.default_rng(n)
    turns, _ = np.linalg.qr(random.standard_normal((count, n, n)))
    base = random.integers(-2, 3, (count, 1)) + random.integers(0, 2, (count, n))
    spectra = base + 10.0 ** random.integers(-18, 1, (count, n)) * random.standard_normal(
        (count, n)
    )
    rotated_ones = (turns * spectra[:, None, :]) @ turns.swapaxes(1, 2)
    integers = random.integers(-2, 3, (count, n, n)).astype(float)
    made: Float = np.concatenate([rotated_ones, integers, np.triu(integers)])
    return (made + made.swapaxes(1, 2)) / 2


@pytest.mark.parametrize("n", SIZES)
def test_the_solver_itself_on_hard_matrices(n: int) -> None:
    matrices = hard_matrices(n)
    got = np.empty(matrices.shape[:2])
    symmetric_eigenvalues(matrices.copy(), got)
    want = np.linalg.eigvalsh(matrices)
    error = np.abs(got - want).max(axis=1)
    largest = np.abs(want).max(axis=1)
    worst = int(np.argmax(error - 1e-12 * largest))
    assert error[worst] <= 1e-12 * largest[worst], matrices[worst].tolist()
