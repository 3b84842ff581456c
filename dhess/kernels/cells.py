"""Which cells may hold a zero of the gradient: a look at the signs of first differences.

A component whose first differences around a cell all have one strict sign has no zero there. Those
signs are a byte for each sample: whether it is less than the next one along each axis, whether it
is more, whether it is finite. What all of a cell's differences have in common is the conjunction of
the bytes around it, what any of them has is the disjunction; both are made along one axis after the
other, over flat memory, so that an instruction does 32 samples or more. Of the cells that are left
the coefficients are looked at (3 in 4 go then).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dhess.kernels.bernstein import differentiate
from dhess.kernels.compiled import Kernel, inner

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 1 << 16
"""Samples that are looked at together, at least: a round's bytes fit a core's own cache."""

RUN = 4096
"""Samples whose bytes are made axis after axis, while they are in the fastest cache."""

WORD = 8
"""Cells that are passed over together if there is nothing to say of any of them."""

MAYBE, LEVEL, BAD = 1, 2, 4
"""What there is to say of a cell: it may hold a zero, it is flat, a sample is not finite."""


class Cells(NamedTuple):
    """A box of cells in a flat array, in C order, and which samples are around each."""

    first: int
    """Position of the first cell's own sample."""
    last: int
    """Position of the last one's."""
    shape: NDArray[np.int64]
    """Cells along each dimension of the array; the last one is the row, of stride 1."""
    strides: NDArray[np.int64]
    """Elements of the array between neighbours."""
    onto: NDArray[np.int64]
    """Elements of the mask between neighbours."""
    along: NDArray[np.int64]
    """The strides of the axes, shape (n,)."""
    margin: int
    """Their sum: how far the last sample around a cell is."""


