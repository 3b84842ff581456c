"""One pass over a box of points: fields written, or the smallest values kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dhess.kernels.compiled import Kernel, inner, merged
from dhess.kernels.eigen import eigenvalues_of
from dhess.kernels.measures import (
    HESSIAN_NORM,
    finish,
    load_matrix,
    measure_row,
    pair_index,
)
from dhess.kernels.rows import (
    bent_1,
    bent_2,
    bent_3,
    derive,
    derive_along,
    derive_mixed,
    twisted_1,
    twisted_3,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRADIENT = 0
HESSIAN = 1
EIGENVALUES = 2

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
    """Whether second derivatives are wanted."""
    row: int
    """Which differentiated dimension is the row and has weights per point; -1: none."""
    even: bool
    """Whether all weights are the same everywhere: columns of the tables then have length 1."""
    runs: NDArray[np.int64]
    """For each index of the axis before the row: up to which one the weights stay the same."""
    starts: NDArray[np.int64]
    """First node minus index, shape (2, n, longest axis); [0] first derivative, [1] second."""
    widths: NDArray[np.int64]
    """Number of nodes, shape as starts."""
    weights: NDArray[np.float64]
    """Weights, shape (2, n, widest, longest axis); zeros fill up narrow rows."""


@inner
def differences(box, d, k, i, plus, minus, weight):  # type: ignore[no-untyped-def]
    """Write the derivative d along k at index i as differences; return how many there are.

    A central row becomes differences over its middle, any other one differences from its first
    node: both give exactly zero on a constant, and touch no node of weight zero.
    """
    stride = box.strides[box.along[k]]
    start, width = box.starts[d, k, i], box.widths[d, k, i]
    w = box.weights[d, k, :, i]
    count = 0
    half = width // 2
    central = width % 2 == 1 and start == -half
    if central:
        for t in range(half):
            central = central and w[t] == (w[width - 1 - t] if d else -w[width - 1 - t])
    if central and d == 0:
        central = w[half] == 0.0
    if central:
        for t in range(1, half + 1):
            if w[half + t] != 0.0:
                if d == 0:
                    plus[count], minus[count] = t * stride, -t * stride
                    weight[count] = w[half + t]
                    count += 1
                else:
                    plus[count], minus[count] = t * stride, 0
                    plus[count + 1], minus[count + 1] = -t * stride, 0
                    weight[count] = w[half + t]
                    weight[count + 1] = w[half + t]
                    count += 2
        return count
    for t in range(1, width):
        if w[t] != 0.0:
            plus[count], minus[count] = (start + t) * stride, start * stride
            weight[count] = w[t]
            count += 1
    return count


@merged
def set_differences(box, index, changed, tables, counts):  # type: ignore[no-untyped-def]
    """Fill the tables of differences for the row at index; axes before ``changed`` stay."""
    plus, minus, weight = tables
    for k in range(box.along.size):
        axis = box.along[k]
        if axis >= changed and k != box.row:
            i = 0 if box.even else index[axis]
            for d in range(2):
                counts[d, k] = differences(box, d, k, i, plus[d, k], minus[d, k], weight[d, k])


@merged
def across(box, x, p, tables, counts, rows, size):  # type: ignore[no-untyped-def]
    """Write the derivatives that have the same weights all along the row."""
    plus, minus, weight = tables
    n = box.along.size
    for k in range(n):
        if k == box.row:
            continue
        if box.gradient:
            out = rows[k, :size]
            derive(out, x, p, plus[0, k], minus[0, k], weight[0, k], counts[0, k])
        if box.hessian:
            out = rows[pair_index(k, k, n), :size]
            derive(out, x, p, plus[1, k], minus[1, k], weight[1, k], counts[1, k])
            for l in range(k + 1, n):
                if l != box.row:
                    out = rows[pair_index(k, l, n), :size]
                    derive_mixed(out, x, p, k, l, plus[0], minus[0], weight[0], counts[0])


@merged
def lengthwise(box, x, p, begin, tables, counts, rows, size, scratch):  # type: ignore[no-untyped-def]
    """Write the derivatives along the row, in pieces over which the windows do not change."""
    plus, minus, weight = tables
    n, r = box.along.size, box.row
    starts, widths = box.starts[:, r], box.widths[:, r]
    end = begin + size
    first = begin
    while first < end:
        last = first + 1
        while (
            last < end
            and starts[0, last] == starts[0, first]
            and starts[1, last] == starts[1, first]
            and widths[0, last] == widths[0, first]
            and widths[1, last] == widths[1, first]
        ):
            last += 1
        a, b = first - begin, last - begin
        q, width = p + a + starts[0, first], widths[0, first]
        if box.gradient:
            derive_along(rows[r, a:b], x, q, box.weights[0, r], first, width)
        if box.hessian:
            out = rows[pair_index(r, r, n), a:b]
            place = p + a + starts[1, first]
            derive_along(out, x, place, box.weights[1, r], first, widths[1, first])
            for k in range(n):
                if k != r:
                    part = scratch[: b - a + width - 1]
                    derive(part, x, q, plus[0, k], minus[0, k], weight[0, k], counts[0, k])
                    out = rows[pair_index(min(k, r), max(k, r), n), a:b]
                    derive_along(out, part, 0, box.weights[0, r], first, width)
        first = last


@inner
def plain(box, tables, counts):  # type: ignore[no-untyped-def]
    """Tell whether every derivative is one central difference with the same weight everywhere."""
    if not box.even:
        return False
    plus, minus, _ = tables
    for k in range(box.along.size):
        if counts[1, k] != 2 or plus[1, k, 0] != -plus[1, k, 1]:
            return False
        if box.along.size > 1 and (counts[0, k] != 1 or plus[0, k, 0] != -minus[0, k, 0]):
            return False
    return True


@merged
def norm_row(n, x, p, tables, raw, order):  # type: ignore[no-untyped-def]
    """Write the squared Frobenius norm of the Hessian, with no row for any component."""
    plus, _, weight = tables
    k, w = plus[1, :, 0], weight[1, :, 0]
    if n == 2:
        bent_2(raw, x, p, k[0], k[1], w[0], w[1])
    elif n > 2:
        bent_3(raw, x, p, k[0], k[1], k[2], w[0], w[1], w[2])
    for i in range(3 if n > 2 else 2 if n == 2 else 0, n):
        bent_1(raw, x, p, k[i], w[i], i > 0)
    ks, ls, ws = order
    found = 0
    for k in range(n):
        for l in range(k + 1, n):
            ks[found], ls[found] = plus[0, k, 0], plus[0, l, 0]
            ws[found] = weight[0, k, 0] * weight[0, l, 0]
            found += 1
            if found == 3:
                twisted_3(raw, x, p, ks, ls, ws)
                found = 0
    for t in range(found):
        twisted_1(raw, x, p, ks[t], ls[t], ws[t])


@merged
def workspace(box):  # type: ignore[no-untyped-def]
    """Return scratch for the rows of one box."""
    n, width = box.along.size, box.weights.shape[2]
    tables = (
        np.zeros((2, n, 2 * width), np.int64),
        np.zeros((2, n, 2 * width), np.int64),
        np.zeros((2, n, 2 * width)),
    )
    order = (np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3))
    counts = np.zeros((2, n), np.int64)
    rows = np.empty((n + n * (n + 1) // 2, SPAN))
    scratch = np.empty(SPAN + 2 * width)
    return tables, order, counts, rows, scratch, np.empty((n, n)), np.empty(n)


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
    if 2 * size < stride:
        return 1, size
    rows = min(box.runs[index[last - 1]] - index[last - 1], 1 + (SPAN - size) // stride)
    return max(rows, 1), size


@inner
def advance(index, shape, rows, size):  # type: ignore[no-untyped-def]
    """Move index past a span, in C order; return the first axis that changed, -1 at the end."""
    last = index.size - 1
    index[last] += size
    if index[last] < shape[last]:
        return last
    index[last] = 0
    step = rows
    for axis in range(last - 1, -1, -1):
        index[axis] += step
        if index[axis] < shape[axis]:
            return axis
        index[axis] = 0
        step = 1
    return -1


@inner
def place_of(base, index, strides):  # type: ignore[no-untyped-def]
    """Return the flat position of a point."""
    p = base
    for axis in range(index.size):
        p += index[axis] * strides[axis]
    return p


@merged
def derivative_rows(box, x, p, begin, size, work):  # type: ignore[no-untyped-def]
    """Write all derivatives that the box wants along a span."""
    tables, _, counts, rows, scratch, _, _ = work
    across(box, x, p, tables, counts, rows, size)
    if box.row >= 0:
        lengthwise(box, x, p, begin, tables, counts, rows, size, scratch)


@merged
def raw_span(code, box, x, index, is_plain, work, raw):  # type: ignore[no-untyped-def]
    """Write the raw measure along a span."""
    tables, order, _, rows, _, A, spectrum = work
    p = place_of(box.base, index, box.strides)
    if is_plain and code == HESSIAN_NORM:
        norm_row(box.along.size, x, p, tables, raw, order)
        return
    derivative_rows(box, x, p, index[-1], raw.size, work)
    measure_row(code, rows, box.along.size, raw, A, spectrum)


@inner
def component(what, c, n, rows, size, A, spectrum):  # type: ignore[no-untyped-def]
    """Return component c of the gradient or Hessian along a span; for eigenvalues, write them all.

    Eigenvalues take the place of the gradient's rows.
    """
    if what == GRADIENT:
        return rows[c, :size]
    if what == HESSIAN:
        k, l = c // n, c % n
        return rows[pair_index(min(k, l), max(k, l), n), :size]
    if c == 0:
        for j in range(size):
            load_matrix(rows, j, n, A)
            eigenvalues_of(A, n, spectrum)
            for k in range(n):
                rows[k, j] = spectrum[k]
    return rows[c, :size]


@inner
def put(out, q, step, values):  # type: ignore[no-untyped-def]
    """Write values to a row of the flat array out."""
    if step == 1:
        target = out[q : q + values.size]
        for j in range(values.size):
            target[j] = values[j]
    else:
        for j in range(values.size):
            out[q + j * step] = values[j]


@Kernel
def components_box(what, box, x, out, base, strides, between):  # type: ignore[no-untyped-def]
    """Write the gradient, Hessian or eigenvalues of a box to the flat array out.

    ``base`` and ``strides`` say where the box's points lie in out, ``between`` how far the
    components lie apart.
    """
    work = workspace(box)
    tables, _, counts, derivatives, _, A, spectrum = work
    n, last = box.along.size, box.shape.size - 1
    index = np.zeros(last + 1, np.int64)
    changed = 0
    while changed >= 0:
        set_differences(box, index, changed, tables, counts)
        rows, size = next_span(box, index)
        away = box.strides[last - 1]
        total = (rows - 1) * away + size
        derivative_rows(box, x, place_of(box.base, index, box.strides), index[last], total, work)
        q = place_of(base, index, strides)
        for c in range(n * n if what == HESSIAN else n):
            values = component(what, c, n, derivatives, total, A, spectrum)
            for r in range(rows):
                place = q + r * strides[last - 1] + c * between
                put(out, place, strides[last], values[r * away : r * away + size])
        changed = advance(index, box.shape, rows, size)


@Kernel
def measure_box(code, box, x, out, base, strides):  # type: ignore[no-untyped-def]
    """Write a measure on a box to the flat array out."""
    work = workspace(box)
    tables, _, counts, _, _, _, _ = work
    last = box.shape.size - 1
    index = np.zeros(last + 1, np.int64)
    raw = np.empty(SPAN)
    set_differences(box, index, 0, tables, counts)
    is_plain = plain(box, tables, counts)
    changed = 0
    while changed >= 0:
        if not box.even:
            set_differences(box, index, changed, tables, counts)
        rows, size = next_span(box, index)
        away = box.strides[last - 1]
        total = (rows - 1) * away + size
        values = raw[:total]
        raw_span(code, box, x, index, is_plain, work, values)
        for j in range(total):
            values[j] = finish(code, values[j], False)
        q = place_of(base, index, strides)
        for r in range(rows):
            place = q + r * strides[last - 1]
            put(out, place, strides[last], values[r * away : r * away + size])
        changed = advance(index, box.shape, rows, size)


@inner
def screen(raw, limit):  # type: ignore[no-untyped-def]
    """Return how many values are below the limit, and how many are NaN.

    Counting vectorises where a running minimum would not; few rows then need a closer look.
    """
    below = 0
    nans = 0
    for j in range(raw.size):
        below += raw[j] < limit
        nans += raw[j] != raw[j]
    return below, nans


@inner
def limit_of(raw, ordered):  # type: ignore[no-untyped-def]
    """Return what a raw measure must be below to rank before a kept one.

    Out of order an equal value may still win by its place, and values that are equal after
    rounding to float32 may differ before it: the limit is then a little higher.
    """
    if ordered:
        return raw
    return raw + 1e-6 * abs(raw) + 1e-44 if np.isfinite(raw) else np.inf


@inner
def after(values, places, a, b):  # type: ignore[no-untyped-def]
    """Tell whether entry a ranks after entry b: by value, then by place."""
    return values[a] > values[b] or (values[a] == values[b] and places[a] > places[b])


@inner
def swap(values, places, raws, a, b):  # type: ignore[no-untyped-def]
    """Exchange two entries."""
    values[a], values[b] = values[b], values[a]
    places[a], places[b] = places[b], places[a]
    raws[a], raws[b] = raws[b], raws[a]


@inner
def keep(values, places, raws, count, value, place, raw):  # type: ignore[no-untyped-def]
    """Put a point among the best, a heap with the worst on top; return the new count."""
    if count < values.size:
        i = count
        values[i], places[i], raws[i] = value, place, raw
        while i > 0 and after(values, places, i, (i - 1) // 2):
            swap(values, places, raws, i, (i - 1) // 2)
            i = (i - 1) // 2
        return count + 1
    if value > values[0] or (value == values[0] and place > places[0]):
        return count
    values[0], places[0], raws[0] = value, place, raw
    i = 0
    while True:
        child = 2 * i + 1
        if child >= count:
            return count
        if child + 1 < count and after(values, places, child + 1, child):
            child += 1
        if not after(values, places, child, i):
            return count
        swap(values, places, raws, i, child)
        i = child


@Kernel
def search_box(code, box, x, base, strides, single, ordered, values, places):  # type: ignore[no-untyped-def]
    """Keep the smallest values of a measure on a box; return how many, and how many are NaN.

    Places are positions in the whole array, given by ``base`` and ``strides``; equal values rank by
    place. ``single`` rounds to float32 first. ``ordered`` says that the box is passed in the order
    of places: a later point then cannot win a tie.
    """
    work = workspace(box)
    tables, _, counts, _, _, _, _ = work
    last = box.shape.size - 1
    index = np.zeros(last + 1, np.int64)
    raw = np.empty(SPAN)
    raws = np.empty(values.size)
    count = 0
    nans = 0
    set_differences(box, index, 0, tables, counts)
    is_plain = plain(box, tables, counts)
    changed = 0
    while changed >= 0:
        if not box.even:
            set_differences(box, index, changed, tables, counts)
        rows, size = next_span(box, index)
        away = box.strides[last - 1]
        raw_span(code, box, x, index, is_plain, work, raw[: (rows - 1) * away + size])
        q = place_of(base, index, strides)
        for r in range(rows):
            row = raw[r * away : r * away + size]
            limit = limit_of(raws[0], ordered) if count == values.size else np.inf
            below, wrong = screen(row, limit)
            nans += wrong
            if below or count < values.size or limit == np.inf:
                place = q + r * strides[last - 1]
                for j in range(size):
                    if row[j] == row[j]:
                        value = finish(code, row[j], single)
                        at = place + j * strides[last]
                        count = keep(values, places, raws, count, value, at, row[j])
        changed = advance(index, box.shape, rows, size)
    return count, nans
