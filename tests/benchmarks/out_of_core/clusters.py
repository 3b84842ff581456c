"""The clusters that compute: dhess's own, and the one that Dask starts by default."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import dhess
from tests.benchmarks.timing import Rounds, in_rounds, seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from distributed import Client

    from tests.benchmarks.scale import Scale

WORKERS = 2
_TRIM = "MALLOC_TRIM_THRESHOLD_"


@contextlib.contextmanager
def tuned(workers: int = WORKERS, **options: Any) -> Iterator[Client]:
    """Start `dhess.local_cluster`."""
    with dhess.local_cluster(workers, **options) as client:
        _check(client, trim="2147483648")
        yield client


@contextlib.contextmanager
def default(workers: int = WORKERS) -> Iterator[Client]:
    """Start what Dask's documentation starts."""
    from distributed import Client, LocalCluster

    with (
        _environment_restored(),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,
    ):
        _check(client, trim="65536")
        yield client


@contextlib.contextmanager
def _environment_restored() -> Iterator[None]:
    """Undo what a nanny leaves in this process, since it would win in the next cluster."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _check(client: Client, trim: str) -> None:
    """Refuse to measure workers that may not use every core, or that another cluster has tuned."""
    for cores, found in client.run(
        lambda: (os.sched_getaffinity(0), os.environ.get(_TRIM))
    ).values():
        if cores != os.sched_getaffinity(0) or found != trim:
            raise AssertionError(f"a worker has cores {cores} and {_TRIM}={found}, not {trim}")


def timed(client: Client, call: Callable[[], object]) -> Callable[[], float]:
    """Return a call that is computed by this cluster, whichever was started last, and timed."""

    def run() -> float:
        with client.as_current():
            return seconds(call)

    return run


def in_turns(calls: Mapping[str, Callable[[], float]], scale: Scale, repeat: int) -> Rounds:
    """Measure after a round that compiles, fills the page cache and is not counted."""
    if scale.full or scale.repeat > 1:
        in_rounds(calls, 1)
    return in_rounds(calls, repeat)
