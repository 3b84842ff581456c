"""What a benchmark hands back, and its Markdown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


RATIO_HEAD = ("what is compared", "measured", "ratio", "limit")
COST_HEAD = ("`find_minimum` of", "points", "ns per point", "ns per component", "÷ `x.min()`")


@dataclass(frozen=True)
class Limit:
    bound: float
    most: bool

    def holds(self, figure: float) -> bool:
        return figure <= self.bound if self.most else figure >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {self.bound:g}"


def at_most(bound: float) -> Limit:
    return Limit(bound, most=True)


def at_least(bound: float) -> Limit:
    return Limit(bound, most=False)


@dataclass(frozen=True)
class Ratio:
    """One compared pair: ``figure`` is the median of the pairs' own ratios."""

    what: str
    measured: str
    figure: float
    limit: Limit | None = None

    @property
    def missed(self) -> bool:
        return self.limit is not None and not self.limit.holds(self.figure)

    def cells(self) -> tuple[str, ...]:
        limit = "" if self.limit is None else str(self.limit)
        return self.what, self.measured, _short(self.figure), limit


@dataclass(frozen=True)
class Cost:
    """What a search costs for each point of a field."""

    field: str
    points: int
    ns_per_point: float
    ns_per_component: float
    reads: float
    "The search's time as a multiple of `x.min()`."

    def cells(self) -> tuple[str, ...]:
        return (
            self.field,
            f"{self.points / 1e6:.1f} M",
            f"{self.ns_per_point:.2f}",
            f"{self.ns_per_component:.2f}",
            f"{self.reads:.1f}",
        )


@dataclass
class Report:
    command: str
    machine: dict[str, str]
    ratios: list[Ratio] = field(default_factory=list)
    costs: list[Cost] = field(default_factory=list)
    out_of_core: list[Ratio] = field(default_factory=list)
    service: list[Ratio] = field(default_factory=list)

    def add(self, rows: Iterable[Ratio | Cost]) -> None:
        """Add what was measured in memory."""
        for row in rows:
            (self.ratios if isinstance(row, Ratio) else self.costs).append(row)  # type: ignore[arg-type]

    @property
    def missed(self) -> list[Ratio]:
        rows = self.ratios + self.out_of_core + self.service
        return [ratio for ratio in rows if ratio.missed]

    def markdown(self) -> str:
        parts = [f"`{self.command}`. {_sentence(self.machine)}"]
        if self.ratios or self.costs:
            parts.append("In memory, on one core:")
        if self.ratios:
            parts.append(_table(RATIO_HEAD, [ratio.cells() for ratio in self.ratios]))
        if self.costs:
            parts.append(_table(COST_HEAD, [cost.cells() for cost in self.costs]))
        if self.out_of_core:
            parts.append("Out of core, with two worker processes of one thread:")
            parts.append(_table(RATIO_HEAD, [ratio.cells() for ratio in self.out_of_core]))
        if self.service:
            parts.append("Jobs, with two worker processes of one thread:")
            parts.append(_table(RATIO_HEAD, [ratio.cells() for ratio in self.service]))
        return "\n\n".join(parts)

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def _sentence(machine: dict[str, str]) -> str:
    hardware = f"{machine['CPU']}, {machine['cores']} cores, {machine['memory']}"
    versions = [f"{k} {v}" for k, v in machine.items() if k not in {"CPU", "cores", "memory"}]
    return f"{hardware}; {', '.join(versions)}."


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    rule = ("---", *("--:" for _ in head[1:]))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [head, rule, *rows])


def _short(figure: float) -> str:
    return (
        f"{figure:.0f}" if figure >= 10 else f"{figure:.2f}" if figure >= 0.1 else f"{figure:.3f}"
    )
