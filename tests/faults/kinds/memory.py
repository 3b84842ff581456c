"""A worker takes all the memory that it may have, and its nanny kills it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Outcome, Scenario
from tests.faults.solo import PATIENCE, Solo, state
from tests.faults.stage import until

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.run import Bench


@dataclass(frozen=True)
class Memory(Scenario):
    """How much memory the workers have, and how many there are."""

    kind: ClassVar[str] = "memory"
    must: ClassVar[str] = "the worker is started again; the same bits"

    task: str
    workers: int
    limit: str

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        limit = rng.choice(["400MB", "500MB", "600MB"])
        return cls(rng.choice(["find", "field"]), rng.choice([1, 1, 2]), limit)

    @property
    def moment(self) -> str:
        return "at the first chunk that a worker reads"

    @property
    def what(self) -> str:
        return f"{self.task}: one of {self.workers} workers takes more than {self.limit}"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        options = ("--workers", str(self.workers), "--memory-limit", self.limit)
        with Solo(folder, self.task, more=options) as solo:
            hog, taken = folder / "hog", folder / "hog.taken"
            hog.touch()
            process = solo.start(faults={"DHESS_FAULTS_HOG": str(hog)})
            until(lambda: process.poll() is not None or bool(_read(taken)), PATIENCE)
            assert process.poll() is None, solo.end(process)
            pid = int(_read(taken))
            until(lambda: state(pid) in ("", "Z"), PATIENCE)
            assert process.poll() is None, "the job ended with the worker that was lost"
            before = solo.recorded()
            solo.done(process)
            return Outcome(solo.redone(before))


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
