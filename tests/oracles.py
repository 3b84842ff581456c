"""Slow plain NumPy answers, written from the definition, that the tests compare dhess with.

Nothing here imports dhess. Weights come from the Vandermonde system solved in exact rationals, so a
weight is zero here if and only if it is zero on paper; operators are dense matrices; NaN spreads by
asking for every point which nodes its stencil touches.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

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
    offsets = tuple(Fraction(x) - Fraction(at) for x in nodes)
    return list(_weights(offsets, derivative))


@lru_cache(maxsize=1 << 15)
def _weights(offsets: tuple[Fraction, ...], derivative: int) -> tuple[Fraction, ...]:
    """Solve the Vandermonde system: its inverse holds the coefficients of Lagrange's polynomials.

    The polynomial that is 1 at x_j and 0 at the other nodes is Π(x − x_i) divided by (x − x_j) and
    by its own value at x_j; w_j is d! times its coefficient of xᵈ.
    """
    product = [Fraction(1)]  # Π(x − x_i), highest power first
    for x in offsets:
        product = [
            a - x * b for a, b in zip([*product, Fraction(0)], [Fraction(0), *product], strict=True)
        ]
    weights = []
    for x in offsets:
        quotient = [Fraction(0)]
        for coefficient in product[:-1]:
            quotient.append(coefficient + x * quotient[-1])
        at_node = Fraction(0)
        for coefficient in quotient:
            at_node = at_node * x + coefficient
        weights.append(math.factorial(derivative) * quotient[-1 - derivative] / at_node)
    return tuple(weights)


def widths(derivative: int, *, even: bool, order: int) -> tuple[int, int]:
    """How many nodes a derivative takes inside and at the ends, as the documentation promises."""
    if derivative == 1:
        return order + 1, order + 1
    return (order + 1, order + 2) if even else (order + 3, order + 3)


def window(
    size: int,
    index: int,
    derivative: int,
    *,
    even: bool,
    order: int = 2,
    periodic: bool = False,
) -> range:
    """Nodes of the direct operator at ``index``, as the documentation promises them.

    Centred, and pushed inwards at the ends. On an uneven axis of only order + 2 points a second
    derivative takes all of them. On a periodic axis the nodes go on over the seam: modulo size.
    """
    inside, outside = widths(derivative, even=even, order=order)
    half = inside // 2
    if periodic or half <= index < size - half:
        return range(index - half, index - half + inside)
    count = min(outside, size)
    start = min(max(index - count // 2, 0), size - count)
    return range(start, start + count)


class Along(NamedTuple):
    """A differentiated axis: its position in the array, its coordinate, and how it goes on."""

    position: int
    values: Array
    even: bool
    period: float | None = None

    def offset(self, node: int, index: int) -> Fraction:
        """Distance of a node from a point, in steps if the axis is even; nodes may lie beyond."""
        size = len(self.values)
        if self.even:
            return Fraction(node - index)
        turns, place = divmod(node, size)
        away = Fraction(float(self.values[place])) - Fraction(float(self.values[index]))
        if turns:
            assert self.period is not None
            sign = 1 if self.values[-1] > self.values[0] else -1
            away += turns * sign * Fraction(float(self.period))
        return away

    @property
    def step(self) -> float:
        """Mean step; what the offsets of an even axis count."""
        return float(self.values[-1] - self.values[0]) / (len(self.values) - 1)

    def weights(self, nodes: range, index: int, derivative: int) -> list[float]:
        """Weights of the nodes for the derivative at ``index``."""
        exact = _weights(tuple(self.offset(node, index) for node in nodes), derivative)
        scale = self.step**-derivative if self.even else 1.0
        return [float(weight) * scale for weight in exact]


@lru_cache(maxsize=512)
def _matrix(
    values: tuple[float, ...], derivative: int, even: bool, order: int, period: float | None
) -> Float:
    size = len(values)
    matrix = np.zeros((size, size))
    axis = Along(0, np.array(values), even, period)
    for index in range(size):
        periodic = period is not None
        used = window(size, index, derivative, even=even, order=order, periodic=periodic)
        for node, weight in zip(used, axis.weights(used, index, derivative), strict=True):
            matrix[index, node % size] += weight
    matrix.setflags(write=False)
    return matrix


def direct_matrix(
    values: Array,
    derivative: int,
    *,
    even: bool,
    order: int = 2,
    period: float | None = None,
) -> Float:
    """Dense operator of the direct scheme on the coordinate ``values``, shape (size, size)."""
    return _matrix(tuple(float(v) for v in values), derivative, even, order, period)


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

    ``axes`` holds per differentiated array axis (its position, coordinate values, even or not, and
    its period if there is one).
    """

    def __init__(
        self, data: Array, axes: Sequence[tuple[int, Array, bool] | Along], order: int = 2
    ) -> None:
        self.data = np.asarray(data, dtype=np.float64)
        self.axes = [Along(*axis) for axis in axes]
        self.order = order

    def operator(self, k: int, derivative: int) -> tuple[Float, int]:
        """Dense operator along axis ``k``, and which axis of the array that is."""
        position, values, even, period = self.axes[k]
        matrix = direct_matrix(values, derivative, even=even, order=self.order, period=period)
        return matrix, position

    def _components(self, k: int, l: int | None) -> list[tuple[Float, int]]:
        if l is None:
            return [self.operator(k, 1)]
        if k == l:
            return [self.operator(k, 2)]
        return [self.operator(k, 1), self.operator(l, 1)]

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


