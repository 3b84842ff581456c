"""The gradient of a quadratic spline on one cell, in Bernstein form.

The samples f_i are the coefficients of s(x) = sum f_i B(x - i), B the quadratic B-spline of the
centred knots, in as many dimensions as there are. On the cell around node i, as wide as a step, the
derivative along k is a polynomial of degree 1 along k and 2 along the others: its coefficients are
first differences, averaged across. Coefficients on the face of two cells are the same numbers in
both, to the bit; so the gradient is continuous in floating point too, and none of its zeros lies
between two cells.

A cell has n tensors of 2 * 3**(n - 1) coefficients, all in one row: tensor k begins at k * size,
its axis j has stride ``inside[k, j]``, and ``digits[k, c, j]`` is where coefficient c stands on it.
"""

from __future__ import annotations

import numpy as np

from dhess.kernels.compiled import inner


@inner
def component(near, corner, places, k, n, size, step, inside, c):  # type: ignore[no-untyped-def]
    """Write the coefficients of one component, to its place among all of them.

    ``corner`` is where the first of the cell's 3**n samples stands in ``near``, ``places[k, i]``
    where the sample of coefficient i stands relative to that, ``step[k]`` how far the next one is.
    """
    base = k * size
    for i in range(size):
        p = corner + places[k, i]
        c[base + i] = np.float64(near[p + step[k]]) - near[p]
    for j in range(n):
        if j != k:
            s = inside[k, j]
            for start in range(0, size, 3 * s):
                for i in range(base + start, base + start + s):
                    c[i] = 0.5 * (c[i] + c[i + s])
                    c[i + 2 * s] = 0.5 * (c[i + s] + c[i + 2 * s])


@inner
def differentiate(near, corner, places, n, size, step, inside, c):  # type: ignore[no-untyped-def]
    """Write the coefficients of the gradient; False once a component keeps a strict sign."""
    for k in range(n):
        component(near, corner, places, k, n, size, step, inside, c)
        low, high = signs(c, k * size, size)
        if low > 0.0 or high < 0.0:
            return False
    return True


@inner
def bisect(c, left, right, axis, n, size, inside):  # type: ignore[no-untyped-def]
    """Write the coefficients on both halves of a box, by de Casteljau; left may be c itself."""
    for k in range(n):
        s = inside[k, axis]
        width = 2 if k == axis else 3
        for start in range(k * size, (k + 1) * size, width * s):
            for i in range(start, start + s):
                if width == 2:
                    a, b = c[i], c[i + s]
                    middle = 0.5 * (a + b)
                    left[i], left[i + s] = a, middle
                    right[i], right[i + s] = middle, b
                else:
                    a, b, d = c[i], c[i + s], c[i + 2 * s]
                    p, q = 0.5 * (a + b), 0.5 * (b + d)
                    middle = 0.5 * (p + q)
                    left[i], left[i + s], left[i + 2 * s] = a, p, middle
                    right[i], right[i + s], right[i + 2 * s] = middle, q, d


@inner
def signs(c, first, size):  # type: ignore[no-untyped-def]
    """Return the smallest and the largest coefficient of a tensor."""
    low = c[first]
    high = c[first]
    for i in range(first + 1, first + size):
        low = min(low, c[i])
        high = max(high, c[i])
    return low, high


@inner
def keeps_a_sign(c, n, size):  # type: ignore[no-untyped-def]
    """Tell whether a component has one strict sign on the box, so that it holds no zero."""
    for k in range(n):
        low, high = signs(c, k * size, size)
        if low > 0.0 or high < 0.0:
            return True
    return False


@inner
def contract(c, first, count, width, weights, out):  # type: ignore[no-untyped-def]
    """Write the sums of groups of coefficients, weighted, to the begin of ``out``; it may be c."""
    for i in range(count):
        p = first + i * width
        total = weights[0] * c[p] + weights[1] * c[p + 1]
        if width == 3:
            total += weights[2] * c[p + 2]
        out[i] = total


