"""An engine for tests: without HTTP, in a thread of its own, with real children."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np
import xarray as xr

from dhess.job import JobSpec
from dhess.ledger import ENDED
from dhess.service.engine import Engine
from dhess.service.settings import Settings
from tests.test_windows import write

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from dhess.service.models import JobView

T = TypeVar("T")

PATIENCE = 240.0
"""Seconds for what takes ten on a machine that does nothing else."""
BLOCK = 4
WINDOWS = 216


def data() -> xr.DataArray:
    """Noise with ties and gaps."""
    values = np.random.default_rng(5).standard_normal((24, 24, 24)).round(1).astype("f4")
    values[5, 6, 7:9] = np.nan
    return xr.DataArray(values, dims=["z", "y", "x"], name="f")


def make_store(folder: Path) -> Path:
    return write(data(), folder / "f.zarr", (BLOCK,) * 3)


def spec(store: Path, task: str = "find", **more: Any) -> JobSpec:
    """Return a job of `WINDOWS` windows."""
    own: dict[str, Any] = {"k": 5}
    if task == "field":
        own = {"output": str(store.with_name("norm.zarr"))}
    resources = {"window": 1}
    common = {"source": str(store), "task": task, "chunks": BLOCK, "resources": resources}
    return JobSpec.read({**common, **own, **more})


def same_result(file: Path, want: xr.Dataset) -> None:
    """The same bits, in a file that keeps texts at another width."""
    with xr.open_dataset(file, engine="h5netcdf") as opened:
        found = opened.load()
    xr.testing.assert_identical(found.assign_attrs(source=""), want.assign_attrs(source=""))
    for name, variable in want.variables.items():
        if variable.dtype.kind != "U":
            assert found[name].values.tobytes() == variable.values.tobytes(), name


class Stage:
    """An engine that runs. Its calls are made from the test's thread."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        place = str(folder)
        common = {"workers": 1, "memory_limit": "1GB", "roots": (place,), "output_roots": (place,)}
        self.settings = Settings(**{"data": folder / "data", **common, **settings})
        self.engine: Engine
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def start(self) -> None:
        self.engine = self.call(self._made())
        self.call(self.engine.start())

    async def _made(self) -> Engine:
        return Engine(self.settings)

    def stop(self) -> None:
        self.call(self.engine.stop())

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what a call to the engine returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def submit(self, job: JobSpec, submitter: str = "local") -> str:
        return self.call(self.engine.submit(job, submitter))[0].id

    def show(self, job: str) -> JobView:
        return self.call(self.engine.show(job))

    def watch(self, job: str) -> list[JobView]:
        """Return all that is told of a job until it has ended."""

        async def watched() -> list[JobView]:
            return [view async for view in self.engine.watch(job)]

        return self.call(watched())

    def until(self, job: str, fits: Callable[[JobView], bool]) -> JobView:
        """Wait until a job looks as it should."""
        deadline = time.monotonic() + PATIENCE
        while not fits(view := self.show(job)):
            assert view.state not in ENDED, view
            assert time.monotonic() < deadline, view
            time.sleep(0.02)
        return view


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody has waited for does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def family(pid: int) -> set[int]:
    """Return all processes that descend from one."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            stat = (folder / "stat").read_text()
            parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def gone(pids: set[int], seconds: float) -> set[int]:
    """Wait for the end of some processes; return those that still run."""
    deadline = time.monotonic() + seconds
    while (left := {pid for pid in pids if alive(pid)}) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def own_family() -> set[int]:
    """Return all children of this process, and theirs."""
    return family(os.getpid())
