"""Eigenvalues of small symmetric matrices, ascending; NaN where an entry is not finite."""

from __future__ import annotations

from math import acos, cos, hypot, pi, sqrt

import numpy as np

from dhess.kernels.compiled import Kernel, fill, inner


@inner
def eigenvalues_2(a, b, d, out):  # type: ignore[no-untyped-def]
    """Write the eigenvalues of [[a, b], [b, d]]; nothing under the root can cancel."""
    middle = 0.5 * a + 0.5 * d
    radius = hypot(0.5 * a - 0.5 * d, b)
    out[0] = middle - radius
    out[1] = middle + radius


@inner
def eigenvalues_3(a, b, c, d, e, f, out):  # type: ignore[no-untyped-def]
    """Write the eigenvalues of [[a, b, c], [b, d, e], [c, e, f]].

    The trigonometric formula gives the eigenvalue that stands apart to full accuracy, but a close
    pair only to half the digits. So only the first is taken from it; its eigenvector splits the
    matrix, and the pair comes from the 2 x 2 matrix that is left. (D. Eberly, "A robust
    eigensolver for 3 x 3 symmetric matrices", 2014, takes this way.)
    """
    scale = max(abs(a), abs(b), abs(c), abs(d), abs(e), abs(f))
    if scale == 0.0:
        fill(out, 3, 0.0)
        return
    mean = (a / scale + d / scale + f / scale) / 3.0
    a, d, f = a / scale - mean, d / scale - mean, f / scale - mean
    b, c, e = b / scale, c / scale, e / scale
    spread = sqrt((a * a + d * d + f * f + 2.0 * (b * b + c * c + e * e)) / 6.0)
    if spread == 0.0:
        fill(out, 3, mean * scale)
        return
    a, b, c, d, e, f = a / spread, b / spread, c / spread, d / spread, e / spread, f / spread
    half = 0.5 * (a * (d * f - e * e) - b * (b * f - e * c) + c * (b * e - d * c))
    half = min(1.0, max(-1.0, half))
    angle = acos(half) / 3.0
    apart = 2.0 * cos(angle) if half >= 0.0 else 2.0 * cos(angle + 2.0 * pi / 3.0)

    x, y, z = null_vector(a - apart, b, c, d - apart, e, f - apart)

    # An orthonormal basis u, v of its complement.
    if abs(x) > abs(y):
        length = sqrt(x * x + z * z)
        ux, uy, uz = -z / length, 0.0, x / length
    else:
        length = sqrt(y * y + z * z)
        ux, uy, uz = 0.0, z / length, -y / length
    vx, vy, vz = y * uz - z * uy, z * ux - x * uz, x * uy - y * ux
    pux, puy, puz = a * ux + b * uy + c * uz, b * ux + d * uy + e * uz, c * ux + e * uy + f * uz
    pvx, pvy, pvz = a * vx + b * vy + c * vz, b * vx + d * vy + e * vz, c * vx + e * vy + f * vz
    px, py, pz = a * x + b * y + c * z, b * x + d * y + e * z, c * x + e * y + f * z
    eigenvalues_2(
        ux * pux + uy * puy + uz * puz,
        vx * pux + vy * puy + vz * puz,
        vx * pvx + vy * pvy + vz * pvz,
        out,
    )
    alone = x * px + y * py + z * pz
    if half >= 0.0:
        out[2] = alone
    else:
        out[2] = out[1]
        out[1] = out[0]
        out[0] = alone
    for i in range(3):
        out[i] = (mean + spread * out[i]) * scale
    sort(out, 3)


