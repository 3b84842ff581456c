"""Memory and shapes of blocks: by hand where that is short, by counting where it is not."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr
import zarr
from hypothesis import given
from hypothesis import strategies as st

import dhess
from dhess.budget import (
    FLOOR,
    LEAST,
    MOST,
    PAUSED,
    SLACK,
    USABLE,
    Blocks,
    field_memory,
    fits,
    refuse,
    search_memory,
    smaller_blocks,
    stored_blocks,
    window_blocks,
)
from dhess.errors import InputError
from dhess.grid import Grid
from dhess.options import settings
from dhess.running import Workers
from dhess.shapes import BLOCK_BYTES, CHUNK_BYTES, auto_chunks, cut, halves, read_factor
from dhess.shapes import stored_chunk as chunk_of
from dhess.stencil import EVERYTHING, Stencil
from dhess.stored import Stored, stored_of

from .strategies import cuts
from .test_options import one_sentence

if TYPE_CHECKING:
    from pathlib import Path

GB = 10**9
F4 = np.dtype("f4")


def stencil(shape: tuple[int, ...], **options: Any) -> Stencil:
    array = xr.DataArray(np.broadcast_to(0.0, shape), dims=list("vwxyz"[-len(shape) :]))
    chosen = settings(**options)
    return Stencil.of(Grid.of(array, chosen), chosen, EVERYTHING)


CUBE = stencil((100, 200, 300))


def cube(n: int = 2, itemsize: int = 4, chunk_bytes: int = 0) -> Blocks:
    """Half, and so on, of 100 × 200 × 300 points along each dimension."""
    return Blocks((100 // n, 200 // n, 300 // n), (n,) * 3, itemsize, chunk_bytes, copied=False)


# ------------------------------------------------------------------------------------- one block


def test_the_largest_block() -> None:
    sizes = ((5, 7), (4,), (3, 3, 2))
    blocks = Blocks.of(sizes, F4, None)
    assert (blocks.points, blocks.counts, blocks.number) == ((7, 4, 3), (2, 1, 3), 6)
    assert (blocks.itemsize, blocks.nbytes, blocks.chunk_bytes) == (4, 7 * 4 * 3 * 4, 0)
    stored = Stored(np.zeros((12, 4, 8), F4), (5, 4, 3), "made up")
    assert Blocks.of(sizes, F4, stored).chunk_bytes == 5 * 4 * 3 * 4
    without = replace(stored, chunks=None)
    assert Blocks.of(sizes, F4, without).chunk_bytes == 0


@pytest.mark.parametrize(
    ("dtype", "copied"), [("f4", False), ("f8", False), (">f4", True), ("i2", True), ("u1", True)]
)
def test_kernels_read_native_floats_in_place(dtype: str, copied: bool) -> None:
    blocks = Blocks.of(((50,), (100,), (150,)), np.dtype(dtype), None)
    assert blocks.copied is copied
    assert blocks.computing(CUBE) == (8 * 750_000 if copied else 0)


def test_a_shell_by_hand() -> None:
    """Order 2 on even axes reads one neighbour; two faces, two halos thick, four bytes."""
    blocks = Blocks((10, 20, 30), (2, 2, 1), 4, 0, copied=False)
    assert blocks.shell(CUBE, 2) == 4 * (2 * 2 * 20 * 30 + 2 * 2 * 10 * 30)
    assert blocks.shell(CUBE, 1) * 2 == blocks.shell(CUBE, 2)
    assert blocks.seams(CUBE) == 2
    assert replace(blocks, counts=(1, 1, 1)).shell(CUBE, 2) == 0
    plane = stencil((100, 200, 300), dims=["y", "z"])
    assert blocks.shell(plane, 2) == 4 * 2 * 2 * 10 * 30
    assert blocks.seams(plane) == 1
    assert blocks.shell(stencil((100, 200, 300), order=4), 2) == 2 * blocks.shell(CUBE, 2)


# ---------------------------------------------------------------------------------- one worker


def test_what_a_worker_always_takes() -> None:
    nothing = Blocks((4, 4, 4), (1, 1, 1), 4, 0, copied=False)
    for parts in (
        search_memory(nothing, CUBE, 1, Workers(1, 1, None)),
        field_memory(nothing, CUBE, 4, Workers(1, 1, None), reread=False),
    ):
        assert parts["process"] == pytest.approx(SLACK * FLOOR, rel=1e-6)
        assert sum(parts.values()) < 1.01 * SLACK * FLOOR


@given(
    n=st.integers(2, 6),
    itemsize=st.sampled_from([4, 8]),
    threads=st.integers(1, 8),
    count=st.integers(1, 50),
    reread=st.booleans(),
)
def test_more_takes_more(n: int, itemsize: int, threads: int, count: int, reread: bool) -> None:
    def search(blocks: Blocks, workers: Workers, k: int = 1) -> int:
        return sum(search_memory(blocks, CUBE, k, workers).values())

    def field(blocks: Blocks, workers: Workers, k: int = 1) -> int:
        return sum(field_memory(blocks, CUBE, 4 * k, workers, reread=reread).values())

    blocks, workers = cube(n, itemsize, 1000), Workers(count, threads, None)
    for needs in (search, field):
        least = needs(blocks, workers)
        assert least >= FLOOR + min(threads, blocks.number) * blocks.nbytes
        assert needs(replace(blocks, chunk_bytes=10**8), workers) > least
        assert needs(replace(blocks, copied=True), workers) >= least
        busier = needs(blocks, replace(workers, threads=threads + 1))
        assert busier > least or threads >= blocks.number
        assert needs(blocks, replace(workers, count=count + 1)) <= least
        assert needs(blocks, workers, 100) > least
        larger = replace(blocks, points=tuple(2 * size for size in blocks.points))
        assert needs(larger, workers) > least
    assert field(blocks, workers) <= sum(
        field_memory(blocks, CUBE, 4, workers, reread=False).values()
    )


def test_gaps_take_room_where_they_may_be() -> None:
    adapts = stencil((100, 200, 300), nan="adapt")
    workers = Workers(1, 1, None)
    plain = sum(search_memory(cube(), CUBE, 1, workers).values())
    assert sum(search_memory(cube(), adapts, 1, workers).values()) > plain


def test_fits_below_what_makes_dask_spill() -> None:
    parts = {"process": 600, "blocks": 100}
    assert fits(parts, Workers(1, 1, 1000))  # exactly the share
    assert not fits(parts, Workers(1, 1, 999))
    assert fits(parts, Workers(1, 1, None))
    assert (USABLE, PAUSED) == (0.7, 0.8)  # distributed.worker.memory: spill, pause


# --------------------------------------------------------------------------------------- refusing


def project(blocks: Blocks) -> dict[str, int]:
    """A cost that is easy to invert: ten bytes for each byte of the block."""
    return {"blocks": 10 * blocks.nbytes}


def test_refusal_names_both_numbers_and_what_would_fit() -> None:
    sizes = tuple((256,) * 4 for _ in range(3))  # blocks of 67 MB
    dims = ("z", "y", "x")
    refuse(project, sizes, F4, None, Workers(1, 1, None), dims)
    refuse(project, sizes, F4, None, Workers(1, 1, 10 * GB), dims)
    refuse(project, sizes, F4, None, Workers(1, 1, 671_088_640 * 100 // 80 + 1), dims)
    stored = Stored(np.broadcast_to(F4.type(0), (1024,) * 3), (64, 64, 64), "made up")
    with pytest.raises(InputError) as caught:
        refuse(project, sizes, F4, stored, Workers(1, 1, 400 * 10**6), dims)
    one_sentence(caught.value, "256 × 256 × 256", "672MB", "400MB", "chunks={'z': ", "959MB")
    block = smaller_blocks(project, sizes, F4, stored, Workers(1, 1, 400 * 10**6))
    assert block is not None
    assert str(dict(zip(dims, block, strict=True))) in str(caught.value)
    assert 40 * math.prod(block) <= 0.7 * 400e6
    assert all(n % 64 == 0 for n in block)


def test_refusal_where_no_blocks_would_fit() -> None:
    """A stored chunk of 537 MB is decoded whole, so only another store would help."""
    stored = Stored(np.broadcast_to(F4.type(0), (1024,) * 3), (512,) * 3, "made up")
    sizes = ((512, 512),) * 3
    workers = Workers(1, 1, 4 * GB)
    assert smaller_blocks(project, sizes, F4, stored, workers) is None
    with pytest.raises(InputError) as caught:
        refuse(project, sizes, F4, stored, workers, "zyx")
    one_sentence(caught.value, "5369MB", "4000MB", "7670MB", "chunks smaller than 512 × 512 × 512")


# -------------------------------------------------------------------------------- shapes of blocks


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    """Of 1.6 GB, in chunks of 1 MB, none of which is written."""
    zarr.create_group(tmp_path / "f.zarr").create_array(
        "f", shape=(400, 1000, 1000), chunks=(64, 64, 64), dtype="f4", dimension_names=[*"zyx"]
    )
    found = stored_of(dhess.open(tmp_path / "f.zarr").data)
    assert found is not None
    return found


def test_blocks_that_somebody_chose_stay(stored: Stored) -> None:
    chunks = ((200, 200), (1000,), (300, 300, 400))
    fixed = replace(stored, free=False)
    for workers in (None, Workers(1, 1, 10**6)):
        assert stored_blocks(fixed, chunks, project, workers) == chunks


def test_blocks_become_smaller_until_they_fit(stored: Stored) -> None:
    chunks = tuple(cut(n, c) for n, c in zip(stored.shape, (64,) * 3, strict=True))
    whole = stored_blocks(stored, chunks, project, None)
    assert BLOCK_BYTES <= Blocks.of(whole, F4, stored).nbytes < 2 * BLOCK_BYTES
    before = math.inf
    for memory in (2 * GB, GB // 2, GB // 4, 10**6):
        sizes = stored_blocks(stored, chunks, project, Workers(2, 1, memory))
        assert tuple(map(sum, sizes)) == stored.shape
        assert all(n % 64 == 0 for row in sizes for n in row[:-1])
        blocks = Blocks.of(sizes, F4, stored)
        assert blocks.nbytes <= before
        before = blocks.nbytes
        if memory > 10**6:
            assert 10 * blocks.nbytes <= 0.7 * memory
    assert stored_blocks(stored, chunks, project, Workers(2, 1, 2 * GB)) == whole


@given(data=st.data(), chunk=st.integers(1, 12), size=st.integers(1, 60))
def test_read_factor_counts_the_chunks_that_each_block_touches(
    data: st.DataObject, chunk: int, size: int
) -> None:
    shape, chunks, rows, factors = [], [], [], []
    for _ in range(2):
        sizes = data.draw(cuts(size, 8))
        more = data.draw(st.integers(0, min(3, size)))  # what a window reads of its neighbours
        edges = itertools.pairwise(itertools.accumulate(sizes, initial=0))
        row = [(a - more, b) for a, b in edges]
        # a range over the end of the axis is read in two parts, which may touch the same chunk
        parts = [[range(max(a, 0), b), range(a + size, min(b, 0) + size)] for a, b in row]
        read = sum(
            min((c + 1) * chunk, size) - c * chunk
            for pair in parts
            for part in pair
            for c in {i // chunk for i in part}
        )
        rows.append(row)
        shape.append(size)
        chunks.append(chunk)
        factors.append(read / size)
    assert read_factor(rows, chunks, shape) == pytest.approx(math.prod(factors))


@given(size=st.integers(1, 100), block=st.integers(1, 120))
def test_cut(size: int, block: int) -> None:
    sizes = cut(size, block)
    assert sum(sizes) == size
    assert set(sizes[:-1]) <= {block}
    assert 0 < sizes[-1] <= block


def test_halves() -> None:
    assert halves(64 * 10**6) == [64 * 10**6 >> i for i in range(5)]
    assert halves(4 * 10**6) == [4 * 10**6]


@given(
    block=st.lists(st.integers(1, 3000), min_size=1, max_size=4),
    itemsize=st.sampled_from([2, 4, 8]),
)
def test_stored_chunks_of_a_field(block: list[int], itemsize: int) -> None:
    chunk = chunk_of(block, itemsize)
    assert all(n % c == 0 for n, c in zip(block, chunk, strict=True))
    if math.prod(block) * itemsize <= CHUNK_BYTES:
        assert chunk == tuple(block)
    elif math.prod(chunk) * itemsize > CHUNK_BYTES:  # as far as the sizes divide
        assert all(c == 1 or all(c % p for p in (2, 3, 5, 7)) for c in chunk)


# ---------------------------------------------------------------------------------------- windows


def test_windows_of_a_search() -> None:
    """About as many blocks as a scheduler takes; fewer where their shells would fill the memory."""
    large = stencil((10_000,) * 3)
    blocks = Blocks((256, 256, 256), (40, 40, 40), 4, 0, copied=False)
    assert window_blocks(blocks, large, None) == MOST
    assert window_blocks(blocks, large, Workers(8, 1, None)) == MOST
    before = MOST + 1
    for memory in (1000 * GB, 4 * GB, GB, GB // 2, 10**6):
        found = window_blocks(blocks, large, Workers(2, 1, memory))
        assert LEAST <= found <= min(before, MOST)
        before = found
    assert before == LEAST
    line = Blocks((10_000,), (10**6,), 4, 0, copied=False)
    assert window_blocks(line, stencil((10_000,)), Workers(1, 1, GB)) == MOST  # two points each


@given(
    shape=st.lists(st.integers(1, 2000), min_size=1, max_size=4),
    data=st.data(),
    itemsize=st.sampled_from([2, 4, 8]),
    nbytes=st.integers(1, 10**7),
)
def test_auto_chunks_of_any_size(
    shape: list[int], data: st.DataObject, itemsize: int, nbytes: int
) -> None:
    chunk = [data.draw(st.integers(1, n)) for n in shape]
    block = auto_chunks(shape, chunk, itemsize, nbytes)
    whole = [b == n or b % c == 0 for b, n, c in zip(block, shape, chunk, strict=True)]
    assert all(whole)
    one = math.prod(chunk) * itemsize
    if math.prod(shape) * itemsize >= nbytes:
        assert math.prod(block) * itemsize >= nbytes
    if one <= nbytes:
        # a step along one axis at most doubles a block that is still too small
        assert math.prod(block) * itemsize < 2 * max(nbytes, one)
