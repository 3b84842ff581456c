"""The ledger's file is locked for a while, cut off, emptied, or read-only."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from tests.faults.scenario import Outcome, Scenario, Unable
from tests.faults.solo import CENSUS, PATIENCE, WINDOWS, Solo
from tests.faults.stage import until
from tests.service.gateway import Gateway

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.run import Bench

SERVED = "read-only under a gateway"
HOWS = ("locked", "truncated", "emptied", "read-only", SERVED)


@dataclass(frozen=True)
class LedgerFile(Scenario):
    """What happens to it, and when; a job that dies leaves it, and another run finds it so."""

    kind: ClassVar[str] = "ledger"
    must: ClassVar[str] = "it waits, or says so in a sentence; put right, it goes on: the same bits"

    task: str
    how: str
    after: int
    seconds: float

    @classmethod
    def drawn(cls, rng: random.Random) -> Self:
        after, seconds = rng.randrange(20, WINDOWS), rng.choice([0.5, 1.0, 3.0, 33.0])
        return cls(rng.choice(["find", "field"]), rng.choice(HOWS), after, seconds)

    @property
    def moment(self) -> str:
        return "before its runner starts" if self.how == SERVED else f"after {self.after} chunks"

    @property
    def what(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.how == "locked" else ""
        return f"{self.task}: {self.how}{lasting}"

    def play(self, folder: Path, bench: Bench) -> Outcome:
        if self.how == SERVED:
            return self._served(folder)
        with Solo(folder, self.task) as solo:
            process = solo.stopped(CENSUS + self.after)
            before = solo.recorded()
            if self.how == "locked":
                with closing(sqlite3.connect(solo.ledger, 0.0, isolation_level=None)) as base:
                    with suppress(sqlite3.OperationalError):  # it may stand still over a write
                        base.execute("BEGIN IMMEDIATE")
                    solo.go_on(process)
                    base.execute("PRAGMA busy_timeout = 60000")
                    if not base.in_transaction:
                        base.execute("BEGIN IMMEDIATE")
                    time.sleep(self.seconds)
                    base.execute("ROLLBACK")
                solo.done(process)
                return Outcome(solo.redone(before))
            solo.kill(process)
            told = self._refused(solo)
            solo.done(solo.start())
            return Outcome(solo.redone(before), told)

    def _refused(self, solo: Solo) -> str:
        """Have the ledger be wrong for a run, and right again for the next."""
        if self.how == "read-only":
            with immutable(solo.ledger):
                return solo.refused(solo.start(), "read-only")
        with closing(sqlite3.connect(solo.ledger)) as base:
            base.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it in the one file
        copy = shutil.copy2(solo.ledger, solo.folder / "copy")
        size = 0 if self.how == "emptied" else solo.ledger.stat().st_size * self.after // WINDOWS
        with solo.ledger.open("r+b") as file:
            file.truncate(size)
        told = solo.refused(solo.start(), "cut off")
        assert "put a copy of it back" in told, told
        shutil.copy2(copy, solo.ledger)
        return told

    def _served(self, folder: Path) -> Outcome:
        """A gateway takes a job in while nothing computes, and its ledger is read-only then."""
        with Solo(folder, "find") as solo, Gateway(folder, self._options(folder)) as gateway:
            asked = {"source": f"{solo.store}::f", "k": 7, "chunks": 6}
            with immutable(gateway.data / "ledger.sqlite"):
                job = gateway.submit(**asked)  # what is open already can be written

                def told() -> str:
                    return str(gateway.ask("GET", f"/v1/jobs/{job}").json()["note"])

                until(lambda: "read-only" in told(), PATIENCE)
                note = told()
            assert gateway.wait(job)["state"] == "done"
            found = gateway.ask("GET", f"/v1/jobs/{job}/result").json()
            assert found["answers"] == solo.expected["answers"], "the result is another one"
            return Outcome(0, note)

    @staticmethod
    def _options(folder: Path) -> list[str]:
        return ["--root", str(folder), "--workers", "1", "--memory-limit", "1GB"]


@contextmanager
def immutable(file: Path) -> Iterator[None]:
    """Have a file be read-only, also for root."""
    if shutil.which("chattr") is None or _chattr("+i", file):
        raise Unable("this file system, or user, can make no file read-only for all")
    try:
        yield
    finally:
        assert _chattr("-i", file) == 0


def _chattr(flag: str, file: Path) -> int:
    return subprocess.run(["chattr", flag, str(file)], capture_output=True).returncode
