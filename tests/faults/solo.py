"""A small job of one process, which stops itself in the middle and is disturbed there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr

import dhess
from dhess.ledger import Ledger

from .scenario import Hang
from .stage import DHESS, until

if TYPE_CHECKING:
    from collections.abc import Mapping

HOOKS = str(Path(__file__).with_name("hooks"))
SHAPE, BLOCK, WINDOWS = (24, 24, 24), 6, 64
CENSUS = WINDOWS
"""Looks at chunks before the first is read: one at each."""
PATIENCE = 400.0
"""Seconds for what takes three on a machine that does nothing else, and a hundred on a busy one."""
TASKS = {"find": "k = 7\n", "field": ""}


def write_store(path: Path, seed: int) -> Path:
    """Write noise with ties and a gap, and date it a minute back: clocks of disks tick slowly."""
    values = np.random.default_rng(seed).standard_normal(SHAPE).round(2).astype("f4")
    values[10:12, 7, 9] = np.nan
    data = xr.DataArray(values, dims=["z", "y", "x"], name="f").to_dataset()
    encoding = {"f": {"chunks": (BLOCK,) * 3}}
    data.to_zarr(path, encoding=encoding, consolidated=False, zarr_format=3, mode="w")
    return path


def chunks(store: Path) -> list[Path]:
    """Return the files of all chunks."""
    return sorted(each for each in (store / "f" / "c").rglob("*") if each.is_file())


@dataclass
class Solo:
    """A folder with a store and a job on it."""

    folder: Path
    task: str = "find"
    place: Path | None = None
    """Where output and ledger are, if not in the folder."""
    seed: int = 7
    more: tuple[str, ...] = ()
    """Options of ``dhess run``."""
    expected: Any = None
    running: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.place = self.place or self.folder
        self.store = write_store(self.folder / "f.zarr", self.seed)
        self.job = self._job(self.place, "job.toml")
        self.expected = self.undisturbed()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.running:
            process.kill()
            process.communicate()

    def _job(self, place: Path, name: str) -> Path:
        file = self.folder / name
        file.write_text(
            f'source = "{self.store}::f"\ntask = "{self.task}"\nchunks = {BLOCK}\n'
            f'output = "{place / self._output}"\n{TASKS[self.task]}[resources]\nwindow = 1\n'
        )
        return file

    @property
    def _output(self) -> str:
        return "norm.zarr" if self.task == "field" else "found.json"

    @property
    def output(self) -> Path:
        assert self.place is not None
        return self.place / self._output

    @property
    def ledger(self) -> Path:
        return Path(f"{self.output}.ledger")

    def undisturbed(self) -> Any:
        """Return what the job writes of the data that are there now."""
        place = self.folder / "undisturbed"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        dhess.Job.load(self._job(place, "undisturbed.toml")).run()
        return _result(place / self._output)

    def start(
        self, *more: str, stop: int = 0, faults: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start ``dhess run``; with ``stop``, it stops after so many looks at chunks.

        ``faults`` are the variables that the hooks read.
        """
        path = os.pathsep.join([HOOKS, os.environ.get("PYTHONPATH", "")])
        own = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", **(faults or {})}
        if stop:
            own["DHESS_FAULTS_STOP"] = str(stop)
        process = subprocess.Popen(
            [DHESS, "-v", "run", str(self.job), *self.more, *more],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=self.folder,
            env={**os.environ, **own},
        )  # fmt: skip
        self.running.append(process)
        return process

    def stopped(self, stop: int, faults: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start it, and wait until it stands still in the middle."""
        process = self.start(stop=stop, faults=faults)

        def still() -> bool:
            assert process.poll() is None, f"it ended before: {self.end(process)}"
            return state(process.pid) == "T"

        until(still, PATIENCE)
        return process

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End it without a warning."""
        process.kill()
        process.communicate()
        self.running.remove(process)

    def go_on(self, process: subprocess.Popen[str]) -> None:
        """Wake it up."""
        process.send_signal(signal.SIGCONT)

    def end(self, process: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for its end; return its exit code and what it said."""
        try:
            _, told = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            process.kill()
            _, told = process.communicate()
            raise Hang(f"dhess run does not end: {told[-500:]}") from error
        self.running.remove(process)
        assert "Traceback" not in told, told
        return process.returncode, told

    def done(self, process: subprocess.Popen[str]) -> str:
        """Wait for its end, which has to be a good one with the right bits; return what it said."""
        code, told = self.end(process)
        assert code == 0, told
        self.check()
        return told

    def refused(self, process: subprocess.Popen[str], *fragments: str) -> str:
        """Wait for its end, which has to be one sentence with one of these fragments."""
        code, told = self.end(process)
        assert code in (1, 2), f"ended with {code}: {told}"
        errors = [line for line in told.splitlines() if line.startswith("dhess: error: ")]
        assert len(errors) == 1, told
        assert any(each in errors[0] for each in fragments), errors[0]
        return errors[0].removeprefix("dhess: error: ")

    def check(self) -> None:
        """What was written, and what the ledger says of it."""
        assert _result(self.output) == self.expected, "the result is another one"
        with Ledger(self.ledger) as opened:
            entries = opened.entries()
            assert [each.state for each in entries][-1:] == ["done"]
            assert opened.count(entries[-1].id) == entries[-1].windows == WINDOWS
        locks = list(self.folder.glob("**/*.lock"))
        assert not locks, f"locks are left: {locks}"

    def recorded(self) -> dict[int, float]:
        """Return which windows are recorded, and when they were."""
        if not self.ledger.exists():
            return {}
        with suppress(sqlite3.Error), closing(self._read()) as base:
            return dict(base.execute("SELECT number, ended FROM windows").fetchall())
        return {}

    def _read(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=5)

    def redone(self, before: dict[int, float]) -> int:
        """Return how many windows that were recorded have been done again since."""
        now = self.recorded()
        return sum(now.get(number) != ended for number, ended in before.items())


def _result(path: Path) -> Any:
    """Return what a job wrote: text of all but the path, or bytes."""
    if path.suffix == ".zarr":
        return dhess.open(path).values.tobytes()
    return json.loads(path.read_text())


def state(pid: int) -> str:
    """Return the letter for what a process does: T stands still, Z has ended; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
