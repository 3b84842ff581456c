"""What every request can reach: the engine, the settings, who may ask."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from fastapi import Request

from dhess.service.engine import Engine
from dhess.service.metrics import Metrics
from dhess.service.places import Places
from dhess.service.settings import Settings
from dhess.service.tokens import Keys


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

    @classmethod
    def of(cls, settings: Settings, engine: Engine) -> Self:
        """Return what serves an engine that has started."""
        places = Places(settings.roots, settings.output_roots, settings.data)
        return cls(settings, engine, Keys(settings.ledger), places, Metrics())


def service_of(request: Request) -> Service:
    """Return the service that a request came to."""
    service: Service = request.app.state.service
    return service
