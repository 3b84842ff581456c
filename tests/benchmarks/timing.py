"""Time two things in turns, so that a busy machine slows both."""

from __future__ import annotations

import gc
import os
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dask

if TYPE_CHECKING:
    from collections.abc import Callable


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


def pin_to_one_core() -> None:
    """Keep this process, and dask's threads in it, on the last CPU that it may use."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    dask.config.set(num_workers=1)


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
