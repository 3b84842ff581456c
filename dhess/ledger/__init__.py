"""The durable record of jobs: which windows are done, and with what result.

One SQLite file. A window is recorded after its data is safe, and what was recorded stays: a process
may be killed at any moment and another one goes on from here.
"""

from __future__ import annotations

import math
import sqlite3
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from dhess.errors import LedgerError
from dhess.ledger.schema import ReadOnlyError, prepare, transaction
from dhess.ledger.tokens import Token, Tokens

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["ENDED", "STATES", "WISHES", "Entry", "Ledger", "Token", "Window"]

STATES: Final = ("queued", "running", "paused", "stopped", "done", "failed", "cancelled")
ENDED: Final = ("done", "failed", "cancelled")
WISHES: Final = ("run", "cancel", "delete")
"""What may be asked of a job; recorded before it is answered, so that it outlives who was asked."""
PATIENCE = 30.0
"""Seconds that a write waits for another process that writes."""


@dataclass(frozen=True)
class Entry:
    """A job as the ledger knows it: a row of its table."""

    id: str
    spec: str
    """Its `JobSpec` as JSON."""
    fingerprint: str
    """Of the input."""
    state: str
    """One of `STATES`."""
    note: str
    """Why it is in that state, where that needs a word."""
    layout: str
    """How it is cut into windows, as JSON; empty until it has begun."""
    windows: int
    """How many there are; 0 until it has begun."""
    created: float
    """Seconds since 1970."""
    started: float | None
    ended: float | None
    submitter: str
    written: str
    """By what its output is known as its own: the checksums of the file that its result was written
    to and of the one before, or the attempt that a store is marked with; empty before that."""
    wish: str
    """One of `WISHES`."""
    attempts: int
    """Starts of a runner, in a row, that died without a window done."""
    seen: str
    """What files of the source there were when it came, if somebody looked."""


@dataclass(frozen=True)
class Window:
    """What is recorded of a window that is done."""

    number: int
    result: str
    """As JSON: what was found, or where was written."""
    checksum: str
    """Of all that came out, also of what later results made needless to keep."""
    began: float
    ended: float


