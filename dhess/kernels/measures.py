"""Measures along a row, from the rows of its derivatives.

``raw`` is the measure, or for `SLOPE` and `HESSIAN_NORM` its square: the search compares squares
and takes the root of the few that it keeps.
"""

from __future__ import annotations

from math import atan2, sqrt

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


@inner
def finish(code, raw, single):  # type: ignore[no-untyped-def]
    """Return the measure as the result's dtype holds it. It never decreases as raw grows."""
    value = sqrt(raw) if code in (SLOPE, HESSIAN_NORM) else raw
    return np.float64(np.float32(value)) if single else value


@inner
def pair_index(k, l, n):  # type: ignore[no-untyped-def]
    """Return the row of f_kl, k <= l, among the rows of derivatives."""
    return n + k * n - k * (k - 1) // 2 + (l - k)


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
def compares(code):  # type: ignore[no-untyped-def]
    """Tell whether a measure compares derivatives with what the rounding of the data makes."""
    return False


@inner
def measure_row(code, rows, n, raw, A, spectrum, noise):  # type: ignore[no-untyped-def]
    """Write the raw measure of a row.

    ``rows`` has shape (n + n (n + 1) / 2 + 1, at least raw.size); the last one is |f|, if the
    measure compares with it times ``noise``, shape (2, n): [0] for first, [1] for second
    derivatives. ``A``, shape (n, n), and ``spectrum``, shape (n,), are scratch.
    """
    size = raw.size
    if code in (SLOPE, HESSIAN_NORM):
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
