"""Compute parts of the work where Dask would, and take each result when it is there."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import dask
from dask.base import get_scheduler
from dask.callbacks import Callback

from dhess.errors import ClusterError, KilledWorkerError, LostClusterError
from dhess.interrupts import ctrl_c_heeded
from dhess.waiting import Attendant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dask.delayed import Delayed
    from distributed import Client, Future

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    blocks: int
    """Blocks that are done."""
    of_blocks: int
    nbytes: int
    """Bytes of decoded data in them."""
    of_nbytes: int
    window: int
    """Which window is being searched, from 1 on."""
    of_windows: int
    value: float | None = None
    """Smallest value so far; None before there is any."""
    index: tuple[int, ...] = ()
    """Where it is."""


_watchers: ContextVar[tuple[Callable[[Progress], None], ...]] = ContextVar("watchers", default=())


@contextmanager
def watched(watcher: Callable[[Progress], None]) -> Iterator[None]:
    """Have a function called whenever a search inside gets further."""
    token = _watchers.set((*_watchers.get(), watcher))
    try:
        yield
    finally:
        _watchers.reset(token)


def tell(progress: Progress) -> None:
    """Tell all who watch, and the log."""
    log.debug("%s", progress)
    for watcher in _watchers.get():
        watcher(progress)


def active_client() -> Client | None:
    """Return the client of the cluster that Dask would compute on; None for threads.

    Examples
    --------
    >>> active_client() is None
    True
    """
    if "distributed" not in sys.modules:
        return None  # which would only be imported to say so
    compute = get_scheduler()
    owner = getattr(compute, "__self__", None)
    return owner if hasattr(owner, "scheduler_info") else None


@dataclass(frozen=True)
class Workers:
    """What computes."""

    count: int
    """Processes."""
    threads: int
    """Of each of them."""
    memory: int | None
    """Bytes that the smallest of them may take; None without a limit."""

    @property
    def slots(self) -> int:
        """Tasks that run at once."""
        return self.count * self.threads


NOBODY = Workers(1, 1, None)
"""Threads of this process, whose memory has no limit of its own."""


def workers() -> Workers | None:
    """Return the workers of the active cluster; None where there is none, or it is still empty."""
    client = active_client()
    if client is None:
        return None
    known = client.scheduler_info(n_workers=-1)["workers"].values()
    if not known:
        return None
    limits = [each["memory_limit"] for each in known if each["memory_limit"]]
    return Workers(len(known), max(each["nthreads"] for each in known), min(limits, default=None))


def run(
    parts: Sequence[Delayed],
    done: Callable[[int, Any], None],
    *,
    name: str,
    layers: Sequence[int] | None = None,
) -> None:
    """Compute delayed objects and hand over each result as it comes, in any order.

    It comes with the position of its object. On a cluster they are a span of that name, as its
    dashboard shows it; those of a lower layer go first, with all that they need. (Dask itself, left
    alone with blocks that need their neighbours, may read most of them before it writes the first.)

    Raises
    ------
    LostClusterError
        If the cluster has dropped them, or is gone.
    KilledWorkerError
        If workers died again and again over one of them.
    ClusterError
        If all workers stay paused for their memory.
    """
    client = active_client()
    where: dict[Any, int] = {}
    for i, part in enumerate(parts):
        where.setdefault(part.key, i)
    with ctrl_c_heeded() as check:

        def take(i: int, result: Any) -> None:
            done(i, result)
            check()

        if client is None:
            _in_this_process(parts, where, take)
        else:
            _on_cluster(client, parts, where, take, name, layers)


def _in_this_process(
    parts: Sequence[Delayed], where: Mapping[Any, int], done: Callable[[int, Any], None]
) -> None:
    left = set(where)

    def take(key: Any, value: Any, *_: Any) -> None:
        if key in left:
            left.remove(key)
            done(where[key], value)

    callback = Callback(posttask=take)
    try:
        with callback:
            results = dask.compute(*parts)
    finally:
        # Schedulers of several threads put the set of callbacks aside and back, this one with it.
        Callback.active.discard(callback._callback)
    for part, result in zip(parts, results, strict=True):
        take(part.key, result)  # a scheduler of another kind calls nobody


def _on_cluster(
    client: Client,
    parts: Sequence[Delayed],
    where: Mapping[Any, int],
    done: Callable[[int, Any], None],
    name: str,
    layers: Sequence[int] | None,
) -> None:
    from distributed import as_completed, rejoin, secede, span
    from distributed.scheduler import KilledWorker
    from distributed.worker import thread_state

    inside = bool(getattr(thread_state, "key", None))
    with span("dhess", name):
        futures = _submitted(client, parts, layers or [0] * len(parts))
    if inside:
        secede()  # a task that waits for others must not hold the thread that they need
    try:
        with Attendant.of(client, futures) as attendant:
            for future, result in as_completed(futures, with_results=True):
                if isinstance(result, BaseException):
                    raise _cancelled(attendant) from result
                future.release()  # the worker need not keep what is here
                done(where[future.key], result)
    except KilledWorker as error:
        raise KilledWorkerError(
            f"workers died {error.allowed_failures + 1} times over the task {error.task!r}; they "
            "probably ran out of memory: give them more, or make blocks smaller with chunks="
        ) from error
    finally:
        with suppress(Exception):  # a client that is closed has nothing to cancel
            client.cancel(futures)
        if inside:
            rejoin()


def _submitted(client: Client, parts: Sequence[Delayed], layers: Sequence[int]) -> list[Future]:
    futures: list[Future] = []
    for layer, items in groupby(zip(layers, parts, strict=True), key=itemgetter(0)):
        futures += client.compute([part for _, part in items], priority=-layer)
    return futures


def _cancelled(attendant: Attendant) -> ClusterError:
    if attendant.gave_up is None:
        return LostClusterError(
            "the work was cancelled, since the cluster was restarted or closed, or somebody "
            "cancelled its tasks; run it again"
        )
    return KilledWorkerError(
        f"{attendant.gave_up}, and nothing runs that could free it; give workers more memory, make "
        "blocks smaller with chunks=, or restart the workers if other work has filled them"
    )
