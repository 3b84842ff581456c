"""How a job waits: for room on a disk, for a lost cluster; and how it tells that it does."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from dhess.errors import DhessError
from dhess.ledger.recorder import is_full, why_full

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.ledger import Ledger

T = TypeVar("T")

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two attempts to reach a scheduler."""
ROOM_WAIT = 5.0
"""Seconds between two attempts to write to a full disk."""


@dataclass(frozen=True)
class Pauses:
    """Tells the ledger when a job waits."""

    ledger: Ledger
    job: str

    def tell(self, why: str) -> None:
        """Tell that the job waits, and for what; or, with no reason, that it goes on."""
        log.warning("job %s %s", self.job, f"is paused: {why}" if why else "goes on")
        try:
            self.ledger.change(self.job, "paused" if why else "running", why)
        except Exception as error:  # noqa: BLE001  (the ledger's disk may be the full one)
            log.debug("the ledger does not say so: %s", error)

    def insist(self, write: Callable[[], T]) -> T:
        """Do what writes, as soon as the disk has room for it."""
        while True:
            try:
                return write()
            except (OSError, DhessError) as error:
                self.for_room(error)

    def for_room(self, error: Exception) -> None:
        """Wait a while if the error says that a disk is full; raise it if it says anything else."""
        if not is_full(error):
            raise error
        self.tell(why_full(error))
        time.sleep(ROOM_WAIT)
        self.tell("")


class Patience:
    """Waits longer each time, and not for ever."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.wait = FIRST_WAIT
        self.since: float | None = None

    def next(self, error: Exception, *, progress: bool) -> float:
        """Return the seconds to wait now; raise the error if it was long enough."""
        now = time.monotonic()
        if progress or self.since is None:
            self.wait, self.since = FIRST_WAIT, now
        elif now - self.since > self.most:
            raise error
        wait, self.wait = self.wait, min(2 * self.wait, LONGEST_WAIT)
        return wait
