"""Finite-difference operators: for each grid index a start and a row of weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dhess.errors import GridError

if TYPE_CHECKING:
    from dhess.grid import Axis, Grid, Parallels
    from dhess.grid.axis import Ints
    from dhess.grid.coordinate import Floats
    from dhess.options import Settings


def fornberg(nodes: Floats, derivative: int) -> Floats:
    """Return the weights of the derivative at 0 on each row of nodes.

    Parameters
    ----------
    nodes
        Positions relative to the place of the derivative, shape (rows, width).
    derivative
        Which derivative, below width.

    Returns
    -------
    Shape (rows, width); exact for polynomials of degree below width.

    Notes
    -----
    B. Fornberg, "Generation of finite difference formulas on arbitrarily spaced grids",
    Mathematics of Computation 51 (1988), 699-706, run on all rows at once.

    Examples
    --------
    >>> fornberg(np.array([[-1.0, 0.0, 1.0], [0.0, 1.0, 2.0]]), 1)
    array([[-0.5,  0. ,  0.5],
           [-1.5,  2. , -0.5]])
    """
    rows, width = nodes.shape
    c = np.zeros((derivative + 1, rows, width))
    c[0, :, 0] = 1.0
    product = np.ones(rows)
    for i in range(1, width):
        before, product = product, np.ones(rows)
        for j in range(i):
            apart = nodes[:, i] - nodes[:, j]
            product = product * apart
            if j == i - 1:
                for m in range(derivative, -1, -1):
                    lower = m * c[m - 1, :, j] if m else 0.0
                    c[m, :, i] = before / product * (lower - nodes[:, j] * c[m, :, j])
            for m in range(derivative, -1, -1):
                lower = m * c[m - 1, :, j] if m else 0.0
                c[m, :, j] = (nodes[:, i] * c[m, :, j] - lower) / apart
    weights: Floats = c[derivative]
    return weights


@dataclass(frozen=True, eq=False)
class Operator:
    """One derivative along one axis: (D f)_i = sum over t of weights[i, t] f[start[i] + t].

    Rows between ``low`` and ``high`` start at i - reach, the ends have rows of their own; those of
    a wrapped axis reach beyond it. An even axis keeps a single row for the whole interior, so that
    its size does not matter.
    """

    size: int
    low: int
    high: int
    reach: int
    inner: Floats
    """Weights of the interior, shape (1, width) if even, else (high - low, width)."""
    ends: tuple[Ints, Floats]
    """Starts and weights of the indices below ``low`` and from ``high`` on."""
    begin: int
    """Index that the first row of ``inner`` is for, if there is one per index."""
    widths: tuple[int, int]
    """Nodes of an interior row, and of a one-sided one."""
    weight: float
    """Largest sum of the sizes of a row's weights: what a row makes of the rounding of its data."""

    def rows(self, index: Ints) -> tuple[Ints, Floats]:
        """Return starts, shape (len(index),), and weights, shape (len(index), width).

        Weights are aligned left, so that the first of each row is not zero, and filled with zeros
        on the right.
        """
        starts = index - self.reach
        width = max(self.inner.shape[1], self.ends[1].shape[1])
        weights = np.zeros((index.size, width))
        inside = (index >= self.low) & (index < self.high)
        if inside.any():
            pick = index[inside] - self.begin if len(self.inner) > 1 else index[inside] * 0
            weights[inside, : self.inner.shape[1]] = self.inner[pick]
        outside = ~inside
        k = np.where(index < self.low, index, index - self.high + self.low)[outside]
        starts[outside] = self.ends[0][k]
        weights[outside, : self.ends[1].shape[1]] = self.ends[1][k]
        return _left_aligned(starts, weights)

    def cut(self, first: int, last: int) -> Operator:
        """Return the operator with the rows of a range only, to travel with a block."""
        if len(self.inner) == 1:
            return self
        a, b = (min(max(i, self.low), self.high) - self.begin for i in (first, last))
        inner = self.inner[a : max(b, a + 1)] if a < len(self.inner) else self.inner[-1:]
        return replace(self, inner=inner, begin=min(a, len(self.inner) - 1) + self.begin)

    def alike(self, points: tuple[int, int]) -> tuple[int, int]:
        """Return the first range of points with the same rows as these, relative to the index."""
        first, last = points
        same = len(self.inner) == 1 and self.low <= first and last <= self.high
        return (self.low, self.low + last - first) if same else points

    def nodes(self, index: Ints) -> tuple[int, int]:
        """Return the range of indices that some rows read."""
        starts, weights = self.rows(index)
        used = weights.shape[1] - np.argmax(weights[:, ::-1] != 0, axis=1)
        return int(starts.min()), int((starts + used).max())


