"""The gateway's side of what opens sources: a few warm processes, replaced when they die."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from dhess.errors import DhessError, InputError
from dhess.service.children import Child
from dhess.service.errors import Conflict, Refused, TooMany, Unavailable
from dhess.service.tasks import Tasks

if TYPE_CHECKING:
    from dhess.service.settings import Settings

log = logging.getLogger(__name__)

NUMBER: Final = 2
LONGEST_QUEUE: Final = 300
MOST_OF_ONE: Final = LONGEST_QUEUE // 2
"""Those of one submitter among them."""
WARM_UP: Final = 120.0
"""Seconds in which one has to be ready."""
GROWN: Final = 1_500_000_000
"""Bytes that one may hold before it is replaced."""

_KINDS: Final[dict[str, type[DhessError]]] = {"Refused": Refused, "Conflict": Conflict}


class _Looker:
    """One of them."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.child: Child | None = None
        self._heard: asyncio.Future[dict[str, Any]] | None = None
        self._end: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Have a process that waits for a question."""
        if self.child is not None and self.child.runs:
            return
        self.child = await Child.start("looking", self.settings.logs)
        self.child.take = self._take
        settings = self.settings
        told = await self._asked(
            WARM_UP, roots=settings.roots, output_roots=settings.output_roots,
            data=str(settings.data),
        )  # fmt: skip
        if told is None:
            await self.child.kill()
            raise Unavailable(
                "the process that opens sources does not start; its log is looking.log"
            )

    async def ask(self, seconds: float, **asked: Any) -> dict[str, Any] | None:
        """Return the answer; none if the process died or took too long, and is gone now."""
        assert self.child is not None
        told = await self._asked(seconds, **asked)
        if told is None:
            await self.child.kill()
        elif told["memory"] > GROWN:
            await self.child.end()
        return told

    async def end(self) -> None:
        """End the process."""
        if self.child is not None:
            await self.child.kill()

    async def _asked(self, seconds: float, **asked: Any) -> dict[str, Any] | None:
        assert self.child is not None
        self._heard = heard = asyncio.get_running_loop().create_future()
        await self.child.send(**asked)
        either: list[asyncio.Future[Any]] = [heard, self.child.death]
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return heard.result() if heard.done() else None

    def _take(self, message: dict[str, Any]) -> None:
        if self._heard is not None and not self._heard.done():
            self._heard.set_result(message)


class Lookers:
    """All of them, and who waits for one."""

    def __init__(self, settings: Settings, seconds: float = 30.0) -> None:
        self.seconds = seconds
        """How long one may take over a question."""
        self.restarts = 0
        self.answered = -math.inf
        """When one of them answered last."""
        self._all = [_Looker(settings) for _ in range(NUMBER)]
        self._free: asyncio.Queue[_Looker] = asyncio.Queue()
        self._waiting = 0
        self._callers: Counter[str] = Counter()
        self._tasks = Tasks()

    def start(self) -> None:
        """Start them, without waiting until they are ready."""
        self._tasks.begin(self._start())

    async def stop(self) -> None:
        """End them; who waits for an answer gets none."""
        await self._tasks.finish(0.0)
        await asyncio.gather(*(looker.end() for looker in self._all))

    @property
    def running(self) -> int:
        """How many there are."""
        return sum(1 for each in self._all if each.child is not None and each.child.runs)

    async def ask(self, what: str, caller: str = "", **asked: Any) -> Any:
        """Have one of them answer somebody's question about a source.

        Raises
        ------
        InputError, Refused
            What it said, or that it did not outlive the source.
        TooMany
            If too many wait already.
        """
        if self._waiting >= LONGEST_QUEUE:
            raise TooMany(
                f"{self._waiting} requests wait for a look at their source, which is as many as "
                "may; try again in a few seconds",
                retry_after=5,
            )
        if self._callers[caller] >= MOST_OF_ONE:
            raise TooMany(
                f"{MOST_OF_ONE} requests of {caller!r} wait for a look at their source, which is "
                "as many as may; try again in a few seconds",
                retry_after=5,
            )
        self._waiting += 1
        self._callers[caller] += 1
        try:
            looker = await self._free.get()
        finally:
            self._waiting -= 1
            self._callers[caller] -= 1
            self._callers += Counter()  # leaves out who waits for nothing
        # On its own, for who asked may go away meanwhile, and the next one must not get his answer.
        turn = self._tasks.begin(self._turn(looker, what, asked))
        return await asyncio.shield(turn)

    async def _turn(self, looker: _Looker, what: str, asked: dict[str, Any]) -> Any:
        try:
            await looker.ready()
            told = await looker.ask(self.seconds, what=what, **asked)
        finally:
            self._tasks.begin(self._readied(looker))
        if told is not None:
            self.answered = time.monotonic()
        else:
            raise InputError(
                f"the source cannot be looked at: it took more than {self.seconds:.0f} s or more "
                "memory than a process may have; check that it can be opened"
            )
        if "error" in told:
            raise _KINDS.get(told["kind"], InputError)(told["error"])
        return told["answer"]

    async def _start(self) -> None:
        # One after the other, so that the first is there soon.
        for looker in self._all:
            await self._readied(looker)

    async def _readied(self, looker: _Looker) -> None:
        """Offer one for the next question, started again if it died."""
        first = looker.child is None
        try:
            if not first and not looker.child.runs:  # type: ignore[union-attr]
                self.restarts += 1
            await looker.ready()
        except Exception as error:  # noqa: BLE001  (said to who asks it next)
            log.warning("%s", error)
        self._free.put_nowait(looker)
