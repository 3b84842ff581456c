"""`python -m tests.benchmarks.out_of_core.simulated WINDOWS BLOCKS`: a search of tiny blocks.

Prints the memory of the process that holds client and scheduler when the first window runs and when
the last one does, in bytes, and the seconds of the search. Each window has BLOCKS blocks, of twelve
points of a store that has no chunk, so that there is hardly anything but scheduling. 100 windows of
10,000 blocks are the search of a million.

A process of its own, since the memory of what ran before would hide what is added.
"""

from __future__ import annotations

import gc
import logging
import sys
import warnings
from pathlib import Path
from unittest import mock

import dhess
import dhess.budget
from dhess.running import Progress, watched
from tests.benchmarks.timing import seconds

from . import clusters, stores


def measure(count: int, blocks: int) -> tuple[int, int, float]:
    """Search so many windows of so many blocks."""
    path = stores.folder() / "simulated.zarr"
    stores.empty(path, ("x",), shape=(12 * blocks * count,), chunks=(12,), dtype="float32")
    field = dhess.open(path, chunks=None)
    held: dict[int, int] = {}

    def watch(progress: Progress) -> None:
        if progress.window not in held:
            gc.collect()
            held[progress.window] = _resident()

    with (
        warnings.catch_warnings(),
        clusters.tuned(),
        mock.patch.object(dhess.budget, "MOST", blocks),
        watched(watch),
    ):
        warnings.simplefilter("ignore", dhess.DhessWarning)  # that all chunks are missing
        taken = seconds(lambda: dhess.find_minimum(field))
    if sorted(held) != list(range(1, count + 1)):
        raise AssertionError(f"the search took {len(held)} windows, not {count}")
    return held[1], held[count], taken


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmRSS: this measurement needs Linux")


def main(count: str, blocks: str) -> None:
    logging.disable(logging.WARNING)
    print(*measure(int(count), int(blocks)))


if __name__ == "__main__":
    main(*sys.argv[1:])
