"""What a gateway tells, as JSON."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from dhess.job.spec import Task  # noqa: TC001  (pydantic reads it)
from dhess.report.base import finite

Number = Annotated[float | None, BeforeValidator(finite)]
State = Literal["queued", "running", "paused", "stopped", "done", "failed", "cancelled"]
Wish = Literal["run", "cancel", "delete"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Best(_Model):
    """The smallest value that a search has found so far: of a measure, or a critical one."""

    value: Number
    index: list[int]
    """Where it is, one index per dimension."""


class JobView(_Model):
    """A job as it is now."""

    id: str
    task: Task
    state: State
    note: str = ""
    """Why it is in that state, where that needs a word."""
    wish: Wish = "run"
    """What was asked last: a job that runs is cancelled a moment after the wish."""
    source: str | list[str]
    variable: str | None = None
    measure: str
    """Empty for critical points, which have none."""
    output: str | None = None
    """Where it writes to besides the kept result."""
    submitter: str
    created: str
    """When it was handed in; times are ISO 8601 in UTC."""
    started: str | None = None
    ended: str | None = None
    windows: int
    """What is recorded one by one; 0 until it has begun."""
    done: int
    """Windows that are recorded."""
    blocks: int
    """Blocks that are done."""
    of_blocks: int
    nbytes: int
    """Bytes of decoded data in them."""
    of_nbytes: int
    rate: Number = None
    """Windows per second; null unless it runs."""
    eta: Number = None
    """Seconds that are left at that rate."""
    best: Best | None = None
    """Of a search that has found something."""
    attempts: int = 0
    """Starts in a row that died without a window done."""
    spec: dict[str, Any]
    """The job as it can be handed in again."""
    queue: int | None = None
    """Place in the queue, from 1 on; null unless it waits there."""


class JobPage(_Model):
    """Some jobs, the newest first."""

    jobs: list[JobView]
    next: str | None = None
    """What `before` has to be for the jobs that come after these."""


class LogPage(_Model):
    """Some lines of a job's log."""

    lines: list[dict[str, Any]]
    """Each with `time`, `level`, `job` and `message`."""
    next: int
    """What `after` has to be for the lines that come after these."""


class Check(_Model):
    """Whether a part of the gateway works."""

    ok: bool
    told: str


class Readiness(_Model):
    """Whether the gateway can take in jobs and run them."""

    ready: bool
    checks: dict[str, Check]


class Figures(_Model):
    """What is counted since the gateway was started, and what is there now."""

    jobs: dict[str, int] = Field(default_factory=dict)
    """By state."""
    queued: int = 0
    running: int = 0
    windows: int = 0
    """Recorded since the start."""
    submissions: int = 0
    """New jobs since the start."""
    children: dict[str, int] = Field(default_factory=dict)
    """Processes that run, by kind."""
    restarts: dict[str, int] = Field(default_factory=dict)
    """Processes that died and were started again, by kind."""
    workers: int | None = None
    """Of the cluster; null while it does not answer."""
    threads: int | None = None
    memory: int | None = None
    """Bytes that its workers may take together."""