class Round(NamedTuple):
    """Scratch of `scan_cells`: what is known of the samples of a round and of those around them."""

    size: int
    """Samples of a round."""
    signs: NDArray[Any]
    """For each sample and those of the margins; the last ones serve in the next round too."""
    every: NDArray[Any]
    """What the signs around have in common, shape (2, the same)."""
    some: NDArray[Any]
    """What any of them has."""
    said: NDArray[np.uint8]
    """What there is to say of each cell."""
    words: NDArray[np.uint64]
    """The same memory."""
    bits: NDArray[Any]
    """Nothing; along each axis: less than the next one, more; not finite; all differences; both
    bits of each axis."""
    at: NDArray[np.int64]
    """Where the next round begins; the row that the last cell was in: its position, that of its
    mask, its number along each dimension but the last."""
    root: NDArray[np.float64]
    """Coefficients of a cell."""

    @classmethod
    def of(cls, cells: Cells, masked: int, coefficients: int) -> Round:
        """Allocate it, to begin with the first cell; ``masked`` is where that is in the mask.

        Examples
        --------
        >>> one = np.ones(1, np.int64)
        >>> Round.of(Cells(2, 9, 8 * one, one, one, one, 1), 0, 2).bits.tolist()
        [0, 1, 2, 4, 3, 3]
        """
        n = len(cells.along)
        bits = [0, *(1 << i for i in range(2 * n + 1)), (1 << 2 * n) - 1]
        bits += [3 << 2 * k for k in range(n)]
        size = min(max(LEAST, cells.margin), cells.last + 1 - cells.first)
        dtype = np.min_scalar_type(1 << 2 * n)
        long = size + 2 * cells.margin
        said = np.zeros(-(-size // WORD) * WORD, np.uint8)
        return cls(
            size,
            np.empty(long, dtype),
            np.empty((2, long), dtype),
            np.empty((2, long), dtype),
            said,
            said.view(np.uint64),
            np.array(bits, dtype),
            np.array([cells.first, cells.first, masked, *(0 for _ in cells.shape[1:])], np.int64),
            np.empty(coefficients),
        )


@inner
def compare(here, there, less, more, none, signs, add):  # type: ignore[no-untyped-def]
    """Write how samples compare with others, or add it."""
    for j in range(signs.size):
        s = (less if here[j] < there[j] else none) | (more if here[j] > there[j] else none)
        signs[j] = signs[j] | s if add else s


@inner
def add_bad(here, bad, none, signs):  # type: ignore[no-untyped-def]
    """Add where samples are not finite."""
    for j in range(signs.size):
        signs[j] |= none if here[j] - here[j] == 0 else bad


@inner
def write_signs(x, p, cells, bits, signs):  # type: ignore[no-untyped-def]
    """Write the signs of the differences to the next samples, from p on."""
    n = cells.along.size
    for begin in range(0, signs.size, RUN):
        size = min(RUN, signs.size - begin)
        a = p + begin
        here, own = x[a : a + size], signs[begin : begin + size]
        for k in range(n):
            b = a + cells.along[k]
            compare(here, x[b : b + size], bits[1 + 2 * k], bits[2 + 2 * k], bits[0], own, k > 0)
        add_bad(here, bits[1 + 2 * n], bits[0], own)


@inner
def join_every(one, two, three, own, out):  # type: ignore[no-untyped-def]
    """Write the conjunction of three; for the axis's own bits, that of the first two."""
    for j in range(out.size):
        out[j] = one[j] & two[j] & (three[j] | own)


@inner
def join_some(one, two, three, own, out):  # type: ignore[no-untyped-def]
    """Write the disjunction of three; for the axis's own bits, that of the first two."""
    for j in range(out.size):
        out[j] = one[j] | two[j] | (three[j] & ~own)


@inner
def join(a, stride, own, every, out):  # type: ignore[no-untyped-def]
    """Join signs along an axis.

    A difference belongs to its lower sample: along its own axis a cell has that of its sample and
    of the one before, across it those of three samples.
    """
    m, s = out.size, stride
    if every:
        join_every(a[:m], a[s : s + m], a[2 * s : 2 * s + m], own, out)
    else:
        join_some(a[:m], a[s : s + m], a[2 * s : 2 * s + m], own, out)


@inner
def judge(every, some, differences, bad, said):  # type: ignore[no-untyped-def]
    """Write what there is to say of cells."""
    for j in range(said.size):
        said[j] = (
            BAD
            if some[j] & bad != 0
            else (0 if every[j] & differences != 0 else (MAYBE if some[j] & differences else LEVEL))
        )


@inner
def look_around(cells, work, size):  # type: ignore[no-untyped-def]
    """Say something of so many cells from the signs around each."""
    n = cells.along.size
    long, row = size + 2 * cells.margin, 0
    for k in range(n):
        s, own = cells.along[k], work.bits[3 + 2 * n + k]
        long -= 2 * s
        if k == 0:
            join(work.signs, s, own, True, work.every[0, :long])
            join(work.signs, s, own, False, work.some[0, :long])
        else:
            join(work.every[row], s, own, True, work.every[1 - row, :long])
            join(work.some[row], s, own, False, work.some[1 - row, :long])
            row = 1 - row
    judge(
        work.every[row], work.some[row], work.bits[2 + 2 * n], work.bits[1 + 2 * n],
        work.said[:size],
    )  # fmt: skip
    for j in range(size, work.said.size):
        work.said[j] = 0


@inner
def next_row(cells, at):  # type: ignore[no-untyped-def]
    """Go to the next row of the box."""
    for d in range(cells.shape.size - 2, -1, -1):
        i = at[3 + d]
        if i + 1 < cells.shape[d]:
            at[3 + d] = i + 1
            at[1] += cells.strides[d]
            at[2] += cells.onto[d]
            return
        at[3 + d] = 0
        at[1] -= i * cells.strides[d]
        at[2] -= i * cells.onto[d]


@inner
def survives(x, p, own, root):  # type: ignore[no-untyped-def]
    """Tell whether no component has one strict sign in all its coefficients on a cell."""
    corner = p + own.corner
    return differentiate(x, corner, own.places, own.n, own.size, own.strides, own.inside, root)


@inner
def collect(x, cells, own, mask, work, begin, found, count):  # type: ignore[no-untyped-def]
    """Go over what is said of a round's cells; return how many were found, are bad, are flat."""
    last = cells.shape.size - 1
    length, step = cells.shape[last], cells.onto[last]
    wrong, flat = 0, 0
    for w in range(work.words.size):
        if work.words[w] == 0:
            continue
        for j in range(WORD * w, WORD * (w + 1)):
            said = work.said[j]
            if said == 0:
                continue
            # Rows come in the order of their positions; between them are samples of no cell.
            while begin + j - work.at[1] >= length and work.at[1] + length <= cells.last:
                next_row(cells, work.at)
            place = begin + j - work.at[1]
            if not 0 <= place < length:
                continue
            if said == BAD:
                wrong += 1
            elif said == LEVEL:
                mask[work.at[2] + place * step] = 1
                flat += 1
            elif survives(x, begin + j, own, work.root):
                found[count] = begin + j
                count += 1
    return count, wrong, flat


@Kernel
def scan_cells(x, cells, own, mask, work, found):  # type: ignore[no-untyped-def]
    """Write which cells of a box may hold a zero, and mark those that are flat.

    ``own`` is a `dhess.kernels.around.Shape` with the strides of the array. ``found`` takes
    positions in x, as long as there is room for a round. Returns how many those are, how many cells
    have a sample that is not finite, how many are flat, and whether there are cells left.
    """
    margin, signs = cells.margin, work.signs
    count, wrong, flat = 0, 0, 0
    while work.at[0] <= cells.last:
        begin = work.at[0]
        size = min(work.size, cells.last + 1 - begin)
        if count + size > found.size:
            return count, wrong, flat, True
        known = 0
        if begin > cells.first:
            known = 2 * margin
            for j in range(known):
                signs[j] = signs[work.size + j]
        fresh = signs[known : size + 2 * margin]
        write_signs(x, begin - margin + known, cells, work.bits, fresh)
        look_around(cells, work, size)
        count, more, level = collect(x, cells, own, mask, work, begin, found, count)
        wrong += more
        flat += level
        work.at[0] = begin + size
    return count, wrong, flat, False
