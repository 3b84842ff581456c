"""Slow plain NumPy answers, written from the definition, that the tests compare dhess with.

Nothing here imports dhess. Weights come from the Vandermonde system solved in exact rationals, so a
weight is zero here if and only if it is zero on paper; operators are dense matrices; NaN spreads by
asking for every point which nodes its stencil touches.
"""

from __future__ import annotations

import itertools
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Array = NDArray[Any]
Float = NDArray[np.float64]


def vandermonde_weights(nodes: Sequence[float], at: float, derivative: int) -> list[Fraction]:
    """Weights w with Σ w_j p(x_j) = p⁽ᵈ⁾(at) for every polynomial of degree < len(nodes).

    >>> [str(w) for w in vandermonde_weights([0.0, 1.0, 2.0], 1.0, 2)]
    ['1', '-2', '1']
    >>> [str(w) for w in vandermonde_weights([0.0, 1.0, 2.0, 3.0], 0.0, 2)]
    ['2', '-5', '4', '-1']
    """
    offsets = [Fraction(float(x)) - Fraction(float(at)) for x in nodes]
    size = len(offsets)
    right = Fraction(1)
    for factor in range(2, derivative + 1):
        right *= factor
    rows = [
        [x**power for x in offsets] + [right if power == derivative else Fraction(0)]
        for power in range(size)
    ]
    for pivot in range(size):
        found = next(r for r in range(pivot, size) if rows[r][pivot] != 0)
        rows[pivot], rows[found] = rows[found], rows[pivot]
        rows[pivot] = [value / rows[pivot][pivot] for value in rows[pivot]]
        for other in range(size):
            if other != pivot and rows[other][pivot] != 0:
                factor_ = rows[other][pivot]
                rows[other] = [
                    a - factor_ * b for a, b in zip(rows[other], rows[pivot], strict=True)
                ]
    return [row[-1] for row in rows]


