"""Derivatives at single points near gaps, from the runs of valid points around each.

A run along an axis is ended by NaN or by the end of the data. It is a domain of its own: stencils
are centred where it allows, one-sided at its ends, and use all of it where it is short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dhess.kernels.compiled import Kernel, inner
from dhess.kernels.measures import finish, height_index, measure_row, pair_index
from dhess.kernels.spans import bend, steepen

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDEST = 11
"""Nodes of the widest row: second derivatives of order 8 on uneven axes."""


class Gapped(NamedTuple):
    """Data with gaps, and what the axes need to make weights from."""

    x: NDArray[np.float64]
    """The data, flat, with as many ghost cells as a row can reach."""
    strides: NDArray[np.int64]
    """Elements between neighbours along each differentiated axis, shape (n,)."""
    sizes: NDArray[np.int64]
    """Points of the data along each, shape (n,)."""
    places: NDArray[np.float64]
    """Coordinates of those points, shape (n, longest)."""
    factor: NDArray[np.float64]
    """By what the first and the second derivative in them is multiplied, shape (2, n)."""
    inside: NDArray[np.int64]
    """Nodes of a centred row, shape (2, n)."""
    outside: NDArray[np.int64]
    """Nodes of a one-sided row, shape (2, n)."""


class Wanted(NamedTuple):
    """What `gap_rows` has to write; the names are those of a box of points."""

    along: NDArray[np.int64]
    gradient: bool
    hessian: bool
    mixed: bool
    noise: bool
    """Whether |f| is; the noise of each derivative stands behind its place already."""


class Room(NamedTuple):
    """Scratch of one call."""

    nodes: NDArray[np.float64]
    table: NDArray[np.float64]
    """Shape (3, WIDEST)."""
    first: NDArray[np.float64]
    """Weights, shape (n, WIDEST)."""
    other: NDArray[np.float64]
    window: NDArray[np.int64]
    """Start and width of the first derivative's row along each axis, shape (2, n)."""

    @classmethod
    def of(cls, n: int) -> Room:
        """Allocate the scratch for n axes."""
        return cls(
            nodes=np.empty(WIDEST),
            table=np.empty((3, WIDEST)),
            first=np.empty((n, WIDEST)),
            other=np.empty(WIDEST),
            window=np.empty((2, n), np.int64),
        )


@inner
def run(x, p, stride, i, size, direction, most):  # type: ignore[no-untyped-def]
    """Count the valid points next to p in a direction, up to the end of the data or ``most``."""
    count = 0
    while count < most:
        i += direction
        p += direction * stride
        if i < 0 or i >= size or x[p] != x[p]:
            break
        count += 1
    return count


