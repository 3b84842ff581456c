"""How fast the work is, robust at its start."""

from __future__ import annotations

from collections import deque
from typing import Final

MEMORY: Final = 60.0
"""Seconds that a rate looks back on."""
SETTLE: Final = 1.0
"""Seconds that are too short for a rate."""


class Pace:
    """The rate of the last minute, counted from the first result on.

    Until then workers import and kernels are compiled, which says nothing of the time that is left.

    Examples
    --------
    >>> pace = Pace()
    >>> for now, done in [(20.0, 100), (20.5, 300), (22.0, 900)]:
    ...     pace.add(now, done)
    >>> pace.rate()
    400.0
    """

    def __init__(self) -> None:
        self._known: deque[tuple[float, int]] = deque()

    def add(self, now: float, done: int) -> None:
        """Take how much is done by now."""
        self._known.append((now, done))
        while len(self._known) > 2 and now - self._known[1][0] >= MEMORY:
            self._known.popleft()

    def rate(self) -> float | None:
        """Return how much is done per second; None before that can be told."""
        if not self._known:
            return None
        (then, before), (now, done) = self._known[0], self._known[-1]
        if now - then < SETTLE or done <= before:
            return None
        return (done - before) / (now - then)
