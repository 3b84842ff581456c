"""Derivatives and measures along a span: one long row of a box, or several short ones at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dhess.kernels.compiled import fill, inner, merged
from dhess.kernels.measures import (
    HESSIAN_NORM,
    does_compare,
    height_index,
    measure_row,
    pair_index,
    row_count,
)
from dhess.kernels.rows import (
    bent_1,
    bent_3,
    derive,
    derive_along,
    derive_mixed,
    derive_twice,
    norm_3,
    twisted_1,
    twisted_3,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN = 1024
"""Points that are computed at once: the rows of their derivatives fit the fastest cache."""


class Box(NamedTuple):
    """Where a box of points lies in a flat block, and the weights of its axes.

    Axes of the box are numbered as in the block; the last one is the row, of stride 1. Weights are
    cut to the box: column i of a table is for the i-th point of the box along that axis.
    """

    base: int
    """Position in the block of the box's first point."""
    shape: NDArray[np.int64]
    """Points along each axis."""
    strides: NDArray[np.int64]
    """Elements of the block between neighbours along each axis."""
    along: NDArray[np.int64]
    """Which axis of the box each differentiated dimension is, in the order of the result's rows."""
    gradient: bool
    """Whether first derivatives are wanted."""
    hessian: bool
    """Whether pure second derivatives are wanted."""
    mixed: bool
    """Whether mixed second derivatives are wanted."""
    noise: NDArray[np.float64]
    """What the rounding of the data makes of a derivative, per unit of |f|: shape (2, n, longest
    axis)."""
    even: bool
    """Whether all weights are the same everywhere; indices of the tables then have length 1."""
    runs: NDArray[np.int64]
    """For each index of the axis before the row: up to which one the weights stay the same."""
    plus: NDArray[np.int64]
    """Derivatives as weighted differences: where they add, relative to the point in elements of the
    block. Shape (2, n, longest axis, most differences); [0] first derivative, [1] second."""
    minus: NDArray[np.int64]
    """Where they subtract."""
    factor: NDArray[np.float64]
    """By what they are multiplied."""
    counts: NDArray[np.int64]
    """How many there are, shape (2, n, longest axis)."""
    row: int
    """Which differentiated dimension is the row and has weights per point; -1: none."""
    pieces: NDArray[np.int64]
    """Of such a row, for each index: up to which one the windows are alike."""
    starts: NDArray[np.int64]
    """Of such a row: first node minus index, shape (2, points)."""
    widths: NDArray[np.int64]
    """Of such a row: number of nodes, shape (2, points)."""
    weights: NDArray[np.float64]
    """Of such a row: weights, shape (2, widest, points); zeros fill up narrow ones."""


class Metric(NamedTuple):
    """What the sphere makes of the derivatives along its latitude and longitude."""

    latitude: int
    """Which differentiated dimension it is."""
    longitude: int
    axis: int
    """Which axis of the box the latitude is."""
    cos: NDArray[np.float64]
    """Cosine of the latitude, for each index of the box; NaN at the poles."""
    tan: NDArray[np.float64]
    """Tangent of the latitude over the radius."""


class Work(NamedTuple):
    """Scratch of one call."""

    rows: NDArray[np.float64]
    """Derivatives along a span, |f| and noise, shape (`row_count`, SPAN)."""
    line: NDArray[np.float64]
    raw: NDArray[np.float64]
    matrix: NDArray[np.float64]
    spectrum: NDArray[np.float64]
    at: NDArray[np.int64]
    """Zeros, one per axis of the box."""
    raws: NDArray[np.float64]
    """As many as points are kept."""

    @classmethod
    def of(cls, box: Box, kept: int = 0) -> Work:
        """Allocate the scratch for a box."""
        n = box.along.size
        return cls(
            rows=np.empty((row_count(n), SPAN)),
            line=np.empty(SPAN + max(box.weights.shape[1], 2 * box.plus.shape[3])),
            raw=np.empty(SPAN),
            matrix=np.empty((n, n)),
            spectrum=np.empty(n),
            at=np.zeros(box.shape.size, np.int64),
            raws=np.empty(kept),
        )


@inner
def mix(out, line, x, p, k, i, l, j, last, along, plus, minus, factor, counts):  # type: ignore[no-untyped-def]
    """Write f_kl along a row, at index i of axis k and j of axis l."""
    wide = counts[0, k, i] > 1 and counts[0, l, j] > 1
    if wide and along[l] == last:
        derive_twice(out, line, x, p, k, i, l, j, plus, minus, factor, counts)
    elif wide and along[k] == last:
        derive_twice(out, line, x, p, l, j, k, i, plus, minus, factor, counts)
    else:
        derive_mixed(out, x, p, k, i, l, j, plus, minus, factor, counts)


