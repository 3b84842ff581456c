"""Describe the machine and the libraries of a run, without its name or paths."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from . import fused

LIBRARIES = ("numpy", "numba", "dask", "xarray", "zarr", "findiff", "scikit-image")


def description() -> dict[str, str]:
    memory = _first("/proc/meminfo", "MemTotal").split()[0]
    return {
        "CPU": _first("/proc/cpuinfo", "model name"),
        "cores": str(os.cpu_count()),
        "memory": f"{int(memory) / 2**20:.0f} GiB",
        "Python": platform.python_version(),
        **{library: _version(library) for library in LIBRARIES},
        "gcc": fused.compiler_version(),
    }


def _first(file: str, field: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(field):
            return line.partition(":")[2].strip()
    return "0 (not told)"


def _version(library: str) -> str:
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "none"