@inner
def window(before, behind, inside, outside):  # type: ignore[no-untyped-def]
    """Return start, relative to the point, and width of a row within a run."""
    half = inside // 2
    if inside % 2 == 1 and before >= half and behind >= half:
        return -half, inside
    width = min(outside, before + behind + 1)
    return min(max(-(width // 2), -before), behind + 1 - width), width


@inner
def weigh(room, places, i, start, width, derivative, factor, out):  # type: ignore[no-untyped-def]
    """Write the weights of a derivative at place i on the nodes from i + start on (Fornberg)."""
    nodes, c = room.nodes, room.table
    for t in range(width):
        nodes[t] = places[i + start + t] - places[i]
        for m in range(derivative + 1):
            c[m, t] = 0.0
    c[0, 0] = 1.0
    product = 1.0
    for s in range(1, width):
        before = product
        product = 1.0
        for t in range(s):
            apart = nodes[s] - nodes[t]
            product *= apart
            if t == s - 1:
                for m in range(derivative, -1, -1):
                    lower = m * c[m - 1, t] if m > 0 else 0.0
                    c[m, s] = before / product * (lower - nodes[t] * c[m, t])
            for m in range(derivative, -1, -1):
                lower = m * c[m - 1, t] if m > 0 else 0.0
                c[m, t] = (nodes[s] * c[m, t] - lower) / apart
    for t in range(width):
        out[t] = c[derivative, t] * factor


@inner
def row_at(gapped, room, p, i, k, o, out):  # type: ignore[no-untyped-def]
    """Write the weights of derivative 1 + o along axis k at a point; return start and width.

    The width is 0 where the run is too short.
    """
    x, stride, size = gapped.x, gapped.strides[k], gapped.sizes[k]
    inside, outside = gapped.inside[o, k], gapped.outside[o, k]
    before = run(x, p, stride, i, size, -1, outside - 1)
    behind = run(x, p, stride, i, size, 1, outside - 1)
    start, width = window(before, behind, inside, outside)
    if width < o + 2:
        return 0, 0
    weigh(room, gapped.places[k], i, start, width, o + 1, gapped.factor[o, k], out)
    return start, width


@inner
def apply_row(x, p, stride, start, width, weights):  # type: ignore[no-untyped-def]
    """Return a derivative at a point, as differences from it; NaN without a row."""
    if width == 0:
        return np.nan
    total = 0.0
    for t in range(width):
        total += weights[t] * (x[p + (start + t) * stride] - x[p])
    return total


@inner
def shared(gapped, room, p, i, k, l):  # type: ignore[no-untyped-def]
    """Return start and width of the row along l that all lines of the row along k allow."""
    x, size, stride = gapped.x, gapped.sizes[l], gapped.strides[l]
    before = gapped.outside[0, l] - 1
    behind = before
    for t in range(room.window[1, k]):
        q = p + (room.window[0, k] + t) * gapped.strides[k]
        before = run(x, q, stride, i, size, -1, before)
        behind = run(x, q, stride, i, size, 1, behind)
    return window(before, behind, gapped.inside[0, l], gapped.outside[0, l])


@inner
def rectangle(gapped, room, p, i, k, l):  # type: ignore[no-untyped-def]
    """Return f_kl on the row along k times the row along l that it allows, and the order's width.

    ``i`` is the point's index along l. Without a rectangle the value is NaN and the width 0.
    """
    x, along, across = gapped.x, gapped.strides[k], gapped.strides[l]
    begin, count = room.window[0, k], room.window[1, k]
    if count == 0:
        return np.nan, 0
    start, width = shared(gapped, room, p, i, k, l)
    if width < 2:
        return np.nan, 0
    weigh(room, gapped.places[l], i, start, width, 1, gapped.factor[0, l], room.other)
    total = 0.0
    for t in range(count):
        q = p + (begin + t) * along
        line = 0.0
        for s in range(width):
            line += room.other[s] * (x[q + (start + s) * across] - x[q])
        total += room.first[k, t] * line
    return total, min(count, width)


@inner
def mixed_at(gapped, room, p, i, j, k, l):  # type: ignore[no-untyped-def]
    """Return f_kl: of the two rectangles the one of higher order, or the mean of equal ones."""
    a, wide = rectangle(gapped, room, p, j, k, l)
    b, high = rectangle(gapped, room, p, i, l, k)
    if wide == high:
        return 0.5 * a + 0.5 * b
    return a if wide > high else b


@Kernel
def gap_rows(gapped, wanted, points, index, room, rows):  # type: ignore[no-untyped-def]
    """Write the derivatives at single points, shape (`row_count`, points).

    ``points`` are positions in the data, shape (points,), and ``index`` those along each
    differentiated axis, shape (points, n).
    """
    n, x = wanted.along.size, gapped.x
    for m in range(points.size):
        p = points[m]
        for k in range(n):
            stride, i = gapped.strides[k], index[m, k]
            if wanted.hessian:
                start, width = row_at(gapped, room, p, i, k, 1, room.other)
                value = apply_row(x, p, stride, start, width, room.other)
                rows[pair_index(k, k, n), m] = value
            if wanted.gradient or wanted.mixed:
                start, width = row_at(gapped, room, p, i, k, 0, room.first[k])
                room.window[0, k], room.window[1, k] = start, width
                rows[k, m] = apply_row(x, p, stride, start, width, room.first[k])
        if wanted.mixed:
            for k in range(n):
                for l in range(k + 1, n):
                    value = mixed_at(gapped, room, p, index[m, k], index[m, l], k, l)
                    rows[pair_index(k, l, n), m] = value
        if wanted.noise:
            rows[height_index(n), m] = abs(x[p])


@Kernel
def bend_rows(metric, wanted, index, rows):  # type: ignore[no-untyped-def]
    """Make physical components on the sphere; index is (0,) and metric is per point."""
    bend(metric, wanted, rows, index, rows.shape[1])
    if wanted.noise:
        steepen(metric, wanted, rows, index, rows.shape[1])


@Kernel
def measure_rows(code, rows, n, raw, A, spectrum):  # type: ignore[no-untyped-def]
    """Write the measure of points, from the rows of their derivatives."""
    measure_row(code, rows, n, raw, A, spectrum)
    for j in range(raw.size):
        raw[j] = finish(code, raw[j], False)
