"""What Hypothesis draws: axes, arrays, chunkings and NaN patterns."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from hypothesis import strategies as st

from .oracles import Along

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

NAMES = "uvwxyz"


@dataclass(frozen=True)
class Line:
    """A coordinate, whether its steps are equal, and the length after which it starts over."""

    values: NDArray[np.float64]
    even: bool
    period: float | None = None


@dataclass(frozen=True)
class Case:
    """Coordinates, and a seed for the numbers on them."""

    lines: tuple[Line, ...]
    seed: int

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(line.values) for line in self.lines)

    @property
    def dims(self) -> list[str]:
        return list(NAMES[-len(self.lines) :])

    @property
    def axes(self) -> list[Along]:
        return [Along(k, line.values, line.even, line.period) for k, line in enumerate(self.lines)]

    @property
    def period(self) -> dict[Hashable, float]:
        """The option of that name."""
        pairs = zip(self.dims, self.lines, strict=True)
        return {name: line.period for name, line in pairs if line.period is not None}

    @property
    def plain_axes(self) -> list[tuple[int, NDArray[np.float64]]]:
        return [(k, line.values) for k, line in enumerate(self.lines)]

    @property
    def points(self) -> list[NDArray[np.float64]]:
        return [line.values for line in self.lines]

    @property
    def min_step(self) -> float:
        return float(min(np.abs(np.diff(line.values)).min() for line in self.lines))

    def random(self) -> NDArray[np.float64]:
        return np.random.default_rng(self.seed).standard_normal(self.shape)

    def array(self, data: NDArray[Any] | None = None) -> xr.DataArray:
        data = self.random() if data is None else data
        coords = {name: line.values for name, line in zip(self.dims, self.lines, strict=True)}
        return xr.DataArray(data, coords=coords, dims=self.dims, name="f")


@st.composite
def lines(
    draw: st.DrawFn,
    min_size: int = 4,
    max_size: int = 9,
    even: bool | None = None,
    periodic: bool | None = False,
) -> Line:
    """An even or uneven, ascending or descending coordinate, periodic, not, or perhaps (None).

    Steps of uneven axes are dyadic and no three neighbours are equally spaced, so that no weight
    is zero by accident and "touches" has one meaning.
    """
    wraps = draw(st.booleans()) if periodic is None else periodic
    size = draw(st.integers(min_size, max_size))
    is_even = draw(st.booleans()) if even is None else even
    sign = draw(st.sampled_from([1.0, -1.0]))
    start = draw(st.integers(-8, 8)) / 4
    if is_even or size < 3:
        step = draw(st.sampled_from([0.25, 0.5, 1.0, 1.5, 3.0]))
        values = sign * (start + step * np.arange(size, dtype=np.float64))
        return Line(values, even=True, period=size * step if wraps else None)
    steps = [draw(st.integers(32, 128))]
    while len(steps) < size - 1:
        shorter = draw(st.integers(32, 127))
        steps.append(shorter if shorter < steps[-1] else shorter + 1)
    places = np.concatenate([[0], np.cumsum(steps)]).astype(np.float64)
    values = sign * (start + places / 64)
    if not wraps:
        return Line(values, even=False)
    seam = draw(st.integers(32, 128).filter(lambda step: step not in (steps[0], steps[-1])))
    return Line(values, even=False, period=(sum(steps) + seam) / 64)


@st.composite
def cases(
    draw: st.DrawFn,
    min_n: int = 1,
    max_n: int = 5,
    min_size: int = 4,
    max_points: int = 4000,
    max_size: int = 9,
    even: bool | None = None,
    periodic: bool | None = False,
) -> Case:
    """A grid of ``min_n`` to ``max_n`` dimensions of at most about ``max_points`` points."""
    n = draw(st.integers(min_n, max_n))
    largest = max(min_size, min(max_size, math.floor(max_points ** (1 / n))))
    drawn = tuple(draw(lines(min_size, largest, even, periodic)) for _ in range(n))
    return Case(drawn, draw(st.integers(0, 2**32 - 1)))


@st.composite
def cuts(draw: st.DrawFn, size: int, most: int) -> tuple[int, ...]:
    """Positive lengths that add up to ``size``, at most ``most`` of them: irregular, down to 1."""
    edges = draw(st.sets(st.integers(1, size - 1), max_size=most - 1)) if size > 1 else set()
    places = [0, *sorted(edges), size]
    return tuple(b - a for a, b in pairwise(places))


@st.composite
def chunkings(
    draw: st.DrawFn, shape: tuple[int, ...], max_blocks: int = 24
) -> tuple[tuple[int, ...], ...]:
    """Chunks per dimension with at most ``max_blocks`` blocks altogether."""
    left = max_blocks
    chosen: dict[int, tuple[int, ...]] = {}
    for axis in draw(st.permutations(range(len(shape)))):
        chosen[axis] = draw(cuts(shape[axis], max(1, left)))
        left //= len(chosen[axis])
    return tuple(chosen[axis] for axis in range(len(shape)))


@st.composite
def holes(draw: st.DrawFn, shape: tuple[int, ...], most: int = 4) -> NDArray[np.bool_]:
    """A mask of a few NaN: single points, or a whole slab."""
    mask = np.zeros(shape, dtype=bool)
    for _ in range(draw(st.integers(0, most))):
        mask[tuple(draw(st.integers(0, size - 1)) for size in shape)] = True
    if draw(st.integers(0, 5)) == 0:
        axis = draw(st.integers(0, len(shape) - 1))
        index: list[Any] = [slice(None)] * len(shape)
        index[axis] = draw(st.integers(0, shape[axis] - 1))
        mask[tuple(index)] = True
    return mask
