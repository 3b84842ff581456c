"""What is shown of a job: the ledger's row, and how far its runner says that it is."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from dhess.errors import InputError
from dhess.job import JobSpec
from dhess.ledger import ENDED
from dhess.service.models import Best, JobView
from dhess.source import public

if TYPE_CHECKING:
    from dhess.ledger import Entry, Ledger
    from dhess.service.models import State, Wish
    from dhess.service.settings import Settings

SPAN = 30.0
"""Seconds over which a rate is taken."""


@dataclass
class Pace:
    """How fast a job has been lately."""

    seen: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=256))
    """When how many windows were done."""

    def add(self, done: int) -> None:
        """Take note of how many are done now."""
        now = time.monotonic()
        self.seen.append((now, done))
        while len(self.seen) > 2 and now - self.seen[0][0] > SPAN:
            self.seen.popleft()

    @property
    def rate(self) -> float | None:
        """Windows per second; none before anything was done."""
        if len(self.seen) < 2:
            return None
        (first, before), (last, now) = self.seen[0], self.seen[-1]
        return (now - before) / (last - first) if last > first and now > before else None


@dataclass(frozen=True)
class Known:
    """A job as the disk knows it."""

    entry: Entry
    done: int
    """Windows that are recorded."""
    progress: dict[str, Any]
    """What its runner told last; empty before it has told anything."""

    @classmethod
    def read(cls, ledger: Ledger, entry: Entry, settings: Settings) -> Known:
        """Read the rest of what is known of a job."""
        done = entry.windows
        if entry.state != "done":
            done = ledger.count(entry.id) if entry.windows else 0
        try:
            text = (settings.folder(entry.id) / "progress.json").read_text(encoding="utf-8")
            progress: dict[str, Any] = json.loads(text)
        except (OSError, ValueError):
            progress = {}
        return cls(entry, done, progress)


def view_of(
    known: Known,
    *,
    progress: dict[str, Any] | None = None,
    pace: Pace | None = None,
    queue: int | None = None,
    state: tuple[str, str] | None = None,
) -> JobView:
    """Return what is shown of a job; of one that runs, the other things are of its runner."""
    entry = known.entry
    spec = JobSpec.model_validate_json(entry.spec)
    told = progress or known.progress
    done = max(known.done, told.get("window", 0) if progress else 0)
    share = done / entry.windows if entry.windows else 0.0
    rate = pace.rate if pace is not None and entry.state == "running" else None
    sources = [spec.source] if isinstance(spec.source, str) else spec.source
    shown = [public(each) for each in sources]
    output = None if spec.output is None else public(spec.output)
    if state is not None and entry.state not in ENDED:
        entry = replace(entry, state=state[0], note=state[1])
    measure = "" if spec.task == "critical" else spec.measure
    return JobView(
        id=entry.id,
        task=spec.task,
        state=cast("State", entry.state),
        note=entry.note,
        wish=cast("Wish", entry.wish),
        source=shown[0] if isinstance(spec.source, str) else shown,
        variable=spec.variable,
        measure=measure,
        output=output,
        submitter=entry.submitter,
        created=_time(entry.created),
        started=None if entry.started is None else _time(entry.started),
        ended=None if entry.ended is None else _time(entry.ended),
        windows=entry.windows,
        done=done,
        blocks=round(share * told.get("of_blocks", 0)),
        of_blocks=told.get("of_blocks", 0),
        nbytes=round(share * told.get("of_nbytes", 0)),
        of_nbytes=told.get("of_nbytes", 0),
        rate=rate,
        eta=(entry.windows - done) / rate if rate else None,
        best=_best(told),
        attempts=entry.attempts,
        spec=_spec(spec, output, shown),
        queue=queue if entry.state not in ENDED else None,
    )


def _best(told: dict[str, Any]) -> Best | None:
    if told.get("value") is None:
        return None
    return Best(value=told["value"], index=told["index"])


def _spec(spec: JobSpec, output: str | None, sources: list[str]) -> dict[str, Any]:
    """Return the job as it can be handed in again: what was left to its defaults is left out."""
    plain = spec.model_dump(mode="json", exclude_defaults=True, exclude={"resources"})
    plain["source"] = sources[0] if isinstance(spec.source, str) else sources
    plain["task"] = spec.task
    if spec.task != "critical":
        plain["measure"] = spec.measure
    if output is not None:
        plain["output"] = output
    if spec.resources.window is not None:
        plain["resources"] = {"window": spec.resources.window}
    return plain


def _time(seconds: float) -> str:
    when = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def cursor(entry: Entry) -> str:
    """Return what names the place of a job in the list of all.

    Examples
    --------
    >>> place("1700000000.25-ab")
    (1700000000.25, 'ab')
    """
    return f"{entry.created!r}-{entry.id}"


def place(text: str) -> tuple[float, str]:
    """Return the time and the id that a cursor holds.

    Raises
    ------
    InputError
        If it is none.
    """
    created, _, job = text.partition("-")
    try:
        return float(created), job
    except ValueError:
        raise InputError(
            f"before={text!r} is no place in the list; give the 'next' of the page before"
        ) from None
