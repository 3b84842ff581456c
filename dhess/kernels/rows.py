"""Derivatives along one row of a block, all points of the row at once.

Every loop runs over *row views* (`x[p : p + size]`) and not over positions in a flat array: the
check for negative positions that numba puts into index arithmetic keeps a loop from vectorising
(measured: 2 to 3 times slower). All differences are taken before any product, so that a constant
field gives zero and not rounding noise, whatever the weights.
"""

from __future__ import annotations

from dhess.kernels.compiled import inner


@inner
def pair_1(out, a, b, w, add):  # type: ignore[no-untyped-def]
    """out = w (a - b), or out += …"""
    if add:
        for j in range(out.size):
            out[j] += w * (a[j] - b[j])
    else:
        for j in range(out.size):
            out[j] = w * (a[j] - b[j])


@inner
def pair_2(out, a, b, c, d, v, w, add):  # type: ignore[no-untyped-def]
    """out = v (a - b) + w (c - d), or out += …"""
    if add:
        for j in range(out.size):
            out[j] += v * (a[j] - b[j]) + w * (c[j] - d[j])
    else:
        for j in range(out.size):
            out[j] = v * (a[j] - b[j]) + w * (c[j] - d[j])


@inner
def quad_1(out, a, b, c, d, w, add):  # type: ignore[no-untyped-def]
    """out = w ((a - b) - (c - d)), or out += …"""
    if add:
        for j in range(out.size):
            out[j] += w * ((a[j] - b[j]) - (c[j] - d[j]))
    else:
        for j in range(out.size):
            out[j] = w * ((a[j] - b[j]) - (c[j] - d[j]))


@inner
def quad_2(out, a, b, c, d, e, f, g, h, v, w, add):  # type: ignore[no-untyped-def]
    """out = v ((a - b) - (c - d)) + w ((e - f) - (g - h)), or out += …"""
    if add:
        for j in range(out.size):
            out[j] += v * ((a[j] - b[j]) - (c[j] - d[j])) + w * ((e[j] - f[j]) - (g[j] - h[j]))
    else:
        for j in range(out.size):
            out[j] = v * ((a[j] - b[j]) - (c[j] - d[j])) + w * ((e[j] - f[j]) - (g[j] - h[j]))


@inner
def derive(out, x, p, plus, minus, weight, count):  # type: ignore[no-untyped-def]
    """out[j] = sum over t of weight[t] (x[p + plus[t] + j] - x[p + minus[t] + j])."""
    size = out.size
    t = 0
    while t + 1 < count:
        a, b, c, d = p + plus[t], p + minus[t], p + plus[t + 1], p + minus[t + 1]
        pair_2(
            out,
            x[a : a + size],
            x[b : b + size],
            x[c : c + size],
            x[d : d + size],
            weight[t],
            weight[t + 1],
            t > 0,
        )
        t += 2
    if t < count:
        a, b = p + plus[t], p + minus[t]
        pair_1(out, x[a : a + size], x[b : b + size], weight[t], t > 0)


@inner
def derive_mixed(out, x, p, plus, minus, weight, m, plus2, minus2, weight2, m2):  # type: ignore[no-untyped-def]
    """Out = the product of two sums of differences, as a sum of quadruples."""
    size = out.size
    add = False
    for s in range(m):
        a, b = p + plus[s], p + minus[s]
        t = 0
        while t + 1 < m2:
            e, f, g, h = plus2[t], minus2[t], plus2[t + 1], minus2[t + 1]
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
                weight[s] * weight2[t],
                weight[s] * weight2[t + 1],
                add,
            )
            add = True
            t += 2
        if t < m2:
            e, f = plus2[t], minus2[t]
            quad_1(
                out,
                x[a + e : a + e + size],
                x[b + e : b + e + size],
                x[a + f : a + f + size],
                x[b + f : b + f + size],
                weight[s] * weight2[t],
                add,
            )
            add = True


@inner
def derive_along(out, x, p, weights, first, width):  # type: ignore[no-untyped-def]
    """out[j] = sum over t of weights[t, first + j] (x[p + t + j] - x[p + j]).

    A weight of zero is no part of the stencil: it must not let a NaN through.
    """
    size = out.size
    a = x[p : p + size]
    if width == 3:
        b, c = x[p + 1 : p + 1 + size], x[p + 2 : p + 2 + size]
        v, w = weights[1, first : first + size], weights[2, first : first + size]
        for j in range(size):
            r = v[j] * (b[j] - a[j])
            s = w[j] * (c[j] - a[j])
            out[j] = (r if v[j] != 0.0 else 0.0) + (s if w[j] != 0.0 else 0.0)
        return
    if width == 5:
        b, c = x[p + 1 : p + 1 + size], x[p + 2 : p + 2 + size]
        d, e = x[p + 3 : p + 3 + size], x[p + 4 : p + 4 + size]
        t, u = weights[1, first : first + size], weights[2, first : first + size]
        v, w = weights[3, first : first + size], weights[4, first : first + size]
        for j in range(size):
            q = t[j] * (b[j] - a[j])
            r = u[j] * (c[j] - a[j])
            s = v[j] * (d[j] - a[j])
            z = w[j] * (e[j] - a[j])
            left = (q if t[j] != 0.0 else 0.0) + (r if u[j] != 0.0 else 0.0)
            right = (s if v[j] != 0.0 else 0.0) + (z if w[j] != 0.0 else 0.0)
            out[j] = left + right
        return
    for j in range(size):
        out[j] = 0.0
    for t in range(1, width):
        b, w = x[p + t : p + t + size], weights[t, first : first + size]
        for j in range(size):
            r = w[j] * (b[j] - a[j])
            out[j] += r if w[j] != 0.0 else 0.0


