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
def derive_mixed(out, x, p, k, l, plus, minus, weight, count):  # type: ignore[no-untyped-def]
    """out = D_k D_l x: the product of two sums of differences, as a sum of quadruples."""
    size = out.size
    add = False
    for s in range(count[k]):
        a, b = p + plus[k, s], p + minus[k, s]
        t = 0
        while t + 1 < count[l]:
            e, f, g, h = plus[l, t], minus[l, t], plus[l, t + 1], minus[l, t + 1]
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
                weight[k, s] * weight[l, t],
                weight[k, s] * weight[l, t + 1],
                add,
            )
            add = True
            t += 2
        if t < count[l]:
            e, f = plus[l, t], minus[l, t]
            quad_1(
                out,
                x[a + e : a + e + size],
                x[b + e : b + e + size],
                x[a + f : a + f + size],
                x[b + f : b + f + size],
                weight[k, s] * weight[l, t],
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
def bent_2(out, x, p, k, l, v, w):  # type: ignore[no-untyped-def]
    """Out = f_kk^2 + f_ll^2."""
    size = out.size
    c = x[p : p + size]
    a, b = x[p + k : p + k + size], x[p - k : p - k + size]
    d, e = x[p + l : p + l + size], x[p - l : p - l + size]
    for j in range(size):
        q = v * ((a[j] - c[j]) + (b[j] - c[j]))
        r = w * ((d[j] - c[j]) + (e[j] - c[j]))
        out[j] = q * q + r * r


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
