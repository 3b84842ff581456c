"""What changes a job: it is handed in, cancelled, tried again, deleted.

Each is recorded before it is answered, done to its end also if who asked goes away, and done one
after the other for a job.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from dhess.ledger import ENDED
from dhess.service.errors import Conflict, NoSuchJob, TooMany, Unavailable
from dhess.service.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

    from dhess.job import JobSpec
    from dhess.ledger import Entry, Ledger
    from dhess.service.records import Records
    from dhess.service.scheduling import Turns
    from dhess.service.settings import Settings
    from dhess.service.watching import Watchers

T = TypeVar("T")


class Changes:
    """Changes the ledger and the queue together."""

    def __init__(
        self, settings: Settings, records: Records, turns: Turns, watchers: Watchers
    ) -> None:
        self.settings = settings
        self.records = records
        self.turns = turns
        self.watchers = watchers
        self.submissions = 0
        """New jobs since the start."""
        self._coming: Counter[str] = Counter()
        self._tasks = Tasks()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._stopping = False

    async def start(self) -> None:
        """Delete what was to be deleted when the gateway ended."""
        for entry in await self.records.read(lambda ledger: ledger.entries()):
            if entry.wish == "delete":
                with suppress(Unavailable):  # a full disk, perhaps; the next start tries again
                    await self._removed(entry.id)

    async def stop(self) -> None:
        """Take no more changes, and end those that are being made."""
        self._stopping = True
        await self._tasks.finish(5.0)

    async def submit(
        self, job: str, spec: JobSpec, found: dict[str, Any], submitter: str, *, stale: bool = False
    ) -> bool:
        """Queue a job with what was found of it, unless it is there; tell whether it is new.

        With ``stale``, what it read was written since: one that has ended is begun anew.
        """
        return await self._whole(job, self._taken_in(job, spec, found, submitter, stale))

    async def cancel(self, job: str) -> None:
        """Wish for the end of a job, and bring it about."""
        await self._whole(job, self._cancelled(job))

    async def retry(self, job: str) -> None:
        """Queue a job again."""
        await self._whole(job, self._retried(job))

    async def delete(self, job: str) -> None:
        """Remove a job and what is kept of it."""
        await self._whole(job, self._deleted(job))

    async def entry(self, job: str) -> Entry:
        """Return the row of a job.

        Raises
        ------
        NoSuchJob
            If there is none.
        """
        entry = await self.records.read(lambda ledger: ledger.entry(job))
        if entry is None:
            raise NoSuchJob(job)
        return entry

    async def _whole(self, job: str, work: Coroutine[Any, Any, T]) -> T:
        if self._stopping:
            work.close()
            raise Unavailable("the gateway is ending; try again when it is back")
        lock = self._locks.setdefault(job, asyncio.Lock())

        async def alone() -> T:
            async with lock:
                return await work

        return await asyncio.shield(self._tasks.begin(alone()))

    async def _taken_in(
        self, job: str, spec: JobSpec, found: dict[str, Any], submitter: str, stale: bool
    ) -> bool:
        known = await self.records.read(lambda ledger: ledger.entry(job))
        stale = stale and known is not None and known.state in ENDED
        if known is not None and known.wish == "delete":
            await self._removed(job)  # what could not be done when it was asked for
            known = None
        elif known is not None and not stale and not await self._is_asked_for_anew(known):
            return False
        await self.turns.left(job)
        text = spec.model_dump_json(exclude_none=True)

        def add(ledger: Ledger) -> Entry | None:
            # As it is asked now: it may overwrite, and is of whoever hands it in.
            told, seen = found["fingerprint"], found["seen"]
            if known is not None and stale:
                ledger.start_over(job, text, seen, submitter)
            elif known is not None and ledger.count(job):
                ledger.ask_again(job, text, submitter)
                _queue_again(ledger, job)
            else:
                ledger.forget(job)
                ledger.add(job, text, told, submitter=submitter, seen=seen)
            return ledger.entry(job)

        with self._room(submitter):
            entry = await self.records.write(add)
            assert entry is not None
            self.turns.add(job, entry.submitter)
        new = known is None or stale
        self.submissions += new
        self.watchers.changed(job)
        return new

    async def _is_asked_for_anew(self, known: Entry) -> bool:
        """Tell whether a job has to run again: it has no result, or it is not kept any more."""
        if known.state == "done":
            kept = self.settings.folder(known.id) / "result.json"
            return not await asyncio.to_thread(kept.exists)
        return known.state in ("failed", "cancelled")

    async def _cancelled(self, job: str) -> None:
        entry = await self.entry(job)
        if entry.state in ENDED:
            raise Conflict(f"job {job} is {entry.state} already; there is nothing to cancel")
        waited = self.turns.queue.remove(job)

        def cancel(ledger: Ledger) -> None:
            ledger.wish(job, "cancel")
            if waited:
                ledger.change(job, "cancelled")

        await self._out_of_queue(entry, cancel, waited=waited)
        self.turns.end(job)
        self.watchers.changed(job)
        self.turns.dispatch()

    async def _retried(self, job: str) -> None:
        entry = await self.entry(job)
        if entry.state not in ("failed", "cancelled"):
            raise Conflict(
                f"job {job} is {entry.state}; only one that failed or was cancelled is tried again"
            )
        await self.turns.left(job)
        with self._room(entry.submitter):
            await self.records.write(lambda ledger: _queue_again(ledger, job))
            self.turns.add(job, entry.submitter)
        self.watchers.changed(job)

    async def _deleted(self, job: str) -> None:
        entry = await self.entry(job)
        if entry.state in ENDED:
            await self.turns.left(job)
        ends = entry.wish == "cancel" and entry.state not in ENDED
        if job in self.turns.queue.running or ends:
            told = "wait until it has ended" if ends else "cancel it before it is deleted"
            raise Conflict(f"job {job} is {entry.state}; {told}")
        waited = self.turns.queue.remove(job)
        await self._out_of_queue(entry, lambda ledger: ledger.wish(job, "delete"), waited=waited)
        await self._removed(job)
        self.watchers.changed(job)
        self.turns.dispatch()

    async def _out_of_queue(self, entry: Entry, call: Any, *, waited: bool) -> None:
        """Record what becomes of a job that was taken out of the queue, or put it back."""
        try:
            await self.records.write(call)
        except Unavailable:
            if waited:
                self.turns.add(entry.id, entry.submitter)
            raise

    async def _removed(self, job: str) -> None:
        folder = self.settings.folder(job)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        await self.records.write(lambda ledger: ledger.forget(job))

    @contextmanager
    def _room(self, submitter: str) -> Iterator[None]:
        """Hold a place in the queue while a job is being recorded, if there is one."""
        most = self.settings.queued_per_submitter
        if self.turns.queue.waiting(submitter) + self._coming[submitter] >= most:
            raise TooMany(
                f"{most} jobs of {submitter!r} wait already, which is as many as may; wait for "
                "some to end",
                retry_after=10,
            )
        self._coming[submitter] += 1
        try:
            yield
        finally:
            self._coming[submitter] -= 1


def _queue_again(ledger: Ledger, job: str) -> None:
    """Put a job that has ended back into the queue."""
    ledger.wish(job, "run")
    ledger.attempt(job, 0)
    ledger.change(job, "queued")
