"""Pieces of a dimension: each point is computed once, from nodes that lie in what is read."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from dhess.grid import Grid
from dhess.options import settings
from dhess.pieces import Layout, evenly, merged, pieces, turns, windows, with_seams
from dhess.stencil import EVERYTHING, AxisStencil, Stencil

from . import oracles
from .strategies import Line, cuts, lines

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dhess.pieces import Piece


def stencil_of(line: Line, order: int, *, adapts: bool = False) -> AxisStencil:
    array = xr.DataArray(np.zeros(len(line.values)), {"x": line.values}, "x")
    period: dict[Hashable, float] = {} if line.period is None else {"x": line.period}
    nan = "adapt" if adapts else "propagate"
    chosen = settings(order=order, period=period, nan=nan)
    axis = Stencil.of(Grid.of(array, chosen), chosen, EVERYTHING).along(0)
    assert axis is not None
    return axis


def nodes(line: Line, order: int, index: int, *, adapts: bool) -> tuple[int, int]:
    """What the derivatives at a point may read, from the definition, over the ends if it wraps."""
    size, periodic = len(line.values), line.period is not None
    if adapts:  # at a gap every row may be one-sided, to either side
        reach = max(oracles.widths(d, even=line.even, order=order)[1] for d in (1, 2)) - 1
        first, last = index - reach, index + reach + 1
        return (first, last) if periodic else (max(first, 0), min(last, size))
    both = [
        oracles.window(size, index, d, even=line.even, order=order, periodic=periodic)
        for d in (1, 2)
    ]
    return min(index, *(w.start for w in both)), max(index + 1, *(w.stop for w in both))


def rim(piece: Piece, side: int) -> tuple[int, int]:
    """The part of a piece that its lower or its upper seam is given."""
    first, last = piece.data
    thick = piece.keep[side]
    assert thick <= last - first
    return (first, first + thick) if side == 0 else (last - thick, last)


@given(data=st.data(), order=st.sampled_from([2, 4, 6]), adapts=st.booleans())
def test_each_point_is_inner_or_in_a_seam_once(
    data: st.DataObject, order: int, adapts: bool
) -> None:
    """Over all windows; its nodes are read with the block, or kept in the two rims of the seam."""
    line = data.draw(lines(order + 3, 60, periodic=None))
    size = len(line.values)
    axis = stencil_of(line, order, adapts=adapts)
    sizes = with_seams(data.draw(cuts(size, 12)), axis)
    assert sum(sizes) == size
    edges = [0, *sorted(data.draw(st.sets(st.integers(1, len(sizes)), max_size=3))), len(sizes)]
    computed: Counter[int] = Counter()
    for window in itertools.pairwise(edges):
        if window[0] == window[1]:
            continue
        row = pieces(sizes, axis, window)
        assert len(row) == window[1] - window[0]
        for piece in row:
            inner = range(*piece.inner)
            computed.update(i % size for i in inner)
            for i in inner:
                first, last = nodes(line, order, i % size, adapts=adapts)
                turn = i - i % size
                whole = piece.data == (0, size) and line.period is not None
                assert whole or (piece.data[0] <= first + turn and last + turn <= piece.data[1])
            if piece.seam is None:
                assert piece.before == -1
                continue
            computed.update(i % size for i in range(*piece.seam))
            below, here = rim(row[piece.before], 1), rim(piece, 0)
            assert (below[1] - here[0]) % size == 0  # they touch, perhaps over the end of the axis
            held = here[0] - (below[1] - below[0]), here[1]
            for i in range(*piece.seam):
                first, last = nodes(line, order, i % size, adapts=adapts)
                turn = i - i % size
                assert held[0] <= first + turn
                assert last + turn <= held[1]
    assert computed == Counter(range(size))


@given(data=st.data(), order=st.sampled_from([2, 4]), adapts=st.booleans())
def test_what_is_read_twice(data: st.DataObject, order: int, adapts: bool) -> None:
    """Nothing in one window; where two meet, two halos."""
    line = data.draw(lines(order + 3, 60, periodic=None))
    size = len(line.values)
    axis = stencil_of(line, order, adapts=adapts)
    sizes = with_seams(data.draw(cuts(size, 12)), axis)
    edges = sorted({0, *data.draw(st.sets(st.integers(1, len(sizes)), max_size=3)), len(sizes)})
    rows = [pieces(sizes, axis, window) for window in itertools.pairwise(edges)]
    faces = 0 if len(rows) == 1 else len(rows) - (line.period is None)
    assert sum(p.data[1] - p.data[0] for row in rows for p in row) == size + 2 * axis.halo * faces


@given(sizes=st.lists(st.integers(0, 9), max_size=12), window=st.data())
def test_a_batch_dimension_has_no_seams(sizes: list[int], window: st.DataObject) -> None:
    sizes = [*sizes, 3]
    kept = with_seams(sizes, None)
    assert kept == tuple(size for size in sizes if size)
    first = window.draw(st.integers(0, len(kept) - 1))
    last = window.draw(st.integers(first + 1, len(kept)))
    edges = list(itertools.accumulate(kept, initial=0))
    for i, piece in enumerate(pieces(kept, None, (first, last)), first):
        assert piece.data == piece.inner == (edges[i], edges[i + 1])
        assert (piece.seam, piece.keep) == (None, (0, 0))


def test_pieces_worked_by_hand() -> None:
    """Ten even points at order 2, whose Hessian reads one neighbour; the ends read four points."""
    open_axis = stencil_of(Line(np.arange(10.0), even=True), 2)
    low, high = pieces((5, 5), open_axis)
    assert (low.data, low.inner, low.seam, low.keep) == ((0, 5), (0, 4), None, (0, 2))
    assert (high.data, high.inner, high.seam, high.keep) == ((5, 10), (6, 10), (4, 6), (2, 0))
    assert high.before == 0
    wrapped = stencil_of(Line(np.arange(10.0), even=True, period=10.0), 2)
    low, high = pieces((5, 5), wrapped)
    assert (low.inner, low.seam, low.keep, low.before) == ((1, 4), (-1, 1), (2, 2), 1)
    assert (high.inner, high.seam, high.keep, high.before) == ((6, 9), (4, 6), (2, 2), 0)
    (low,), (high,) = pieces((5, 5), wrapped, (0, 1)), pieces((5, 5), wrapped, (1, 2))
    assert (low.data, low.inner, low.seam) == ((-1, 5), (0, 4), None)
    assert (high.data, high.inner, high.seam) == ((3, 11), (4, 10), None)


# ----------------------------------------------------------------------------------------- merging


@given(
    sizes=st.lists(st.integers(0, 12), min_size=1, max_size=20),
    least=st.integers(0, 6),
    more=st.integers(0, 6),
)
def test_merged(sizes: list[int], least: int, more: int) -> None:
    ends = least + more
    total = sum(sizes)
    chunks = merged(sizes, least, ends)
    assert sum(chunks) == total
    assert all(chunks)
    edges = set(itertools.accumulate(sizes, initial=0))
    assert set(itertools.accumulate(chunks)) <= edges  # nothing is cut anew
    if len(chunks) > 1:
        assert min(chunks) >= least
        assert min(chunks[0], chunks[-1]) >= ends
    if min(sizes) >= max(ends, 1):
        assert chunks == tuple(sizes)


@given(data=st.data(), order=st.sampled_from([2, 4, 6]), adapts=st.booleans())
def test_seams_do_not_meet(data: st.DataObject, order: int, adapts: bool) -> None:
    line = data.draw(lines(order + 3, 80, periodic=None))
    axis = stencil_of(line, order, adapts=adapts)
    sizes = with_seams(data.draw(cuts(len(line.values), 30)), axis)
    if len(sizes) > 1:
        assert min(sizes) >= 2 * axis.halo  # a seam is a halo thick on both sides of a face
    large = 2 * max(axis.halo, axis.depth)
    assert with_seams((large, large + 1, large), axis) == (large, large + 1, large)


# ------------------------------------------------------------------------------------------- turns


@given(size=st.integers(1, 20), data=st.data())
def test_turns(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(-size, size - 1))
    last = data.draw(st.integers(max(first, 0) + 1, 2 * size))
    found = []
    for (a, b), by in turns((first, last), size):
        assert 0 <= a < b <= size
        assert by % size == 0
        found += [i - by for i in range(a, b)]
    assert found == list(range(first, last))


# ----------------------------------------------------------------------------------------- windows


@given(
    grid=st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=5),
    most=st.integers(0, 200),
)
def test_windows(grid: list[tuple[int, bool]], most: int) -> None:
    counts, batch = [count for count, _ in grid], [each for _, each in grid]
    rows = windows(counts, batch, most)
    for row, count in zip(rows, counts, strict=True):
        assert [i for window in row for i in range(*window)] == list(range(count))
        lengths = [b - a for a, b in row]
        assert max(lengths) - min(lengths) <= 1
    largest = [max(b - a for a, b in row) for row in rows]
    assert math.prod(largest) <= max(most, 1)
    if math.prod(counts) <= most:
        assert all(len(row) == 1 for row in rows)
    if any(len(row) > 1 for row, free in zip(rows, batch, strict=True) if not free):
        assert all(n == 1 for n, free in zip(largest, batch, strict=True) if free)


@pytest.mark.parametrize("ndim", [2, 3, 4, 5])
def test_a_million_blocks(ndim: int) -> None:
    """Nothing is read twice within a window, so they should be few, and nearly cubes."""
    counts = [round(10 ** (6 / ndim))] * ndim
    rows = windows(counts, [False] * ndim, 10_000)
    number = math.prod(map(len, rows))
    assert number <= 2.5 * math.prod(counts) / 10_000
    lengths = [row[0][1] - row[0][0] for row in rows]
    assert max(lengths) <= 2 * min(lengths) + 1


@given(count=st.integers(0, 50), parts=st.integers(1, 60))
def test_evenly(count: int, parts: int) -> None:
    ranges = list(evenly(count, parts))
    assert [i for part in ranges for i in range(*part)] == list(range(count))
    assert len(ranges) == min(count, parts)
    lengths = {b - a for a, b in ranges}
    assert not lengths or max(lengths) - min(lengths) <= 1


# ------------------------------------------------------------------------------------------ layout


def stencil(names: str, sizes: Sequence[int], **options: Any) -> Stencil:
    array = xr.DataArray(np.zeros(sizes), dims=list(names))
    chosen = settings(**options)
    return Stencil.of(Grid.of(array, chosen), chosen, EVERYTHING)


def test_layout_tells_whom_a_block_needs() -> None:
    """Along a batch dimension nobody; along a wrapped one the first needs the last."""
    wraps = stencil("tyx", (4, 12, 12), dims=["y", "x"], period={"x": 12.0})
    layout = Layout.of(wraps, [(2, 2), (4, 4, 4), (6, 6)])
    assert layout.counts == (2, 3, 2)
    assert list(layout) == list(np.ndindex(2, 3, 2))
    assert layout.before((1, 0, 0)) == [(1, 0, 0), (1, 0, 1)]
    assert layout.before((0, 2, 1)) == [(0, 2, 1), (0, 2, 0), (0, 1, 1), (0, 1, 0)]
    window = Layout.of(wraps, [(2, 2), (4, 4, 4), (6, 6)], [(1, 2), (1, 3), (0, 1)])
    assert window.counts == (1, 2, 1)
    assert window.before((0, 0, 0)) == [(0, 0, 0)]
    assert window.before((0, 1, 0)) == [(0, 1, 0), (0, 0, 0)]
    assert [piece.data for piece in window.block((0, 0, 0))] == [(2, 4), (2, 8), (-1, 6)]
