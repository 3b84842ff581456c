"""Whose turn it is: submitters in turns, each one's jobs in their order."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field


@dataclass
class FairQueue:
    """Jobs that wait, and those that run.

    The next one is of the submitter with the fewest running jobs, then of the one served longest
    ago, then the oldest job.

    Examples
    --------
    >>> queue = FairQueue()
    >>> for job, who in [("a1", "a"), ("a2", "a"), ("a3", "a"), ("b1", "b")]:
    ...     queue.add(job, who)
    >>> queue.positions()
    {'a1': 1, 'b1': 2, 'a2': 3, 'a3': 4}
    >>> queue.take(), queue.take()
    ('a1', 'b1')
    """

    most: int | None = None
    """Running jobs of one submitter."""
    running: dict[str, str] = field(default_factory=dict)
    """Jobs that run, and who handed them in."""
    _waiting: dict[str, dict[str, int]] = field(default_factory=dict)
    """Jobs by submitter, the oldest first, with their numbers."""
    _served: dict[str, int] = field(default_factory=dict)
    """When a submitter was served last."""
    _number: int = 0
    _turn: int = 0
    _positions: dict[str, int] | None = None

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def waiting(self, submitter: str) -> int:
        """Return how many jobs of a submitter wait."""
        return len(self._waiting.get(submitter, ()))

    def jobs(self) -> list[str]:
        """Return all that wait."""
        return [job for jobs in self._waiting.values() for job in jobs]

    def add(self, job: str, submitter: str) -> None:
        """Put a job at the end of its submitter's."""
        self._number += 1
        self._waiting.setdefault(submitter, {}).setdefault(job, self._number)
        self._positions = None

    def remove(self, job: str) -> bool:
        """Take a job out; return whether it waited."""
        for submitter, jobs in self._waiting.items():
            if job in jobs:
                del jobs[job]
                if not jobs:
                    del self._waiting[submitter]
                self._positions = None
                return True
        return False

    def take(self) -> str | None:
        """Return the next job, which runs from now on; none if nothing may run."""
        counts = self._counts()
        may = [who for who in self._waiting if self.most is None or counts[who] < self.most]
        if not may:
            return None
        who = min(may, key=lambda who: self._rank(who, counts[who]))
        job = next(iter(self._waiting[who]))
        self.remove(job)
        self._turn += 1
        self._served[who] = self._turn
        self.running[job] = who
        return job

    def done(self, job: str) -> None:
        """Free the place of a job that runs no more."""
        self.running.pop(job, None)
        self._positions = None

    def positions(self) -> dict[str, int]:
        """Return the place of each job that waits, from 1 on, if no other came or ended."""
        if self._positions is None:
            counts = self._counts()
            left = {who: list(jobs.items())[::-1] for who, jobs in self._waiting.items()}
            heap = [(*self._rank(who, counts[who]), who) for who in self._waiting]
            heapq.heapify(heap)
            found: dict[str, int] = {}
            while heap:
                count, _, _, who = heapq.heappop(heap)
                found[left[who].pop()[0]] = len(found) + 1
                if left[who]:
                    served = self._turn + len(found)
                    heapq.heappush(heap, (count + 1, served, left[who][-1][1], who))
            self._positions = found
        return self._positions

    def _rank(self, who: str, running: int) -> tuple[int, int, int]:
        return running, self._served.get(who, 0), next(iter(self._waiting[who].values()))

    def _counts(self) -> dict[str, int]:
        counts = dict.fromkeys(self._waiting, 0)
        for who in self.running.values():
            counts[who] = counts.get(who, 0) + 1
        return counts