@inner
def bent_1(out, x, p, k, w, add):  # type: ignore[no-untyped-def]
    """Out = f_kk^2 for central differences, or out += …; k is the stride of the axis."""
    size = out.size
    c = x[p : p + size]
    a, b = x[p + k : p + k + size], x[p - k : p - k + size]
    for j in range(size):
        q = w * ((a[j] - c[j]) + (b[j] - c[j]))
        out[j] = (out[j] if add else 0.0) + q * q


@inner
def bent_3(out, x, p, k, l, m, u, v, w):  # type: ignore[no-untyped-def]
    """Out = f_kk^2 + f_ll^2 + f_mm^2.

    Three at a time, because each loop over a row costs a load and a store of ``out`` beside its
    own loads: for n = 3 this is within 10 % of one loop for all components, for any n.
    """
    size = out.size
    c = x[p : p + size]
    a, b = x[p + k : p + k + size], x[p - k : p - k + size]
    d, e = x[p + l : p + l + size], x[p - l : p - l + size]
    f, g = x[p + m : p + m + size], x[p - m : p - m + size]
    for j in range(size):
        q = u * ((a[j] - c[j]) + (b[j] - c[j]))
        r = v * ((d[j] - c[j]) + (e[j] - c[j]))
        s = w * ((f[j] - c[j]) + (g[j] - c[j]))
        out[j] = q * q + r * r + s * s


@inner
def twisted_1(out, x, p, k, l, weight):  # type: ignore[no-untyped-def]
    """Out += 2 f_kl^2 for central differences; k and l are the strides of the two axes."""
    size = out.size
    a, b, c, d = p + k + l, p + k - l, p - k + l, p - k - l
    a1, b1, c1, d1 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    for j in range(size):
        q = weight * ((a1[j] - b1[j]) - (c1[j] - d1[j]))
        out[j] += 2.0 * (q * q)


@inner
def twisted_3(out, x, p, ks, ls, weights):  # type: ignore[no-untyped-def]
    """Out += 2 f_kl^2 for three pairs of axes at once."""
    size = out.size
    k, l = ks[0], ls[0]
    a, b, c, d = p + k + l, p + k - l, p - k + l, p - k - l
    a1, b1, c1, d1 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    k, l = ks[1], ls[1]
    a, b, c, d = p + k + l, p + k - l, p - k + l, p - k - l
    a2, b2, c2, d2 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    k, l = ks[2], ls[2]
    a, b, c, d = p + k + l, p + k - l, p - k + l, p - k - l
    a3, b3, c3, d3 = x[a : a + size], x[b : b + size], x[c : c + size], x[d : d + size]
    v, w, y = weights[0], weights[1], weights[2]
    for j in range(size):
        q = v * ((a1[j] - b1[j]) - (c1[j] - d1[j]))
        r = w * ((a2[j] - b2[j]) - (c2[j] - d2[j]))
        s = y * ((a3[j] - b3[j]) - (c3[j] - d3[j]))
        out[j] += 2.0 * (q * q + r * r + s * s)


@inner
def norm_3(out, x, p, k, s, u, v):  # type: ignore[no-untyped-def]
    """Out = the squared norm of a 3 x 3 Hessian by central differences, in one loop.

    ``k`` and ``s`` are the reaches of the second and of the first derivatives, ``u`` and ``v``
    their weights.
    """
    size = out.size
    c = x[p : p + size]
    i, j, l = k[0], k[1], k[2]
    a0, b0 = x[p + i : p + i + size], x[p - i : p - i + size]
    a1, b1 = x[p + j : p + j + size], x[p - j : p - j + size]
    a2, b2 = x[p + l : p + l + size], x[p - l : p - l + size]
    i, j = s[0] + s[1], s[0] - s[1]
    c0, d0 = x[p + i : p + i + size], x[p - i : p - i + size]
    e0, f0 = x[p + j : p + j + size], x[p - j : p - j + size]
    i, j = s[0] + s[2], s[0] - s[2]
    c1, d1 = x[p + i : p + i + size], x[p - i : p - i + size]
    e1, f1 = x[p + j : p + j + size], x[p - j : p - j + size]
    i, j = s[1] + s[2], s[1] - s[2]
    c2, d2 = x[p + i : p + i + size], x[p - i : p - i + size]
    e2, f2 = x[p + j : p + j + size], x[p - j : p - j + size]
    u0, u1, u2 = u[0], u[1], u[2]
    v0, v1, v2 = v[0] * v[1], v[0] * v[2], v[1] * v[2]
    for q in range(size):
        m = c[q]
        h00 = u0 * ((a0[q] - m) + (b0[q] - m))
        h11 = u1 * ((a1[q] - m) + (b1[q] - m))
        h22 = u2 * ((a2[q] - m) + (b2[q] - m))
        h01 = v0 * ((c0[q] - e0[q]) - (f0[q] - d0[q]))
        h02 = v1 * ((c1[q] - e1[q]) - (f1[q] - d1[q]))
        h12 = v2 * ((c2[q] - e2[q]) - (f2[q] - d2[q]))
        out[q] = (h00 * h00 + h11 * h11 + h22 * h22) + 2.0 * (h01 * h01 + h02 * h02 + h12 * h12)
