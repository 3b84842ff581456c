"""What a row of the table is: a published figure, and the question that dhess is asked about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

import dhess

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[Any]
Float = NDArray[np.float64]
Figures = Any
"""Numbers, nested as an array would be, or words."""
Asked = str | Callable[..., xr.DataArray]
OPERATORS: dict[str, Callable[..., xr.DataArray]] = {
    "gradient": dhess.gradient,
    "hessian": dhess.hessian,
    "laplacian": dhess.laplacian,
    "eigenvalues": dhess.eigenvalues,
}


def array(values: ArrayLike, dims: str, **coords: ArrayLike) -> xr.DataArray:
    """Label an array with names set apart by blanks; without a coordinate, spacing is 1."""
    return xr.DataArray(np.asarray(values), coords, dims.split())


@dataclass(frozen=True)
class Question:
    """One call of dhess, and which part of its answer is compared."""

    data: xr.DataArray
    ask: Asked
    """An operator, a measure by its name, or a function that asks dhess more than once."""
    part: Mapping[str, str | list[str]] = field(default_factory=dict)
    """Components, by the labels of ``row`` and ``col``."""
    where: Mapping[str, int | slice | list[int]] = field(default_factory=dict)
    """Points, by their indices."""
    then: Callable[[Array], Any] | None = None
    """A change of unit or of convention."""
    options: Mapping[str, Any] = field(default_factory=dict)

    def answer(self) -> Array:
        """Ask dhess."""
        if callable(self.ask):
            result = self.ask(self.data, **self.options)
        elif self.ask in OPERATORS:
            result = OPERATORS[self.ask](self.data, **self.options)
        else:
            result = dhess.measure(self.data, self.ask, **self.options)
        values = result.sel(self.part).isel(self.where).values
        return np.asarray(values if self.then is None else self.then(values))


def ask(
    data: xr.DataArray,
    what: Asked,
    *,
    row: str | list[str] | None = None,
    col: str | list[str] | None = None,
    where: Mapping[str, int | slice | list[int]] | None = None,
    then: Callable[[Array], Any] | None = None,
    **options: Any,
) -> Question:
    """Write a `Question` shortly."""
    part = {k: v for k, v in {"row": row, "col": col}.items() if v is not None}
    return Question(data, what, part, where or {}, then, options)


@dataclass(frozen=True, eq=False)
class Fact:
    """A published figure, and what dhess says to the same question."""

    peer: str
    source: str
    """Their file and test, their documentation, or their issue."""
    what: str
    question: Question | Callable[[], float]
    theirs: Figures
    """Their figure; or, in words, what they do instead of giving one."""
    ours: Figures | type[Exception] | None = None
    """Our value where we differ, worked out on paper; or the error that we raise."""
    because: str = ""
    """Why we differ; nothing if we agree, as when both refuse."""
    close: float = 1e-12
    """How far apart figures may be: half a unit of the last digit published, or rounding."""

    @property
    def agrees(self) -> bool:
        """Whether dhess is to give their figure, or to refuse what they refuse."""
        return not self.because

    @property
    def expected(self) -> Float:
        """The value that dhess must give."""
        value = self.theirs if self.ours is None else self.ours
        return np.asarray(value, np.float64)

    @property
    def refused(self) -> type[Exception] | None:
        """The error that dhess must raise, if it gives no value."""
        return self.ours if isinstance(self.ours, type) else None


@cache
def answer(fact: Fact) -> Array | Exception:
    """Return what dhess answers to the question of a row, or the error it raises."""
    question: Any = fact.question
    try:
        given = question.answer() if isinstance(question, Question) else question()
    except dhess.DhessError as error:
        return error
    return np.asarray(given)


def near(a: Figures, b: Figures, close: float) -> bool:
    """Tell whether two figures are the same: shape, places of NaN, and numbers."""
    left, right = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if left.shape != right.shape:
        return False
    return bool(np.allclose(left, right, rtol=close, atol=close, equal_nan=True))


def verdict(fact: Fact) -> str:
    """Say in the table whether dhess agrees, or why not."""
    got = answer(fact)
    if isinstance(got, Exception) or fact.refused:
        holds = fact.refused is not None and isinstance(got, fact.refused)
    else:
        holds = near(got, fact.expected, fact.close)
    if not holds:
        return "BROKEN"
    return "agrees" if fact.agrees else f"differs: {fact.because}"


def written(value: object) -> str:
    """Write a figure into a cell of the table: up to five numbers, all alike as one."""
    if isinstance(value, str):
        return value
    if isinstance(value, Exception):
        return type(value).__name__
    if isinstance(value, type):
        return value.__name__
    numbers = np.asarray(value, np.float64).ravel()
    if numbers.size > 1 and np.allclose(numbers, numbers[0], rtol=1e-9, atol=0, equal_nan=True):
        numbers = numbers[:1]
    # Rounding beside numbers of size one says nothing.
    size = np.nanmax(np.abs(numbers), initial=0)
    numbers = np.where(np.abs(numbers) <= 1e-9 * size, 0.0, numbers)
    shown = " ".join(f"{x:.6g}" for x in numbers[:5])
    return shown + (" …" if numbers.size > 5 else "")


def table(facts: Sequence[Fact]) -> str:
    """Return the table of all rows as text."""
    head = ("peer", "source", "what", "theirs", "ours", "")
    rows = [
        (
            f.peer, f.source, f.what, written(f.theirs), written(answer(f)), verdict(f),
        )
        for f in facts
    ]  # fmt: skip
    widths = [max(len(r[i]) for r in (head, *rows)) for i in range(5)]
    lines = [
        "  ".join([*(c.ljust(w) for c, w in zip(r[:5], widths, strict=True)), r[5]]).rstrip()
        for r in (head, *rows)
    ]
    return "\n".join(lines)
