"""Measures along a row, from the rows of its derivatives.

``raw`` is the measure, or for `SLOPE`, `HESSIAN_NORM` and `CURVEDNESS` its square: the search
compares squares and takes the root of the few that it keeps.
"""

from __future__ import annotations

from math import atan2, hypot, pi, sqrt

import numpy as np

from dhess.kernels.compiled import inner
from dhess.kernels.eigen import eigenvalues_of

SLOPE = 0
SLOPE_ANGLE = 1
LAPLACIAN = 2
LAPLACIAN_ABS = 3
HESSIAN_NORM = 4
HESSIAN_SPECTRAL = 5
HESSIAN_DET = 6
HESSIAN_MIN_ELEMENT = 7
EIGENVALUE_MIN = 8
EIGENVALUE_MAX = 9
CURVEDNESS = 10
SHAPE_INDEX = 11
MEAN_CURVATURE = 12
GAUSSIAN_CURVATURE = 13
PROFILE_CURVATURE = 14
PLAN_CURVATURE = 15
"""From `SHAPE_INDEX` on, those of surfaces."""


@inner
def squared(code):  # type: ignore[no-untyped-def]
    """Tell whether the raw measure is a square."""
    return code in (SLOPE, HESSIAN_NORM, CURVEDNESS)


@inner
def finish(code, raw, single):  # type: ignore[no-untyped-def]
    """Return the measure as the result's dtype holds it. It never decreases as raw grows."""
    value = sqrt(raw) if squared(code) else raw
    return np.float64(np.float32(value)) if single else value


def pair_row(k: int, l: int, n: int) -> int:
    """Return the row of f_kl, k <= l, among the rows of derivatives."""
    return n + k * n - k * (k - 1) // 2 + (l - k)


def height_row(n: int) -> int:
    """Return the row of |f|; behind it stand those of the noise, of f_k and then of f_kk.

    Noise is what the rounding of the data makes of a derivative, per unit of |f|.
    """
    return n + n * (n + 1) // 2


def row_count(n: int) -> int:
    """Return how many rows there are in all."""
    return height_row(n) + 1 + 2 * n


def compares(code: int) -> bool:
    """Tell whether a measure compares derivatives with what the rounding of the data makes."""
    return code in (SHAPE_INDEX, PROFILE_CURVATURE, PLAN_CURVATURE)


pair_index, height_index = inner(pair_row), inner(height_row)
does_compare = inner(compares)


@inner
def load_matrix(rows, j, n, A):  # type: ignore[no-untyped-def]
    """Write the Hessian of point j to A."""
    for k in range(n):
        for l in range(k, n):
            A[k, l] = rows[pair_index(k, l, n), j]
            A[l, k] = A[k, l]


@inner
def determinant(A, n):  # type: ignore[no-untyped-def]
    """Return det A; A is overwritten for n > 3."""
    if n == 1:
        return A[0, 0]
    if n == 2:
        return A[0, 0] * A[1, 1] - A[0, 1] * A[0, 1]
    if n == 3:
        return (
            A[0, 0] * (A[1, 1] * A[2, 2] - A[1, 2] * A[1, 2])
            - A[0, 1] * (A[0, 1] * A[2, 2] - A[1, 2] * A[0, 2])
            + A[0, 2] * (A[0, 1] * A[1, 2] - A[1, 1] * A[0, 2])
        )
    product = 1.0
    for p in range(n):
        pivot = p
        for q in range(p + 1, n):
            if abs(A[q, p]) > abs(A[pivot, p]):
                pivot = q
        if pivot != p:
            product = -product
            for r in range(n):
                A[p, r], A[pivot, r] = A[pivot, r], A[p, r]
        product *= A[p, p]
        if A[p, p] == 0.0:
            # Not finite if anything is left that is not.
            for q in range(p, n):
                for r in range(p, n):
                    product += A[q, r]
            return product * 0.0
        for q in range(p + 1, n):
            factor = A[q, p] / A[p, p]
            for r in range(p + 1, n):
                A[q, r] -= factor * A[p, r]
    return product


@inner
def _squares(rows, n, code, raw):  # type: ignore[no-untyped-def]
    for j in range(raw.size):
        raw[j] = 0.0
    if code == SLOPE:
        for k in range(n):
            g = rows[k]
            for j in range(raw.size):
                raw[j] += g[j] * g[j]
        return
    for k in range(n):
        for l in range(k, n):
            h = rows[pair_index(k, l, n)]
            factor = 1.0 if k == l else 2.0
            if code == CURVEDNESS:
                factor /= n
            for j in range(raw.size):
                raw[j] += factor * (h[j] * h[j])


