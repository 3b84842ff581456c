"""What can be counted: bytes that are read of a store, tasks of a graph, a scheduler's memory."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import dask

import dhess
from tests.benchmarks import fresh
from tests.benchmarks.report import Ratio, at_most
from tests.benchmarks.timing import Pairs, pairs, seconds

from . import clusters, races, stores
from .served import served

if TYPE_CHECKING:
    from collections.abc import Iterator

    import xarray as xr

    from tests.benchmarks.scale import Scale


def bytes_read(scale: Scale) -> Iterator[Ratio]:
    """Counted by a server of the store's files, which the workers read through HTTP."""
    if gone := races.missing("aiohttp"):
        print(f"left out: bytes, since {gone} is not installed", file=sys.stderr)
        return
    store = stores.main_store(scale)
    path = stores.folder() / "counted.zarr"
    with served(stores.folder()) as server, clusters.tuned():
        url = f"{server.url}/{store.path.name}"
        store.search(store.opened(url))
        yield _bytes(f"{races.OURS}: bytes read ÷ stored", server.chunk_bytes, store, 1.01)
        server.chunk_bytes = 0
        races.write_norm(store, path, url)
        yield _bytes(
            "norm written as a field: bytes read ÷ stored", server.chunk_bytes, store, 1.15
        )
    races.expect_norm(store, path)
    stores.remove(path)


def _bytes(what: str, read: int, store: stores.Store, limit: float) -> Ratio:
    stored = store.stored_bytes
    measured = f"{read / 1e6:,.1f} MB ÷ {stored / 1e6:,.1f} MB"
    return Ratio(what, measured, read / stored, at_most(limit))


def graph(scale: Scale) -> Iterator[Ratio]:
    """Graphs are made of stores without a single chunk: nothing is read."""
    for n, along in ((2, 32), (3, 10), (4, 6), (5, 4)):
        field = _bare((along if scale.full else 3,) * n)
        (found,) = dask.optimize(dhess.find_minimum(field, compute=False))
        blocks, tasks = math.prod(field.data.numblocks), len(_tasks(found))
        what = f"{n}-D search of {blocks:,} blocks: tasks ÷ blocks"
        yield Ratio(what, f"{tasks:,} ÷ {blocks:,}", tasks / blocks, at_most(4))
    field = _bare((20, 20, 25) if scale.full else (5, 5, 4))
    blocks = math.prod(field.data.numblocks)

    def build() -> None:
        _tasks(dhess.find_minimum(field, compute=False))

    build()
    taken = pairs(lambda: 1.0, lambda: seconds(build), scale.few)
    what = f"graph of a search of {blocks:,} blocks, down to its tasks ÷ one second"
    yield Ratio(what, taken.quotient, taken.ratio, at_most(2))
    lazy = dhess.find_minimum(field, compute=False)
    ready = seconds(lambda: dask.optimize(lazy))
    taken = Pairs.of([(1.0, ready)])
    yield Ratio("its optimisation by Dask ÷ one second", taken.quotient, taken.ratio)


def _bare(blocks: tuple[int, ...]) -> xr.DataArray:
    """Return a store that has metadata only; each of its chunks is a block of 12 points an axis."""
    shape = tuple(12 * count for count in blocks)
    path = stores.folder() / f"bare-{'-'.join(map(str, blocks))}.zarr"
    if not path.exists():
        dims = tuple(f"a{k}" for k in range(len(blocks)))
        stores.empty(path, dims, shape=shape, chunks=(12,) * len(blocks), dtype="float32")
    return dhess.open(path, chunks=None)


def _tasks(lazy: Any) -> dict[Any, Any]:
    return dict(lazy.__dask_graph__())


def windows(scale: Scale) -> Iterator[Ratio]:
    """A hundred windows, of fewer blocks than usual so as to be done in minutes."""
    count, blocks = (100, 200) if scale.full else (5, 20)
    script = "tests.benchmarks.out_of_core.simulated"
    first, last, taken = fresh.numbers("-m", script, str(count), str(blocks))
    yield Ratio(
        f"memory of client and scheduler in window {count}, of {blocks:,} blocks each, above that "
        "in window 1 ÷ 50 MB",
        f"({last / 1e6:.0f} MB - {first / 1e6:.0f} MB) ÷ 50 MB",
        (last - first) / 50e6,
        at_most(1),
    )
    per_block = taken / (count * blocks)
    yield Ratio(
        "time of a simulated block there ÷ one millisecond",
        f"{per_block * 1e3:.3g} ms ÷ 1 ms",
        per_block * 1e3,
    )