@inner
def null_vector(a, b, c, d, e, f):  # type: ignore[no-untyped-def]
    """Return the unit vector that [[a, b, c], [b, d, e], [c, e, f]], of rank 2, takes to zero.

    It is normal to every row: the longest cross product of two of them is the most accurate.
    """
    x0, y0, z0 = b * e - c * d, c * b - a * e, a * d - b * b
    x1, y1, z1 = b * f - c * e, c * c - a * f, a * e - b * c
    x2, y2, z2 = d * f - e * e, e * c - b * f, b * e - d * c
    n0 = x0 * x0 + y0 * y0 + z0 * z0
    n1 = x1 * x1 + y1 * y1 + z1 * z1
    n2 = x2 * x2 + y2 * y2 + z2 * z2
    if n1 > n0:
        x0, y0, z0, n0 = x1, y1, z1, n1
    if n2 > n0:
        x0, y0, z0, n0 = x2, y2, z2, n2
    length = sqrt(n0)
    return x0 / length, y0 / length, z0 / length


@inner
def sort(out, n):  # type: ignore[no-untyped-def]
    """Sort the first n values in place, ascending."""
    for i in range(1, n):
        value = out[i]
        j = i
        while j > 0 and out[j - 1] > value:
            out[j] = out[j - 1]
            j -= 1
        out[j] = value


@inner
def eigenvalues_n(A, n, out):  # type: ignore[no-untyped-def]
    """Write the eigenvalues of A, shape (n, n), which is overwritten.

    Cyclic Jacobi rotations (G. Golub and C. Van Loan, "Matrix Computations", 4th ed., 8.5): as
    accurate as LAPACK for matrices this small, and with no call that could depend on a library's
    build.
    """
    scale = 0.0
    for p in range(n):
        for q in range(n):
            scale = max(scale, abs(A[p, q]))
    if scale == 0.0:
        fill(out, n, 0.0)
        return
    for p in range(n):
        for q in range(n):
            A[p, q] /= scale
    for _ in range(30):
        off = 0.0
        for p in range(n):
            for q in range(p + 1, n):
                off += A[p, q] * A[p, q]
        if off < 1e-36:
            break
        for p in range(n):
            for q in range(p + 1, n):
                rotate(A, n, p, q)
    for p in range(n):
        out[p] = A[p, p] * scale
    sort(out, n)


@inner
def rotate(A, n, p, q):  # type: ignore[no-untyped-def]
    """Make A[p, q] zero by a rotation of the rows and columns p and q."""
    if A[p, q] == 0.0:
        return
    theta = 0.5 * (A[q, q] - A[p, p]) / A[p, q]
    t = 1.0 / (abs(theta) + sqrt(theta * theta + 1.0))
    if theta < 0.0:
        t = -t
    c = 1.0 / sqrt(t * t + 1.0)
    s = t * c
    shift = t * A[p, q]
    A[p, p] -= shift
    A[q, q] += shift
    A[p, q] = 0.0
    A[q, p] = 0.0
    for r in range(n):
        if r not in (p, q):
            x = A[r, p]
            y = A[r, q]
            A[r, p] = c * x - s * y
            A[p, r] = A[r, p]
            A[r, q] = s * x + c * y
            A[q, r] = A[r, q]


@inner
def eigenvalues_of(A, n, out):  # type: ignore[no-untyped-def]
    """Write the eigenvalues of the symmetric matrix A, shape (n, n), which may be overwritten."""
    rest = 0.0
    for p in range(n):
        for q in range(n):
            rest += 0.0 * A[p, q]
    if rest != 0.0:  # 0 times what is not finite is NaN
        fill(out, n, np.nan)
    elif n == 1:
        out[0] = A[0, 0]
    elif n == 2:
        eigenvalues_2(A[0, 0], A[0, 1], A[1, 1], out)
    elif n == 3:
        eigenvalues_3(A[0, 0], A[0, 1], A[0, 2], A[1, 1], A[1, 2], A[2, 2], out)
    else:
        eigenvalues_n(A, n, out)


@Kernel
def symmetric_eigenvalues(matrices, out):  # type: ignore[no-untyped-def]
    """Write the eigenvalues of matrices, shape (m, n, n), overwritten, to out, shape (m, n)."""
    for i in range(matrices.shape[0]):
        eigenvalues_of(matrices[i], matrices.shape[1], out[i])
