"""`python -m tests.soak`: jobs for an hour on one gateway, while processes are killed.

Every job's answer is compared with the first one of its kind; in every tenth round a worker or a
runner dies. The report tells for each process how its memory went, what it holds open, and
whether jobs became slower. Exits 1 if an answer was wrong or a job did not end.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
import psutil
import xarray as xr

from tests.service.gateway import Gateway

from .watching import Watch, role_of

KINDS: Final[dict[str, dict[str, Any]]] = {
    "find": {"k": 50},
    "regions": {"quantile": 0.2},
    "critical": {"k": 30},
    "field": {"measure": "slope"},
}
KILLED_EVERY: Final = 10
"""Rounds between two kills."""


@dataclass
class Soak:
    """A gateway at work."""

    gateway: Gateway
    rng: random.Random
    watch: Watch = field(default_factory=Watch)
    first: dict[str, Any] = field(default_factory=dict)
    """The first answer of each kind."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    """How long each job took in which nobody died."""
    kills: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def round(self, number: int) -> None:
        """One job of each kind; the name of the output makes each a new one."""
        kill = number % KILLED_EVERY == KILLED_EVERY - 1
        for kind, options in KINDS.items():
            began = time.monotonic()
            output = f"{kind}-{number}.{'zarr' if kind == 'field' else 'json'}"
            job = self.gateway.submit(
                source="f.zarr::f", task=kind, output=output, chunks=16,
                resources={"window": 8}, **options,
            )  # fmt: skip
            if kill:
                self._kill()
            self.gateway.wait(job)
            if not kill:
                self.seconds[kind].append(time.monotonic() - began)
            self._check(kind, job, number)
            self._look()

    def _check(self, kind: str, job: str, number: int) -> None:
        answer = self.gateway.ask("GET", f"/v1/jobs/{job}").json()
        if answer["state"] != "done":
            self.wrong.append(f"{kind} {number}: {answer['state']}: {answer.get('note')}")
            return
        told = self.gateway.ask("GET", f"/v1/jobs/{job}/result").content
        if told != self.first.setdefault(kind, told):
            self.wrong.append(f"{kind} {number}: another answer")

    def _kill(self) -> None:
        """End a worker, or the runner of the job, without a warning."""
        assert self.gateway.process is not None
        top = psutil.Process(self.gateway.process.pid)
        wanted = self.rng.choice(["worker", "runner"])
        found = [each for each in top.children(recursive=True) if role_of(each, top) == wanted]
        if found:
            self.rng.choice(found).kill()
            self.kills.append(wanted)

    def _look(self) -> None:
        assert self.gateway.process is not None
        self.watch.look(self.gateway.process.pid)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--report", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dhess-soak-") as name:
        folder = Path(name)
        make_store(folder / "f.zarr")
        roots = ["--root", str(folder), "--output-root", str(folder)]
        with Gateway(folder, ["--workers", "2", "--memory-limit", "1GB", *roots]) as gateway:
            soak = Soak(gateway, random.Random(chosen.seed))
            until, number = time.monotonic() + 60 * chosen.minutes, 0
            while time.monotonic() < until:
                soak.round(number)
                number += 1
    text = report(soak, number)
    print(text)
    if chosen.report:
        chosen.report.write_text(text, encoding="utf-8")
    return int(bool(soak.wrong))


def make_store(path: Path) -> None:
    """Write noise with ties, in blocks."""
    values = np.random.default_rng(5).standard_normal((48, 48, 48)).round(2).astype("f4")
    array = xr.DataArray(values, dims=["z", "y", "x"], name="f")
    array.to_dataset().to_zarr(path, encoding={"f": {"chunks": (16, 16, 16)}}, consolidated=False)


def report(soak: Soak, rounds: int) -> str:
    """Tell what was done, and how the processes went."""
    minutes = (time.monotonic() - soak.watch.began) / 60
    pace = [
        f"| {kind} | {len(each)} | {median(each[: len(each) // 4 or 1]):.2f} s "
        f"| {median(each[-(len(each) // 4 or 1) :]):.2f} s |"
        for kind, each in soak.seconds.items() if each
    ]  # fmt: skip
    kills = soak.kills
    what = [
        f"{rounds} rounds of {len(KINDS)} jobs in {minutes:.0f} minutes",
        f"{kills.count('worker')} kills of workers, {kills.count('runner')} of runners",
        f"{len(soak.wrong)} wrong or lost.",
    ]
    head = "process | lived | MB at ¼ | at the end | at most | MB/h | files | sockets | threads"
    return "\n".join([
        "# Soak", "", "; ".join(what), "",
        "Processes that lived ten minutes and more; the slope is after a quarter of a life:",
        "", f"| {head} |", f"|{' --- |' * 9}", *soak.watch.rows(), "",
        f"{soak.watch.short()} more lived shorter (runners end with their jobs).", "",
        "From a job's submission to its answer (medians):", "",
        "| job | undisturbed | first quarter | last quarter |", f"|{' --- |' * 4}", *pace, "",
        *soak.wrong,
    ])  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
