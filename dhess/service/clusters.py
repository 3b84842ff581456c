"""The cluster of a gateway: its own in a child, or one that runs elsewhere, and what it has."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dhess.cluster import tls
from dhess.service.children import Child

if TYPE_CHECKING:
    from dhess.service.settings import Settings

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
EVERY: Final = 5.0
"""Seconds between two looks at the workers."""
STEADY: Final = 60.0
"""Seconds after which a cluster that died is not counted as one that does not start."""


@dataclass(frozen=True)
class Team:
    """The workers that a scheduler has."""

    workers: int
    threads: int
    memory: int
    """Bytes of all of them; 0 without a limit."""

    @property
    def each(self) -> dict[str, Any]:
        """What a plan is made for."""
        memory = self.memory // self.workers or None
        return {
            "workers": self.workers,
            "threads": max(1, self.threads // self.workers),
            **({} if memory is None else {"memory_limit": memory}),
        }


class Cluster:
    """Starts the embedded cluster again whenever it dies, and knows the workers of any."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.up = asyncio.Event()
        """Set once there has been a scheduler to connect to."""
        self.team: Team | None = None
        """What it had at the last look; none if it did not answer."""
        self.restarts = 0
        self.child: Child | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._address = settings.scheduler or ""

    @property
    def place(self) -> dict[str, Any]:
        """What a runner needs to connect."""
        settings = self.settings
        files = settings.tls_ca, settings.tls_cert, settings.tls_key
        if settings.scheduler is None:
            files = settings.own_tls
        return {
            "scheduler": settings.scheduler or str(settings.scheduler_file),
            "tls": None if None in files else list(map(str, files)),
        }

    def start(self) -> None:
        """Start it, without waiting for it."""
        self.settings.scheduler_file.unlink(missing_ok=True)
        if self.settings.scheduler is None:
            self._tasks.append(asyncio.create_task(self._tend()))
        else:
            self.up.set()
        self._tasks.append(asyncio.create_task(self._look()))

    async def stop(self) -> None:
        """End it if it is our own."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.child is not None:
            await self.child.end()
        self.settings.scheduler_file.unlink(missing_ok=True)

    async def asked(self, seconds: float = 2.0) -> Team | None:
        """Ask the scheduler for its workers; none if it does not answer in time."""
        try:
            async with asyncio.timeout(seconds):
                self.team = await self._team()
        except Exception as error:  # noqa: BLE001  (comms have errors of many kinds)
            log.debug("the scheduler does not answer: %r", error)
            self.team = None
        return self.team

    async def _team(self) -> Team | None:
        from distributed import Security
        from distributed.core import rpc

        address = self._address
        if not address:
            return None
        if "://" not in address:
            from dhess.cluster import address_of

            address = await asyncio.to_thread(address_of, address)
        files = self.place["tls"]
        security = Security() if files is None else tls(*files)
        arguments = security.get_connection_args("client")
        async with rpc(address, connection_args=arguments, deserialize=False) as scheduler:
            known = (await scheduler.identity(n_workers=-1))["workers"].values()
        return Team(
            len(known),
            sum(each["nthreads"] for each in known),
            sum(each["memory_limit"] or 0 for each in known),
        )

    async def _look(self) -> None:
        while True:
            await self.asked(5.0)
            await asyncio.sleep(EVERY if self.team is not None else 1.0)

    async def _tend(self) -> None:
        wait = FIRST_WAIT
        while True:
            began = time.monotonic()
            try:
                self.child = await self._started()
                code = await self.child.ended()
            except OSError as error:
                log.warning("the cluster cannot be started: %s", error)
                code = None
            self._address = ""
            self.settings.scheduler_file.unlink(missing_ok=True)
            self.restarts += 1
            wait = FIRST_WAIT if time.monotonic() - began > STEADY else wait
            log.warning("the cluster ended (code %s) and is started again in %.0f s", code, wait)
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)

    async def _started(self) -> Child:
        settings = self.settings
        child = await Child.start("embedded", settings.logs)
        child.take = self._take
        await child.send(
            workers=settings.workers,
            memory_limit=settings.memory_limit,
            file=str(settings.scheduler_file),
            tls=list(map(str, settings.own_tls)),
        )
        return child

    def _take(self, message: dict[str, Any]) -> None:
        if "address" in message:
            self._address = message["address"]
            self.up.set()
        else:
            log.warning("the cluster did not start: %s", message.get("error"))
