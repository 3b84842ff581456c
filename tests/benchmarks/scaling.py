"""`python -m tests.benchmarks.scaling`: prints the tables of deploy/SCALING.md.

How the cost of a search grows with the size of the store, the size of its blocks, the number of
dimensions and the workers; and what a scheduler has to do for a grid of a million blocks, window by
window. The blocks of the last one are simulated: their tasks do nothing, so that nothing but the
scheduling takes time.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dhess

from .out_of_core import clusters, simulated, stores
from .timing import seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    import xarray as xr
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
    print(million(count, 200 if chosen.quick else 10_000).markdown())
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


def million(windows: int, blocks: int) -> Curve:
    """Search windows of simulated blocks, in a process of its own."""
    command = [sys.executable, "-m", simulated.__name__, str(windows), str(blocks), "hollow"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, last, taken = map(float, done.stdout.split())
    tasks = 2.25 * windows * blocks
    row = (
        f"{windows} × {blocks:,}", f"{taken:.0f} s", f"{tasks / taken:,.0f}",
        f"{first / 1e6:.0f} MB", f"{(last - first) / 1e6:+.0f} MB",
    )  # fmt: skip
    columns = ("windows × blocks", "time", "tasks/s", "memory at the first", "at the last")
    return Curve("simulated blocks, client and scheduler in one process", columns, [row])


if __name__ == "__main__":
    logging.getLogger("distributed").setLevel(logging.ERROR)
    sys.exit(main())
