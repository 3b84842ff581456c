"""A store larger than the workers' memory together."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.benchmarks.report import Ratio, at_most

from . import clusters, races, stores
from .memory import under_limit
from .stores import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from distributed import Client
    from numpy.typing import NDArray

    from tests.benchmarks.scale import Scale

LIMIT = 10**9
"Bytes of one worker."


def big(scale: Scale) -> Iterator[Ratio]:
    """17 GB, searched and written by two workers of 1 GB each."""
    store = made(scale)
    path = stores.folder() / "big-field.zarr"
    works: dict[str, Callable[[], None]] = {
        races.OURS: lambda: store.search(store.opened()),
        "the norm written as a field": lambda: races.write_norm(store, path),
    }
    for what, work in works.items():
        with clusters.tuned(memory_limit=LIMIT) as client:
            before = _pids(client)
            work()
            yield under_limit(f"{what}, {store.nbytes / 1e9:.3g} GB", client, LIMIT)
            restarted = len(before - _pids(client))
            spilled = _spilled(client)
        size = f"{what}, {store.nbytes / 1e9:.3g} GB"
        yield Ratio(
            f"bytes spilled ÷ bytes of the store: {size}",
            f"{spilled / 1e6:.0f} MB ÷ {store.nbytes / 1e6:.0f} MB",
            spilled / store.nbytes, at_most(0),
        )  # fmt: skip
        yield Ratio(
            f"workers restarted ÷ workers: {size}",
            f"{restarted} ÷ {clusters.WORKERS}", restarted / clusters.WORKERS, at_most(0),
        )  # fmt: skip
    races.expect_norm(store, path)
    stores.remove(path)
    store.remove()


def _pids(client: Client) -> set[int]:
    return set(client.run(os.getpid).values())


def _spilled(client: Client) -> float:
    """Return the bytes that the workers ever wrote to their disk."""

    def written(dask_worker: Any) -> float:
        return float(dask_worker.data.cumulative_metrics.get(("disk-write", "bytes"), 0))

    return float(sum(client.run(written).values()))


def made(scale: Scale) -> Store:
    """Make the store: every eighth chunk is noise, the others are a checkerboard.

    The checkerboard takes no room on the disk and is nowhere flat (each f_kk is ±4). Equal chunks
    are one file under many names; those around the bowl are files of their own.
    """
    c = scale.edge // 2
    shape = (12 * c, 12 * c, 14 * c) if scale.full else (4 * c, 4 * c, 6 * c)
    store = Store("big", shape, (c,) * 3, full=scale.full)
    array = store.empty()
    models: dict[bool, Path] = {}
    for number, box in enumerate(store.pieces()):
        noisy = number % 8 == 0
        if store.overlap(box) is not None:
            array[box] = store.values(box)
        elif noisy in models:
            path = _file(store, box)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.hardlink_to(models[noisy])
        else:
            array[box] = store.values(box) if noisy else checkerboard(store.chunks)
            models[noisy] = _file(store, box)
    return store


def _file(store: Store, box: stores.Box) -> Path:
    """Return where Zarr puts the chunk."""
    pairs = zip(box, store.chunks, strict=True)
    return store.path.joinpath("f", "c", *(str(part.start // chunk) for part, chunk in pairs))


def checkerboard(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return 1 where the sum of the indices is even, -1 elsewhere.

    >>> checkerboard((2, 3)).tolist()
    [[1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]]
    """
    board: NDArray[np.float32] = np.float32(1) - np.indices(shape).sum(axis=0) % 2 * np.float32(2)
    return board.astype(np.float32)