@inner
def _least(rows, n, raw):  # type: ignore[no-untyped-def]
    for j in range(raw.size):
        raw[j] = rows[n, j]
    for c in range(n + 1, n + n * (n + 1) // 2):
        h = rows[c]
        for j in range(raw.size):
            v = h[j]
            raw[j] = v if v < raw[j] or v != v else raw[j]


@inner
def _surface(code, rows, raw):  # type: ignore[no-untyped-def]
    """Write a measure of the surface z = f(x, y), whose derivatives are p, q and r, s, t.

    Slopes are divided by the larger one before they are squared, so that neither 1e-200 nor 1e200
    turns a limit into 0/0.

    A neighbour is larger than |f| by a step times the slope and half the step squared times the
    bend, and so is its rounding: without it a plane or a minimum at height 0 would not be flat.
    The steps come from the two noises of an axis: of 1/h to 4/h and of 4/h² to 12/h².
    """
    # One plain loop for all: a vectorised one for each took 1.7 s to compile, this one takes 0.3 s,
    # and is half as fast at worst (measured).
    checks = does_compare(code)
    for j in range(raw.size):
        noise_p, noise_q, bend_p, bend_q = 0.0, 0.0, 1.0, 1.0
        if checks:
            noise_p, noise_q, bend_p, bend_q = rows[6, j], rows[7, j], rows[8, j], rows[9, j]
        rest_p = 16.0 * noise_p * (noise_p / bend_p) * (noise_p / bend_p)
        rest_q = 16.0 * noise_q * (noise_q / bend_q) * (noise_q / bend_q)
        p, q = rows[0, j], rows[1, j]
        r, s, t = rows[2, j], rows[3, j], rows[4, j]
        top = max(abs(p), abs(q))
        c = 1.0 / max(1.0, top)
        a, b = p * c, q * c
        w = a * a + b * b + c * c
        value = 0.0
        if code == MEAN_CURVATURE:
            bent = b * (b * r) + a * (a * t) - 2.0 * (a * (b * s)) + c * (c * r) + c * (c * t)
            value = 0.5 * bent / (w * sqrt(w)) * c
        elif code == GAUSSIAN_CURVATURE:
            u, v, m = r * c * c, t * c * c, s * c * c
            value = (u * v - m * m) / (w * w)
        elif code == SHAPE_INDEX:
            middle, radius = 0.5 * r + 0.5 * t, hypot(0.5 * r - 0.5 * t, s)
            level = max(bend_p, bend_q) * rows[5, j] + 8.0 * max(noise_p, noise_q) * top
            if not abs(middle) + radius <= level:  # so is NaN
                value = 0.0 - atan2(middle, radius) / (0.5 * pi)
        elif abs(p) <= noise_p * rows[5, j] + rest_p * abs(r) and (
            abs(q) <= noise_q * rows[5, j] + rest_q * abs(t)
        ):
            value = 0.0 * r + 0.0 * s + 0.0 * t  # NaN if one of them is
        else:
            a, b = p / top, q / top
            g = a * a + b * b
            if code == PROFILE_CURVATURE:
                bent = a * (a * r) + b * (b * t) + 2.0 * (a * (b * s))
                value = bent / (g * (w * sqrt(w))) * c * c * c
            else:
                bent = b * (b * r) + a * (a * t) - 2.0 * (a * (b * s))
                value = bent / (g * sqrt(g)) / top
        raw[j] = value + 0.0  # -0.0 becomes 0.0


@inner
def measure_row(code, rows, n, raw, A, spectrum):  # type: ignore[no-untyped-def]
    """Write the raw measure of a row.

    ``rows`` has shape (`row_count`, at least raw.size); what stands behind the derivatives is only
    there for measures that compare with it. ``A``, shape (n, n), and ``spectrum``, shape (n,), are
    scratch.
    """
    size = raw.size
    if squared(code):
        _squares(rows, n, code, raw)
    elif code == SLOPE_ANGLE:
        for j in range(size):
            raw[j] = atan2(rows[0, j], rows[1, j])
    elif code in (LAPLACIAN, LAPLACIAN_ABS):
        for j in range(size):
            raw[j] = 0.0
        for k in range(n):
            h = rows[pair_index(k, k, n)]
            for j in range(size):
                raw[j] += h[j]
        if code == LAPLACIAN_ABS:
            for j in range(size):
                raw[j] = abs(raw[j])
    elif code == HESSIAN_MIN_ELEMENT:
        _least(rows, n, raw)
    elif code == HESSIAN_DET:
        for j in range(size):
            load_matrix(rows, j, n, A)
            raw[j] = determinant(A, n)
    elif code >= SHAPE_INDEX:
        _surface(code, rows, raw)
    else:
        for j in range(size):
            load_matrix(rows, j, n, A)
            eigenvalues_of(A, n, spectrum)
            if code == EIGENVALUE_MIN:
                raw[j] = spectrum[0]
            elif code == EIGENVALUE_MAX:
                raw[j] = spectrum[n - 1]
            else:
                raw[j] = max(abs(spectrum[0]), abs(spectrum[n - 1]))
