"""How far the work is: a bar on a terminal, a line every few seconds elsewhere, on stderr."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from dask.callbacks import Callback

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

EVERY: Final = 5.0
"""Seconds between two lines where stderr is no terminal."""
ASK: Final = 0.5
"""Seconds between two questions to a scheduler."""


class Meter:
    """Shows `done` of `total` tasks, as a bar or as plain lines."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.began = self.spoke = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self.bar = Progress(console=Console(stderr=True), transient=True)
            self.bar.add_task(self.label, total=None)
            self.bar.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def show(self, done: int, total: int) -> None:
        """Tell how many tasks of how many are done."""
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=done, total=total)
            return
        now = time.monotonic()
        if now - self.spoke >= EVERY:
            self.spoke = now
            spent = now - self.began
            print(f"{self.label}: {done:,} of {total:,} tasks, {spent:.0f} s", file=sys.stderr)


class _Threads(Callback):  # type: ignore[misc]  # dask has no types
    """Counts what Dask's schedulers in this process have finished."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(posttask=self._count)
        self.meter = meter

    def _count(self, _key: Any, _value: Any, _dsk: Any, state: Any, _thread: Any) -> None:
        done = len(state["finished"])
        left = sum(len(state[name]) for name in ("ready", "waiting", "running"))
        self.meter.show(done, done + left)


def _tasks(dask_scheduler: Any) -> tuple[int, int]:
    """Return how many tasks a scheduler has ever finished, and ever been given."""
    prefixes = dask_scheduler.task_prefixes.values()
    finished, forgotten = (
        sum(each.state_counts[state] for each in prefixes) for state in ("memory", "forgotten")
    )
    return finished, forgotten + len(dask_scheduler.tasks)


def _ask(client: Any, meter: Meter, over: threading.Event) -> None:
    """Ask the scheduler how far it is until the work is over or it no longer says."""
    try:
        finished, given = client.run_on_scheduler(_tasks)
        while not over.wait(ASK):
            done, total = client.run_on_scheduler(_tasks)
            if total > given:
                meter.show(done - finished, total - given)
    except Exception:  # noqa: BLE001, S110  (a scheduler may refuse questions; the work goes on)
        pass


@contextmanager
def watching(client: Any, label: str) -> Iterator[None]:
    """Show the progress of whatever is computed inside: on the client, or else by threads."""
    with ExitStack() as stack:
        meter = stack.enter_context(Meter(label))
        if client is None:
            stack.enter_context(_Threads(meter))
            yield
            return
        over = threading.Event()
        asking = threading.Thread(target=_ask, args=(client, meter, over), daemon=True)
        asking.start()
        try:
            yield
        finally:
            over.set()
            asking.join(timeout=2 * ASK)