def _left_aligned(starts: Ints, weights: Floats) -> tuple[Ints, Floats]:
    for _ in range(weights.shape[1] - 1):
        empty = weights[:, 0] == 0
        if not empty.any():
            break
        weights[empty] = np.roll(weights[empty], -1, axis=1)
        starts = starts + empty
    return starts, weights


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
    line: tuple[int, Floats] | None = None
    """Of an uneven axis that adapts, once cut: first index and places of points and halo."""

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

    def cut(self, first: int, last: int) -> AxisStencil:
        """Return the stencil with the weights of a range only, to travel with a block.

        An axis that may meet gaps keeps the places of its points, to make weights from.
        """
        line = None
        if self.adapts and not self.axis.uniform:
            start, stop = self.around(first, last)
            line = start, self.axis.at(np.arange(start, stop))
        return replace(
            self,
            axis=replace(self.axis, offsets=None),
            first=self.first and self.first.cut(first, last),
            second=self.second and self.second.cut(first, last),
            parallels=self.parallels and self.parallels.cut(first, last),
            line=line,
        )

    def around(self, first: int, last: int) -> tuple[int, int]:
        """Return a range and its halo, as far as the axis goes."""
        if self.axis.period is not None:
            return first - self.halo, last + self.halo
        return max(first - self.halo, 0), min(last + self.halo, self.axis.size)

    def places(self, first: int, last: int) -> Floats:
        """Return where the points of a range lie: in steps along an even axis."""
        index = np.arange(first, last)
        if self.axis.uniform:
            return index.astype(np.float64)
        if self.line is not None:
            return self.line[1][first - self.line[0] : last - self.line[0]]
        return self.axis.at(index)

    @property
    def least(self) -> int:
        """How long the first and the last block must be for the one-sided rows to fit.

        A one-sided row reaches deeper into the array than the halo; with a first block this long,
        block and halo still hold it.
        """
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
        return max(inward - self.halo, self.halo)

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
            second = _second(axis, chosen.scheme, chosen.order) if need.pure else None
            wanted = need.first(len(grid.axes))
            first = _first(axis, chosen.scheme, chosen.order) if wanted else None
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
    def adapts(self) -> bool:
        """Whether the operators adapt to gaps in the data."""
        return self.axes[0].adapts

    def along(self, position: int) -> AxisStencil | None:
        """Return the stencil along one axis of the array, None for a batch dimension."""
        return next((s for s in self.axes if s.axis.position == position), None)


def _first(axis: Axis, scheme: str, order: int) -> Operator:
    if scheme == "iterated" and order == 2:
        return _numpy_gradient(axis)
    what = _of_order("first derivative", order)
    return _windowed(axis, 1, what, inside=order + 1, outside=order + 1)


def _second(axis: Axis, scheme: str, order: int) -> Operator:
    if scheme == "iterated":
        return _squared(axis, _first(axis, scheme, order))
    what = _of_order("second derivative", order)
    if axis.uniform:
        return _windowed(axis, 2, what, inside=order + 1, outside=order + 2)
    # An even number of nodes would do for the order, but would lean to one side.
    short = axis.period is None and axis.size == order + 2
    width = order + 2 if short else order + 3
    return _windowed(axis, 2, what, inside=width, outside=width)


def _require(axis: Axis, least: int, what: str) -> None:
    if axis.size < least:
        raise GridError(
            f"dimension {axis.name!r} has {axis.size} point{'s' * (axis.size != 1)}, and the "
            f"{what} needs at least {least}; leave it out of dims, or bring more points"
        )


