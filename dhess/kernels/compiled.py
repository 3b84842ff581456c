"""Compilation of kernels: once per machine, safe with several processes."""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

try:
    import fcntl
except ImportError:  # not a POSIX system: processes there may compile twice
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

log = logging.getLogger(__name__)

# Strict IEEE: without reassociation or contraction each point's bits do not depend on the loop
# that it stands in, and so not on the chunking. error_model only drops the check for division by
# zero, which would keep the loops from vectorising.
# Without numba's run time for allocation nothing counts references: counting is atomic, and cost
# as much as a row of 250 points. So kernels allocate nothing; their scratch comes from the caller.
_FLAGS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}

_BARE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}

inner = numba.njit(**_BARE, **_FLAGS)
"""A function that only kernels call; it is compiled into them."""

merged = numba.njit(inline="always", **_FLAGS)
"""As `inner`, but merged before compilation: LLVM optimises every function again in each caller up
the chain, so a deep chain costs many times its code (measured: 20 s for one kernel)."""


@inner
def fill(out, n, value):  # type: ignore[no-untyped-def]
    """Set the first n values; an assignment to a slice would compile a broadcasting error too."""
    for i in range(n):
        out[i] = value


class Kernel:
    """A compiled function that Python calls, cached on disk.

    Several processes that compile the same function at once can spoil numba's index of cached
    functions, so compiling and loading go under a file lock.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            self.dispatcher = numba.njit(cache=True, **_FLAGS)(function)
        except RuntimeError:  # nowhere to write a cache
            self.dispatcher = numba.njit(**_FLAGS)(function)
        self.__doc__ = function.__doc__
        self.name = function.__name__
        self._ready: set[str] = set()
        self._lock = threading.Lock()

    def __call__(self, *args: Any) -> Any:
        """Call the function; compile it or load it from the cache first, if it is not there.

        With ``NUMBA_DISABLE_JIT=1`` it is plain Python, which a debugger and a measurement of
        coverage can follow; it is a thousand times slower, and has the same bits.
        """
        if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # set as it is imported
            with np.errstate(all="ignore"):  # compiled code does not warn either
                return self.dispatcher(*args)
        key = "".join(_form(a) for a in args)
        if key not in self._ready:
            folder = self.dispatcher.stats.cache_path
            with self._lock, _between_processes(folder, self.name):
                if not (folder and any(Path(folder).glob(f"*{self.name}-*.nbi"))):
                    log.info("compiling %s: once per machine, takes some seconds", self.name)
                self.dispatcher.compile(tuple(map(numba.typeof, args)))
            self._ready.add(key)
        return self.dispatcher(*args)


def _form(argument: Any) -> str:
    """Tell forms of an argument apart that are compiled apart."""
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype.char}{argument.flags.writeable:d}"
    return "-" if argument is None else "."


@contextlib.contextmanager
def _between_processes(folder: str | None, name: str) -> Iterator[None]:
    """Let one process at a time compile a kernel; different kernels do not wait for each other."""
    if folder is None or fcntl is None:
        yield
        return
    path = Path(folder)
    with _locked(path, "kernels"):
        _drop_stale(path)
    with _locked(path, name):
        yield


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"dhess-{name}.lock").open("w")
    except OSError:  # a cache that can be read only: nothing will be written either
        yield
        return
    with lock:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _drop_stale(folder: Path) -> None:
    """Empty the cache if any kernel's source has changed.

    numba looks at the file of the cached function, but not at those of the functions compiled
    into it.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    stamp = " ".join(f"{p.name}:{p.stat().st_mtime_ns}:{p.stat().st_size}" for p in sources)
    record = folder / "dhess-kernels.stamp"
    try:
        if record.exists() and record.read_text() == stamp:
            return
        for old in folder.glob("*.nbi"):
            old.unlink()
        record.write_text(stamp)
    except OSError:  # a cache that can be read only is left as it is
        return
