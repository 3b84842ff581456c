"""Shells: what is cut off a block is its data at the same indices, and goes together again."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dhess.shell import Shell, joined

from .strategies import chunkings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ranges = tuple[tuple[int, int], ...]

DTYPES = ["f4", "f8", "i2", ">f4", ">i8", "u1"]


def part(ranges: Ranges) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in ranges)


@st.composite
def wholes(draw: st.DrawFn) -> NDArray[Any]:
    """An array of which no two elements are the same."""
    shape = draw(st.lists(st.integers(1, 8), min_size=1, max_size=4).map(tuple))
    size = math.prod(shape)
    dtype = np.dtype(draw(st.sampled_from([d for d in DTYPES if size < 256 or d != "u1"])))
    return np.random.default_rng(size).permutation(size).reshape(shape).astype(dtype)


@given(data=st.data(), whole=wholes())
def test_slabs(data: st.DataObject, whole: NDArray[Any]) -> None:
    """Each holds the data at its ranges, copied; together they are the rims that are asked for."""
    spans = []
    for size in whole.shape:
        first = data.draw(st.integers(0, size - 1))
        spans.append((first, data.draw(st.integers(first + 1, size))))
    ranges: Ranges = tuple(spans)
    keep = [(data.draw(st.integers(0, b - a)), data.draw(st.integers(0, b - a))) for a, b in ranges]
    block = whole[part(ranges)]
    shell = Shell.of(block, ranges, keep)
    held = np.zeros(whole.shape, bool)
    for slab_ranges, slab in shell.slabs:
        np.testing.assert_array_equal(slab, whole[part(slab_ranges)])
        assert slab.dtype == whole.dtype
        assert not np.shares_memory(slab, whole)  # or the block would stay in memory with it
        held[part(slab_ranges)] = True
    wanted = np.zeros(whole.shape, bool)
    for d, ((a, b), (low, high)) in enumerate(zip(ranges, keep, strict=True)):
        for rim in ((a, a + low), (b - high, b)):
            wanted[part((*ranges[:d], rim, *ranges[d + 1 :]))] = True
    np.testing.assert_array_equal(held, wanted)
    assert shell.nbytes == sum(slab.size for _, slab in shell.slabs) * whole.itemsize


@given(data=st.data(), whole=wholes())
def test_a_region_comes_back_from_the_shells_that_hold_it(
    data: st.DataObject, whole: NDArray[Any]
) -> None:
    """Blocks of any sizes, each with the rim that a face is given, in any order."""
    sizes = data.draw(chunkings(whole.shape))
    d = data.draw(st.integers(0, whole.ndim - 1))
    edges = [0, *itertools.accumulate(sizes[d])]
    face = data.draw(st.sampled_from(edges))
    thick = data.draw(st.integers(1, 3))
    shells = []
    rows = [list(itertools.pairwise(itertools.accumulate(n, initial=0))) for n in sizes]
    for ranges in itertools.product(*rows):
        keep = [(0, 0)] * whole.ndim
        a, b = ranges[d]
        keep[d] = (min(thick, b - a), min(thick, b - a))
        shells.append(Shell.of(whole[part(ranges)], ranges, keep))
    low = max([edge for edge in edges if edge < face], default=0)
    high = min([edge for edge in edges if edge > face], default=face)
    region = [(0, size) for size in whole.shape]
    region[d] = max(face - thick, low), min(face + thick, high)
    got = joined(data.draw(st.permutations(shells)), tuple(region))
    np.testing.assert_array_equal(got, whole[part(tuple(region))])
    assert got.dtype == whole.dtype


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_block_with_the_rims_around_it(dtype: str) -> None:
    whole = np.arange(81).reshape(9, 9).astype(dtype)
    ranges: Ranges = ((3, 6), (3, 6))
    middle = Shell.whole(whole[3:6, 3:6], ranges)
    assert np.shares_memory(middle.slabs[0][1], whole)  # it is only read
    around = [
        Shell.of(whole[a : a + 3, b : b + 3], ((a, a + 3), (b, b + 3)), [(1, 1), (1, 1)])
        for a, b in itertools.product((0, 3, 6), repeat=2)
        if (a, b) != (3, 3)
    ]
    got = joined([middle, *around], ((2, 7), (2, 7)))
    np.testing.assert_array_equal(got, whole[2:7, 2:7])
    assert got.dtype == np.dtype(dtype)


def test_over_the_end_of_an_axis() -> None:
    """The last block's rim, moved by the size, lies before the first."""
    whole = np.arange(20).reshape(10, 2)
    last = Shell.of(whole[5:], ((5, 10), (0, 2)), [(0, 2), (0, 0)]).moved((-10, 0))
    first = Shell.of(whole[:5], ((0, 5), (0, 2)), [(2, 0), (0, 0)])
    assert [ranges for ranges, _ in last.slabs] == [((-2, 0), (0, 2))]
    np.testing.assert_array_equal(joined([first, last], ((-2, 2), (0, 2))), whole[[8, 9, 0, 1]])


def test_nothing_is_kept_where_nobody_asks() -> None:
    shell = Shell.of(np.zeros((4, 5)), ((0, 4), (10, 15)), [(0, 0), (0, 0)])
    assert (shell.slabs, shell.nbytes) == ((), 0)
