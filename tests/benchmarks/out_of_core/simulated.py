"""`python -m tests.benchmarks.out_of_core.simulated WINDOWS BLOCKS [hollow]`: of tiny blocks.

Prints the memory of the process that holds client and scheduler when the first window ends and when
the last one does, in bytes, and the seconds of the search. Each window has BLOCKS blocks, of twelve
points of a store that has no chunk, so that there is hardly anything but scheduling. 100 windows of
10,000 blocks are the search of a million. With ``hollow`` the tasks do nothing at all.

A process of its own, since the memory of what ran before would hide what is added.
"""

from __future__ import annotations

import logging
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

import dhess
import dhess.budget
import dhess.windows
from dhess.passes import Candidates
from dhess.running import Progress, watched
from dhess.shell import Shell
from dhess.sweep import Part, Sweep, interior, seams
from tests.benchmarks.timing import seconds

from . import clusters, stores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.sweep import Index


def nothing_inside(sweep: Sweep, index: Index) -> Part:
    """Stand in for the task that searches a block."""
    return Part(replace(_one(0), blocks=1), Shell((), ()))


def nothing_between(sweep: Sweep, index: Index, parts: Sequence[Part]) -> Candidates:
    """Stand in for the task that searches the seams of one."""
    best: Candidates = parts[0].best
    return best


def _one(place: int) -> Candidates:
    """Return a point with all that is told of one, along one axis."""
    columns = {
        "value": np.zeros(1), "place": np.array([place]), "field": np.zeros(1, np.float32),
        "noise": np.zeros(1), "gradient": np.zeros((1, 1)), "hessian": np.zeros((1, 1, 1)),
    }  # fmt: skip
    return Candidates(columns, 0)


def measure(count: int, blocks: int, *, hollow: bool = False) -> tuple[int, int, float]:
    """Search so many windows of so many blocks."""
    path = stores.folder() / "simulated.zarr"
    stores.empty(path, ("x",), shape=(12 * blocks * count,), chunks=(12,), dtype="float32")
    field = dhess.open(path, chunks=None)
    held: dict[int, int] = {}

    def watch(progress: Progress) -> None:
        held[progress.window] = _resident()  # the last one stands

    with (
        warnings.catch_warnings(),
        clusters.tuned(),
        mock.patch.object(dhess.budget, "MOST", blocks),
        mock.patch.object(dhess.windows, "interior", nothing_inside if hollow else interior),
        mock.patch.object(dhess.windows, "seams", nothing_between if hollow else seams),
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


def main(count: str, blocks: str, hollow: str = "") -> None:
    logging.disable(logging.WARNING)
    print(*measure(int(count), int(blocks), hollow=bool(hollow)))


if __name__ == "__main__":
    from tests.benchmarks.out_of_core import simulated  # whose functions workers can import

    simulated.main(*sys.argv[1:])
