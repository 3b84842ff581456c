"""One run on a cluster: a job, the moments at which something strikes, and what must hold then."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import dhess
from dhess.ledger import Ledger

from .stage import ROLES, until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .stage import Stage

SHAPE, BLOCK = (48, 48, 48), 6
WINDOWS = 256
LAST = 224
"""After so many windows nobody is killed any more: the job may be done before we look again."""
TASKS = {
    "find": "k = 7\n",
    "field": "",
    "regions": "quantile = 0.3\n",
    "critical": "k = 50\nperiod = { z = 48, y = 48, x = 48 }\n",
}
"""What is drawn, and what its job asks for beside what all do."""
LIMIT = 540.0
"""Seconds after which a run has failed."""


@dataclass(frozen=True)
class Plan:
    """How a job is handed in, and what it asks for."""

    way: str
    """``run`` or ``serve``."""
    task: str

    @classmethod
    def drawn(cls, rng: random.Random) -> Plan:
        """Draw one; those that take long are rarer."""
        return cls(rng.choice(sorted(ROLES)), rng.choice([*TASKS, "find", "field"]))

    def __str__(self) -> str:
        return f"{self.way} {self.task}"


@dataclass(frozen=True)
class Strike:
    """What is done to a stage once so many windows are recorded."""

    after: int
    do: Callable[[Stage], None]


@dataclass(frozen=True)
class Bench:
    """The data that the jobs of 256 windows search, and what they write undisturbed."""

    folder: Path

    @property
    def store(self) -> Path:
        path = self.folder / "f.zarr"
        return path if path.exists() else make_store(self.folder)

    def expected(self, task: str) -> Any:
        """Return what a job writes when nobody disturbs it; worked out once for all processes."""
        place = self.folder / task
        if not place.exists():
            new = self.folder / f"{task}.new"
            new.mkdir()
            dhess.Job.load(make_job(new, self.store, task)).run()
            new.rename(place)
        return result_of(place, task)


def make_store(folder: Path) -> Path:
    """Write the data that all runs search: noise with ties and gaps."""
    values = np.random.default_rng(11).standard_normal(SHAPE).round(2).astype("f4")
    values[20:22, 7, 9] = np.nan
    array = xr.DataArray(values, dims=["z", "y", "x"], name="f")
    path = folder / "f.zarr"
    array.to_dataset().to_zarr(
        path, encoding={"f": {"chunks": (BLOCK,) * 3}}, consolidated=False, zarr_format=3
    )
    return path


def make_job(folder: Path, store: Path, task: str) -> Path:
    """Write a job of `WINDOWS` windows."""
    job = folder / f"{task}.toml"
    job.write_text(
        f'source = "{store}::f"\ntask = "{task}"\nchunks = {BLOCK}\n'
        f'output = "{folder / _output(task)}"\n{TASKS[task]}'
        "[resources]\nwindow = 2\n"
    )
    return job


def result_of(folder: Path, task: str) -> Any:
    """Return what a job has written: text, or bytes."""
    if task != "field":
        return (folder / _output(task)).read_text()
    return dhess.open(folder / _output(task)).values.tobytes()


def _output(task: str) -> str:
    return "norm.zarr" if task == "field" else "found.json"


def disturbed(stage: Stage, bench: Bench, task: str, strikes: Sequence[Strike]) -> int:
    """Run a job of a stage, strike on the way, and check what comes out.

    Returns how many windows were recorded when something struck, and were done again.
    """
    expected = bench.expected(task)
    begin = time.monotonic()
    todo, before = list(strikes), dict[int, tuple[str, float]]()
    with stage:
        stage.hand_in()
        ledger = stage.ledger

        def strike() -> None:
            if not todo or len(now := windows(ledger)) < todo[0].after:
                return
            assert _same(before, now), "what was recorded is gone, or another result"
            before.update(now)
            todo.pop(0).do(stage)

        stage.tend(begin + LIMIT, strike)
        stage.leave()
        until(lambda: not stage.strangers(), 30)
    assert not todo, "the job ended before all was done to it"
    assert result_of(stage.folder, task) == expected, "the result is another one"
    locks = list(ledger.parent.glob("**/*.lock"))
    assert not locks, f"locks are left: {locks}"
    with Ledger(ledger) as opened:
        (entry,) = opened.entries()
        assert entry.state == "done"
        assert entry.windows == WINDOWS == opened.count(entry.id)
    after = windows(ledger)
    assert _same(before, after), "a window was recorded twice with different results"
    return sum(after[number][1] != ended for number, (_, ended) in before.items())


def _same(before: Mapping[int, tuple[str, float]], now: Mapping[int, tuple[str, float]]) -> bool:
    """Tell whether all that was recorded is still there, with the same checksums."""
    return all(n in now and now[n][0] == checksum for n, (checksum, _) in before.items())


def windows(ledger: Path) -> dict[int, tuple[str, float]]:
    """Return checksums and times of the windows that are recorded, without disturbing anybody."""
    if not ledger.exists():
        return {}
    base = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=5)
    try:
        rows = base.execute("SELECT number, checksum, ended FROM windows").fetchall()
        return {number: (checksum, ended) for number, checksum, ended in rows}
    except sqlite3.OperationalError:
        return {}  # it is just being made
    finally:
        base.close()
