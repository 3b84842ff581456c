"""Computes the windows of a job in batches, and has each recorded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dhess.errors import KilledWorkerError
from dhess.job.work import turns
from dhess.ledger import Window
from dhess.running import Progress, run, tell

if TYPE_CHECKING:
    from dask.delayed import Delayed

    from dhess.job.pausing import Pauses
    from dhess.job.work import Work
    from dhess.ledger.recorder import Recorder

TRIES: Final = 3
"""How often a window is tried over which workers die."""


class Count:
    """Tells whoever watches how far a job is."""

    def __init__(self, work: Work, done: int) -> None:
        self.work = work
        self.done = done
        self.new = 0
        """How many of them this run has done."""

    def add(self) -> None:
        """Count a window in."""
        self.done += 1
        self.new += 1
        self.tell()

    def tell(self) -> None:
        """Tell it."""
        work = self.work
        share = self.done / work.windows
        value, index = work.best()
        tell(
            Progress(
                round(share * work.blocks), work.blocks, round(share * work.nbytes), work.nbytes,
                self.done, work.windows, value, index,
            )
        )  # fmt: skip


@dataclass(frozen=True)
class Batches:
    """Where windows of a job are computed, and who is told."""

    work: Work
    recorder: Recorder
    count: Count
    pauses: Pauses
    base: int | None = None
    """How far other jobs of the cluster are, whose turns this one then shares, see `turns`."""

    def do(self, batch: list[tuple[int, Delayed]]) -> None:
        """Compute some windows; where workers die over them, in halves, to find which it is."""
        left = dict(batch)
        try:
            self._compute(left)
        except KilledWorkerError as error:
            rest = list(left.items())
            if len(rest) > 1:
                half = len(rest) // 2
                self.do(rest[:half])
                self.do(rest[half:])
            else:
                self._alone(left, error)

    def _alone(self, left: dict[int, Delayed], first: KilledWorkerError) -> None:
        """Try a window a few times more, before it is given up."""
        error = first
        for _ in range(TRIES):
            try:
                self._compute(left)
            except KilledWorkerError as again:
                error = again
            else:
                return
        (number,) = left
        raise KilledWorkerError(f"window {number:,} of job {self.pauses.job}: {error}") from error

    def _compute(self, left: dict[int, Delayed]) -> None:
        """Compute windows and record each; those that are done are left no more."""
        numbers, began = list(left), time.time()

        def done(i: int, result: Any) -> None:
            number = numbers[i]
            text, checksum = self.work.recorded(number, result)
            self.recorder.add(Window(number, text, checksum, began, time.time()))
            left.pop(number, None)
            self.count.add()

        while left:
            try:
                run(
                    [left[n] for n in numbers], done, name=self.work.name, layers=self._due(numbers)
                )
            except OSError as error:
                self.pauses.for_room(error)
                numbers = list(left)

    def _due(self, numbers: list[int]) -> list[int]:
        """Return when each of some windows is due."""
        if self.base is None:
            return [self.work.layer(n) for n in numbers]
        return turns(len(numbers), self.base + self.count.new)
