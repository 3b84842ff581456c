"""The gateway without HTTP: what comes in is recorded, waits for its turn, and is run by children.

All that lasts is in the ledger, written before it is answered; what is kept here is only what a
restart finds out anew.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Literal

from dhess.errors import InputError
from dhess.ledger import ENDED, STATES
from dhess.service import results
from dhess.service.changes import Changes
from dhess.service.clusters import Cluster
from dhess.service.errors import NoSuchJob, Unavailable
from dhess.service.holding import held
from dhess.service.lookers import Lookers
from dhess.service.models import Figures, JobPage, JobView, LogPage, Readiness
from dhess.service.readiness import Prober
from dhess.service.records import Records
from dhess.service.scheduling import Turns
from dhess.service.tasks import Tasks
from dhess.service.views import Known, cursor, place, view_of
from dhess.service.watching import Watchers
from dhess.stored.census import Census

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from dhess.job import JobSpec
    from dhess.ledger import Ledger
    from dhess.service.settings import Settings

EVERY = 0.25
"""Seconds between two views for whoever watches."""


class Engine:
    """The jobs of a gateway, and the processes that run them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.records: Records
        self.turns: Turns
        self.changes: Changes
        self._prober: Prober
        self.cluster = Cluster(settings)
        self.lookers = Lookers(settings)
        self.pictures = results.Pictures(settings)
        self.watchers = Watchers()
        self._states: dict[str, int] = dict.fromkeys(STATES, 0)
        self._tasks = Tasks()
        self._open = AsyncExitStack()
        self._stopping = False

    # ------------------------------------------------------------------------------ its own life

    async def start(self) -> None:
        """Take up the work where it was left.

        Raises
        ------
        InputError
            If the data folder cannot be used, or another gateway serves it.
        """
        settings = self.settings
        await asyncio.to_thread(self._open.enter_context, held(settings.data))
        try:
            self.records = await asyncio.to_thread(Records, settings.ledger)
            self._open.push_async_callback(self.records.close)
            self.turns = Turns(settings, self.records, self.cluster, self.watchers)
            self.changes = Changes(settings, self.records, self.turns, self.watchers)
            await self.changes.start()
            await self.turns.start()
            self._prober = Prober(settings, self.records, self.cluster, self.lookers)
        except BaseException:
            await self._open.aclose()
            raise
        self.cluster.start()
        self.lookers.start()
        self._tasks.begin(self._count_states())

    async def stop(self) -> None:
        """End every child in order. Jobs that run are stopped, and go on at the next start."""
        self._stopping = True
        self.watchers.everyone()
        await self.changes.stop()
        await self.turns.stop()
        await asyncio.gather(self.cluster.stop(), self.lookers.stop(), self.pictures.stop())
        await self._tasks.finish(0.0)
        await self._open.aclose()

    # ------------------------------------------------------------------------------ what is asked

    async def submit(self, spec: JobSpec, submitter: str) -> tuple[JobView, bool]:
        """Take in a job; it is on the disk when this returns. Tell whether it is a new one.

        Raises
        ------
        InputError, Refused, TooMany, Unavailable
            If it is wrong or not allowed, or cannot be taken in now.
        """
        _check_resources(spec)
        plain = spec.model_dump(mode="json", exclude_none=True)
        found = await self.lookers.ask(
            "identify",
            submitter,
            spec=plain,
            team=self._team(),
            max_blocks=self.settings.max_blocks,
            max_bytes=self.settings.max_bytes,
        )
        job = found["job"]
        stale = await self._is_stale(job, found["seen"])
        new = await self.changes.submit(job, spec, found, submitter, stale=stale)
        try:
            return await self.show(job), new
        except NoSuchJob as gone:
            raise Unavailable(
                f"job {job} was deleted while it was handed in; hand it in again"
            ) from gone

    async def _is_stale(self, job: str, seen: str) -> bool:
        """Tell whether a job has ended, and what it reads are other files by now."""
        known = await self.records.read(lambda ledger: ledger.entry(job))
        if known is None or known.state not in ENDED:
            return False
        then, now = Census.read(known.seen), Census.read(seen)
        return (
            then is not None
            and now is not None
            and then.contradicts(now, removed=known.state == "done")
        )

    async def show(self, job: str) -> JobView:
        """Return a job as it is now.

        Raises
        ------
        NoSuchJob
            If there is none.
        """

        def known(ledger: Ledger) -> Known | None:
            entry = ledger.entry(job)
            return None if entry is None else Known.read(ledger, entry, self.settings)

        found = await self.records.read(known)
        if found is None:
            raise NoSuchJob(job)
        return self._view(found, self.turns.queue.positions())

    async def page(
        self,
        *,
        state: str | None = None,
        task: str | None = None,
        submitter: str | None = None,
        before: str | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Return some jobs, the newest first.

        Raises
        ------
        InputError
            If `before` is not what an earlier page said.
        """
        start = None if before is None else place(before)

        def known(ledger: Ledger) -> list[Known]:
            entries = ledger.page(
                state=state, task=task, submitter=submitter, before=start, limit=limit
            )
            return [Known.read(ledger, entry, self.settings) for entry in entries]

        found = await self.records.read(known)
        more = cursor(found[-1].entry) if found and len(found) == limit else None
        # Many take long enough to keep others waiting.
        positions = self.turns.queue.positions()
        views = await asyncio.to_thread(lambda: [self._view(each, positions) for each in found])
        return JobPage(jobs=views, next=more)

    def _view(self, known: Known, positions: dict[str, int]) -> JobView:
        running = self.turns.active.get(known.entry.id)
        return view_of(
            known,
            progress=None if running is None else running.progress,
            pace=None if running is None else running.pace,
            state=None if running is None else running.state,
            queue=positions.get(known.entry.id),
        )

    async def cancel(self, job: str) -> JobView:
        """Have a job end without a result; what is done of it stays for a retry.

        Raises
        ------
        NoSuchJob, Conflict
            If there is none, or it has ended.
        """
        await self.changes.cancel(job)
        return await self.show(job)

    async def retry(self, job: str) -> JobView:
        """Queue a job again that failed or was cancelled; it goes on from what is done.

        Raises
        ------
        NoSuchJob, Conflict
            If there is none, or it did not fail and was not cancelled.
        """
        await self.changes.retry(job)
        return await self.show(job)

    async def delete(self, job: str) -> None:
        """Remove a job's record and kept results; what it wrote to its output stays.

        Raises
        ------
        NoSuchJob, Conflict
            If there is none, or it runs.
        """
        await self.changes.delete(job)

    # -------------------------------------------------------------------------- what is looked at

    async def info(
        self, source: Any, variable: str | None, chunks: Any, *, caller: str = ""
    ) -> dict[str, Any]:
        """Describe a source, as ``dhess info --json`` does."""
        given = {"source": source, "variable": variable, "chunks": chunks}
        found: dict[str, Any] = await self.lookers.ask("info", caller, **given)
        return found

    async def plan(self, spec: JobSpec, *, caller: str = "") -> dict[str, Any]:
        """Tell what a job would take on this gateway's cluster, as ``dhess plan --json`` does."""
        _check_resources(spec)
        plain = spec.model_dump(mode="json", exclude_none=True)
        found: dict[str, Any] = await self.lookers.ask(
            "plan", caller, spec=plain, team=self._team()
        )
        return found

    async def watch(self, job: str) -> AsyncIterator[JobView]:
        """Yield a job as it is, and again whenever it has changed, until it has ended or is gone.

        Raises
        ------
        NoSuchJob
            If there is none.
        """
        last: JobView | None = None
        with self.watchers.following(job) as event:
            while not self._stopping:
                event.clear()
                try:
                    view = await self.show(job)
                except NoSuchJob:
                    if last is None:
                        raise
                    return
                if view != last:
                    yield view
                    last = view
                if view.state in ENDED:
                    return
                await event.wait()
                await asyncio.sleep(EVERY)

    async def result_file(self, job: str, kind: Literal["json", "nc", "png"]) -> Path:
        """Return the file of a result; a picture is drawn when it is asked for first.

        Raises
        ------
        NoSuchJob, NotReady, TooLarge
            If there is no such job, it is not done, it has no such result, or a large one.
        """
        return await results.file_of(
            await self.changes.entry(job), kind, self.settings, self.pictures
        )

    async def log(self, job: str, after: int = 0, limit: int = 500) -> LogPage:
        """Return some lines of a job's log, from number `after` on."""
        await self.changes.entry(job)
        file = self.settings.folder(job) / "log.jsonl"
        return await asyncio.to_thread(results.log_page, file, after, limit)

    async def ready(self) -> Readiness:
        """Tell whether jobs can be taken in and run, by trying each part of it."""
        return await self._prober.found()

    def figures(self) -> Figures:
        """Return what is counted."""
        team, own, turns = self.cluster.team, self.cluster.child, self.turns
        return Figures(
            jobs=dict(self._states),
            queued=len(turns.queue),
            running=len(turns.active),
            windows=turns.windows,
            submissions=self.changes.submissions,
            children={
                "embedded": int(own is not None and own.runs),
                "looking": self.lookers.running,
                "running": turns.children,
            },
            restarts={
                "embedded": self.cluster.restarts,
                "looking": self.lookers.restarts,
                "running": turns.restarts,
            },
            workers=None if team is None else team.workers,
            threads=None if team is None else team.threads,
            memory=None if team is None else team.memory,
        )

    # ------------------------------------------------------------------------------------ details

    def _team(self) -> dict[str, Any]:
        """Return the workers that a plan is made for."""
        team = self.cluster.team
        if team is not None and team.workers:
            return team.each
        given = {"workers": self.settings.workers, "memory_limit": self.settings.memory_limit}
        return {name: value for name, value in given.items() if value is not None}

    async def _count_states(self) -> None:
        while True:
            with suppress(Unavailable):
                counts = await self.records.read(lambda ledger: ledger.counts())
                self._states = dict.fromkeys(STATES, 0)
                for (_, state), number in counts.items():
                    self._states[state] += number
            await asyncio.sleep(1.0)


def _check_resources(spec: JobSpec) -> None:
    given = spec.resources.model_dump(exclude_none=True, exclude={"window"})
    if given:
        raise InputError(
            f"resources.{next(iter(given))} of a job is not for a service, which has a cluster of "
            "its own; only resources.window is"
        )
