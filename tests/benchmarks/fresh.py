"""Run something in a fresh process and read the numbers that it prints last."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import dhess

ROOT = Path(__file__).parents[2]


def numbers(*arguments: str) -> list[float]:
    """Run this Python with ``arguments`` from the top folder, where `tests` is a package."""
    # The same dhess as here, wherever the parent found it.
    home = str(Path(dhess.__file__).parents[1])
    search = os.pathsep.join(filter(None, [home, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": search}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True
    )
    return [float(word) for word in done.stdout.splitlines()[-1].split()]


def import_seconds(modules: str) -> float:
    """Import comma-separated modules; the interpreter's own start is not counted."""
    return numbers("-c", f"{_CLOCK}import {modules}\n{_READ}")[0]


def first_call_seconds(call: str) -> float:
    """Time a first call on a small field ``da``, the imports apart."""
    return numbers("-c", f"{_SMALL_FIELD}{_CLOCK}{call}\n{_READ}")[0]


class Search(NamedTuple):
    """A first search in a process of its own: what it needs beside its field, and its time."""

    extra: float
    seconds: float


def search(name: str, edge: int) -> Search:
    """Let a contestant search a field of edge³ points."""
    return Search(*numbers("-m", "tests.benchmarks.alone", name, str(edge)))


_CLOCK = "import time\nstart = time.perf_counter()\n"
_READ = "print(time.perf_counter() - start)\n"
_SMALL_FIELD = """\
import numpy, xarray, dhess
da = xarray.DataArray(numpy.random.default_rng(0).random((32, 32, 32)), dims=("z", "y", "x"))
"""
