"""How far the work is: a bar on a terminal, a line every few seconds elsewhere, on stderr."""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, Self

from dask.callbacks import Callback

from dhess.cli.pace import Pace
from dhess.errors import plain
from dhess.report.layout import amount, duration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from dhess.running import Progress

log = logging.getLogger(__name__)

EVERY: Final = 5.0
"""Seconds between two lines where stderr is no terminal."""
ASK: Final = 0.5
"""Seconds between two questions to a scheduler."""


class Meter:
    """Shows how much of how much is done, as a bar or as plain lines."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.began = self.spoke = time.monotonic()
        self.bar: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console

            self.bar = self._bar(Console(stderr=True))
            self.bar.start()
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def _bar(self, console: Any) -> Any:
        """Return a bar with one task, of unknown length."""
        from rich.progress import Progress

        bar = Progress(console=console, transient=True)
        bar.add_task(self.label, total=None)
        return bar

    def show(self, done: int, total: int) -> None:
        """Tell how many tasks of how many are done."""
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=done, total=total)
        elif self._due(now := time.monotonic()):
            self._say(f"{done:,} of {total:,} tasks, {now - self.began:.0f} s")

    def _due(self, now: float) -> bool:
        """Tell whether it is time for a line, which is then taken as said."""
        due = now - self.spoke >= EVERY
        if due:
            self.spoke = now
        return due

    def _say(self, what: str) -> None:
        print(plain(f"{self.label}: {what}"), file=sys.stderr)


class SearchMeter(Meter):
    """Shows how far a search is: blocks, bytes per second, time left, the best so far."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.pace = Pace()
        self.last: Progress | None = None

    def _bar(self, console: Any) -> Any:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}", markup=False, style="progress.data.speed"),
            console=console,
            transient=True,
        )
        bar.add_task(self.label, total=None, told="")
        return bar

    def see(self, progress: Progress) -> None:
        """Take what a search tells of itself, see `dhess.running.watched`."""
        now = time.monotonic()
        self.last = progress
        self.pace.add(now, progress.nbytes)
        if self.bar is not None:
            told = ", ".join(self._told(progress))
            self.bar.update(
                self.bar.task_ids[0], completed=progress.blocks, total=progress.of_blocks, told=told
            )
        elif self._due(now):
            percent = 100 * progress.blocks // progress.of_blocks
            blocks = f"{progress.blocks:,} of {progress.of_blocks:,} blocks"
            self._say(", ".join([blocks, f"{percent} %", *self._told(progress)]))

    def _told(self, progress: Progress) -> Iterator[str]:
        """Say what is known beside the number of blocks."""
        if progress.of_windows > 1:
            yield f"window {progress.window:,} of {progress.of_windows:,}"
        rate = self.pace.rate()
        if rate is not None:
            yield f"{amount(rate)}/s"
            yield f"{duration((progress.of_nbytes - progress.nbytes) / rate)} left"
        if progress.value is not None:
            yield f"best {progress.value:.3g}"

    def sum_up(self) -> None:
        """Tell the log what was read, and how fast over all."""
        if self.last is not None:
            spent = max(time.monotonic() - self.began, 1e-3)
            nbytes = self.last.nbytes
            log.info(
                "%s: read and searched %s in %s, %s/s",
                self.label, amount(nbytes), duration(spent), amount(nbytes / spent),
            )  # fmt: skip


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
def searching(label: str) -> Iterator[None]:
    """Show how far the search inside is, in blocks."""
    from dhess.running import watched

    with SearchMeter(label) as meter, watched(meter.see):
        yield
    meter.sum_up()


@contextmanager
def counting(client: Any, label: str) -> Iterator[None]:
    """Show the tasks of whatever is computed inside: on the client, or else by threads."""
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
