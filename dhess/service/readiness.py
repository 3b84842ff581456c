"""Whether the gateway can do its work: each part is tried, none for long."""

from __future__ import annotations

import asyncio
import math
import shutil
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from dhess.report.layout import amount
from dhess.service.errors import TooMany
from dhess.service.models import Check, Readiness

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from dhess.service.clusters import Cluster
    from dhess.service.lookers import Lookers
    from dhess.service.records import Records
    from dhess.service.settings import Settings

SECONDS: Final = 2.0
FRESH: Final = 1.0
"""Seconds for which an answer holds, so that who asks often does not wear out the disk."""
LEAST_SPACE: Final = 100_000_000
"""Bytes on the ledger's disk below which nothing is taken in."""


class Prober:
    """Tries every part, once for all who ask at about the same time."""

    def __init__(
        self, settings: Settings, records: Records, cluster: Cluster, lookers: Lookers
    ) -> None:
        self._parts: dict[str, Callable[[], Awaitable[Check]]] = {
            "ledger": partial(_ledger, records),
            "disk": partial(_disk, settings),
            "cluster": partial(_cluster, cluster),
            "sources": partial(_sources, lookers),
        }
        self._lock = asyncio.Lock()
        self._found: Readiness | None = None
        self._when = -math.inf

    async def found(self) -> Readiness:
        """Return what was found a moment ago, or is found now."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._when > FRESH:
                found = await asyncio.gather(*(_bounded(part()) for part in self._parts.values()))
                checks = dict(zip(self._parts, found, strict=True))
                self._found = Readiness(ready=all(each.ok for each in found), checks=checks)
                self._when = time.monotonic()
            return self._found


async def _bounded(check: Awaitable[Check]) -> Check:
    try:
        async with asyncio.timeout(SECONDS):
            return await check
    except TimeoutError:
        return Check(ok=False, told=f"no answer within {SECONDS:.0f} s")
    except Exception as error:  # noqa: BLE001  (whatever it is, that part does not work)
        return Check(ok=False, told=f"failed ({type(error).__name__})")


async def _ledger(records: Records) -> Check:
    begin, number = time.perf_counter(), time.time_ns()
    await records.write(lambda ledger: ledger.prove(number))
    if await records.read(lambda ledger: ledger.proof()) != number:
        return Check(ok=False, told="what was written cannot be read back")
    return Check(ok=True, told=f"written and read in {1e3 * (time.perf_counter() - begin):.0f} ms")


async def _disk(settings: Settings) -> Check:
    free = (await asyncio.to_thread(shutil.disk_usage, settings.data)).free
    return Check(ok=free >= LEAST_SPACE, told=f"{amount(free)} free")


async def _cluster(cluster: Cluster) -> Check:
    team = await cluster.asked(SECONDS * 0.9)
    if team is None:
        return Check(ok=False, told="the scheduler does not answer")
    told = f"{team.workers} workers with {team.threads} threads"
    return Check(ok=team.workers > 0, told=told)


async def _sources(lookers: Lookers) -> Check:
    try:
        async with asyncio.timeout(SECONDS * 0.9):
            await lookers.ask("ping")
    except (TimeoutError, TooMany):
        # All may be busy with sources that hang, which they are ended for before long.
        silent = time.monotonic() - lookers.answered
        busy = silent < 2 * lookers.seconds
        return Check(ok=busy, told="busy" if busy else "no process that opens sources answers")
    return Check(ok=True, told="sources can be opened")
