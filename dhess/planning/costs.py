"""What a search or a field costs: blocks, tasks, bytes and memory, and what would be cheaper."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any

from dhess.budget import PAUSED, USABLE, Blocks, field_memory, smaller_blocks
from dhess.fields import fitting
from dhess.halo import in_blocks
from dhess.shapes import CHUNK_BYTES, auto_chunks, by, mega, read_factor
from dhess.stored import Stored, stored_of
from dhess.sweep import Sweep, interior
from dhess.windows import BRANCHES, Searched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dask.array as da
    import numpy as np

    from dhess.fields.quantity import Quantity
    from dhess.running import Workers
    from dhess.stencil import Stencil
    from dhess.tables import Range

LARGE = 512 * 10**6
"""A stored chunk above this makes every reader large."""


@dataclass(frozen=True, eq=False)
class Cost:
    """What `Plan` tells of a search and of a field alike."""

    blocks: Blocks
    stored: Stored | None
    windows: int
    tasks: int
    read: float
    written: int
    memory: dict[str, int]
    smaller: tuple[int, ...] | None
    """Blocks that take less memory."""
    sample: Callable[[], int]
    """Does one block, and returns its bytes."""
    twice: bool = False
    """Whether blocks are read for their rims first."""


def of_search(
    searched: Searched,
    team: Workers,
    each: int = 2,
    more: Callable[[tuple[Range, ...]], int] = lambda _: 0,
) -> Cost:
    """Return what a search costs, of so many tasks for each block, and more for a window."""
    blocks = searched.blocks
    windows = list(product(*searched.along))
    per_block = each if searched.stored is not None else each + 1
    merges = sum(-(-math.prod(b - a for a, b in window) // BRANCHES) for window in windows)
    values, stored = searched.values, searched.stored
    layout = searched.layout(windows[0])

    def sample() -> int:
        if stored is None:
            return int(values.blocks[(0,) * values.ndim].compute().nbytes)
        index = (0,) * values.ndim
        interior(Sweep(searched.stencil, searched.query, layout, stored), index)
        return math.prod(p.data[1] - p.data[0] for p in layout.block(index)) * blocks.itemsize

    return Cost(
        blocks, stored, len(windows),
        per_block * blocks.number + merges + len(windows) + sum(map(more, windows)),
        searched.read_factor(), 0, searched.memory(team),
        searched.smaller(team), sample,
    )  # fmt: skip


def of_field(
    values: da.Array, stencil: Stencil, quantity: Quantity, dtype: np.dtype[Any], team: Workers
) -> Cost:
    """Return what it costs to write a field."""
    itemsize = dtype.itemsize * len(stencil.axes) ** len(quantity.leading)
    values, again = fitting(values, stencil, itemsize, team)
    stored = stored_of(values)
    values, layout = in_blocks(values, stencil)
    blocks = Blocks.of(values.chunks, values.dtype, stored)
    project = partial(
        field_memory, stencil=stencil, out_itemsize=itemsize, workers=team, reread=again is not None
    )
    around = 2 if blocks.seams(stencil) else 1
    per_block = around + (1 if again is None else 0) + 1
    factor = 1.0
    if stored is not None and stored.chunks is not None:
        ranges = ([p.data for p in row] for row in layout.pieces)
        factor = read_factor(ranges, stored.chunks, values.shape)

    def sample() -> int:
        return int(values.blocks[(0,) * values.ndim].compute().nbytes)

    return Cost(
        blocks, stored, 1, per_block * blocks.number + 1,
        factor * (2 if again is not None else 1), math.prod(values.shape) * itemsize,
        project(blocks), smaller_blocks(project, values.chunks, values.dtype, stored, team), sample,
        twice=again is not None,
    )  # fmt: skip


def advice(cost: Cost, team: Workers, peak: int) -> Iterator[str]:
    """Say what would make it cheaper, a sentence each."""
    chunks = () if cost.stored is None else cost.stored.chunks or ()
    chunk_bytes = cost.blocks.chunk_bytes
    if cost.twice:
        yield (
            "each block is read twice, for its rim and for the field, since blocks that wait for "
            "their neighbours would not fit; more memory per worker reads each once"
        )
    elif cost.read > 1.25 and cost.windows == 1:
        yield (
            f"stored chunks of {by(chunks)} points are read {cost.read:.3g} times on average, "
            f"since blocks of {by(cost.blocks.points)} do not hold whole ones; leave chunks= out, "
            "or rechunk the store to a part of the block"
        )
    if chunk_bytes > LARGE:
        yield (
            f"a stored chunk of {by(chunks)} points is {mega(chunk_bytes)}, and no block can be "
            f"smaller; rechunk the store, for example to {by(_rechunked(cost.blocks))}"
        )
    if team.memory is not None and USABLE * team.memory < peak <= PAUSED * team.memory:
        yield (
            f"workers may write to disk in between, for {mega(peak)} is more than {USABLE:.0%} of "
            f"{mega(team.memory)}; give them more, or use smaller blocks"
        )


def _rechunked(blocks: Blocks) -> tuple[int, ...]:
    return auto_chunks(blocks.points, (1,) * len(blocks.points), blocks.itemsize, CHUNK_BYTES)
