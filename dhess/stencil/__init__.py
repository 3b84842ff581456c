"""Finite-difference operators along every axis, for what a measure needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dhess.stencil.operator import Operator, fornberg
from dhess.stencil.schemes import first_derivative, second_derivative

if TYPE_CHECKING:
    from dhess.grid import Axis, Grid, Parallels
    from dhess.grid.coordinate import Floats
    from dhess.options import Settings

__all__ = [
    "EVERYTHING", "HESSIAN", "PURE", "SLOPES", "AxisStencil", "Need", "Operator", "Stencil",
    "fornberg",
]  # fmt: skip


@dataclass(frozen=True, eq=False)
class AxisStencil:
    """The operators that a measure needs along one axis."""

    axis: Axis
    first: Operator | None
    second: Operator | None
    adapts: bool = False
    """Whether they adapt to gaps in the data."""
    parallels: Parallels | None = None
    """The circles of latitude, if the axis is the latitude on a sphere."""

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Those of the two that are there."""
        return tuple(op for op in (self.first, self.second) if op is not None)

    @property
    def regular(self) -> tuple[int, int]:
        """Range of the indices whose rows are centred and stay within the axis."""
        low = max(op.low for op in self.operators)
        high = min(op.high for op in self.operators)
        return low, max(low, high)

    @property
    def centred(self) -> tuple[int, int]:
        """Range of the indices at which no operator is one-sided."""
        return self.regular if self.axis.period is None else (0, self.axis.size)

    @property
    def reach(self) -> int:
        """How many neighbours on each side the interior rows read."""
        return max(op.reach for op in self.operators)

    @property
    def halo(self) -> int:
        """How many ghost cells a block needs of its neighbour.

        At a gap every row may be one-sided.
        """
        return max(op.widths[1] for op in self.operators) - 1 if self.adapts else self.reach

    def around(self, first: int, last: int) -> tuple[int, int]:
        """Return a range and its halo, as far as the axis goes."""
        if self.axis.period is not None:
            return first - self.halo, last + self.halo
        return max(first - self.halo, 0), min(last + self.halo, self.axis.size)

    def circles(self, first: int, last: int) -> Parallels:
        """Return the circles of latitude of a range; only the latitude of a sphere has them."""
        assert self.parallels is not None
        return self.parallels.cut(first, last)

    def places(self, first: int, last: int) -> Floats:
        """Return where the points of a range lie: in steps along an even axis."""
        index = np.arange(first, last)
        if self.axis.uniform:
            return index.astype(np.float64)
        return self.axis.at(index)

    @property
    def depth(self) -> int:
        """How long the first and the last block must be to hold their one-sided rows."""
        low, high = self.regular
        size = self.axis.size
        if self.axis.period is not None:
            return self.halo
        if low >= high:
            return size
        inward = 1
        if low:
            inward = max(inward, self.nodes(0, low)[1])
        if high < size:
            inward = max(inward, size - self.nodes(high, size)[0])
        return inward

    @property
    def least(self) -> int:
        """How long they must be where they have ghost cells, into which such a row may reach."""
        return max(self.depth - self.halo, self.halo)

    def nodes(self, first: int, last: int) -> tuple[int, int]:
        """Return the range of indices that the points ``first`` to ``last`` read, themselves too.

        Only the ends of the range and those of the axis can reach furthest.
        """
        low, high = self.regular
        if low <= first and last <= high:
            return first - self.reach, last + self.reach
        near = {first, last - 1, *range(first, min(low, last)), *range(max(high, first), last)}
        near |= {i for i in (low, high - 1) if first <= i < last}
        index = np.array(sorted(near))
        reads = [op.nodes(index) for op in self.operators]
        return min(first, *(r[0] for r in reads)), max(last, *(r[1] for r in reads))


@dataclass(frozen=True)
class Need:
    """Which derivatives are wanted."""

    gradient: bool = False
    pure: bool = False
    """Second derivatives along each axis."""
    mixed: bool = False
    """Second derivatives along two axes."""

    @property
    def names(self) -> tuple[Literal["gradient", "hessian"], ...]:
        """What is needed, in words."""
        slope: tuple[Literal["gradient", "hessian"], ...] = ("gradient",) if self.gradient else ()
        return (*slope, "hessian") if self.pure or self.mixed else slope

    def first(self, ndim: int) -> bool:
        """Tell whether first derivatives are computed."""
        return self.gradient or (self.mixed and ndim > 1)

    @property
    def on_sphere(self) -> Need:
        """What is needed on a sphere, where a second derivative takes a part of the slope."""
        return replace(self, gradient=True)


SLOPES = Need(gradient=True)
PURE = Need(pure=True)
HESSIAN = Need(pure=True, mixed=True)
EVERYTHING = Need(gradient=True, pure=True, mixed=True)


@dataclass(frozen=True, eq=False)
class Stencil:
    """What a measure needs around a point, along every differentiated axis."""

    grid: Grid
    axes: tuple[AxisStencil, ...]
    need: Need

    @classmethod
    def of(cls, grid: Grid, chosen: Settings, need: Need) -> Stencil:
        """Make the operators for what is needed.

        Raises
        ------
        GridError
            If an axis has fewer points than an operator needs.
        """
        need = need.on_sphere if grid.parallels is not None else need
        axes = []
        for axis in grid.axes:
            # The second derivative needs more points: if they are not there, its error says so.
            second = second_derivative(axis, chosen.scheme, chosen.order) if need.pure else None
            wanted = need.first(len(grid.axes))
            first = first_derivative(axis, chosen.scheme, chosen.order) if wanted else None
            circles = grid.parallels if axis.role == "latitude" else None
            axes.append(AxisStencil(axis, first, second, chosen.adapts, circles))
        return cls(grid, tuple(axes), need)

    def restricted(self, need: Need) -> Stencil:
        """Return the stencil for less than this one is for."""
        need = need.on_sphere if self.latitude is not None else need
        first = need.first(len(self.axes))
        axes = tuple(
            replace(s, first=s.first if first else None, second=s.second if need.pure else None)
            for s in self.axes
        )
        return replace(self, axes=axes, need=need)

    @property
    def uniform(self) -> bool:
        """Whether every axis is even."""
        return all(s.axis.uniform for s in self.axes)

    @property
    def token(self) -> tuple[object, ...]:
        """What tells it from another stencil on data of the same shape."""
        ends = [(op.inner, op.ends) for s in self.axes for op in s.operators]
        axes = [(s.axis.position, s.axis.role, s.axis.period, s.adapts) for s in self.axes]
        circles = [(s.parallels.cos, s.parallels.tan) for s in self.axes if s.parallels]
        return self.need, axes, ends, circles

    @property
    def latitude(self) -> AxisStencil | None:
        """The axis that is the latitude, on a sphere."""
        return next((s for s in self.axes if s.axis.role == "latitude"), None)

    @property
    def on_sphere(self) -> tuple[int, int]:
        """Which of the axes are the latitude and the longitude."""
        roles = [s.axis.role for s in self.axes]
        return roles.index("latitude"), roles.index("longitude")

    @property
    def adapts(self) -> bool:
        """Whether the operators adapt to gaps in the data."""
        return self.axes[0].adapts

    def along(self, position: int) -> AxisStencil | None:
        """Return the stencil along one axis of the array, None for a batch dimension."""
        return next((s for s in self.axes if s.axis.position == position), None)
