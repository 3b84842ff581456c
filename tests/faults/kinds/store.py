"""The store becomes another one in the middle of a job: a chunk of it, or all."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Outcome, Scenario
from tests.faults.solo import CENSUS, WINDOWS, Solo, chunks, write_store

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.run import Bench

HOWS = ("chunk rewritten", "chunk rewritten with an older time", "store replaced", "all done")


@dataclass(frozen=True)
class Store(Scenario):
    """What becomes another one, and when."""

    kind: ClassVar[str] = "store"
    must: ClassVar[str] = (
        "a refusal, never an answer of both; started over, the bits of the new data"
    )

    task: str
    how: str
    number: int
    after: int

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        task, how = rng.choice(["find", "field"]), rng.choice(HOWS)
        return cls(task, how, rng.randrange(WINDOWS), rng.randrange(1, WINDOWS - 8))

    @property
    def moment(self) -> str:
        return "after the job" if self.how == "all done" else f"after {self.after} chunks"

    @property
    def what(self) -> str:
        how = f"chunk {self.number} rewritten" if self.how == "all done" else self.how
        return f"{self.task}: {how}"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        with Solo(folder, self.task) as solo:
            if self.how == "all done":
                solo.done(solo.start())
                self._change(solo, folder)
                process = solo.start()
            else:
                process = solo.stopped(CENSUS + self.after)
                self._change(solo, folder)
                solo.go_on(process)
            told = solo.refused(process, "changed", "is gone")
            assert "--fresh" in told, told
            before = solo.recorded()
            solo.expected = solo.undisturbed()
            if self.how == "all done" and self.task == "field":
                shutil.rmtree(solo.output)  # a field that is whole stays unless it is removed
            solo.done(solo.start("--fresh"))
            return Outcome(solo.redone(before), told)

    def _change(self, solo: Solo, folder: Path) -> None:
        other = write_store(folder / "other.zarr", seed=99)
        if self.how == "store replaced":
            shutil.rmtree(solo.store)
            other.rename(solo.store)
            return
        chunk = chunks(solo.store)[self.number]
        key = chunk.relative_to(solo.store)
        chunk.write_bytes((other / key).read_bytes())
        if "older" in self.how:
            os.utime(chunk, (1.7e9, 1.7e9))
        shutil.rmtree(other)
