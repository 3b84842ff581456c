"""Derivatives along one row of a block, all points of the row at once.

Every loop runs over *row views* (`x[p : p + size]`) and not over positions in a flat array: the
check for negative positions that numba puts into index arithmetic keeps a loop from vectorising
(measured: 2 to 3 times slower). All differences are taken before any product, so that a constant
field gives zero and not rounding noise, whatever the weights.
"""

from __future__ import annotations

import numpy as np

from dhess.kernels.compiled import fill, inner

# The arithmetic is float64 whatever the data: differences must not be taken before.
f8 = np.float64


@inner
def pair_1(out, a, b, w, add):  # type: ignore[no-untyped-def]
    """Out = w (a - b), or add it to out."""
    if add:
        for j in range(out.size):
            out[j] += w * (f8(a[j]) - b[j])
    else:
        for j in range(out.size):
            out[j] = w * (f8(a[j]) - b[j])


@inner
def pair_2(out, a, b, c, d, v, w, add):  # type: ignore[no-untyped-def]
    """Out = v (a - b) + w (c - d), or add it to out."""
    if add:
        for j in range(out.size):
            out[j] += v * (f8(a[j]) - b[j]) + w * (f8(c[j]) - d[j])
    else:
        for j in range(out.size):
            out[j] = v * (f8(a[j]) - b[j]) + w * (f8(c[j]) - d[j])


@inner
def quad_1(out, a, b, c, d, w, add):  # type: ignore[no-untyped-def]
    """Out = w ((a - b) - (c - d)), or add it to out."""
    if add:
        for j in range(out.size):
            out[j] += w * ((f8(a[j]) - b[j]) - (f8(c[j]) - d[j]))
    else:
        for j in range(out.size):
            out[j] = w * ((f8(a[j]) - b[j]) - (f8(c[j]) - d[j]))


@inner
def quad_2(out, a, b, c, d, e, f, g, h, v, w, add):  # type: ignore[no-untyped-def]
    """Out = v ((a - b) - (c - d)) + w ((e - f) - (g - h)), or add it to out."""
    if add:
        for j in range(out.size):
            out[j] += v * ((f8(a[j]) - b[j]) - (f8(c[j]) - d[j])) + w * (
                (f8(e[j]) - f[j]) - (f8(g[j]) - h[j])
            )
    else:
        for j in range(out.size):
            out[j] = v * ((f8(a[j]) - b[j]) - (f8(c[j]) - d[j])) + w * (
                (f8(e[j]) - f[j]) - (f8(g[j]) - h[j])
            )


@inner
def derive(out, x, p, o, k, i, plus, minus, factor, counts):  # type: ignore[no-untyped-def]
    """Out[j] = sum over t of factor[t] (x[p + plus[t] + j] - x[p + minus[t] + j]).

    The tables are taken whole and read at [o, k, i], because every view of an array that a loop
    makes is counted, and counting is atomic: it doubled the time of a row of 250 points.
    """
    size = out.size
    count = counts[o, k, i]
    t = 0
    while t + 1 < count:
        a, b = p + plus[o, k, i, t], p + minus[o, k, i, t]
        c, d = p + plus[o, k, i, t + 1], p + minus[o, k, i, t + 1]
        pair_2(
            out,
            x[a : a + size],
            x[b : b + size],
            x[c : c + size],
            x[d : d + size],
            factor[o, k, i, t],
            factor[o, k, i, t + 1],
            t > 0,
        )
        t += 2
    if t < count:
        a, b = p + plus[o, k, i, t], p + minus[o, k, i, t]
        pair_1(out, x[a : a + size], x[b : b + size], factor[o, k, i, t], t > 0)
    if count == 0:
        fill(out, size, 0.0)


@inner
def derive_mixed(out, x, p, k, i, l, j, plus, minus, factor, counts):  # type: ignore[no-untyped-def]
    """Out = the product of two sums of differences, as a sum of quadruples."""
    size = out.size
    add = False
    for s in range(counts[0, k, i]):
        a, b, w = p + plus[0, k, i, s], p + minus[0, k, i, s], factor[0, k, i, s]
        t = 0
        while t + 1 < counts[0, l, j]:
            e, f = plus[0, l, j, t], minus[0, l, j, t]
            g, h = plus[0, l, j, t + 1], minus[0, l, j, t + 1]
            quad_2(
                out,
                x[a + e : a + e + size],
                x[b + e : b + e + size],
                x[a + f : a + f + size],
                x[b + f : b + f + size],
                x[a + g : a + g + size],
                x[b + g : b + g + size],
                x[a + h : a + h + size],
                x[b + h : b + h + size],
                w * factor[0, l, j, t],
                w * factor[0, l, j, t + 1],
                add,
            )
            add = True
            t += 2
        if t < counts[0, l, j]:
            e, f = plus[0, l, j, t], minus[0, l, j, t]
            quad_1(
                out,
                x[a + e : a + e + size],
                x[b + e : b + e + size],
                x[a + f : a + f + size],
                x[b + f : b + f + size],
                w * factor[0, l, j, t],
                add,
            )
            add = True
    if not add:
        fill(out, size, 0.0)


