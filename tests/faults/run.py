"""One run: a job, the moments at which processes are killed, and what must hold afterwards."""

from __future__ import annotations

import re
import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import dhess
from dhess.ledger import Ledger

from .stage import ROLES, STAGES, until

if TYPE_CHECKING:
    import random
    from pathlib import Path

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
LIMIT = 240.0
"""Seconds after which a run has failed."""


@dataclass(frozen=True)
class Kill:
    """Who is killed, and when: after so many windows are recorded."""

    after: int
    roles: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What happens in a run."""

    way: str
    """How the job is handed in: ``run`` or ``serve``."""
    task: str
    kills: tuple[Kill, ...]

    def __str__(self) -> str:
        told = ", ".join(f"{'+'.join(k.roles)} after {k.after}" for k in self.kills)
        return f"{self.way} {self.task}: {told}"


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    plan: Plan
    seconds: float

    def line(self) -> str:
        """Tell it in a line."""
        return f"{self.plan}; {self.seconds:.1f} s"


def drawn(rng: random.Random) -> Plan:
    """Draw a way, a task, and one to three moments at which one or two processes die."""
    moments = sorted(rng.sample(range(LAST), rng.randint(1, 3)))
    way, task = rng.choice(sorted(ROLES)), rng.choice(list(TASKS))
    roles = ROLES[way]
    kills = [Kill(after, tuple(rng.sample(roles, rng.choice([1, 1, 2])))) for after in moments]
    return Plan(way, task, tuple(kills))


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


def undisturbed(folder: Path, store: Path) -> dict[str, Any]:
    """Return what the jobs write when nobody disturbs them."""
    found = {}
    for task in TASKS:
        place = folder / task
        place.mkdir()
        dhess.Job.load(make_job(place, store, task)).run()
        found[task] = result_of(place, task)
    return found


def disturbed(folder: Path, store: Path, plan: Plan, expected: Any) -> Outcome:
    """Run a job, kill processes on the way, and check what comes out."""
    begin = time.monotonic()
    todo, before = list(plan.kills), dict[int, str]()
    with STAGES[plan.way](folder, make_job(folder, store, plan.task)) as stage:
        stage.hand_in()
        ledger = stage.ledger

        def strike() -> None:
            if not todo or len(now := windows(ledger)) < todo[0].after:
                return
            assert before.items() <= now.items(), "what was recorded is gone, or another result"
            before.update(now)
            for role in todo.pop(0).roles:
                stage.kill(role)

        stage.tend(begin + LIMIT, strike)
        stage.leave()
        until(lambda: not stage.strangers(), 15)
        started = dict(stage.started)
        log = stage.log.read_text(errors="replace")
    assert not todo, "the job ended before all were killed"
    _check_taken_up(plan, log)
    for role in {role for kill in plan.kills for role in kill.roles}:
        assert started[role] > 1
    assert result_of(folder, plan.task) == expected, "the result is another one"
    locks = list(ledger.parent.glob("**/*.lock"))
    assert not locks, f"locks are left: {locks}"
    with Ledger(ledger) as opened:
        (entry,) = opened.entries()
        assert entry.state == "done"
        assert entry.windows == WINDOWS == opened.count(entry.id)
        after = {each.number: each.checksum for each in opened.windows(entry.id)}
    assert before.items() <= after.items(), "a window was recorded twice with different results"
    return Outcome(plan, time.monotonic() - begin)


def _check_taken_up(plan: Plan, log: str) -> None:
    """A runner that starts anew, or finds a new scheduler, begins with what is recorded."""
    taken_up = [int(n) for n in re.findall(rf"(\d+) of {WINDOWS} windows are recorded", log)]
    last = max((k.after for k in plan.kills if {"runner", "scheduler", "gateway"} & {*k.roles}),
               default=0)  # fmt: skip
    if last:
        assert taken_up, "nothing was taken up"
        assert taken_up[-1] >= last, "windows that were recorded are done again"
    assert taken_up == sorted(taken_up), "what was recorded became less"


def windows(ledger: Path) -> dict[int, str]:
    """Return the checksums of the windows that are recorded, without disturbing who writes."""
    if not ledger.exists():
        return {}
    base = sqlite3.connect(f"file:{ledger}?mode=ro", uri=True, timeout=5)
    try:
        return dict(base.execute("SELECT number, checksum FROM windows").fetchall())
    except sqlite3.OperationalError:
        return {}  # it is just being made
    finally:
        base.close()