def window(size: int, index: int, derivative: int, *, even: bool) -> range:
    """Nodes of the direct order-2 operator at ``index``, as the documentation promises them.

    First derivative: 3 nodes. Second derivative: on an even axis 3 nodes inside and 4 at the ends,
    on an uneven axis 5 (all of them where the axis has 4). Centred, and pushed inwards at the ends.
    """
    if derivative == 1:
        count = 3
    elif not even:
        count = min(5, size)
    else:
        count = 3 if 0 < index < size - 1 else 4
    start = min(max(index - count // 2, 0), size - count)
    return range(start, start + count)


@lru_cache(maxsize=512)
def _matrix(values: tuple[float, ...], derivative: int, even: bool) -> Float:
    size = len(values)
    matrix = np.zeros((size, size))
    step = (values[-1] - values[0]) / (size - 1)
    nodes = [float(i) for i in range(size)] if even else list(values)
    scale = step**-derivative if even else 1.0
    for index in range(size):
        used = window(size, index, derivative, even=even)
        weights = vandermonde_weights([nodes[j] for j in used], nodes[index], derivative)
        for j, weight in zip(used, weights, strict=True):
            matrix[index, j] = float(weight) * scale
    matrix.setflags(write=False)
    return matrix


def direct_matrix(values: Array, derivative: int, *, even: bool) -> Float:
    """Dense operator of the direct scheme on the coordinate ``values``, shape (size, size)."""
    return _matrix(tuple(float(v) for v in values), derivative, even)


def apply(matrix: Float, data: Array, axis: int) -> Float:
    """Multiply along ``axis``; a point is NaN where a NaN carries a weight that is not zero."""
    moved = np.moveaxis(np.asarray(data, dtype=np.float64), axis, 0)
    flat = moved.reshape(moved.shape[0], -1)
    nan = np.isnan(flat)
    out = matrix @ np.where(nan, 0.0, flat)
    touched = (matrix != 0).astype(np.int64) @ nan.astype(np.int64) > 0
    out[touched] = np.nan
    return np.moveaxis(out.reshape(moved.shape), 0, axis)


class Oracle:
    """Gradient and Hessian of the direct scheme by dense matrices, on every dimension or some.

    ``axes`` holds per differentiated array axis (its position, coordinate values, even or not).
    """

    def __init__(self, data: Array, axes: Sequence[tuple[int, Array, bool]]) -> None:
        self.data = np.asarray(data, dtype=np.float64)
        self.axes = list(axes)

    def _components(self, k: int, l: int | None) -> list[tuple[Float, int]]:
        position, values, even = self.axes[k]
        if l is None:
            return [(direct_matrix(values, 1, even=even), position)]
        if k == l:
            return [(direct_matrix(values, 2, even=even), position)]
        other, other_values, other_even = self.axes[l]
        return [
            (direct_matrix(values, 1, even=even), position),
            (direct_matrix(other_values, 1, even=other_even), other),
        ]

    def component(self, k: int, l: int | None = None) -> Float:
        """f_k, or f_kl when ``l`` is given."""
        out = self.data
        for matrix, position in self._components(k, l):
            out = apply(matrix, out, position)
        return out

    def rounding(self, k: int, l: int | None = None) -> Float:
        """Σ|w||f|: what a rounding error of f_k or f_kl is measured against, point by point."""
        out = np.abs(np.nan_to_num(self.data, nan=0.0))
        for matrix, position in self._components(k, l):
            out = apply(np.abs(matrix), out, position)
        return out

    def gradient(self) -> Float:
        return np.stack([self.component(k) for k in range(len(self.axes))])

    def hessian(self) -> Float:
        n = len(self.axes)
        return np.stack(
            [np.stack([self.component(min(k, l), max(k, l)) for l in range(n)]) for k in range(n)]
        )


def iterated_gradient(data: Array, axes: Sequence[tuple[int, Array]]) -> Float:
    """``numpy.gradient`` along each of ``axes`` (position, coordinate values)."""
    data = np.asarray(data, dtype=np.float64)
    return np.stack([np.gradient(data, values, axis=position) for position, values in axes])


def iterated_hessian(data: Array, axes: Sequence[tuple[int, Array]]) -> Float:
    """``numpy.gradient`` applied twice, shape (n, n, *data.shape)."""
    first = iterated_gradient(data, axes)
    return np.stack(
        [
            np.stack([np.gradient(row, values, axis=position) for position, values in axes])
            for row in first
        ]
    )


def _lapack(hessian: Float) -> Float:
    """Ascending eigenvalues, shape (n, *field); NaN where an entry is NaN or infinite."""
    moved = np.moveaxis(hessian, (0, 1), (-2, -1))
    good: NDArray[np.bool_] = np.asarray(np.isfinite(moved).all(axis=(-2, -1)))
    values = np.linalg.eigvalsh(np.where(good[..., None, None], moved, 0.0))
    return np.moveaxis(np.where(good[..., None], values, np.nan), -1, 0)


def _determinant(hessian: Float) -> Float:
    """Sum over permutations: exact signs, no pivoting."""
    n = hessian.shape[0]
    total = np.zeros(hessian.shape[2:])
    for permutation in itertools.permutations(range(n)):
        inversions = sum(a > b for a, b in itertools.combinations(permutation, 2))
        product = np.ones(hessian.shape[2:])
        for row, column in enumerate(permutation):
            product = product * hessian[row, column]
        total += (-1) ** inversions * product
    return total


# name → (gradient (n, …), Hessian (n, n, …)) → the measure's field
MEASURES: dict[str, Callable[[Float, Float], Float]] = {
    "slope": lambda g, _h: np.sqrt((g**2).sum(axis=0)),
    "slope_angle": lambda g, _h: np.arctan2(g[0], g[-1]),
    "laplacian": lambda _g, h: np.trace(h),
    "laplacian_abs": lambda _g, h: np.abs(np.trace(h)),
    "hessian_norm": lambda _g, h: np.sqrt((h**2).sum(axis=(0, 1))),
    "hessian_spectral": lambda _g, h: np.abs(_lapack(h)).max(axis=0),
    "hessian_det": lambda _g, h: _determinant(h),
    "hessian_min_element": lambda _g, h: h.min(axis=(0, 1)),
    "eigenvalue_min": lambda _g, h: _lapack(h)[0],
    "eigenvalue_max": lambda _g, h: _lapack(h)[-1],
}

NEEDS_HESSIAN = [name for name in MEASURES if not name.startswith("slope")]


def k_smallest(field: Array, k: int) -> list[tuple[int, ...]]:
    """Indices of the ``k`` smallest values: NaN never, ties by the lowest index in C order."""
    flat = np.asarray(field).ravel()
    order = np.lexsort((np.arange(flat.size), flat))
    best = [int(i) for i in order if not np.isnan(flat[i])][:k]
    return [tuple(int(j) for j in np.unravel_index(i, np.shape(field))) for i in best]


def monomial(exponents: Sequence[int], points: Sequence[Array]) -> Float:
    """Π x_kᵉᵏ on the grid of ``points``."""
    out = np.ones(tuple(len(p) for p in points))
    for axis, (e, x) in enumerate(zip(exponents, points, strict=True)):
        shape = [1] * len(points)
        shape[axis] = -1
        out = out * (np.asarray(x, dtype=np.float64) ** e).reshape(shape)
    return out


def monomial_derivative(
    exponents: Sequence[int], points: Sequence[Array], wrt: Sequence[int]
) -> Float:
    """The same monomial differentiated by hand, once per entry of ``wrt``."""
    left = list(exponents)
    factor = 1
    for k in wrt:
        factor *= left[k]
        left[k] = max(left[k] - 1, 0)
    return factor * monomial(left, points) if factor else np.zeros([len(p) for p in points])


def rosenbrock(points: Sequence[Array]) -> Float:
    """Σ 100 (x_{k+1} − x_k²)² + (1 − x_k)² on the grid of ``points``."""
    grid = np.meshgrid(*points, indexing="ij")
    out = np.zeros(grid[0].shape)
    for a, b in itertools.pairwise(grid):
        out += 100 * (b - a**2) ** 2 + (1 - a) ** 2
    return out


def three_point_second_derivative(data: Array, x: Array) -> Float:
    """MetPy's formula: the parabola through three neighbours, the nearest three at the ends."""
    out = np.empty(len(x))
    for i in range(len(x)):
        c = min(max(i, 1), len(x) - 2)
        left, right = x[c] - x[c - 1], x[c + 1] - x[c]
        out[i] = 2 * (data[c - 1] * right - data[c] * (left + right) + data[c + 1] * left)
        out[i] /= left * right * (left + right)
    return out
