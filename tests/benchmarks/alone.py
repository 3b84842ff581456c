"""`python -m tests.benchmarks.alone NAME EDGE`: one search in a process of its own.

Prints the bytes that it needs beside its field, and its seconds. A process of its own, since a peak
of memory never falls, and since a second search finds the memory of the first one ready: on a
virtual machine, pages that nobody has touched yet cost several times the arithmetic.

The kernel's own peak for this address space (``VmHWM``) is read, not ``ru_maxrss``: that one starts
at the peak of the process that started this one, and so hides growth below it.
"""

from __future__ import annotations

import gc
import sys
from functools import partial
from pathlib import Path

from .case import Case
from .contestants import CONTESTANTS
from .timing import seconds


def measure(name: str, case: Case) -> tuple[int, float]:
    """Return the growth of this process's peak of resident memory in one search, and its time."""
    search = CONTESTANTS[name].search
    search(Case.of((20, 20, 20)))
    gc.collect()
    before = resident("VmRSS", forget=True)
    taken = seconds(partial(search, case))
    return resident("VmHWM") - before, taken


def resident(field: str, *, forget: bool = False) -> int:
    """Return what the kernel says of this process; ``forget``: the peak starts again from here."""
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}: this measurement needs Linux")


def main(name: str, edge: str) -> None:
    print(*measure(name, Case.of((int(edge),) * 3)))


if __name__ == "__main__":
    main(*sys.argv[1:])
