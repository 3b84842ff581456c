"""The network between workers or client and the scheduler: cut, stalled, slow."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.run import WINDOWS, Bench, Plan, Strike, disturbed, make_job
from tests.faults.scenario import Outcome, Scenario
from tests.faults.stage import STAGES

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.stage import Stage

LAST = 120
"""After so many windows nothing is struck: a slow network is to be met by some."""


@dataclass(frozen=True)
class Network(Scenario):
    """Which link, how it fails, from when on, and for how long."""

    kind: ClassVar[str] = "network"
    must: ClassVar[str] = "the same bits; nothing that was recorded is done again"

    plan: Plan
    link: str
    how: str
    after: int
    seconds: float

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        how = rng.choice(["cut", "stalled", "slow"])
        link, after = rng.choice(["workers", "client"]), rng.randrange(LAST)
        return cls(Plan.drawn(rng), link, how, after, rng.choice([0.5, 2.0, 5.0]))

    @property
    def moment(self) -> str:
        return f"after {self.after} of {WINDOWS} windows"

    @property
    def what(self) -> str:
        return f"{self.plan}: link of {self.link} {self.how} for {self.seconds:g} s"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        job = make_job(folder, bench.store, self.plan.task)
        stage = STAGES[self.plan.way](folder, job, links=(self.link,))
        redone = disturbed(stage, bench, self.plan.task, [Strike(self.after, self._strike)])
        assert redone == 0, f"{redone} windows that were recorded are done again"
        return Outcome(redone)

    def _strike(self, stage: Stage) -> None:
        relay = stage.relay
        assert relay is not None
        if self.how == "cut":
            relay.cut()
        elif self.how == "stalled":
            relay.stall()
        else:
            relay.delay = 0.05
        time.sleep(self.seconds)
        relay.mend()
        if self.how == "cut":
            assert relay.cuts, "nobody was connected by way of the relay"
