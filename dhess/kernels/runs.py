"""Points below a limit as runs along rows: found row by row, joined, numbered, painted, summed up.

Where few points are below, a run is all that is kept of many of them, and where none is, a row
costs one comparison a point. A run knows where it begins and ends in its row; ``begins`` tells
which runs a row has. Those that are joined form a tree: ``above`` is 1 + the run above each; in
the end it is the number of its region, from 1 on in the order of the regions' first points.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dhess.kernels.compiled import Kernel, inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPAN = 1024
"""Points of a row that are compared together."""

WORD = 8
"""Points that are passed over together if none is below the limit."""

HALF = 25
"""Bits of the lower half of a summand in fixed point."""
SCALE = float(1 << 2 * HALF)
"""What 1 is in fixed point: sums of integers do not depend on their order."""
LIMBS = 3
"""How many such numbers a summand is cut into, each for what the one before leaves out. Along axes
whose cells grow over many decades, the smallest are 0 in the first one."""


class Found(NamedTuple):
    """The runs of a box of points."""

    begins: NDArray[np.int64]
    """Number of the first run of each row, and of all in the end."""
    first: NDArray[Any]
    """First point of each run in its row, and the one behind the last."""
    last: NDArray[Any]
    above: NDArray[Any]
    held: NDArray[Any]
    """Values of all points of runs, in C order."""
    least: NDArray[Any]
    """Smallest values met so far: so many that they are found together."""
    nans: NDArray[np.int64]
    """Values that are NaN, likewise."""
    hits: NDArray[np.uint8]
    """Scratch: which points of a span are below the limit."""
    words: NDArray[np.uint64]
    """The same memory."""

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: np.dtype[Any], *, along: bool) -> Found:
        """Allocate it for the most runs that there can be; what is not needed is never touched."""
        rows, count = int(np.prod(shape[:-1])), shape[-1]
        most = rows * ((count + 1) // 2 if along else count)
        kind = np.int32 if rows * count < 2**31 - 1 else np.int64
        hits = np.empty(SPAN, np.uint8)
        return cls(
            np.zeros(rows + 1, np.int64),
            np.empty(most, kind),
            np.empty(most, kind),
            np.empty(most, kind),
            np.empty(rows * count, dtype),
            np.full(SPAN, np.inf, dtype),
            np.zeros(SPAN, np.int64),
            hits,
            hits.view(np.uint64),
        )


@inner
def mark(values, limit, hits, least, nans):  # type: ignore[no-untyped-def]
    """Write which values are below the limit; keep the least of each column, and count NaN."""
    for j in range(hits.size):
        v = values[j]
        hits[j] = 1 if v < limit else 0
        # Python's min would take a NaN.
        least[j] = v if v < least[j] else least[j]  # noqa: FURB136
        nans[j] += 1 if v != v else 0


@inner
def close(first, last, number, start, stop):  # type: ignore[no-untyped-def]
    """Write down a run."""
    first[number] = start
    last[number] = stop
    return number + 1


@inner
def cut(hits, words, begin, size, along, start, first, last, number):  # type: ignore[no-untyped-def]
    """Write down the runs that end in a span; return how many there are then, and the open one."""
    for w in range((size + WORD - 1) // WORD):
        if words[w] == 0:
            if start >= 0:
                number = close(first, last, number, start, begin + WORD * w)
                start = -1
            continue
        for j in range(WORD * w, WORD * (w + 1)):
            if start >= 0 and (hits[j] == 0 or not along):
                number = close(first, last, number, start, begin + j)
                start = -1
            if hits[j] != 0 and start < 0:
                start = begin + j
    return number, start


@Kernel
def find_runs(values, limit, count, along, row, kept, runs):  # type: ignore[no-untyped-def]
    """Find the runs of some rows, ``count`` points long, from row number ``row`` on.

    ``along`` tells whether points of a row are neighbours; ``kept`` is how many values are held
    already. Returns how many are then.
    """
    number = runs.begins[row]
    for base in range(0, values.size, count):
        start, before = -1, number
        for a in range(0, count, SPAN):
            size = min(SPAN, count - a)
            here = values[base + a : base + a + size]
            mark(here, limit, runs.hits[:size], runs.least, runs.nans)
            for j in range(size, (size + WORD - 1) // WORD * WORD):
                runs.hits[j] = 0
            number, start = cut(
                runs.hits, runs.words, a, size, along, start, runs.first, runs.last, number
            )
        if start >= 0:
            number = close(runs.first, runs.last, number, start, count)
        row += 1
        runs.begins[row] = number
        for i in range(before, number):
            for j in range(runs.first[i], runs.last[i]):
                runs.held[kept] = values[base + j]
                kept += 1
    return kept


@inner
def root_of(above, i):  # type: ignore[no-untyped-def]
    """Return the first run that i is joined to; on the way there, halve the way."""
    while above[i] - 1 != i:
        other = above[i] - 1
        above[i] = above[other]
        i = above[i] - 1
    return i


@inner
def join(above, i, j):  # type: ignore[no-untyped-def]
    """Make two trees one; the earlier run is its root."""
    a, b = root_of(above, i), root_of(above, j)
    if a < b:
        above[b] = a + 1
    elif b < a:
        above[a] = b + 1


@inner
def join_rows(runs, row, other, shift):  # type: ignore[no-untyped-def]
    """Join the runs of a row with those of one before it that they touch.

    The points of the row are compared with those so far along in the other one.
    """
    i, rows_end = runs.begins[row], runs.begins[row + 1]
    j, others_end = runs.begins[other], runs.begins[other + 1]
    while i < rows_end and j < others_end:
        a, b = runs.first[i] + shift, runs.last[i] + shift
        c, d = runs.first[j], runs.last[j]
        if a < d and c < b:
            join(runs.above, i, j)
        if b < d:
            i += 1
        else:
            j += 1


@inner
def step_on(index, shape):  # type: ignore[no-untyped-def]
    """Go to the next row, all dimensions but the last."""
    for d in range(shape.size - 2, -1, -1):
        index[d] += 1
        if index[d] < shape[d]:
            break
        index[d] = 0


@Kernel
def join_runs(shape, back, index, runs):  # type: ignore[no-untyped-def]
    """Join runs that touch, and number the regions; return how many there are.

    ``back`` are the steps to neighbours in rows before, ``index`` is scratch.
    """
    ndim = shape.size
    rows = runs.begins.size - 1
    for i in range(runs.begins[rows]):
        runs.above[i] = i + 1
    for d in range(ndim):
        index[d] = 0
    for row in range(rows):
        if runs.begins[row] < runs.begins[row + 1]:
            for k in range(back.shape[0]):
                other, inside = 0, True
                for d in range(ndim - 1):
                    i = index[d] + back[k, d]
                    inside = inside and 0 <= i < shape[d]
                    other = other * shape[d] + i
                if inside:
                    join_rows(runs, row, other, back[k, ndim - 1])
        step_on(index, shape)
    number = 0
    for i in range(runs.begins[rows]):
        if runs.above[i] - 1 == i:
            number += 1
            runs.above[i] = number
        else:
            runs.above[i] = runs.above[runs.above[i] - 1]
    return number


@Kernel
def paint(shape, low, high, index, runs, out):  # type: ignore[no-untyped-def]
    """Write the numbers of regions to the points of a part of the box; ``out`` is 0 elsewhere."""
    ndim = shape.size
    last = ndim - 1
    count = high[last] - low[last]
    for d in range(ndim):
        index[d] = low[d]
    for base in range(0, out.size, count):
        row = 0
        for d in range(last):
            row = row * shape[d] + index[d]
        for i in range(runs.begins[row], runs.begins[row + 1]):
            a, b = max(runs.first[i], low[last]), min(runs.last[i], high[last])
            for j in range(a, b):
                out[base + j - low[last]] = runs.above[i]
        for d in range(last - 1, -1, -1):
            index[d] += 1
            if index[d] < high[d]:
                break
            index[d] = low[d]


@inner
def add(sums, row, k, x, times):  # type: ignore[no-untyped-def]
    """Add a number several times in fixed point, in halves that 2**38 summands do not fill."""
    rest = x
    for limb in range(LIMBS):
        rest *= SCALE
        near = np.rint(rest)
        q = times * int(near)
        sums[row, k, 2 * limb] += q >> HALF
        sums[row, k, 2 * limb + 1] += q & ((1 << HALF) - 1)
        rest -= near  # exactly
        if rest == 0.0:
            break


@inner
def bound(low, high, row, d, first, last):  # type: ignore[no-untyped-def]
    """Stretch a box."""
    low[row, d] = min(low[row, d], first)
    high[row, d] = max(high[row, d], last)


@Kernel
def sum_up(  # type: ignore[no-untyped-def]
    runs, shape, origin, weights, places, turns, flat, index,
    size, low, high, value, place, first, sums,
):  # fmt: skip
    """Sum up what is told of each region; every array behind ``index`` is written to."""
    last = shape.size - 1
    kept = 0
    for d in range(last):
        index[d] = 0
    for row in range(runs.begins.size - 1):
        weight, before = 1.0, 0
        for d in range(last):
            weight *= weights[d, index[d]]
            before += flat[d, index[d]]
        for i in range(runs.begins[row], runs.begins[row + 1]):
            r = runs.above[i] - 1
            a, b = runs.first[i], runs.last[i]
            size[r] += b - a
            bound(low, high, r, last, origin[last] + a, origin[last] + b - 1)
            for d in range(last):
                bound(low, high, r, d, origin[d] + index[d], origin[d] + index[d])
            for j in range(a, b):
                here = before + flat[last, j]
                first[r] = min(first[r], here)
                v = float(runs.held[kept])
                kept += 1
                if v < value[r] or (v == value[r] and here < place[r]):
                    value[r] = v
                    place[r] = here
                own = weight * weights[last, j]
                add(sums, r, 0, own, 1)
                for d in range(shape.size):
                    k = j if d == last else index[d]
                    add(sums, r, 1 + d, own * places[d, k], 1)
                    if turns[d, k] != 0:
                        add(sums, r, 1 + d, own, turns[d, k])
        step_on(index, shape)
