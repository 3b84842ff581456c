"""What the processes of a gateway hold, sampled while it works."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import linear_regression
from typing import Final

import psutil

SETTLED: Final = 0.25
"""The first part of a process's life, in which it loads its code; no slope is taken there."""
LONG: Final = 600.0
"""Seconds that a process has to live for a slope to be taken."""
ROLES: Final = {
    "dhess.service.scheduling": "scheduler",
    "dhess.service.running": "runner",
    "dhess.service.looking": "looker",
    "resource_tracker": "resource tracker",
    "spawn_main": "worker",
}
"""What stands in the command of a process, and what it is for."""


@dataclass(frozen=True)
class Sample:
    """One look at one process."""

    at: float
    """Seconds since the watch began."""
    megabytes: float
    """Memory, of which what is shared counts by share (PSS)."""
    files: int
    sockets: int
    threads: int


@dataclass
class Watch:
    """The processes below one, by pid and role."""

    began: float = field(default_factory=time.monotonic)
    samples: dict[tuple[int, str], list[Sample]] = field(default_factory=lambda: defaultdict(list))

    def look(self, pid: int) -> None:
        """Sample a process and all below it."""
        top = psutil.Process(pid)
        for process in [top, *top.children(recursive=True)]:
            try:
                role = role_of(process, top)
                sample = Sample(
                    time.monotonic() - self.began,
                    process.memory_full_info().pss / 1e6,
                    process.num_fds(),
                    len(process.net_connections()),
                    process.num_threads(),
                )
            except psutil.Error:
                continue  # it has just ended
            self.samples[process.pid, role].append(sample)

    def rows(self) -> list[str]:
        """Return a row of the report for each process that lived long enough."""
        return [
            _row(role, samples)
            for (_, role), samples in sorted(self.samples.items(), key=lambda item: item[0][1])
            if samples[-1].at - samples[0].at >= LONG
        ]

    def short(self) -> int:
        """Return how many did not."""
        return len(self.samples) - len(self.rows())


def role_of(process: psutil.Process, top: psutil.Process) -> str:
    """Say what a process is for."""
    if process.pid == top.pid:
        return "gateway"
    words = " ".join(process.cmdline())
    return next((role for word, role in ROLES.items() if word in words), "other")


def settled(samples: list[Sample]) -> list[Sample]:
    """Return the samples after a process has loaded its code."""
    start, end = samples[0].at, samples[-1].at
    return [each for each in samples if each.at >= start + SETTLED * (end - start)]


def slope(samples: list[Sample]) -> float:
    """Return the megabytes that memory grows by in an hour."""
    kept = settled(samples)
    return 3600 * linear_regression([s.at for s in kept], [s.megabytes for s in kept]).slope


def _row(role: str, samples: list[Sample]) -> str:
    kept = settled(samples)
    first, last = kept[0], kept[-1]
    cells = [
        role, f"{(samples[-1].at - samples[0].at) / 60:.0f} min",
        f"{first.megabytes:.0f}", f"{last.megabytes:.0f}",
        f"{max(s.megabytes for s in samples):.0f}", f"{slope(samples):+.1f}",
        f"{first.files} → {last.files}", f"{first.sockets} → {last.sockets}",
        f"{first.threads} → {last.threads}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"
