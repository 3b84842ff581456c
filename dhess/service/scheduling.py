"""Jobs take their turns: those that wait, those that run, and what becomes of each."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from dhess.errors import LedgerError
from dhess.ledger import ENDED
from dhess.service.errors import Unavailable
from dhess.service.holding import wait_until_free
from dhess.service.queue import FairQueue
from dhess.service.runners import Runners, Running
from dhess.service.tasks import Tasks

if TYPE_CHECKING:
    from dhess.ledger import Entry, Ledger
    from dhess.service.clusters import Cluster
    from dhess.service.records import Records
    from dhess.service.settings import Settings
    from dhess.service.watching import Watchers

log = logging.getLogger(__name__)

RESTARTED = "it goes on after a restart of the gateway"
PATIENCE = 15.0
"""Seconds in which what became of stopped jobs has to be recorded; on a full disk it is not."""


class Turns:
    """The queue of a gateway, and its running jobs."""

    def __init__(
        self, settings: Settings, records: Records, cluster: Cluster, watchers: Watchers
    ) -> None:
        self.settings = settings
        self.records = records
        self.cluster = cluster
        self.watchers = watchers
        self.queue = FairQueue(settings.running_per_submitter)
        self.active: dict[str, Running] = {}
        """Jobs that have a runner."""
        self.runners = Runners(settings)
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._windows = 0
        self._restarts = 0
        self._tasks = Tasks()
        self._stopping = False

    async def start(self) -> None:
        """Do what was wished before, and queue again what had not ended."""
        for entry in await self.records.read(lambda ledger: ledger.entries()):
            if entry.wish == "delete" or entry.state in ENDED:
                continue
            if entry.wish == "cancel":
                self._tasks.begin(self._cancel_late(entry.id))
                continue
            if entry.state != "queued":
                with suppress(Unavailable):  # a full disk must not keep us from answering
                    await self.records.write(partial(_restarted, job=entry.id))
            self.queue.add(entry.id, entry.submitter)
        self._tasks.begin(self._when_up())

    async def stop(self) -> None:
        """End all runners in order: their jobs are stopped, and go on at the next start."""
        self._stopping = True
        await asyncio.gather(*(each.stop() for each in self.active.values()))
        await self._tasks.finish(PATIENCE if self.queue.running else 0.0)
        await self.runners.stop()

    @property
    def windows(self) -> int:
        """Windows recorded since the start."""
        return self._windows + sum(each.new for each in self.active.values())

    @property
    def restarts(self) -> int:
        """Runners that died and were started again."""
        return self._restarts + sum(each.restarts for each in self.active.values())

    @property
    def children(self) -> int:
        """Runners that there are, the one that waits for a job included."""
        children = [each.child for each in self.active.values()]
        return self.runners.spare + sum(1 for each in children if each is not None and each.runs)

    def add(self, job: str, submitter: str) -> None:
        """Have a job wait for its turn, which may be now."""
        self.queue.add(job, submitter)
        self.dispatch()

    def end(self, job: str) -> None:
        """Begin to end the runner of a job, if it has one."""
        running = self.active.get(job)
        if running is not None:
            self._tasks.begin(running.stop())

    async def left(self, job: str) -> None:
        """Wait until nothing here has to do any more with a job that has ended."""
        run = self._runs.get(job)
        if run is not None:
            await asyncio.wait([run])

    def dispatch(self) -> None:
        """Start jobs while there is a place."""
        while (
            not self._stopping
            and self.cluster.up.is_set()
            and len(self.queue.running) < self.settings.jobs_at_once
            and (job := self.queue.take()) is not None
        ):
            self._runs[job] = self._tasks.begin(self._run(job))
        self.watchers.changed(*self.watchers.watched(self.queue.jobs()))

    async def _when_up(self) -> None:
        await self.cluster.up.wait()
        self.dispatch()
        self.runners.fill()

    async def _run(self, job: str) -> None:
        """Run a job, and give its place to the next one."""
        try:
            # Through the thread that writes, so that a wish is either seen here or finds the job
            # active.
            entry = await self.records.insist(lambda ledger: ledger.entry(job))
            if entry is not None and entry.wish == "run" and entry.state not in ENDED:
                running = Running(entry, self.records, self.runners, self._asked(entry))
                running.told = lambda: self.watchers.changed(job)
                self.active[job] = running
                if not self._stopping:
                    await running.run()
            await self.records.insist(lambda ledger: _settle(ledger, job))
        except Exception as error:
            log.exception("job %s cannot be run", job)
            told = f"it cannot be run: {type(error).__name__}: {error}"
            await self._change(job, "failed", " ".join(told.split()))
        finally:
            gone = self.active.pop(job, None)
            if gone is not None:
                self._windows += gone.new
                self._restarts += gone.restarts
            self._runs.pop(job, None)
            self.queue.done(job)
            self.runners.fill()
            self.watchers.changed(job)
            self.dispatch()

    def _asked(self, entry: Entry) -> dict[str, Any]:
        """Return what a runner has to know."""
        others = [each.base + each.new for each in self.active.values()]
        return {
            "job": entry.id,
            "spec": json.loads(entry.spec),
            "ledger": str(self.settings.ledger),
            "folder": str(self.settings.folder(entry.id)),
            "base": min(others, default=0),
            "roots": self.settings.roots,
            "output_roots": self.settings.output_roots,
            "data": str(self.settings.data),
            **self.cluster.place,
        }

    async def _cancel_late(self, job: str) -> None:
        """Cancel a job that may have a runner of an earlier gateway still, after its last word."""
        with suppress(LedgerError):
            await asyncio.to_thread(wait_until_free, self.settings.folder(job))
        await self.records.insist(lambda ledger: _settle(ledger, job))
        self.watchers.changed(job)

    async def _change(self, job: str, state: str, note: str = "") -> None:
        await self.records.insist(lambda ledger: ledger.change(job, state, note))


def _restarted(ledger: Ledger, job: str) -> None:
    ledger.change(job, "queued", RESTARTED)


def _settle(ledger: Ledger, job: str) -> None:
    """Record what became of a job that runs no more."""
    entry = ledger.entry(job)
    if entry is None or entry.state in ("done", "cancelled"):
        return
    if entry.wish == "cancel":
        ledger.change(job, "cancelled")  # be it that it failed over its end
    elif entry.state in ("running", "paused"):
        ledger.change(job, "stopped")
