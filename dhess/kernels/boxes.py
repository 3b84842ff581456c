"""One pass over a box of points: fields written, or the smallest values kept."""

from __future__ import annotations

import numpy as np

from dhess.kernels.compiled import Kernel, inner
from dhess.kernels.eigen import eigenvalues_of
from dhess.kernels.measures import finish, load_matrix, pair_index
from dhess.kernels.spans import advance, derivative_rows, next_span, place_of, plain, raw_span

GRADIENT = 0
HESSIAN = 1
EIGENVALUES = 2


@inner
def row_of(what, c, n):  # type: ignore[no-untyped-def]
    """Return in which row of derivatives component c stands."""
    if what != HESSIAN:
        return c
    k, l = c // n, c % n
    return pair_index(min(k, l), max(k, l), n)


@inner
def decompose(rows, n, size, A, spectrum):  # type: ignore[no-untyped-def]
    """Write the eigenvalues along a span to the rows of the gradient."""
    for j in range(size):
        load_matrix(rows, j, n, A)
        eigenvalues_of(A, n, spectrum)
        for k in range(n):
            rows[k, j] = spectrum[k]


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
def components_box(what, box, metric, work, x, out, base, strides, between):  # type: ignore[no-untyped-def]
    """Write the gradient, Hessian or eigenvalues of a box to the flat array out.

    ``base`` and ``strides`` say where the box's points lie in out, ``between`` how far the
    components lie apart.
    """
    derivatives, index, A, spectrum = work.rows, work.at, work.matrix, work.spectrum
    n, last = box.along.size, box.shape.size - 1
    more = True
    while more:
        rows, size = next_span(box, index)
        away = box.strides[last - 1]
        total = (rows - 1) * away + size
        derivative_rows(box, metric, x, index, total, work)
        q = place_of(base, index, strides)
        if what == EIGENVALUES:
            decompose(derivatives, n, total, A, spectrum)
        for c in range(n * n if what == HESSIAN else n):
            values = derivatives[row_of(what, c, n), :total]
            for r in range(rows):
                place = q + r * strides[last - 1] + c * between
                put(out, place, strides[last], values[r * away : r * away + size])
        more = advance(index, box.shape, rows, size)


@Kernel
def measure_box(code, box, metric, work, x, out, base, strides):  # type: ignore[no-untyped-def]
    """Write a measure on a box to the flat array out."""
    last = box.shape.size - 1
    index, raw = work.at, work.raw
    is_plain = plain(box)
    more = True
    while more:
        rows, size = next_span(box, index)
        away = box.strides[last - 1]
        total = (rows - 1) * away + size
        values = raw[:total]
        raw_span(code, box, metric, x, index, is_plain, work, values)
        for j in range(total):
            values[j] = finish(code, values[j], False)
        q = place_of(base, index, strides)
        for r in range(rows):
            place = q + r * strides[last - 1]
            put(out, place, strides[last], values[r * away : r * away + size])
        more = advance(index, box.shape, rows, size)


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
def search_box(code, box, metric, work, x, base, strides, single, ordered, values, places):  # type: ignore[no-untyped-def]
    """Keep the smallest values of a measure on a box; return how many, and how many are NaN.

    Places are positions in the whole array, given by ``base`` and ``strides``; equal values rank by
    place. ``single`` rounds to float32 first. ``ordered`` says that the box is passed in the order
    of places: a later point then cannot win a tie.
    """
    last = box.shape.size - 1
    index, raw, raws = work.at, work.raw, work.raws
    count = 0
    nans = 0
    is_plain = plain(box)
    more = True
    while more:
        rows, size = next_span(box, index)
        away = box.strides[last - 1]
        raw_span(code, box, metric, x, index, is_plain, work, raw[: (rows - 1) * away + size])
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
        more = advance(index, box.shape, rows, size)
    return count, nans
