"""Two runners on one job: of one ledger, or of two and one output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Outcome, Scenario
from tests.faults.solo import CENSUS, WINDOWS, Solo

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.run import Bench


@dataclass(frozen=True)
class Runners(Scenario):
    """When the second one comes, and whether it starts over or has a ledger of its own."""

    kind: ClassVar[str] = "runners"
    must: ClassVar[str] = "the second steps back with a sentence; the same bits"

    task: str
    how: str
    after: int

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        task = rng.choice(["find", "field"])
        hows = ["alike", "--fresh", *(["--ledger"] if task == "field" else [])]
        return cls(task, rng.choice(hows), rng.randrange(1, WINDOWS))

    @property
    def moment(self) -> str:
        return f"after {self.after} chunks"

    @property
    def what(self) -> str:
        return f"{self.task}: a second runner, {self.how}"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        more = {"alike": [], "--fresh": ["--fresh"], "--ledger": ["--ledger", "own.ledger"]}
        with Solo(folder, self.task) as solo:
            first = solo.stopped(CENSUS + self.after)
            before = solo.recorded()
            told = solo.refused(solo.start(*more[self.how]), "another process")
            solo.go_on(first)
            solo.done(first)
            return Outcome(solo.redone(before), told)
