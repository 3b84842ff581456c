"""Time two things in turns, so that a busy machine slows both."""

from __future__ import annotations

import contextlib
import gc
import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass(frozen=True)
class Pairs:
    """Medians over pairs A B A B …, in seconds; ``ratio`` is the median of B ÷ A."""

    a: float
    b: float
    ratio: float

    @classmethod
    def of(cls, taken: list[tuple[float, float]]) -> Pairs:
        return cls(
            a=statistics.median(first for first, _ in taken),
            b=statistics.median(second for _, second in taken),
            ratio=statistics.median(second / first for first, second in taken),
        )

    @property
    def quotient(self) -> str:
        return f"{_time(self.b)} ÷ {_time(self.a)}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.2f} s"


@dataclass(frozen=True)
class Rounds:
    """Times of several calls, measured in turns A B C A B C …, by name."""

    taken: dict[str, list[float]]

    def pairs(self, over: str, under: str) -> Pairs:
        """Compare two of them round by round; ``ratio`` is that of ``over`` to ``under``."""
        return Pairs.of(list(zip(self.taken[under], self.taken[over], strict=True)))


@contextlib.contextmanager
def one_core() -> Iterator[None]:
    """Keep this thread, dask's threads and what they start on the last CPU of this process."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        with dask.config.set(num_workers=1):
            yield
    finally:
        os.sched_setaffinity(0, before)


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_pairs(a: Callable[[], object], b: Callable[[], object], repeat: int) -> Pairs:
    return pairs(lambda: seconds(a), lambda: seconds(b), repeat)


def pairs(a: Callable[[], float], b: Callable[[], float], repeat: int) -> Pairs:
    """As `in_pairs`, for calls that return a measured number themselves."""
    taken = []
    for _ in range(repeat):
        gc.collect()
        taken.append((a(), b()))
    return Pairs.of(taken)


def in_rounds(calls: Mapping[str, Callable[[], float]], repeat: int) -> Rounds:
    """Let calls that return a measured number take turns."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeat):
        for name, call in calls.items():
            gc.collect()
            taken[name].append(call())
    return Rounds(taken)
