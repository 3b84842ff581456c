"""Second derivatives of a callable at a point, by differences whose step is found by trying.

A step that is too long leaves out terms of higher order, and one that is too short leaves nothing
but rounding: of values of size F it is about eps F / step². So the step is halved as long as that
helps; where rounding is what is left, it is doubled too. What two steps in a row agree about,
beyond the rounding of both, is a Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.tables import Array

WEIGHTS: Final = np.array([8 / 5, -1 / 5, 8 / 315, -1 / 560])
"""Of the values 1, 2, 3, 4 steps away to both sides, less the one between: order 8."""
REACH: Final = len(WEIGHTS)
HALVINGS: Final = 40
DOUBLINGS: Final = 10
"""Beyond the size of the coordinates."""
ROUNDING: Final = 16.0
"""Rounding of the differences in units of eps times the largest value: the sum of the weights'
sizes is 7, and the callable rounds more than once."""
DOUBT: Final = 1e-2
"""A larger estimate of the relative error means that there is no Hessian."""
GONE: Final = 1e-6
"""What falls to this part as the step is halved, and never settles, is 0, as that of x¹² at 0."""
SURE: Final = 1e-9
"""A smaller one is not improved further."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """Second derivatives by differences of one step."""

    entries: Array
    error: float
    """Estimated, of the largest entry: what changed with the step, and rounding."""
    rounding: float
    noise: float
    """Rounding as a part of how much the callable varies over the step; 0 where it does not."""

    @property
    def largest(self) -> float:
        """Size of the largest entry."""
        return float(np.abs(self.entries).max())

    @property
    def relative(self) -> float:
        """Estimated error as a part of the largest entry."""
        return self.error / self.largest if self.largest else np.inf

    @property
    def hidden(self) -> bool:
        """Whether nothing rises above rounding."""
        return self.largest <= self.rounding

    @property
    def flat(self) -> bool:
        """Whether nothing rises above rounding, though that is far below the variation."""
        return self.hidden and self.noise <= DOUBT

    def after(self, other: Estimate | None) -> Estimate:
        """Return it with the error that the one of another step tells."""
        change = np.inf if other is None else float(np.abs(self.entries - other.entries).max())
        return Estimate(self.entries, change + self.rounding, self.rounding, self.noise)


def estimate(values: Callable[[Array], Array], point: Array, step: float, eps: float) -> Estimate:
    """Return the second derivatives by differences of one step; NaN where a value is not finite.

    Parameters
    ----------
    values
        Takes points, shape (m, n), and returns the values there, shape (m,).
    point
        Shape (n,).
    step
        Between neighbouring points.
    eps
        Relative precision of the values.
    """
    n = len(point)
    pairs = list(combinations(range(n), 2))
    ways = np.zeros((n + 2 * len(pairs), n))
    ways[:n] = np.eye(n)
    for i, (k, l) in enumerate(pairs):
        ways[n + 2 * i : n + 2 * i + 2, k] = 1
        ways[n + 2 * i : n + 2 * i + 2, l] = 1, -1
    step = np.float64(step)  # which overflows without an exception
    far = step * np.arange(1, REACH + 1)
    steps = np.concatenate([far, -far])[:, None] * ways[:, None]
    found = values(np.concatenate([point[None], (point + steps).reshape(-1, n)]))
    rises = (found[1:] - found[0]).reshape(len(ways), 2, REACH)
    second = rises.sum(axis=1) @ WEIGHTS / step**2
    entries = np.diag(second[:n])
    for i, (k, l) in enumerate(pairs):
        both = second[n + 2 * i : n + 2 * i + 2]
        entries[k, l] = entries[l, k] = (both[0] - both[1]) / 4
    varies, size = float(np.abs(rises).max()), float(np.abs(found).max())
    # The places of the points are rounded too, which counts by the slope.
    moved = varies * float(np.abs(point).max() / step * np.finfo(np.float64).eps)
    lost = ROUNDING * (eps * size + moved)
    return Estimate(entries, np.inf, lost / step**2, lost / varies if varies else 0.0)


def settled(at: Callable[[float], Estimate | None], point: Array, step: float) -> Estimate | None:
    """Return the best estimate; none if there is none at any step.

    Parameters
    ----------
    at
        Returns the estimate of a step; none where a value is not finite.
    point
        Whose size tells the shortest and the longest step.
    step
        The first one.
    """
    size = float(np.abs(point).max())
    shortest = 1e4 * np.finfo(np.float64).eps * size  # the point and the next differ clearly
    best = _halving(at, max(step, shortest), shortest)
    if best is None or best.relative <= SURE or not (best.hidden or best.relative <= DOUBT):
        return best
    doublings = DOUBLINGS + int(np.ceil(np.log2(max(size / step, 1.0))))
    return _doubling(at, best, max(step, shortest), doublings)


def _halving(
    at: Callable[[float], Estimate | None], step: float, shortest: float
) -> Estimate | None:
    best, last, most = None, None, 0.0
    for k in range(HALVINGS):
        if step / 2**k < shortest:
            break
        found = at(step / 2**k)
        if found is not None:
            found = found.after(last)
            most = max(most, found.largest)
            if best is None or found.relative < best.relative:
                best = found
            settles = best.relative <= DOUBT
            if best.relative <= SURE or (settles and found.rounding > best.error):
                break
            if not settles and last is not None and found.hidden and last.hidden:
                return last  # of the longer step, whose rounding is less
        last = found
    if best is not None and best.relative > DOUBT and last and last.largest <= GONE * most:
        return Estimate(np.zeros_like(best.entries), last.largest, last.largest, 0.0)
    return best


def _doubling(
    at: Callable[[float], Estimate | None], best: Estimate, step: float, times: int
) -> Estimate:
    """Look whether longer steps tell the same with less rounding."""
    first, last = best, None
    uncertain = first.rounding if first.hidden else first.error
    for k in range(times + 1):
        found = at(step * 2**k)
        if found is None:
            break
        found = found.after(last)
        if float(np.abs(found.entries - first.entries).max()) <= uncertain + found.error:
            limit = best.rounding if best.hidden else best.error
            unsure = best.hidden and (best.noise == 0 or best.noise > DOUBT)
            told = found.relative <= DOUBT and found.error < limit
            if told or (unsure and found.hidden and found.noise > 0):
                best = found
            if best.relative <= SURE:
                break
        last = found
    return best
