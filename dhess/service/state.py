"""What every request can reach: the engine, the settings, who may ask."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from fastapi import Request

from dhess.service.engine import Engine
from dhess.service.metrics import Metrics
from dhess.service.models import Readiness
from dhess.service.places import Places
from dhess.service.settings import Settings
from dhess.service.tokens import Keys

FRESH = 1.0
"""Seconds for which it counts what was found out about readiness."""


@dataclass
class Service:
    """A gateway while it runs."""

    settings: Settings
    engine: Engine
    keys: Keys
    places: Places
    metrics: Metrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when it is to end: streams, which would go on for hours, end with it."""
    streams: Counter[str] = field(default_factory=Counter)
    """Streams of events that are open, by whose they are."""
    _readiness: tuple[float, Readiness] | None = None
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> Self:
        """Return what serves an engine that has started."""
        places = Places(settings.roots, settings.output_roots, settings.data)
        return cls(settings, engine, Keys(settings.ledger), places, Metrics())

    async def readiness(self) -> Readiness:
        """Return whether it is ready, found out once in a second at most: anybody may ask."""
        async with self._checking:
            now = time.monotonic()
            if self._readiness is None or now - self._readiness[0] > FRESH:
                self._readiness = now, await self.engine.ready()
            return self._readiness[1]


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