def _windowed(axis: Axis, derivative: int, what: str, *, inside: int, outside: int) -> Operator:
    """Centred windows of ``inside`` nodes, and at the ends one-sided ones of ``outside``."""
    wrapped = axis.period is not None
    _require(axis, inside if wrapped else outside, what)
    reach, size = inside // 2, axis.size
    low = reach if inside % 2 else size
    high = max(size - reach, low)
    index = np.r_[0:low, high:size]
    if wrapped:
        width, starts = inside, index - reach
    else:
        width, starts = outside, np.clip(index - outside // 2, 0, size - outside)
    ends = _weights(axis, index, starts, width, derivative)
    core = np.array([low]) if axis.uniform else np.arange(low, high)
    if low >= high:
        inner: Floats = np.zeros((1, inside))
    else:
        inner = _weights(axis, core, core - reach, inside, derivative)
    return Operator(
        size, low, high, reach, inner, (starts, ends), low, (inside, outside), _weight(inner, ends)
    )


def _of_order(what: str, order: int) -> str:
    return what if order == 2 else f"{what} of order {order}"


def _weight(*rows: Floats) -> float:
    return max((float(np.abs(w).sum(axis=1).max()) for w in rows if w.size), default=0.0)


def _weights(axis: Axis, index: Ints, starts: Ints, width: int, derivative: int) -> Floats:
    nodes = starts[:, None] + np.arange(width)
    if axis.step is not None:
        # On whole numbers the weights are exact; the step enters once.
        away = (nodes - index[:, None]).astype(np.float64)
        return fornberg(away, derivative) / axis.step**derivative
    return fornberg(axis.at(nodes) - axis.at(index)[:, None], derivative)


def _numpy_gradient(axis: Axis) -> Operator:
    """Return the operator of `numpy.gradient` with its default edge_order=1."""
    wrapped = axis.period is not None
    _require(axis, 3 if wrapped else 2, "gradient")
    size = axis.size
    index = np.array([0, size - 1])
    if wrapped:
        starts, ends = index - 1, _weights(axis, index, index - 1, 3, 1)
    else:
        starts = np.array([0, size - 2])
        ends = _weights(axis, index, starts, 2, 1)
    low, high = 1, max(size - 1, 1)
    core = np.array([1]) if axis.uniform else np.arange(low, high)
    inner = _weights(axis, core, core - 1, 3, 1) if size > 2 else np.zeros((1, 3))
    return Operator(size, low, high, 1, inner, (starts, ends), low, (3, 2), _weight(inner, ends))


def _squared(axis: Axis, op: Operator) -> Operator:
    """Return the operator applied twice."""
    size, wrapped = op.size, axis.period is not None
    reach = 2 * op.reach
    low, high = reach, max(size - reach, reach)
    if low >= high:
        low = high = size
    index = np.r_[0:low, high:size]
    starts, ends = _composed(op, index, wrapped=wrapped)
    width = 4 * op.reach + 1
    core = np.array([low]) if len(op.inner) == 1 else np.arange(low, high)
    inner = _composed(op, core, wrapped=wrapped)[1] if low < high else np.zeros((1, width))
    widths = (width, ends.shape[1])
    weight = _weight(inner, ends)
    return Operator(size, low, high, reach, inner, (starts, ends), low, widths, weight)


def _composed(op: Operator, index: Ints, *, wrapped: bool) -> tuple[Ints, Floats]:
    """Return starts and weights of the rows ``index`` of op applied twice.

    A row reads up to twice its reach on either side, a one-sided one as many nodes.
    """
    size, width = op.size, 4 * op.reach + 1
    starts = index - width // 2
    if not wrapped:
        width = min(width, size)
        starts = np.clip(index - width // 2, 0, size - width)
    weights = np.zeros((index.size, width))
    begin, outer = op.rows(index)
    for t in range(outer.shape[1]):
        node = begin + t
        inside = node % size if wrapped else np.minimum(node, size - 1)
        start, inner = op.rows(inside)
        start = start + (node - inside if wrapped else 0)
        for s in range(inner.shape[1]):
            product = outer[:, t] * inner[:, s]
            row = np.flatnonzero(product)
            weights[row, (start - starts)[row] + s] += product[row]
    return starts, weights
