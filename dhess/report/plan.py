"""What ``dhess plan`` tells: the work, its memory and its time, before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from rich.console import Group, RenderableType
from rich.text import Text

from dhess.report.base import Number, Report
from dhess.report.layout import amount, counted, duration, facts, sizes, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dhess.planning import Plan


class PlanReport(Report):
    """What ``dhess plan`` prints; the facts are those of `dhess.plan`, by the same names."""

    report: Literal["plan"] = "plan"
    source: str
    work: Literal["find", "field", "regions", "critical"]
    measure: str
    """Empty for critical points."""
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    block: dict[str, int]
    """Points of the largest block."""
    blocks: int
    windows: int
    tasks: int
    nbytes: int
    """Of the decoded data."""
    bytes_read: int
    """Decoded, with what is read twice."""
    read_ratio: float
    """`bytes_read` ÷ `nbytes`."""
    bytes_written: int
    peak_memory: int
    """Bytes of one worker."""
    memory: dict[str, int]
    """The parts of it."""
    workers: int
    threads: int
    """Of each worker."""
    memory_limit: int | None
    """Bytes of one worker; none without a limit."""
    fits: bool
    chunks: dict[str, int] | None
    """Blocks that would fit, if these do not and others do."""
    seconds: Number
    """None without a rate."""
    rate: Number
    """Bytes that one thread reads and computes in a second."""
    advice: tuple[str, ...]

    @classmethod
    def from_plan(cls, plan: Plan) -> PlanReport:
        """Read the report from what :func:`dhess.plan` returns."""
        return cls.model_validate(plan.as_dict())

    @property
    def refusal(self) -> str:
        """Say why it does not fit, and what would."""
        limit = amount(self.memory_limit or 0)
        said = f"a worker would take {amount(self.peak_memory)} and may take {limit}"
        if self.chunks is None:
            return f"{said}, with blocks of any size; give it more memory"
        typed = ",".join(f"{dim}={size}" for dim, size in self.chunks.items())
        return f"{said}; --chunks {typed} would fit"


def plan_table(report: PlanReport) -> RenderableType:
    """Return the facts, and advice below."""
    return Group(facts(*plan_facts(report)), *_advice(report))


def _advice(report: PlanReport) -> Iterator[RenderableType]:
    if report.advice:
        yield ""
        yield from (
            Text(f"{sentence[:1].upper()}{sentence[1:].rstrip('.')}.") for sentence in report.advice
        )


_WORK: Final = {
    "find": "search for the smallest {}",
    "field": "write {}",
    "regions": "label the regions of low {}",
    "critical": "search for critical points",
}


def plan_facts(report: PlanReport) -> Iterator[tuple[str, str | None]]:
    """Return names and texts of what the work takes."""
    block = times(tuple(report.block.values()))
    blocks, tasks = counted(report.blocks, "block"), counted(report.tasks, "task")
    yield "source", report.source
    yield "work", _WORK[report.work].format(report.measure)
    yield "dimensions", sizes(report.dims, report.shape)
    yield "values", f"{report.dtype}, {amount(report.nbytes)} in memory"
    yield "cut into", f"{blocks} of up to {block}, in {counted(report.windows, 'window')}"
    yield "takes", f"{tasks}, {report.tasks / max(1, report.blocks):.2f} per block"
    yield "reads", f"{amount(report.bytes_read)}, {report.read_ratio:.2f} × the data"
    yield "writes", amount(report.bytes_written) if report.bytes_written else None
    yield "with", f"{counted(report.workers, 'worker')} of {counted(report.threads, 'thread')}"
    yield "memory of each", _memory(report)
    yield "of it", "; ".join(f"{name} {amount(n)}" for name, n in report.memory.items())
    yield "time", _time(report)


def _memory(report: PlanReport) -> str:
    peak = f"up to {amount(report.peak_memory)}"
    if report.memory_limit is None:
        return f"{peak}, without a limit"
    return f"{peak} of {amount(report.memory_limit)}: {'fits' if report.fits else 'does not fit'}"


def _time(report: PlanReport) -> str:
    if report.seconds is None or report.rate is None:
        return "not estimated; --read-rate 500MB or --read-rate measure does"
    return f"about {duration(report.seconds)}, at {amount(report.rate)} a second and thread"