@inner
def derive_twice(out, line, x, p, k, i, r, j, plus, minus, factor, counts):  # type: ignore[no-untyped-def]
    """Out = D_r D_k x for the axis r of the row, which has the same weights all along it.

    D_k is taken first, on the row and its neighbours, and kept in ``line``: wide rows of p and q
    weights cost p + q of them for each point, and not p q.
    """
    low, high = 0, 0
    for t in range(counts[0, r, j]):
        low = min(low, plus[0, r, j, t], minus[0, r, j, t])
        high = max(high, plus[0, r, j, t], minus[0, r, j, t])
    part = line[: out.size + high - low]
    derive(part, x, p + low, 0, k, i, plus, minus, factor, counts)
    derive(out, part, -low, 0, r, j, plus, minus, factor, counts)


@inner
def derive_along(out, x, p, o, weights, first, width):  # type: ignore[no-untyped-def]
    """Out[j] = sum over t of weights[o, t, first + j] (x[p + t + j] - x[p + j]).

    A weight of zero is no part of the stencil: it must not let a NaN through.
    """
    size = out.size
    a = x[p : p + size]
    if width == 3:
        b, c = x[p + 1 : p + 1 + size], x[p + 2 : p + 2 + size]
        v, w = weights[o, 1, first : first + size], weights[o, 2, first : first + size]
        for j in range(size):
            r = v[j] * (f8(b[j]) - a[j])
            s = w[j] * (f8(c[j]) - a[j])
            out[j] = (r if v[j] != 0.0 else 0.0) + (s if w[j] != 0.0 else 0.0)
        return
    if width == 5:
        b, c = x[p + 1 : p + 1 + size], x[p + 2 : p + 2 + size]
        d, e = x[p + 3 : p + 3 + size], x[p + 4 : p + 4 + size]
        t, u = weights[o, 1, first : first + size], weights[o, 2, first : first + size]
        v, w = weights[o, 3, first : first + size], weights[o, 4, first : first + size]
        for j in range(size):
            q = t[j] * (f8(b[j]) - a[j])
            r = u[j] * (f8(c[j]) - a[j])
            s = v[j] * (f8(d[j]) - a[j])
            z = w[j] * (f8(e[j]) - a[j])
            left = (q if t[j] != 0.0 else 0.0) + (r if u[j] != 0.0 else 0.0)
            right = (s if v[j] != 0.0 else 0.0) + (z if w[j] != 0.0 else 0.0)
            out[j] = left + right
        return
    for j in range(size):
        out[j] = 0.0
    for t in range(1, width):
        b, w = x[p + t : p + t + size], weights[o, t, first : first + size]
        for j in range(size):
            r = w[j] * (f8(b[j]) - a[j])
            out[j] += r if w[j] != 0.0 else 0.0


@inner
def bent_1(out, x, p, k, w, add):  # type: ignore[no-untyped-def]
    """Out = f_kk^2 for central differences, or out += …; k is the stride of the axis."""
    size = out.size
    c = x[p : p + size]
    a, b = x[p + k : p + k + size], x[p - k : p - k + size]
    for j in range(size):
        q = w * ((f8(a[j]) - c[j]) + (f8(b[j]) - c[j]))
        out[j] = (out[j] if add else 0.0) + q * q


@inner
def bent_3(out, x, p, plus, factor):  # type: ignore[no-untyped-def]
    """Out = sum of the squares of the first three pure second derivatives.

    Three at a time, because each loop over a row costs a load and a store of ``out`` beside its
    own loads: for n = 3 this is within 10 % of one loop for all components, for any n.
    """
    size = out.size
    k, l, m = plus[1, 0, 0, 0], plus[1, 1, 0, 0], plus[1, 2, 0, 0]
    u, v, w = factor[1, 0, 0, 0], factor[1, 1, 0, 0], factor[1, 2, 0, 0]
    c = x[p : p + size]
    a, b = x[p + k : p + k + size], x[p - k : p - k + size]
    d, e = x[p + l : p + l + size], x[p - l : p - l + size]
    f, g = x[p + m : p + m + size], x[p - m : p - m + size]
    for j in range(size):
        q = u * ((f8(a[j]) - c[j]) + (f8(b[j]) - c[j]))
        r = v * ((f8(d[j]) - c[j]) + (f8(e[j]) - c[j]))
        s = w * ((f8(f[j]) - c[j]) + (f8(g[j]) - c[j]))
        out[j] = q * q + r * r + s * s