class Ledger(Tokens):
    """An open ledger, for any number of threads of one process."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a ledger, or make a new one.

        Raises
        ------
        LedgerError
            If the file cannot be opened, is no ledger, or is of a later version.
        """
        self.path = Path(path)
        self._lock = threading.RLock()
        self._base = prepare(self.path, PATIENCE)

    def close(self) -> None:
        """Close the file; what was recorded is on the disk already."""
        with self._lock:
            self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Say in a sentence what SQLite says."""
        try:
            yield
        except sqlite3.Error as error:
            if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == sqlite3.SQLITE_READONLY:
                raise ReadOnlyError(
                    f"ledger {str(self.path)!r} is read-only; make it writable"
                ) from error
            raise LedgerError(
                f"ledger {str(self.path)!r} cannot be read or written: {error}; check its disk, "
                "and that nothing else uses it"
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Write everything inside, or nothing; it is on the disk when this ends."""
        with self._lock, self._errors(), transaction(self._base):
            yield self._base

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock, self._errors():
            return self._base.execute(sql, values).fetchall()

    # ------------------------------------------------------------------------------------- jobs

    def add(
        self,
        job: str,
        spec: str,
        fingerprint: str,
        *,
        submitter: str = "",
        seen: str = "",
    ) -> bool:
        """Put a job into the queue; return whether it is a new one."""
        with self._writing() as base:
            done = base.execute(
                "INSERT INTO jobs (id, spec, fingerprint, submitter, created, state, seen)"
                " VALUES (?, ?, ?, ?, ?, 'queued', ?) ON CONFLICT (id) DO NOTHING",
                (job, spec, fingerprint, submitter, time.time(), seen),
            )
            return done.rowcount == 1

    def entry(self, job: str) -> Entry | None:
        """Return what is known of a job."""
        rows = self._rows("SELECT * FROM jobs WHERE id = ?", job)
        return Entry(*rows[0]) if rows else None

    def entries(self) -> list[Entry]:
        """Return every job, the oldest first."""
        return [Entry(*row) for row in self._rows("SELECT * FROM jobs ORDER BY created")]

    def page(
        self,
        *,
        state: str | None = None,
        task: str | None = None,
        submitter: str | None = None,
        before: tuple[float, str] | None = None,
        limit: int = 50,
    ) -> list[Entry]:
        """Return some jobs, the newest first: those before the ``(created, id)`` of another."""
        when, job = before or (math.inf, "")
        rows = self._rows(
            "SELECT * FROM jobs WHERE (created, id) < (?1, ?2)"
            " AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR json_extract(spec, '$.task') = ?4)"
            " AND (?5 IS NULL OR submitter = ?5) ORDER BY created DESC, id DESC LIMIT ?6",
            when, job, state, task, submitter, limit,
        )  # fmt: skip
        return [Entry(*row) for row in rows]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many jobs there are, by submitter and state."""
        rows = self._rows("SELECT submitter, state, COUNT(*) FROM jobs GROUP BY submitter, state")
        return {(submitter, state): number for submitter, state, number in rows}

    def wish(self, job: str, wish: str) -> None:
        """Record what is asked of a job."""
        with self._writing() as base:
            base.execute("UPDATE jobs SET wish = ? WHERE id = ?", (wish, job))

    def ask_again(self, job: str, spec: str, submitter: str) -> None:
        """Record that a job is handed in anew, with what does not change its result."""
        with self._writing() as base:
            base.execute(
                "UPDATE jobs SET spec = ?, submitter = ? WHERE id = ?", (spec, submitter, job)
            )

    def start_over(self, job: str, spec: str, seen: str, submitter: str = "") -> None:
        """Forget what is done of a job, and when it came; not which output is its own."""
        with self._writing() as base:
            base.execute("DELETE FROM windows WHERE job = ?", (job,))
            base.execute(
                "UPDATE jobs SET spec = ?, seen = ?, submitter = ?, created = ?, state = 'queued',"
                " note = '', layout = '', windows = 0, started = NULL, ended = NULL, wish = 'run',"
                " attempts = 0 WHERE id = ?",
                (spec, seen, submitter, time.time(), job),
            )

    def attempt(self, job: str, number: int) -> None:
        """Record how often its runner was started in vain."""
        with self._writing() as base:
            base.execute("UPDATE jobs SET attempts = ? WHERE id = ?", (number, job))

    def begin(self, job: str, layout: str, windows: int) -> None:
        """Record how a job is cut into windows, before the first one is done."""
        with self._writing() as base:
            base.execute(
                "UPDATE jobs SET layout = ?, windows = ? WHERE id = ?", (layout, windows, job)
            )

    def wrote(self, job: str, mark: str) -> None:
        """Record by what the output of a job is known as its own, just before it appears."""
        with self._writing() as base:
            base.execute("UPDATE jobs SET written = ? WHERE id = ?", (mark, job))

    def change(self, job: str, state: str, note: str = "") -> None:
        """Record that a job is in another state."""
        now = time.time()
        with self._writing() as base:
            base.execute(
                "UPDATE jobs SET state = ?, note = ?,"
                " started = CASE WHEN ? = 'running' THEN COALESCE(started, ?) ELSE started END,"
                " ended = CASE WHEN ? THEN ? END WHERE id = ?",
                (state, note, state, now, state in ENDED, now, job),
            )

    def forget(self, job: str) -> None:
        """Remove a job and its windows."""
        with self._writing() as base:
            base.execute("DELETE FROM jobs WHERE id = ?", (job,))

    def prove(self, number: int) -> None:
        """Write a number, to show that this can be written."""
        with self._writing() as base:
            base.execute(
                "INSERT INTO proofs VALUES (1, ?)"
                " ON CONFLICT (id) DO UPDATE SET number = excluded.number",
                (number,),
            )

    def proof(self) -> int | None:
        """Return the number that was written last."""
        rows = self._rows("SELECT number FROM proofs")
        return int(rows[0][0]) if rows else None

    # ---------------------------------------------------------------------------------- windows

    def record(self, job: str, windows: Iterable[Window]) -> None:
        """Record windows that are done, all of them or none.

        One that is recorded already stays as it is.

        Raises
        ------
        LedgerError
            If such a one had another result.
        """
        with self._writing() as base:
            for each in windows:
                done = base.execute(
                    "INSERT INTO windows (job, number, result, checksum, began, ended)"
                    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                    (job, each.number, each.result, each.checksum, each.began, each.ended),
                )
                if not done.rowcount:
                    self._compare(job, each)

    def _compare(self, job: str, again: Window) -> None:
        ((known,),) = self._rows(
            "SELECT checksum FROM windows WHERE job = ? AND number = ?", job, again.number
        )
        if known != again.checksum:
            raise LedgerError(
                f"window {again.number:,} of job {job} came out in two ways ({known} and "
                f"{again.checksum}): the data has changed in between; start over with --fresh"
            )

    def drop(self, job: str, numbers: Iterable[int]) -> None:
        """Forget windows, which have to be done again."""
        with self._writing() as base:
            base.executemany(
                "DELETE FROM windows WHERE job = ? AND number = ?", [(job, n) for n in numbers]
            )

    def recorded(self, job: str) -> set[int]:
        """Return which windows are done."""
        return {n for (n,) in self._rows("SELECT number FROM windows WHERE job = ?", job)}

    def count(self, job: str) -> int:
        """Return how many windows are done."""
        return int(self._rows("SELECT COUNT(*) FROM windows WHERE job = ?", job)[0][0])

    def windows(self, job: str) -> Iterator[Window]:
        """Yield all windows that are done, by number, without holding many at a time."""
        last = -1
        while True:
            rows: Sequence[tuple[Any, ...]] = self._rows(
                "SELECT number, result, checksum, began, ended FROM windows"
                " WHERE job = ? AND number > ? ORDER BY number LIMIT 1000",
                job,
                last,
            )
            if not rows:
                return
            yield from (Window(*row) for row in rows)
            last = rows[-1][0]
