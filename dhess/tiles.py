"""An array in memory, cut into tiles of points for threads."""

from __future__ import annotations

import itertools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import dask

from dhess.block import readable

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.tables import Array, Range

TILE = 1 << 20
"""Points of a tile at least: fewer are not worth starting a kernel and its edges for."""


def threads() -> int:
    """Return how many threads a computation in memory uses.

    Dask's own setting ``num_workers`` if it is made, else every core this process may run on.
    """
    chosen = dask.config.get("num_workers", None)
    if chosen is not None:
        return max(1, int(chosen))
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def tiles(shape: tuple[int, ...], points: int) -> list[tuple[Range, ...]]:
    """Cut an array along its leading dimensions into parts of about that many points, in C order.

    Examples
    --------
    >>> tiles((4, 1000, 1000), 2_000_000)
    [((0, 2), (0, 1000), (0, 1000)), ((2, 4), (0, 1000), (0, 1000))]
    """
    sizes = list(shape)
    for d in range(len(shape)):
        inner = math.prod(shape[d + 1 :])
        sizes[d] = max(1, min(shape[d], points // inner))
        if sizes[d] > 1:
            break
    cuts = [
        [(a, min(a + step, n)) for a in range(0, n, step)]
        for n, step in zip(shape, sizes, strict=True)
    ]
    return list(itertools.product(*cuts))


def in_threads(
    work: Callable[[tuple[Range, ...]], Any], shape: tuple[int, ...], data: Array
) -> list[Any]:
    """Run a function on every tile of points in memory; kernels release the lock.

    Data that kernels cannot read in place is copied tile by tile, so such tiles are kept small.
    """
    workers = threads()
    size = math.prod(shape)
    points = max(TILE, -(-size // workers))
    parts = tiles(shape, points if readable(data) else min(points, 4 * TILE))
    if len(parts) == 1 or workers == 1:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, parts))
