"""Whoever watches a job is woken when something about it changes."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Watchers:
    """Events to wake, by job."""

    def __init__(self) -> None:
        self._events: dict[str, set[asyncio.Event]] = {}

    def changed(self, *jobs: str) -> None:
        """Wake those who watch some jobs."""
        for job in jobs:
            for event in self._events.get(job, ()):
                event.set()

    def watched(self, jobs: Iterable[str]) -> list[str]:
        """Return those of some jobs that somebody watches."""
        return [job for job in jobs if job in self._events]

    def everyone(self) -> None:
        """Wake all."""
        self.changed(*self._events)

    @contextmanager
    def following(self, job: str) -> Iterator[asyncio.Event]:
        """Hand out an event that is set whenever a job has changed."""
        event = asyncio.Event()
        self._events.setdefault(job, set()).add(event)
        try:
            yield event
        finally:
            self._events[job].discard(event)
            if not self._events[job]:
                del self._events[job]
