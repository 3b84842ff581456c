"""Processes are killed, one or two at once, up to three times in a job."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.run import LAST, WINDOWS, Bench, Plan, Strike, disturbed, make_job
from tests.faults.scenario import Outcome, Scenario
from tests.faults.stage import ROLES, STAGES

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.stage import Stage


@dataclass(frozen=True)
class Kill(Scenario):
    """Who dies, and after how many windows each time."""

    kind: ClassVar[str] = "kill"
    must: ClassVar[str] = "the same bits; nothing that was recorded is done again"

    plan: Plan
    deaths: tuple[tuple[int, tuple[str, ...]], ...]

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        moments = sorted(rng.sample(range(LAST), rng.randint(1, 3)))
        plan = Plan.drawn(rng)
        roles = ROLES[plan.way]
        return cls(
            plan,
            tuple((after, tuple(rng.sample(roles, rng.choice([1, 1, 2])))) for after in moments),
        )

    @property
    def moment(self) -> str:
        return f"after {', '.join(str(after) for after, _ in self.deaths)} of {WINDOWS} windows"

    @property
    def what(self) -> str:
        return f"{self.plan}: {', '.join('+'.join(roles) for _, roles in self.deaths)}"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        job = make_job(folder, bench.store, self.plan.task)
        stage = STAGES[self.plan.way](folder, job)
        strikes = [Strike(after, _killer(roles)) for after, roles in self.deaths]
        redone = disturbed(stage, bench, self.plan.task, strikes)
        assert redone == 0, f"{redone} windows that were recorded are done again"
        self._check_taken_up(stage.log.read_text(errors="replace"))
        for role in {role for _, roles in self.deaths for role in roles}:
            assert stage.started[role] > 1
        return Outcome(redone)

    def _check_taken_up(self, log: str) -> None:
        """A runner that starts anew, or finds a new scheduler, begins with what is recorded."""
        taken_up = [int(n) for n in re.findall(rf"(\d+) of {WINDOWS} windows are recorded", log)]
        decisive = {"runner", "scheduler", "gateway"}
        last = max((after for after, roles in self.deaths if decisive & {*roles}), default=0)
        if last:
            assert taken_up, "nothing was taken up"
            assert taken_up[-1] >= last, "windows that were recorded are done again"
        assert taken_up == sorted(taken_up), "what was recorded became less"


def _killer(roles: tuple[str, ...]) -> Callable[[Stage], None]:
    def kill(stage: Stage) -> None:
        for role in roles:
            stage.kill(role)

    return kill
