"""The gateway's side of a running job: its runner, started again when it dies."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from dhess.ledger import ENDED
from dhess.service.children import Child
from dhess.service.views import Pace

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.ledger import Entry, Ledger
    from dhess.service.records import Records
    from dhess.service.settings import Settings

log = logging.getLogger(__name__)

TRIES: Final = 5
"""Starts in a row without a window done after which a job has failed."""
LONGEST_WAIT: Final = 30.0
LATER: Final = 5.0
"""Seconds after which another spare runner is started: its imports would slow a job's own start."""


class Runners:
    """Processes that wait for a job: the next one starts without waiting for imports."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._spare: Child | None = None
        self._filling: asyncio.Task[None] | None = None
        self._stopping = False

    def fill(self) -> None:
        """Start a spare one, unless there is one."""
        if not self._stopping and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._fill())

    async def take(self) -> Child:
        """Return a process that waits for its job."""
        if self._filling is not None:
            with suppress(OSError):
                await asyncio.shield(self._filling)
        spare, self._spare = self._spare, None
        if spare is None or not spare.runs:
            spare = await Child.start("running", self.settings.logs)
        asyncio.get_running_loop().call_later(LATER, self.fill)
        return spare

    async def stop(self) -> None:
        """End the spare one."""
        self._stopping = True
        if self._filling is not None:
            await asyncio.gather(self._filling, return_exceptions=True)
        if self._spare is not None:
            await self._spare.kill()

    @property
    def spare(self) -> int:
        """How many wait."""
        return int(self._spare is not None and self._spare.runs)

    async def _fill(self) -> None:
        if self._spare is None or not self._spare.runs:
            self._spare = await Child.start("running", self.settings.logs)


class Running:
    """A job that has one of the places to run."""

    def __init__(
        self, entry: Entry, records: Records, runners: Runners, asked: dict[str, Any]
    ) -> None:
        self.id = entry.id
        self.progress: dict[str, Any] | None = None
        """What its runner told last."""
        self.pace = Pace()
        self.base: int = asked["base"]
        self.state: tuple[str, str] | None = None
        """Running or paused, and why, as its runner says: the ledger may have no room for it."""
        self.new = 0
        """Windows done since it got its place."""
        self.restarts = 0
        self.child: Child | None = None
        self.told: Callable[[], None] = lambda: None
        """Called when something about it has changed."""
        self._attempts = entry.attempts
        self._records = records
        self._runners = runners
        self._asked = asked
        self._stop = asyncio.Event()
        self._ended: dict[str, Any] | None = None

    async def run(self) -> None:
        """Have it run until it has ended, or is to stop."""
        while not self._stop.is_set():
            before = await self._count()
            if not await self._attempt():
                await self._pause(LONGEST_WAIT)
                continue
            if self._stop.is_set() or await self._is_over():
                return
            self.restarts += 1
            found = await self._count() > before
            self._attempts = 0 if found else self._attempts + 1
            await self._note()
            if self._attempts >= TRIES:
                return
            wait = min(2.0 ** (self._attempts - 1), LONGEST_WAIT) if self._attempts else 0.0
            log.warning("the runner of job %s died and is started again in %.0f s", self.id, wait)
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def stop(self) -> None:
        """End its runner in order; `run` returns soon after."""
        self._stop.set()
        if self.child is not None:
            await self.child.end()

    async def _count(self) -> int:
        return await self._records.insist(lambda ledger: ledger.count(self.id))

    async def _attempt(self) -> bool:
        """Start a runner and wait for its end, or return that none can be started now."""
        self._ended = None
        self.pace = Pace()
        try:
            child = await self._runners.take()
        except OSError as error:  # no memory, no process, or no file left
            log.warning("no runner for job %s can be started: %s", self.id, error)
            self._take({"state": "paused", "note": f"no process can be started: {error.strerror}"})
            return False
        child.take = self._take
        self.child = child
        if self._stop.is_set():
            await child.kill()
            return True
        await child.send(**self._asked | {"base": self.base + self.new})
        code = await child.ended()
        self.state = None
        if self._ended is None:
            log.warning("the runner of job %s ended with code %s", self.id, code)
        return True

    def _take(self, message: dict[str, Any]) -> None:
        if "progress" in message:
            progress = message["progress"]
            if self.progress is not None:
                self.new += max(0, progress["window"] - self.progress["window"])
            self.progress = progress
            self.pace.add(progress["window"])
        if "state" in message:
            state = message["state"]
            self.state = (state, message["note"]) if state in ("running", "paused") else None
        if "ended" in message:
            self._ended = message
        self.told()

    async def _is_over(self) -> bool:
        """Tell whether the job has ended, and make sure that the ledger knows how."""
        told = self._ended or {}
        if told.get("ended") == "failed":

            def fail(ledger: Ledger) -> None:
                entry = ledger.entry(self.id)
                if entry is not None and entry.state not in ENDED:
                    ledger.change(self.id, "failed", told["note"])

            await self._records.insist(fail)
            return True
        entry = await self._records.insist(lambda ledger: ledger.entry(self.id))
        return entry is None or entry.state in ENDED

    async def _note(self) -> None:
        """Record how often it was tried in vain, and give up if that is often enough."""
        attempts = self._attempts

        def note(ledger: Ledger) -> None:
            ledger.attempt(self.id, attempts)
            if attempts >= TRIES:
                ledger.change(
                    self.id,
                    "failed",
                    f"its runner died {attempts} times in a row without a window done; it probably "
                    "ran out of memory: choose smaller blocks with chunks, and retry it",
                )
            else:
                ledger.change(self.id, "running", "its runner died and is started again")

        await self._records.insist(note)
        self.told()