class Adapted:
    """Gradient and Hessian of nan="adapt", point by point, from the definition.

    Along an axis the valid points around a point are its run: up to a NaN or the end of the axis,
    over the seam of a periodic one. Windows lie within the run: centred where `widths` says inside
    and both neighbours are there, else of as many nodes as outside says and the run has, pushed to
    where they fit. f_kl is a sum over a rectangle of valid points: the window along k, and along l
    one from the run in which all lines of that window are valid; or the other way round. The one
    whose smaller side is longer counts, the mean of the two where that is equal.
    """

    def __init__(self, data: Array, axes: Sequence[tuple[int, Array, bool] | Along], order: int):
        self.data = np.asarray(data, dtype=np.float64)
        self.valid: NDArray[np.bool_] = ~np.isnan(self.data)
        self.axes = [Along(*axis) for axis in axes]
        self.order = order

    def window(self, k: int, derivative: int, index: int, valid: Sequence[bool]) -> range | None:
        """Nodes along axis ``k`` at ``index`` of a line that is valid at some places."""
        size, periodic = len(valid), self.axes[k].period is not None
        inside, outside = widths(derivative, even=self.axes[k].even, order=self.order)

        def good(node: int) -> bool:
            return valid[node % size] if periodic else 0 <= node < size and valid[node]

        first, last = index, index
        while index - first < size and good(first - 1):
            first -= 1
        while last - index < size and good(last + 1):
            last += 1
        half = inside // 2
        if index - first >= half and last - index >= half:
            return range(index - half, index - half + inside)
        width = min(outside, last - first + 1)
        if width < derivative + 1:
            return None
        start = min(max(index - width // 2, first), last + 1 - width)
        return range(start, start + width)

    def line(self, k: int, index: tuple[int, ...]) -> NDArray[np.bool_]:
        """Which points along axis ``k`` through ``index`` are valid."""
        place: list[Any] = list(index)
        place[self.axes[k].position] = slice(None)
        found: NDArray[np.bool_] = self.valid[tuple(place)]
        return found

    def rectangle(self, k: int, l: int, index: tuple[int, ...]) -> tuple[range, range] | None:
        """Windows along ``k``, from the run through the point, and along ``l``."""
        at = self.axes[k].position
        along_k = self.window(k, 1, index[at], self.line(k, index).tolist())
        if along_k is None:
            return None
        lines = [
            self.line(l, (*index[:at], node % self.data.shape[at], *index[at + 1 :]))
            for node in along_k
        ]
        along_l = self.window(l, 1, index[self.axes[l].position], np.all(lines, axis=0).tolist())
        return None if along_l is None else (along_k, along_l)

    def rectangles(self, k: int, l: int, index: tuple[int, ...]) -> list[tuple[range, range]]:
        """The rectangles, windows along ``k`` and ``l``, of which f_kl is the mean."""
        one, two = self.rectangle(k, l, index), self.rectangle(l, k, index)
        found = [r for r in (one, two and two[::-1]) if r is not None]
        widest = max((min(map(len, r)) for r in found), default=0)
        return [r for r in found if min(map(len, r)) == widest]

    def weights(
        self, index: tuple[int, ...], k: int, l: int | None = None
    ) -> dict[tuple[int, ...], float]:
        """Weight of every data point in f_k or f_kl at ``index``; empty where it is NaN."""
        if not self.valid[index]:
            return {}
        if l is None or l == k:
            derivative = 1 if l is None else 2
            here = index[self.axes[k].position]
            nodes = self.window(k, derivative, here, self.line(k, index).tolist())
            return {} if nodes is None else self._products(index, [(k, nodes, derivative)], 1.0)
        total: dict[tuple[int, ...], float] = {}
        found = self.rectangles(k, l, index)
        for one, two in found:
            parts = self._products(index, [(k, one, 1), (l, two, 1)], 1 / len(found))
            for place, weight in parts.items():
                total[place] = total.get(place, 0.0) + weight
        return total

    def _products(
        self, index: tuple[int, ...], windows: list[tuple[int, range, int]], factor: float
    ) -> dict[tuple[int, ...], float]:
        products = {index: factor}
        for k, nodes, derivative in windows:
            axis, at = self.axes[k], self.axes[k].position
            weights = axis.weights(nodes, index[at], derivative)
            products = {
                (*place[:at], node % self.data.shape[at], *place[at + 1 :]): before * weight
                for place, before in products.items()
                for node, weight in zip(nodes, weights, strict=True)
            }
        return products

    def component(self, k: int, l: int | None = None) -> tuple[Float, Float]:
        """f_k or f_kl, and Σ|w||f|, what a rounding error of it is measured against."""
        out, rounding = np.full((2, *self.data.shape), np.nan)
        for index in np.ndindex(*self.data.shape):
            weights = self.weights(index, k, l)
            if weights:
                terms = [weight * self.data[place] for place, weight in weights.items()]
                out[index], rounding[index] = sum(terms), sum(map(abs, terms))
        return out, rounding


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
    "curvedness": lambda _g, h: np.sqrt((_lapack(h) ** 2).mean(axis=0)),
}


def _surface(formula: Callable[..., Float]) -> Callable[[Float, Float], Float]:
    """A measure of z = f(x, y) by its formula in p, q, r, s, t, and 0 for 0/0 where it is level."""

    def field(gradient: Float, hessian: Float) -> Float:
        with np.errstate(invalid="ignore"):
            value = formula(*gradient, hessian[0, 0], hessian[0, 1], hessian[1, 1])
        level = (gradient == 0).all(axis=0) & np.isfinite(hessian).all(axis=(0, 1))
        return np.where(level & np.isnan(value), 0.0, value)

    return field


SURFACES: dict[str, Callable[[Float, Float], Float]] = {
    "shape_index": lambda _g, h: np.arctan2(-np.trace(h), np.ptp(_lapack(h), axis=0)) * 2 / np.pi,
    "mean_curvature": _surface(
        lambda p, q, r, s, t: (
            ((1 + q**2) * r - 2 * p * q * s + (1 + p**2) * t) / (2 * (1 + p**2 + q**2) ** 1.5)
        )
    ),
    "gaussian_curvature": _surface(lambda p, q, r, s, t: (r * t - s**2) / (1 + p**2 + q**2) ** 2),
    "profile_curvature": _surface(
        lambda p, q, r, s, t: (
            (p**2 * r + 2 * p * q * s + q**2 * t) / ((p**2 + q**2) * (1 + p**2 + q**2) ** 1.5)
        )
    ),
    "plan_curvature": _surface(
        lambda p, q, r, s, t: (q**2 * r - 2 * p * q * s + p**2 * t) / (p**2 + q**2) ** 1.5
    ),
}
"""As MEASURES, for two dimensions only: of z = f(x, y)."""

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