@merged
def across(box, x, p, index, rows, size, line):  # type: ignore[no-untyped-def]
    """Write the derivatives that have the same weights all along the row."""
    along, even, row = box.along, box.even, box.row
    plus, minus, factor, counts = box.plus, box.minus, box.factor, box.counts
    n = along.size
    for k in range(n):
        if k == row:
            continue
        i = 0 if even else index[along[k]]
        if box.gradient:
            derive(rows[k, :size], x, p, 0, k, i, plus, minus, factor, counts)
        if box.hessian:
            out = rows[pair_index(k, k, n), :size]
            derive(out, x, p, 1, k, i, plus, minus, factor, counts)
        if box.mixed:
            for l in range(k + 1, n):
                if l != row:
                    j = 0 if even else index[along[l]]
                    out = rows[pair_index(k, l, n), :size]
                    last = index.size - 1
                    mix(out, line, x, p, k, i, l, j, last, along, plus, minus, factor, counts)


@merged
def lengthwise(box, x, p, index, rows, size, scratch):  # type: ignore[no-untyped-def]
    """Write the derivatives along the row, in pieces over which the windows do not change."""
    along, even, r = box.along, box.even, box.row
    plus, minus, factor, counts = box.plus, box.minus, box.factor, box.counts
    starts, widths, weights, pieces = box.starts, box.widths, box.weights, box.pieces
    n = along.size
    begin = index[index.size - 1]
    end = begin + size
    first = begin
    while first < end:
        last = min(end, pieces[first])
        a, b = first - begin, last - begin
        q, width = p + a + starts[0, first], widths[0, first]
        if box.gradient:
            derive_along(rows[r, a:b], x, q, 0, weights, first, width)
        if box.hessian:
            out = rows[pair_index(r, r, n), a:b]
            place = p + a + starts[1, first]
            derive_along(out, x, place, 1, weights, first, widths[1, first])
        if box.mixed:
            for k in range(n):
                if k != r:
                    i = 0 if even else index[along[k]]
                    part = scratch[: b - a + width - 1]
                    derive(part, x, q, 0, k, i, plus, minus, factor, counts)
                    out = rows[pair_index(min(k, r), max(k, r), n), a:b]
                    derive_along(out, part, 0, 0, weights, first, width)
        first = last


@inner
def plain(box):  # type: ignore[no-untyped-def]
    """Tell whether every derivative is one central difference with the same weight everywhere."""
    if not box.even:
        return False
    for k in range(box.along.size):
        if box.counts[1, k, 0] != 2 or box.plus[1, k, 0, 0] != -box.plus[1, k, 0, 1]:
            return False
        if box.along.size > 1 and (
            box.counts[0, k, 0] != 1 or box.plus[0, k, 0, 0] != -box.minus[0, k, 0, 0]
        ):
            return False
    return True


@merged
def norm_row(box, x, p, raw):  # type: ignore[no-untyped-def]
    """Write the squared Frobenius norm of the Hessian, with no row for any component."""
    plus, factor = box.plus, box.factor
    n = box.along.size
    if n == 3:
        norm_3(raw, x, p, plus, factor)
        return
    if n > 3:
        bent_3(raw, x, p, plus, factor)
    for k in range(3 if n > 3 else 0, n):
        bent_1(raw, x, p, plus[1, k, 0, 0], factor[1, k, 0, 0], k > 0)
    for k in range(n):
        l = k + 1
        while l + 2 < n:
            twisted_3(raw, x, p, k, l, plus, factor)
            l += 3
        while l < n:
            twisted_1(raw, x, p, k, l, plus, factor)
            l += 1


