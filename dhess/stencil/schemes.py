"""Which nodes an operator takes: centred windows, one-sided at ends, over a seam, or twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dhess.errors import GridError
from dhess.stencil.operator import Operator, fornberg

if TYPE_CHECKING:
    from dhess.grid import Axis
    from dhess.grid.axis import Ints
    from dhess.grid.coordinate import Floats


def first_derivative(axis: Axis, scheme: str, order: int) -> Operator:
    """Return the operator of the first derivative along an axis."""
    if scheme == "iterated" and order == 2:
        return _numpy_gradient(axis)
    what = _of_order("first derivative", order)
    return _windowed(axis, 1, what, inside=order + 1, outside=order + 1)


def second_derivative(axis: Axis, scheme: str, order: int) -> Operator:
    """Return the operator of the second derivative along an axis."""
    if scheme == "iterated":
        return _squared(axis, first_derivative(axis, scheme, order))
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
            f"{what} needs at least {least}; leave it out of dims, bring more points"
            + (", or choose a lower order" if "order" in what else "")
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
    return Operator(size, low, high, reach, inner, (starts, ends), (inside, outside))


def _of_order(what: str, order: int) -> str:
    return what if order == 2 else f"{what} of order {order}"


def _weights(axis: Axis, index: Ints, starts: Ints, width: int, derivative: int) -> Floats:
    nodes = starts[:, None] + np.arange(width)
    if axis.step is not None:
        # On whole numbers the weights are exact; the step enters once.
        away = (nodes - index[:, None]).astype(np.float64)
        weights = fornberg(away, derivative)
        # The recursion leaves a rounding of its own, which would let a NaN at the centre through.
        central = (away == -away[:, ::-1]).all(axis=1)
        mirrored = (-1.0) ** derivative * weights[central, ::-1]
        weights[central] = 0.5 * (weights[central] + mirrored)
        return weights / axis.step**derivative
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
    return Operator(size, low, high, 1, inner, (starts, ends), (3, 2))


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
    return Operator(size, low, high, reach, inner, (starts, ends), widths)


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