@inner
def evaluate(c, u, n, size, basis, parts, value, jacobian):  # type: ignore[no-untyped-def]
    """Write the gradient and its Jacobian at u, 0…1 along each axis.

    Axis after axis is summed up, the last one first, for the value and for the derivative along
    each axis together. ``basis`` and ``parts`` are scratch.
    """
    for j in range(n):
        t = u[j]
        r = 1.0 - t
        basis[0, j, 0], basis[0, j, 1], basis[0, j, 2] = r * r, 2.0 * r * t, t * t
        basis[1, j, 0], basis[1, j, 1], basis[1, j, 2] = -2.0 * r, 2.0 * (r - t), 2.0 * t
        basis[2, j, 0], basis[2, j, 1] = r, t
        basis[3, j, 0], basis[3, j, 1] = -1.0, 1.0
    for k in range(n):
        count = size
        for axis in range(n - 1, -1, -1):
            width = 2 if axis == k else 3
            own = 2 if axis == k else 0
            count //= width
            for d in range(axis + 1, n):
                contract(parts[1 + d], 0, count, width, basis[own, axis], parts[1 + d])
            if axis == n - 1:
                contract(c, k * size, count, width, basis[own + 1, axis], parts[1 + axis])
                contract(c, k * size, count, width, basis[own, axis], parts[0])
            else:
                contract(parts[0], 0, count, width, basis[own + 1, axis], parts[1 + axis])
                contract(parts[0], 0, count, width, basis[own, axis], parts[0])
        value[k] = parts[0, 0]
        for d in range(n):
            jacobian[k, d] = parts[1 + d, 0]


@inner
def raise_degree(c, first, size, s, out):  # type: ignore[no-untyped-def]
    """Write a component as a polynomial of degree 2 along its own axis too, of stride s there."""
    for start in range(0, size // 2, s):
        for i in range(s):
            low, high = c[first + 2 * start + i], c[first + 2 * start + s + i]
            p = 3 * start + i
            out[p], out[p + s], out[p + 2 * s] = low, 0.5 * (low + high), high


@inner
def spread(c, n, size, inside, digits, middle, radius):  # type: ignore[no-untyped-def]
    """Write between which numbers the Jacobian lies on the box: their middle, and how far off."""
    for k in range(n):
        for j in range(n):
            s = inside[k, j]
            degree = 1 if j == k else 2
            first = True
            low, high = 0.0, 0.0
            for i in range(size):
                if digits[k, i, j] < degree:
                    v = degree * (c[k * size + i + s] - c[k * size + i])
                    low = v if first else min(low, v)
                    high = v if first else max(high, v)
                    first = False
            middle[k, j] = 0.5 * (low + high)
            radius[k, j] = 0.5 * (high - low)


@inner
def invert(matrix, n, left, out):  # type: ignore[no-untyped-def]
    """Write the inverse of a small matrix by Gauss-Jordan with pivots; False if it has none.

    ``left`` is scratch.
    """
    for i in range(n):
        for j in range(n):
            left[i, j] = matrix[i, j]
            out[i, j] = 1.0 if i == j else 0.0
    for i in range(n):
        pivot = i
        for r in range(i + 1, n):
            if abs(left[r, i]) > abs(left[pivot, i]):
                pivot = r
        if not abs(left[pivot, i]) > 0.0:
            return False
        for j in range(n):
            left[i, j], left[pivot, j] = left[pivot, j], left[i, j]
            out[i, j], out[pivot, j] = out[pivot, j], out[i, j]
        factor = 1.0 / left[i, i]
        for j in range(n):
            left[i, j] *= factor
            out[i, j] *= factor
        for r in range(n):
            if r != i:
                factor = left[r, i]
                for j in range(n):
                    left[r, j] -= factor * left[i, j]
                    out[r, j] -= factor * out[i, j]
    return True