@inner
def next_span(box, index):  # type: ignore[no-untyped-def]
    """Return how many rows from index on are done at once, and how many points of each.

    Rows are short in many dimensions, and each costs a start; so rows that have the same weights
    and lie close together are passed as one, points between them and all. Long rows are cut, so
    that their derivatives stay in the cache.
    """
    last = index.size - 1
    size = box.shape[last]
    if size - index[last] > SPAN or index[last] > 0:
        return 1, min(SPAN, size - index[last])
    if last == 0 or box.row >= 0:
        return 1, size
    stride = box.strides[last - 1]
    if 4 * size < stride:
        return 1, size
    rows = min(box.runs[index[last - 1]] - index[last - 1], 1 + (SPAN - size) // stride)
    return max(rows, 1), size


@inner
def advance(index, shape, rows, size):  # type: ignore[no-untyped-def]
    """Move index past a span, in C order; tell whether anything is left."""
    last = index.size - 1
    index[last] += size
    if index[last] < shape[last]:
        return True
    index[last] = 0
    step = rows
    for axis in range(last - 1, -1, -1):
        index[axis] += step
        if index[axis] < shape[axis]:
            return True
        index[axis] = 0
        step = 1
    return False


@inner
def place_of(base, index, strides):  # type: ignore[no-untyped-def]
    """Return the flat position of a point."""
    p = base
    for axis in range(index.size):
        p += index[axis] * strides[axis]
    return p


@merged
def derivative_rows(box, metric, x, index, size, work):  # type: ignore[no-untyped-def]
    """Write all derivatives that the box wants along a span."""
    p = place_of(box.base, index, box.strides)
    across(box, x, p, index, work.rows, size, work.line)
    if box.row >= 0:
        lengthwise(box, x, p, index, work.rows, size, work.line)
    bend(metric, box, work.rows, index, size)


@inner
def bend(metric, box, rows, index, size):  # type: ignore[no-untyped-def]
    """Make physical components on the sphere of derivatives along its coordinates.

    With axes in metres along the great circles, f_u by latitude and f_v by longitude: f_v / cos,
    f_uv -> (f_uv + tan f_v) / cos, f_vv -> f_vv / cos^2 - tan f_u, and f_kv / cos for another axis
    k. Poles become NaN.
    """
    if metric is None:
        return
    first, step = index[metric.axis], 1 if metric.axis == index.size - 1 else 0
    u, v, n = metric.latitude, metric.longitude, box.along.size
    for j in range(size):
        c, t = metric.cos[first + step * j], metric.tan[first + step * j]
        fu, fv = rows[u, j], rows[v, j]
        pole = 0.0 * c
        for k in range(n):
            rows[k, j] = fv / c if k == v else rows[k, j] + pole
        if box.hessian:
            for k in range(n):
                kk = pair_index(k, k, n)
                rows[kk, j] = rows[kk, j] / (c * c) - t * fu if k == v else rows[kk, j] + pole
        if box.mixed:
            for k in range(n):
                for l in range(k + 1, n):
                    kl = pair_index(k, l, n)
                    f = rows[kl, j]
                    if v not in (k, l):
                        rows[kl, j] = f + pole
                    elif u in (k, l):
                        rows[kl, j] = (f + t * fv) / c
                    else:
                        rows[kl, j] = f / c


@inner
def noise_rows(box, x, index, rows, size):  # type: ignore[no-untyped-def]
    """Write |f| and the noise of each derivative along a span."""
    p, n, last = place_of(box.base, index, box.strides), box.along.size, index.size - 1
    at = height_index(n)
    f, height = x[p : p + size], rows[at]
    for j in range(size):
        height[j] = abs(np.float64(f[j]))
    for o in range(2):
        for k in range(n):
            i = 0 if box.even else index[box.along[k]]
            noise = rows[at + 1 + o * n + k]
            if k == box.row:
                for j in range(size):
                    noise[j] = box.noise[o, k, index[last] + j]
            else:
                fill(noise, size, box.noise[o, k, i])


@inner
def steepen(metric, box, rows, index, size):  # type: ignore[no-untyped-def]
    """Raise the noise by longitude as `bend` raises what it is of."""
    if metric is None:
        return
    first, step = index[metric.axis], 1 if metric.axis == index.size - 1 else 0
    n, v = box.along.size, metric.longitude
    at = height_index(n) + 1 + v
    for j in range(size):
        c = metric.cos[first + step * j]
        rows[at, j] /= c
        rows[at + n, j] /= c * c


@merged
def raw_span(code, box, metric, x, index, is_plain, work, raw):  # type: ignore[no-untyped-def]
    """Write the raw measure along a span."""
    if is_plain and metric is None and code == HESSIAN_NORM:
        norm_row(box, x, place_of(box.base, index, box.strides), raw)
    else:
        derivative_rows(box, metric, x, index, raw.size, work)
        if does_compare(code):
            noise_rows(box, x, index, work.rows, raw.size)
            steepen(metric, box, work.rows, index, raw.size)
        measure_row(code, work.rows, box.along.size, raw, work.matrix, work.spectrum)
