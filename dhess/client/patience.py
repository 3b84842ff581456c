"""Asking again, later each time, for as long as one cares to wait."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from dhess.client.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

FIRST: Final = 0.5
LONGEST: Final = 10.0
"""Seconds between two attempts."""


@dataclass
class Patience:
    """What is left of the time that a gateway is waited for."""

    most: float = 600.0
    """Seconds without an answer that it is worth."""
    lost: Callable[[RemoteError], None] | None = None
    """Called once each time the gateway is lost."""
    _since: float | None = field(default=None, init=False)
    _wait: float = field(default=FIRST, init=False)

    def answered(self) -> None:
        """Take it that the gateway is there."""
        self._since, self._wait = None, FIRST

    def wait(self, error: RemoteError) -> None:
        """Wait before the next attempt, or raise what went wrong if it is not worth it."""
        now = time.monotonic()
        if not error.passing:
            raise error
        if self._since is None:
            self._since = now
            if self.lost is not None and self.most > 0:
                self.lost(error)
        left = self._since + self.most - now
        if left <= 0:
            raise error
        # Many who wait for the same gateway should not all come at once.
        seconds = max(self._wait * random.uniform(0.7, 1.3), error.retry_after or 0.0)  # noqa: S311
        self._wait = min(2 * self._wait, LONGEST)
        time.sleep(min(seconds, left))

    def persist(self, call: Callable[[], T]) -> T:
        """Return what a call returns, once the gateway answers it.

        Raises
        ------
        RemoteError
            If it is refused, or was waited for long enough.
        """
        while True:
            try:
                found = call()
            except RemoteError as error:
                self.wait(error)
            else:
                self.answered()
                return found
