"""`python -m tests.benchmarks.scaling`: prints the tables of deploy/SCALING.md.

How the cost of a search grows with the size of the store, the size of its blocks, the number of
dimensions and the workers; and what a scheduler has to do for a grid of a million blocks, window by
window. The blocks of the last one are simulated: four points along each axis, made when asked for,
so that nothing but the scheduling takes time.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dask.array as da
import xarray as xr

import dhess
from dhess import running

from .out_of_core import clusters, stores
from .timing import seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from distributed import Client

    from .out_of_core.stores import Store

REPEAT = 3


@dataclass(frozen=True)
class Curve:
    """One table: what is varied, and what it costs."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def markdown(self) -> str:
        head = f"| {' | '.join(self.columns)} |"
        rule = f"| --- |{' --: |' * (len(self.columns) - 1)}"
        return "\n".join([f"**{self.title}**", "", head, rule, *map(_row, self.rows), ""])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.scaling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small stores and two windows")
    parser.add_argument(
        "--windows", type=int, default=10, metavar="N", help="of the million blocks; 100 are all"
    )
    chosen = parser.parse_args(arguments)
    edge, count = (32, 2) if chosen.quick else (128, chosen.windows)
    for curve in (sizes, blocks, dimensions, workers):
        print(curve(edge).markdown(), flush=True)
    side = 20 if chosen.quick else 100
    print(million(side, count).markdown())
    return 0


def sizes(chunk: int) -> Curve:
    """With the edge of the store, in chunks of 128³."""
    rows = []
    with clusters.tuned() as client:
        for n in (2, 4, 6, 8):
            store = _cube(n * chunk, chunk)
            rows.append((f"{store.shape[0]}³", *_costs(client, store, store.opened())))
            store.remove()
    return Curve("size of a float32 store", ("points", *COLUMNS), rows)


def blocks(chunk: int) -> Curve:
    """With the edge of the blocks, of one store of 768³."""
    store = _cube(6 * chunk, chunk)
    rows = []
    with clusters.tuned() as client:
        for edge in (chunk // 2, chunk, 2 * chunk, 3 * chunk):
            field = dhess.open(f"{store.path}::f", chunks=edge)
            rows.append((f"{edge}³", *_costs(client, store, field)))
    store.remove()
    return Curve(f"size of the blocks, stored chunks of {chunk}³", ("block", *COLUMNS), rows)


def dimensions(chunk: int) -> Curve:
    """With the number of dimensions, of stores of about half a gigabyte."""
    rows = []
    with clusters.tuned() as client:
        for n in (2, 3, 4):
            size = round((4 * chunk) ** (3 / n))
            part = -(-size // {2: 6, 3: 4, 4: 4}[n])
            store = stores.Store(f"n{n}", (size,) * n, (part,) * n)
            store.make()
            rows.append((f"{n}-D, {size} a side", *_costs(client, store, store.opened())))
            store.remove()
    return Curve("dimensions", ("store", *COLUMNS), rows)


def workers(chunk: int) -> Curve:
    """With the number of worker processes."""
    store = _cube(6 * chunk, chunk)
    rows = []
    for count in (1, 2):
        with clusters.tuned(count) as client:
            rows.append((str(count), *_costs(client, store, store.opened())))
    store.remove()
    return Curve("worker processes of one thread", ("workers", *COLUMNS), rows)


COLUMNS = ("blocks", "search", "MB/s", "÷ `.min()`")


def _cube(size: int, chunk: int) -> Store:
    store = stores.Store(f"cube-{size}", (size,) * 3, (chunk,) * 3)
    store.make()
    return store


def _costs(client: Client, store: Store, field: xr.DataArray) -> tuple[str, ...]:
    with client.as_current():
        dhess.find_minimum(field)
        taken = [
            (seconds(lambda: dhess.find_minimum(field)), seconds(lambda: field.min().compute()))
            for _ in range(REPEAT)
        ]
        count = dhess.plan(field).blocks
    took = statistics.median(a for a, _ in taken)
    ratio = statistics.median(a / b for a, b in taken)
    return f"{count:,}", f"{took:.2f} s", f"{store.nbytes / took / 1e6:,.0f}", f"{ratio:.2f}"


def million(side: int, count: int) -> Curve:
    """Search the first windows of a grid of so many simulated blocks along each of three axes."""
    grid = da.zeros((4 * side,) * 3, chunks=4)
    field = xr.DataArray(grid, dims=("z", "y", "x"))
    rows: list[tuple[str, ...]] = []
    before = _resident()

    def watch(progress: running.Progress) -> None:
        done, now = len(rows), time.perf_counter()
        if progress.window > done + 1 or progress.blocks == progress.of_blocks:
            taken, begun[0] = now - begun[0], now
            grown = (_resident() - before) / 1e6
            rate = progress.blocks / progress.of_blocks
            rows.append((str(done + 1), f"{taken:.1f} s", f"{rate:.1%}", f"{grown:.0f} MB"))
            if len(rows) >= count:
                raise _EnoughError

    with clusters.tuned(), running.watched(watch):
        begun = [time.perf_counter()]
        with contextlib.suppress(_EnoughError):
            dhess.find_minimum(field)
    title = f"{side**3:,} simulated blocks, window by window; client and scheduler in one process"
    return Curve(title, ("window", "time", "of the grid", "memory grown by"), list(_few(rows)))


class _EnoughError(Exception):
    """The windows that were asked for are done."""


def _few(rows: list[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    shown = {0, 1, len(rows) // 2, len(rows) - 1}
    yield from (row for i, row in enumerate(rows) if i in shown)


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return 1024 * int(line.split()[1])
    raise AssertionError("no VmRSS")


if __name__ == "__main__":
    logging.getLogger("distributed").setLevel(logging.ERROR)
    sys.exit(main())