@inner
def twisted_1(out, x, p, k, l, plus, factor):  # type: ignore[no-untyped-def]
    """Out += 2 f_kl^2 for central differences."""
    size = out.size
    i, j = plus[0, k, 0, 0], plus[0, l, 0, 0]
    w = factor[0, k, 0, 0] * factor[0, l, 0, 0]
    a, b, c, d = p + i + j, p + i - j, p - i + j, p - i - j
    a1, b1, c1, d1 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    for t in range(size):
        q = w * ((f8(a1[t]) - b1[t]) - (f8(c1[t]) - d1[t]))
        out[t] += 2.0 * (q * q)


@inner
def twisted_3(out, x, p, k, l, plus, factor):  # type: ignore[no-untyped-def]
    """Out += 2 (f_kl^2 + f_k,l+1^2 + f_k,l+2^2)."""
    size = out.size
    i = plus[0, k, 0, 0]
    j = plus[0, l, 0, 0]
    a, b, c, d = p + i + j, p + i - j, p - i + j, p - i - j
    a1, b1, c1, d1 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    j = plus[0, l + 1, 0, 0]
    a, b, c, d = p + i + j, p + i - j, p - i + j, p - i - j
    a2, b2, c2, d2 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    j = plus[0, l + 2, 0, 0]
    a, b, c, d = p + i + j, p + i - j, p - i + j, p - i - j
    a3, b3, c3, d3 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    v = factor[0, k, 0, 0] * factor[0, l, 0, 0]
    w = factor[0, k, 0, 0] * factor[0, l + 1, 0, 0]
    y = factor[0, k, 0, 0] * factor[0, l + 2, 0, 0]
    for t in range(size):
        q = v * ((f8(a1[t]) - b1[t]) - (f8(c1[t]) - d1[t]))
        r = w * ((f8(a2[t]) - b2[t]) - (f8(c2[t]) - d2[t]))
        s = y * ((f8(a3[t]) - b3[t]) - (f8(c3[t]) - d3[t]))
        out[t] += 2.0 * (q * q + r * r + s * s)


@inner
def norm_3(out, x, p, plus, factor):  # type: ignore[no-untyped-def]
    """Out = the squared norm of a 3 x 3 Hessian by central differences, in one loop."""
    size = out.size
    k, l, m = plus[1, 0, 0, 0], plus[1, 1, 0, 0], plus[1, 2, 0, 0]
    c = x[p : p + size]
    a0, b0 = x[p + k : p + k + size], x[p - k : p - k + size]
    a1, b1 = x[p + l : p + l + size], x[p - l : p - l + size]
    a2, b2 = x[p + m : p + m + size], x[p - m : p - m + size]
    k, l, m = plus[0, 0, 0, 0], plus[0, 1, 0, 0], plus[0, 2, 0, 0]
    i, j = k + l, k - l
    c0, d0 = x[p + i : p + i + size], x[p - i : p - i + size]
    e0, f0 = x[p + j : p + j + size], x[p - j : p - j + size]
    i, j = k + m, k - m
    c1, d1 = x[p + i : p + i + size], x[p - i : p - i + size]
    e1, f1 = x[p + j : p + j + size], x[p - j : p - j + size]
    i, j = l + m, l - m
    c2, d2 = x[p + i : p + i + size], x[p - i : p - i + size]
    e2, f2 = x[p + j : p + j + size], x[p - j : p - j + size]
    u, v, w = factor[1, 0, 0, 0], factor[1, 1, 0, 0], factor[1, 2, 0, 0]
    first, second, third = factor[0, 0, 0, 0], factor[0, 1, 0, 0], factor[0, 2, 0, 0]
    y, z, s = first * second, first * third, second * third
    for q in range(size):
        h00 = u * ((f8(a0[q]) - c[q]) + (f8(b0[q]) - c[q]))
        h11 = v * ((f8(a1[q]) - c[q]) + (f8(b1[q]) - c[q]))
        h22 = w * ((f8(a2[q]) - c[q]) + (f8(b2[q]) - c[q]))
        h01 = y * ((f8(c0[q]) - e0[q]) - (f8(f0[q]) - d0[q]))
        h02 = z * ((f8(c1[q]) - e1[q]) - (f8(f1[q]) - d1[q]))
        h12 = s * ((f8(c2[q]) - e2[q]) - (f8(f2[q]) - d2[q]))
        out[q] = (h00 * h00 + h11 * h11 + h22 * h22) + 2.0 * (h01 * h01 + h02 * h02 + h12 * h12)
