"""A field between its points: the polynomial through the samples around, and where it is level."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dhess.kernels.bernstein import invert
from dhess.kernels.compiled import Kernel, inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

STEPS = 30
"""Newton takes five or six; one that takes more wanders."""


class Local(NamedTuple):
    """What `level` writes, one row for each place, and its scratch."""

    settled: NDArray[np.bool_]
    """Whether Newton's method came to rest within the radius."""
    place: NDArray[np.float64]
    """Where it did, or where it began."""
    value: NDArray[np.float64]
    gradient: NDArray[np.float64]
    hessian: NDArray[np.float64]
    bending: NDArray[np.float64]
    """Sum of the sizes of the weights of each pure second derivative, shape (places, n)."""
    weights: NDArray[np.float64]
    parts: NDArray[np.float64]
    matrices: NDArray[np.float64]

    @classmethod
    def of(cls, places: int, n: int, widths: tuple[int, ...]) -> Local:
        """Allocate it."""
        return cls(
            np.zeros(places, bool),
            np.empty((places, n)),
            np.empty(places),
            np.empty((places, n)),
            np.empty((places, n, n)),
            np.empty((places, n)),
            np.empty((n, 3, max(widths))),
            np.empty((1 + n + n * (n + 1) // 2, int(np.prod(widths[:-1])))),
            np.empty((2, n, n)),
        )


@inner
def lagrange(nodes, width, at, weights):  # type: ignore[no-untyped-def]
    """Write the weights of the value and of two derivatives at a place, as Fornberg's recursion.

    (B. Fornberg, Mathematics of Computation 51 (1988), 699-706.)
    """
    for m in range(3):
        for j in range(width):
            weights[m, j] = 0.0
    weights[0, 0] = 1.0
    product = 1.0
    for i in range(1, width):
        before, product = product, 1.0
        here = nodes[i] - at
        for j in range(i):
            apart = nodes[i] - nodes[j]
            product *= apart
            if j == i - 1:
                away = nodes[j] - at
                for m in range(2, -1, -1):
                    lower = m * weights[m - 1, j] if m > 0 else 0.0
                    weights[m, i] = before / product * (lower - away * weights[m, j])
            for m in range(2, -1, -1):
                lower = m * weights[m - 1, j] if m > 0 else 0.0
                weights[m, j] = (here * weights[m, j] - lower) / apart


@inner
def sum_up(values, count, width, weights, out):  # type: ignore[no-untyped-def]
    """Write weighted sums of groups of values to the begin of ``out``; it may be the values."""
    for i in range(count):
        total = 0.0
        for t in range(width):
            total += weights[t] * values[i * width + t]
        out[i] = total


@inner
def contract(samples, widths, weights, parts):  # type: ignore[no-untyped-def]
    """Write the polynomial's value and its first and second derivatives to a column of ``parts``.

    Row 0 is the value; 1 + k the derivative along k; after those, in the order of `pair`, that
    along k and l. Axes are summed up one after the other, the last one first, for all rows at
    once.
    """
    n = widths.size
    count = samples.size
    for axis in range(n - 1, -1, -1):
        width, own = widths[axis], weights[axis]
        count //= width
        for k in range(axis + 1, n):
            for l in range(k, n):
                row = parts[pair(k, l, n)]
                sum_up(row, count, width, own[0], row)
            sum_up(parts[1 + k], count, width, own[1], parts[pair(axis, k, n)])
            sum_up(parts[1 + k], count, width, own[0], parts[1 + k])
        first = samples if axis == n - 1 else parts[0]
        sum_up(first, count, width, own[2], parts[pair(axis, axis, n)])
        sum_up(first, count, width, own[1], parts[1 + axis])
        sum_up(first, count, width, own[0], parts[0])


@inner
def pair(k, l, n):  # type: ignore[no-untyped-def]
    """Return the row of the derivative along k and l, k <= l."""
    return 1 + n + k * n - k * (k - 1) // 2 + l - k


@inner
def place_weights(nodes, widths, place, weights):  # type: ignore[no-untyped-def]
    """Write the weights of all axes at a place."""
    for k in range(widths.size):
        lagrange(nodes[k], widths[k], place[k], weights[k])


@inner
def slopes(samples, widths, weights, parts, gradient, hessian):  # type: ignore[no-untyped-def]
    """Write gradient and Hessian of the polynomial, and return its value."""
    n = widths.size
    contract(samples, widths, weights, parts)
    for k in range(n):
        gradient[k] = parts[1 + k, 0]
        for l in range(k, n):
            hessian[k, l] = parts[pair(k, l, n), 0]
            hessian[l, k] = hessian[k, l]
    return parts[0, 0]


@inner
def step_to(start, place, gradient, inverse, radius):  # type: ignore[no-untyped-def]
    """Take a step of Newton's method; return how long it is, or -1 where it leaves the radius."""
    longest = 0.0
    for k in range(place.size):
        step = 0.0
        for l in range(place.size):
            step += inverse[k, l] * gradient[l]
        place[k] -= step
        longest = max(longest, abs(step))
        if not abs(place[k] - start[k]) <= radius:
            return -1.0
    return longest


@Kernel
def level(samples, nodes, widths, start, radius, tolerance, local):  # type: ignore[no-untyped-def]
    """Find where polynomials are level, by Newton's method from a place near by.

    ``samples`` has a row for each place, the product of the widths long; ``nodes`` where they
    stand, shape (places, n, most), in the unit in which radius and tolerance are given. Where the
    radius is below 0 the place stays.
    """
    n = widths.size
    weights, parts = local.weights, local.parts
    for i in range(len(samples)):
        place, gradient, hessian = local.place[i], local.gradient[i], local.hessian[i]
        for k in range(n):
            place[k] = start[i, k]
        local.settled[i] = False
        for _ in range(STEPS if radius[i] >= 0.0 else 0):
            place_weights(nodes[i], widths, place, weights)
            slopes(samples[i], widths, weights, parts, gradient, hessian)
            if not invert(hessian, n, local.matrices[0], local.matrices[1]):
                break
            longest = step_to(start[i], place, gradient, local.matrices[1], radius[i])
            if longest < 0.0:
                break
            if longest <= tolerance:
                local.settled[i] = True
                break
        if not local.settled[i]:
            for k in range(n):
                place[k] = start[i, k]
        place_weights(nodes[i], widths, place, weights)
        local.value[i] = slopes(samples[i], widths, weights, parts, gradient, hessian)
        for k in range(n):
            total = 0.0
            for t in range(widths[k]):
                total += abs(weights[k, 2, t])
            local.bending[i, k] = total
