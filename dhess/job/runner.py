"""Runs a job to its end, from whatever its ledger has: windows that are missing, then the result.

What dies in between costs the windows that were in flight. A lost scheduler is looked for again, a
window over which workers die is tried alone, and a full disk is waited for.
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dhess.errors import (
    ClusterError,
    DhessError,
    InputError,
    KilledWorkerError,
    LedgerError,
    LostClusterError,
    was_interrupted,
)
from dhess.job.finding import Finding
from dhess.job.identity import fingerprint, identity
from dhess.job.outputs import check_result
from dhess.job.work import turns
from dhess.job.writing import Writing
from dhess.ledger import Entry, Ledger, Window
from dhess.ledger.lock import locked
from dhess.ledger.recorder import Recorder, is_full
from dhess.running import Progress, run, tell, workers
from dhess.source import is_url
from dhess.source import open as open_source
from dhess.source.prepared import as_of, shaped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.job.work import Work

T = TypeVar("T")

log = logging.getLogger(__name__)

TRIES: Final = 3
"""How often a window is tried over which workers die."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0
"""Seconds between two attempts to reach a scheduler, or to write to a full disk."""


@dataclass
class Runner:
    """A job, its ledger, and where it computes."""

    spec: JobSpec
    ledger: Ledger
    place: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Makes or reaches the cluster, again after it was lost."""
    patience: float = 600.0
    """Seconds without any window done that a lost cluster is waited for."""
    fresh: bool = False
    """Whether to start over."""
    verify: bool = False
    """Whether to compare what was written with its checksums."""
    job: str = ""
    """Its id: what was promised when it was handed in, or once it is known."""
    elsewhere: bool | None = None
    """Whether the cluster may come back; by default if the job names a scheduler."""
    lock: Path | None = None
    """What one runner at a time holds; ``LEDGER.lock`` by default, for a ledger of one job."""
    keep: Callable[[xr.Dataset | xr.DataArray], None] | None = None
    """Keeps the result, before the ledger says that the job is done."""
    base: int | None = None
    """How far other jobs of the cluster are, whose turns this one then shares, see `turns`."""

    def run(self) -> xr.Dataset | xr.DataArray:
        """Do what is missing, and return the result.

        Raises
        ------
        DhessError
            If the work failed; what is recorded stays, and the next run goes on from there.
        KeyboardInterrupt
            On Ctrl-C, likewise.
        """
        with locked(self.ledger.path, self.lock), self._output_alone():
            opened = self._opened()
            told = fingerprint(opened)
            self.job = self._identified(told)
            if self.fresh:
                self._insist(partial(self.ledger.forget, self.job))
            text = self.spec.model_dump_json(exclude_none=True)
            if self._insist(partial(self.ledger.add, self.job, text, told)):
                log.info("job %s is new", self.job)
            entry = self.ledger.entry(self.job)
            assert entry is not None
            spec = self.spec
            past = as_of(opened, int(entry.created * 1e9))
            data = shaped(past, spec.options, spec.selection, spec.smooth)
            try:
                return self._run(data, entry)
            except BaseException as error:
                with suppress(Exception):  # the disk may be full, or the ledger gone
                    failed = isinstance(error, Exception) and not was_interrupted(error)
                    state, note = ("failed", str(error)) if failed else ("stopped", "")
                    self.ledger.change(self.job, state, note)
                raise

    @contextmanager
    def _output_alone(self) -> Iterator[None]:
        """Hold a field's output: a job is the same one in every ledger."""
        output = self.spec.output
        if self.spec.task != "field" or output is None or is_url(output):
            yield
            return
        lock = Path(output).with_name(f".{Path(output).name}.lock")
        busy = f"another process writes output {output!r}; wait for it, or end it"
        with locked(lock, lock, busy=busy):
            yield

    def _identified(self, told: str) -> str:
        found = identity(self.spec, told)
        if self.job not in ("", found):
            raise InputError(
                f"the source of job {self.job} has changed since it was handed in; hand it in "
                "again, which makes a new job"
            )
        return found

    def _opened(self) -> xr.DataArray:
        spec = self.spec
        chunks = dict(spec.chunks) if isinstance(spec.chunks, dict) else spec.chunks
        return open_source(spec.source, spec.variable, chunks=chunks)

    def _run(self, data: xr.DataArray, entry: Entry) -> xr.Dataset | xr.DataArray:
        spec, waited = self.spec, _Patience(self.patience)
        if spec.task == "find" and spec.output is not None:
            check_result(spec.output, overwrite=spec.overwrite, written=entry.written)
        self._insist(partial(self.ledger.change, self.job, "running"))
        while True:
            done = self.ledger.count(self.job)
            needless = 0 < entry.windows == done and not self.verify
            try:
                with nullcontext() if needless else self.place() as client, _lost(client):
                    if waited.since is not None:
                        self._paused("")
                    return self._once(data)
            except ClusterError as error:
                again = isinstance(error, LostClusterError) or self._is_elsewhere
                if self.place is nullcontext or isinstance(error, KilledWorkerError) or not again:
                    raise
                self._wait(error, waited, progress=self.ledger.count(self.job) > done)
            except (OSError, DhessError) as error:
                if not is_full(error):
                    raise
                self._pause(error)

    @property
    def _is_elsewhere(self) -> bool:
        if self.elsewhere is not None:
            return self.elsewhere
        return self.spec.resources.scheduler is not None

    def _wait(self, error: Exception, waited: _Patience, *, progress: bool) -> None:
        seconds = waited.next(error, progress=progress)
        self._paused(f"{error}; trying again in {seconds:.0f} s")
        time.sleep(seconds)

    def _once(self, data: xr.DataArray) -> xr.Dataset | xr.DataArray:
        """Do what is missing with the cluster that is there."""
        work = self._work(data)
        done = self.ledger.recorded(self.job)
        bad = work.resume(self.ledger.windows(self.job), verify=self.verify) if done else set()
        if bad:
            log.warning("%d windows are not as they were recorded, and are done again", len(bad))
            self._insist(partial(self.ledger.drop, self.job, bad))
            done -= bad
            self._begin(work)
        if done:
            log.info("%d of %d windows are recorded", len(done), work.windows)
        counted = _Count(work, len(done))
        counted.tell()
        try:
            with Recorder(self.ledger, self.job, self._paused) as recorder:
                for batch in work.batches(done):
                    self._batch(work, batch, recorder, counted)
        finally:
            if self.base is not None:
                self.base += counted.new  # where it goes on from, should the cluster be lost
        return self._finished(work)

    def _work(self, data: xr.DataArray) -> Work:
        """Cut the job into windows: as its ledger says, or as the workers are best used."""
        entry = self.ledger.entry(self.job)
        assert entry is not None
        layout = json.loads(entry.layout) if entry.layout else None
        work: Work
        if self.spec.task == "find":
            note = partial(self.ledger.wrote, self.job)
            work = Finding(self.spec, data, workers(), note, layout)
        else:
            work = Writing(self.spec, data, self.job, layout)
        if layout is None:
            work.start()
            self._begin(work)
        elif entry.windows != work.windows:
            raise LedgerError(
                f"job {self.job} was cut into {entry.windows:,} windows, and is cut into "
                f"{work.windows:,} now; start over with --fresh"
            )
        elif not self.ledger.count(self.job):
            work.start()
            self._begin(work)
        return work

    def _begin(self, work: Work) -> None:
        text = json.dumps(work.layout())
        self._insist(partial(self.ledger.begin, self.job, text, work.windows))

    def _batch(
        self, work: Work, batch: list[tuple[int, Delayed]], recorder: Recorder, counted: _Count
    ) -> None:
        """Compute some windows; where workers die over them, in halves, to find which it is."""
        left = dict(batch)
        try:
            self._compute(work, left, recorder, counted)
        except KilledWorkerError as error:
            rest = list(left.items())
            if len(rest) > 1:
                half = len(rest) // 2
                self._batch(work, rest[:half], recorder, counted)
                self._batch(work, rest[half:], recorder, counted)
            else:
                self._alone(work, left, recorder, counted, error)

    def _alone(
        self,
        work: Work,
        left: dict[int, Delayed],
        recorder: Recorder,
        counted: _Count,
        first: KilledWorkerError,
    ) -> None:
        """Try a window a few times more, before it is given up."""
        error = first
        for _ in range(TRIES):
            try:
                self._compute(work, left, recorder, counted)
            except KilledWorkerError as again:
                error = again
            else:
                return
        (number,) = left
        raise KilledWorkerError(f"window {number:,} of job {self.job}: {error}") from error

    def _compute(
        self, work: Work, left: dict[int, Delayed], recorder: Recorder, counted: _Count
    ) -> None:
        """Compute windows and record each; those that are done are left no more."""
        numbers, began = list(left), time.time()

        def done(i: int, result: Any) -> None:
            number = numbers[i]
            text, checksum = work.recorded(number, result)
            recorder.add(Window(number, text, checksum, began, time.time()))
            left.pop(number, None)
            counted.add()

        while left:
            try:
                layers = [work.layer(n) for n in numbers]
                if self.base is not None:
                    layers = turns(len(numbers), self.base + counted.new)
                run([left[n] for n in numbers], done, name=work.name, layers=layers)
            except OSError as error:
                if not is_full(error):
                    raise
                self._paused(f"the output's disk is full ({error.strerror}); free some space")
                time.sleep(LONGEST_WAIT)
                numbers = list(left)
                self._paused("")

    def _insist(self, write: Callable[[], T]) -> T:
        """Write to the ledger, when its disk has room."""
        while True:
            try:
                return write()
            except LedgerError as error:
                if not is_full(error):
                    raise
                self._pause(error)

    def _pause(self, error: Exception) -> None:
        """Wait a while for room on a disk."""
        self._paused(f"a disk is full ({error}); free some space")
        time.sleep(LONGEST_WAIT)
        self._paused("")

    def _finished(self, work: Work) -> xr.Dataset | xr.DataArray:
        """Publish the result, when the disk has room for it."""
        while True:
            try:
                result = work.finish(self.ledger.windows(self.job))
                if self.keep is not None:
                    self.keep(result)
                self.ledger.change(self.job, "done")
            except (OSError, DhessError) as error:
                if not is_full(error):
                    raise
                self._pause(error)
            else:
                return result

    def _paused(self, why: str) -> None:
        """Tell that the job waits, and for what; or that it goes on."""
        log.warning("job %s %s", self.job, f"is paused: {why}" if why else "goes on")
        try:
            self.ledger.change(self.job, "paused" if why else "running", why)
        except Exception as error:  # noqa: BLE001  (the ledger's disk may be the full one)
            log.debug("the ledger does not say so: %s", error)


@contextmanager
def _lost(client: Any) -> Iterator[None]:
    """Tell an error that comes of a connection which is gone from one of the work."""
    try:
        yield
    except (DhessError, KeyboardInterrupt):
        raise
    except BaseException as error:
        if client is None or client.status == "running" or isinstance(error, GeneratorExit):
            raise
        raise LostClusterError(
            f"the connection to the scheduler is gone ({type(error).__name__}); check that it runs"
        ) from error


class _Patience:
    """Waits longer each time, and not for ever."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.wait = FIRST_WAIT
        self.since: float | None = None

    def next(self, error: Exception, *, progress: bool) -> float:
        """Return the seconds to wait now; raise the error if it was long enough."""
        now = time.monotonic()
        if progress or self.since is None:
            self.wait, self.since = FIRST_WAIT, now
        elif now - self.since > self.most:
            raise error
        wait, self.wait = self.wait, min(2 * self.wait, LONGEST_WAIT)
        return wait


class _Count:
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
