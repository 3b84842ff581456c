"""The search as fused C, compiled here; `python -m tests.benchmarks.fused` prints its speed."""

from __future__ import annotations

import ctypes
import shutil
import statistics
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .case import Case
from .timing import one_core, seconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCE = Path(__file__).with_name("fused.c")
FLAGS = ("-O3", "-march=native", "-ffast-math")


def compiler() -> str | None:
    return shutil.which("gcc")


def compiler_version() -> str:
    gcc = compiler()
    if gcc is None:
        return "none"
    done = subprocess.run([gcc, "-dumpfullversion"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@cache
def library() -> ctypes.CDLL:
    """Compile once a process; the file may go as soon as the loader has mapped it."""
    gcc = compiler()
    if gcc is None:
        raise FileNotFoundError("the C yardstick needs gcc on PATH: install it")
    with tempfile.TemporaryDirectory() as folder:
        built, part = Path(folder, "fused.so"), Path(folder, "fused.o")
        strict = ["-Wall", "-Wextra", "-Werror", "-fPIC", "-c"]
        subprocess.run([gcc, *FLAGS, *strict, str(SOURCE), "-o", str(part)], check=True)
        # Linked without -ffast-math, which would have the whole process flush subnormals to zero.
        subprocess.run([gcc, "-shared", str(part), "-o", str(built), "-lm"], check=True)
        return ctypes.CDLL(str(built))


def find_minimum(
    x: NDArray[np.floating], spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
) -> tuple[float, tuple[int, ...]]:
    """Return the smallest Hessian norm among the interior points, and its index."""
    if x.ndim != 3 or x.dtype != np.float64 or not x.flags.c_contiguous:
        raise TypeError(f"the C yardstick takes 3-D C-ordered float64, got {x.ndim}-D {x.dtype}")
    norm = ctypes.c_double()
    index = ctypes.c_ssize_t()
    library().find_minimum(
        ctypes.c_void_p(x.ctypes.data),
        *(ctypes.c_ssize_t(size) for size in x.shape),
        (ctypes.c_double * 3)(*spacing),
        ctypes.byref(norm),
        ctypes.byref(index),
    )
    return norm.value, tuple(int(i) for i in np.unravel_index(index.value, x.shape))


def main(size: int = 256, repeat: int = 21) -> None:
    x = Case.of((size, size, size)).x
    library()
    with one_core():
        read = statistics.median(seconds(x.min) for _ in range(repeat))
        fused = statistics.median(seconds(lambda: find_minimum(x)) for _ in range(repeat))
    print(f"{size}³ float64, one core, interior only: C {fused * 1e3:.1f} ms", end="")
    print(f" = {fused / x.size * 1e9:.2f} ns/point = {fused / read:.1f} × x.min()")


if __name__ == "__main__":
    main()
