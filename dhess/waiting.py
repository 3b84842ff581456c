"""Notice workers that Dask has stopped for their memory: it would wait for them for ever.

Workers keep what they have freed (`dhess.cluster` says why), and Dask counts it. One that is paused
gives it back, and goes on if that was all; where every worker stays paused, the work is given up.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from dhess.shapes import mega

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from distributed import Client, Future

log = logging.getLogger(__name__)

EVERY = 2.0
"""Seconds between two looks at the workers."""

LOOKS = 15
"""How often in a row no worker may be able to go on."""

# As text: a function of this module would import all of dhess into a worker that may have no room.
_GIVE_BACK = """
import contextlib, ctypes
with contextlib.suppress(OSError, AttributeError):  # only the C library of GNU can
    ctypes.CDLL("libc.so.6").malloc_trim(0)
"""


def stuck(workers: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return what is wrong if every worker is paused and runs nothing that could end that.

    Parameters
    ----------
    workers
        As the scheduler describes them, by address.

    Examples
    --------
    >>> idle = {"metrics": {"task_counts": {}, "memory": 9e8}, "memory_limit": 1e9}
    >>> stuck({"a": {"status": "running", **idle}}) is None
    True
    >>> stuck({"a": {"status": "paused", **idle}})
    'Dask has paused every worker: the fullest one holds 900MB of its 1000MB'
    """
    known = list(workers.values())
    if not known or any(each["status"] != "paused" or _busy(each) for each in known):
        return None
    fullest = max(known, key=lambda each: each["metrics"].get("memory", 0))
    held, limit = fullest["metrics"].get("memory", 0), fullest["memory_limit"]
    return f"Dask has paused every worker: the fullest one holds {mega(held)} of its {mega(limit)}"


def _busy(worker: Mapping[str, Any]) -> bool:
    return bool(worker["metrics"].get("task_counts", {}).get("executing"))


class Attendant:
    """Looks after work on a cluster, in a thread of its own."""

    def __init__(self, client: Client, futures: Sequence[Future]) -> None:
        self.client = client
        self.futures = futures
        self.gave_up: str | None = None
        """Why the work was cancelled, if it was."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._attend, name="dhess-attendant", daemon=True)

    def _attend(self) -> None:
        stuck_for, empty_for = 0, 0
        while not self._over.wait(EVERY):
            try:
                workers = self.client.scheduler_info(n_workers=-1)["workers"]
            except Exception:  # noqa: BLE001  (who waits for the work hears of it)
                return
            paused = [name for name, each in workers.items() if each["status"] == "paused"]
            if paused:
                with suppress(Exception):  # a worker that dies meanwhile has given it back
                    self.client.run(exec, _GIVE_BACK, workers=paused, on_error="ignore")
            why = stuck(workers)
            stuck_for = stuck_for + 1 if why else 0
            empty_for = empty_for + 1 if not workers else 0
            if empty_for == LOOKS:
                log.warning("the cluster has no workers; the work waits until one joins")
            if stuck_for >= LOOKS:
                self.gave_up = why
                with suppress(Exception):
                    self.client.cancel(self.futures, force=True)
                return

    @classmethod
    @contextmanager
    def of(cls, client: Client, futures: Sequence[Future]) -> Iterator[Attendant]:
        """Look after the work inside."""
        attendant = cls(client, futures)
        attendant._thread.start()
        try:
            yield attendant
        finally:
            attendant._over.set()
