"""The clock jumps: between the writing of the data and the job, or in the middle of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Outcome, Scenario
from tests.faults.solo import CENSUS, WINDOWS, Solo

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.run import Bench

HOURS = (-10_000.0, -25.0, -1.0, -0.01, 0.01, 1.0, 25.0, 10_000.0)


@dataclass(frozen=True)
class Clock(Scenario):
    """How far it jumps, and when."""

    kind: ClassVar[str] = "clock"
    must: ClassVar[str] = "the same bits"

    task: str
    hours: float
    after: int

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        after = rng.choice([0, rng.randrange(1, WINDOWS)])
        return cls(rng.choice(["find", "field"]), rng.choice(HOURS), after)

    @property
    def moment(self) -> str:
        return f"after {self.after} chunks" if self.after else "before the job"

    @property
    def what(self) -> str:
        return f"{self.task}: the clock jumps by {self.hours:+g} h"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        now = folder / "now"
        clock = {"DHESS_FAULTS_CLOCK": str(3600 * self.hours), "DHESS_FAULTS_NOW": str(now)}
        with Solo(folder, self.task) as solo:
            if self.after:
                process = solo.stopped(CENSUS + self.after, clock)
                before = solo.recorded()
                now.touch()
                solo.go_on(process)
            else:
                now.touch()
                process, before = solo.start(faults=clock), {}
            solo.done(process)
            solo.done(solo.start())  # what is done stays so, by whatever clock
            return Outcome(solo.redone(before))
