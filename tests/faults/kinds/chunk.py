"""A chunk is damaged, cut off, gone or cannot be read, before a job or in the middle of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Outcome, Scenario
from tests.faults.solo import CENSUS, WINDOWS, Solo, chunks

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from tests.faults.run import Bench

HOWS = ("damaged", "truncated", "empty", "missing", "unreadable")


@dataclass(frozen=True)
class Chunk(Scenario):
    """Which chunk, what is wrong with it, since when, and how it is repaired."""

    kind: ClassVar[str] = "chunk"
    must: ClassVar[str] = "a sentence that names it and the remedy; after that, the same bits"

    task: str
    how: str
    number: int
    after: int
    """Chunks that are read before; 0: it is wrong from the beginning."""
    anew: bool
    """Whether it is written anew; otherwise its file is put back."""

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        how = rng.choice(HOWS)
        # What is missing from the beginning is fill value, and no fault.
        after = rng.randrange(1, WINDOWS // 2) if how == "missing" or rng.random() < 0.5 else 0
        task = rng.choice(["find", "field"])
        return cls(task, how, rng.randrange(WINDOWS), after, rng.random() < 0.5)

    @property
    def moment(self) -> str:
        return f"after {self.after} chunks" if self.after else "before the job"

    @property
    def what(self) -> str:
        repaired = "written anew" if self.anew else "put back"
        return f"{self.task}: chunk {self.number} {self.how}, then {repaired}"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        with Solo(folder, self.task) as solo:
            chunk = chunks(solo.store)[self.number]
            aside = folder / "aside"
            if self.after:
                process = solo.stopped(CENSUS + self.after)
                self._spoil(chunk, aside)
                solo.go_on(process)
            else:
                self._spoil(chunk, aside)
                process = solo.start()
            key = "/".join(chunk.parts[-4:])
            told = solo.refused(process, key, f"files of '{solo.store}' have changed")
            before = solo.recorded()
            self._repair(chunk, aside)
            code, again = solo.end(solo.start())
            if code:
                # What it was told then has to lead to an answer.
                assert "--fresh" in again, again
                solo.done(solo.start("--fresh"))
            else:
                solo.check()
            return Outcome(solo.redone(before), told)

    def _spoil(self, chunk: Path, aside: Path) -> None:
        status = chunk.stat()
        whole = chunk.read_bytes()
        chunk.rename(aside)
        if self.how == "unreadable":
            chunk.symlink_to(chunk.name)  # not even root can read it
        elif self.how != "missing":
            left = {
                "damaged": bytes(len(whole)),
                "truncated": whole[: len(whole) // 2],
                "empty": b"",
            }
            chunk.write_bytes(left[self.how])
            if not self.after:
                os.utime(chunk, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _repair(self, chunk: Path, aside: Path) -> None:
        chunk.unlink(missing_ok=True)
        if self.anew:
            chunk.write_bytes(aside.read_bytes())
        else:
            aside.rename(chunk)
