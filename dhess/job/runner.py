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
from typing import TYPE_CHECKING, Any, Final

from dhess.errors import (
    ChangedError,
    ClusterError,
    DhessError,
    InputError,
    KilledWorkerError,
    LedgerError,
    LostClusterError,
    ReadError,
    was_interrupted,
)
from dhess.job.batches import Batches, Count
from dhess.job.finding import Finding
from dhess.job.identity import check_unchanged, fingerprint, identity
from dhess.job.labelling import Labels
from dhess.job.outputs import check_result
from dhess.job.pausing import Patience, Pauses
from dhess.job.pinpointing import Pinpointing
from dhess.job.writing import Own, Writing
from dhess.ledger.lock import locked
from dhess.ledger.recorder import Recorder, is_full
from dhess.running import workers
from dhess.source import is_url
from dhess.source import open as open_source
from dhess.source.prepared import as_of, census, shaped
from dhess.stored.census import Census

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import xarray as xr

    from dhess.job.spec import JobSpec
    from dhess.job.work import Work
    from dhess.ledger import Entry, Ledger

log = logging.getLogger(__name__)

_OVER: Final = "run it with --fresh, or hand it in again"
SEARCHES: Final[dict[str, Callable[..., Work]]] = {
    "find": Finding,
    "regions": Labels,
    "critical": Pinpointing,
}
"""What does each task that is no field."""


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
            entry, spec = self._entered(opened, told), self.spec
            # Where nobody could look, what is newer than the job by the clock is refused.
            then = Census.read(entry.seen) or Census("", int(entry.created * 1e9))
            data = shaped(as_of(opened, then), spec.options, spec.selection, spec.smooth)
            try:
                return self._run(data, entry, partial(check_unchanged, opened, spec, then))
            except BaseException as error:
                with suppress(Exception):  # the disk may be full, or the ledger gone
                    self.ledger.change(self.job, *_ended(error))
                raise

    def _entered(self, opened: xr.DataArray, told: str) -> Entry:
        """Return the row of the job, which is made if there is none, or starts over."""
        if self.fresh or self.ledger.entry(self.job) is None:
            look = census(opened, self.spec.selection)
            seen = "" if look is None else look.text()
            text = self.spec.model_dump_json(exclude_none=True)
            if self.fresh:
                self._pauses.insist(partial(self.ledger.start_over, self.job, text, seen))
            if self._pauses.insist(partial(self.ledger.add, self.job, text, told, seen=seen)):
                log.info("job %s is new", self.job)
        entry = self.ledger.entry(self.job)
        assert entry is not None
        return entry

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

    def _run(
        self, data: xr.DataArray, entry: Entry, check_source: Callable[..., None]
    ) -> xr.Dataset | xr.DataArray:
        spec, waited = self.spec, Patience(self.patience)
        if spec.task != "field" and spec.output is not None:
            check = partial(check_result, overwrite=spec.overwrite, written=entry.written)
            self._pauses.insist(partial(check, spec.output))
        self._pauses.insist(partial(self.ledger.change, self.job, "running"))
        settled = entry.state == "done"  # its source was the same one to the end
        while True:
            done = self._pauses.insist(partial(self.ledger.count, self.job))
            needless = 0 < entry.windows == done and not self.verify
            try:
                if done:
                    check_source(removed=settled)  # what is recorded is not read again
                with nullcontext() if needless else self.place() as client, _lost(client):
                    if waited.since is not None:
                        self._pauses.tell("")
                    return self._once(data, settled=settled)
            except ChangedError as error:
                raise ChangedError(
                    f"{str(error).partition(';')[0]}; job {self.job} was handed in before that and "
                    f"is of the old data: put them back as they were, {_OVER}"
                ) from error
            except ReadError as error:
                raise ReadError(
                    f"{error}; if that changes the file, start job {self.job} over: {_OVER}"
                ) from error
            except ClusterError as error:
                again = isinstance(error, LostClusterError) or self._is_elsewhere
                if self.place is nullcontext or isinstance(error, KilledWorkerError) or not again:
                    raise
                self._wait(error, waited, progress=self.ledger.count(self.job) > done)
            except (OSError, DhessError) as error:
                self._pauses.for_room(error)

    @property
    def _pauses(self) -> Pauses:
        return Pauses(self.ledger, self.job)

    @property
    def _is_elsewhere(self) -> bool:
        if self.elsewhere is not None:
            return self.elsewhere
        return self.spec.resources.scheduler is not None

    def _wait(self, error: Exception, waited: Patience, *, progress: bool) -> None:
        seconds = waited.next(error, progress=progress)
        self._pauses.tell(f"{error}; trying again in {seconds:.0f} s")
        time.sleep(seconds)

    def _once(self, data: xr.DataArray, *, settled: bool) -> xr.Dataset | xr.DataArray:
        """Do what is missing with the cluster that is there."""
        work = self._work(data)
        done = self.ledger.recorded(self.job)
        bad = work.resume(self.ledger.windows(self.job), verify=self.verify) if done else set()
        if bad:
            log.warning("%d windows are not as they were recorded, and are done again", len(bad))
            self._pauses.insist(partial(self.ledger.drop, self.job, bad))
            done -= bad
            self._begin(work)
        if done:
            log.info("%d of %d windows are recorded", len(done), work.windows)
        count = Count(work, len(done))
        count.tell()
        try:
            with Recorder(self.ledger, self.job, self._pauses.tell) as recorder:
                batches = Batches(work, recorder, count, self._pauses, self.base)
                for batch in work.batches(done):
                    batches.do(batch)
        finally:
            if self.base is not None:
                self.base += count.new  # where it goes on from, should the cluster be lost
        return self._pauses.insist(partial(self._finished, work, read=count.new > 0 or not settled))

    def _work(self, data: xr.DataArray) -> Work:
        """Cut the job into windows: as its ledger says, or as the workers are best used."""
        entry = self.ledger.entry(self.job)
        assert entry is not None
        layout = json.loads(entry.layout) if entry.layout else None
        note = partial(self.ledger.wrote, self.job)
        work: Work
        if self.spec.task == "field":
            own = Own(self.job, entry.written, note)
            work = Writing(self.spec, data, own, layout)
        else:
            work = SEARCHES[self.spec.task](self.spec, data, workers(), note, layout)
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
        self._pauses.insist(partial(self.ledger.begin, self.job, text, work.windows))

    def _finished(self, work: Work, *, read: bool) -> xr.Dataset | xr.DataArray:
        """Publish the result, unless the source that was ``read`` is another one now.

        Then nothing that is recorded counts: it may be of either.
        """
        entry = self.ledger.entry(self.job)
        then = None if entry is None else Census.read(entry.seen)
        if read and then is not None:
            try:
                check_unchanged(self._opened(), self.spec, then)
            except ChangedError:
                self.ledger.drop(self.job, self.ledger.recorded(self.job))
                raise
        result = work.finish(self.ledger.windows(self.job))
        if self.keep is not None:
            self.keep(result)
        self.ledger.change(self.job, "done")
        return result


def _ended(error: BaseException) -> tuple[str, str]:
    """Return the state of a job that an error ended, and a note."""
    if was_interrupted(error) or not isinstance(error, Exception):
        return "stopped", ""
    return ("stopped" if is_full(error) else "failed"), str(error)


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
