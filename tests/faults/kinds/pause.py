"""Processes stand still for a while (SIGSTOP), and go on (SIGCONT)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.run import LAST, WINDOWS, Bench, Plan, Strike, disturbed, make_job
from tests.faults.scenario import Outcome, Scenario
from tests.faults.stage import ROLES, STAGES

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.stage import Stage


@dataclass(frozen=True)
class Pause(Scenario):
    """Who stands still, from when on, and for how long."""

    kind: ClassVar[str] = "pause"
    must: ClassVar[str] = "the same bits; nothing that was recorded is done again"

    plan: Plan
    role: str
    after: int
    seconds: float

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        plan = Plan.drawn(rng)
        seconds = rng.choice([0.5, 1.5, 4.0, 9.0])
        return cls(plan, rng.choice(ROLES[plan.way]), rng.randrange(LAST), seconds)

    @property
    def moment(self) -> str:
        return f"after {self.after} of {WINDOWS} windows"

    @property
    def what(self) -> str:
        return f"{self.plan}: {self.role} for {self.seconds:g} s"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        stage = STAGES[self.plan.way](folder, make_job(folder, bench.store, self.plan.task))
        pause = partial(_pause, role=self.role, seconds=self.seconds)
        redone = disturbed(stage, bench, self.plan.task, [Strike(self.after, pause)])
        assert redone == 0, f"{redone} windows that were recorded are done again"
        return Outcome(redone)


def _pause(stage: Stage, role: str, seconds: float) -> None:
    stage.pause(role, seconds)
