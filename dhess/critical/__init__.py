"""The places where a field is level: between its points, each once, with how it curves there."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr  # noqa: TC002  (documentation examples read the annotations)

from dhess.answer import Labels
from dhess.block import Block
from dhess.critical.quest import Quest
from dhess.critical.reach import reaching
from dhess.critical.settle import settled
from dhess.critical.table import check_names, table
from dhess.errors import InputError, Interrupted, NoValidPoint
from dhess.fields.labels import is_lazy, the_variable
from dhess.fields.quantity import EIGENVALUES, GRADIENT, HESSIAN, unit_attrs
from dhess.grid import Grid
from dhess.options import COUNTS, Options, Settings, is_count, is_number, settings
from dhess.running import workers
from dhess.search import own_version
from dhess.stencil import EVERYTHING, Stencil
from dhess.tiles import in_threads
from dhess.units import plain, requantified
from dhess.windows import Searched, Tally, gather

if TYPE_CHECKING:
    from dhess.critical.found import Found
    from dhess.tables import Array, Range
    from dhess.units.quantities import Pint

COARSEST = 0.1
"""Largest tolerance, in steps."""

TOLERANCE = 1e-9
"""The usual one."""


def critical_points(
    data: xr.DataArray | xr.Dataset,
    *,
    tolerance: float = TOLERANCE,
    k: int | None = None,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Find the places where the gradient is zero, ∇f = 0, and tell minima, maxima and saddles.

    Parameters
    ----------
    data
        DataArray, or a Dataset with one candidate variable.
    tolerance
        Newton's method stops at a step below this, in steps of the grid.
    k
        Return so many at most, those of lowest value.
    **options
        The common options, see `dhess.gradient`, but for ``scheme``. Each index of a dimension that
        ``dims`` leaves out is a field of its own.

    Returns
    -------
    Dataset with dims rank, dim, row, col, eigen, end, lowest value of the field first: ``field``
    there, one coordinate along rank per dimension of the data, ``index`` (rank, dim) of the nearest
    point, ``gradient`` (rank, row; what is left of it), ``hessian`` (rank, row, col),
    ``eigenvalues`` (rank, eigen) ascending, ``kind`` (minimum, maximum, saddle or degenerate),
    ``morse_index`` (how many eigenvalues are negative; -1 for degenerate), ``refined``, ``cells``
    and ``extent`` (rank, dim, end). A plateau is one row: its first point, how many points it has,
    and the first and last index along each dimension (last below first: over the seam of an axis
    that wraps); a point has 1 cell. There may be no row. Attributes: options, points, ``by_index``
    (how many have 0, 1, … n negative eigenvalues) and ``degenerate`` (how many have no such
    number), both before k, ``nan_cells`` (cells that were left out because a sample around them is
    not finite), version, source.

    Raises
    ------
    NoValidPoint
        If a sample is not finite around every point.
    Interrupted
        On Ctrl-C during a search of Dask data, with those found so far as ``partial``.
    GridError, InputError
        As for `dhess.hessian`; also for a tolerance that is none, and for more than a million
        points.

    Notes
    -----
    First, zeros are found of the gradient of a spline: the tensor product of quadratic B-splines
    whose coefficients are the samples. Its gradient is continuous, and on the cell around a point,
    half a step to each side, it is a polynomial in Bernstein form whose coefficients are averages
    of first differences: a cell is left out where a component has one strict sign in all of them.
    The others are halved until Krawczyk's test tells that each part holds no zero or one at most.
    So none is missed and none is found twice, and on a torus the numbers of zeros by Morse index,
    alternating, add up to 0 (Poincaré-Hopf).

    Then each is moved by Newton's method to where the polynomial through ``order`` + 3 points along
    each axis is level. The error of the place falls with the order of that. A point is ``refined``
    if this leads no further than a step away and the polynomial curves there as the spline; else
    place and Hessian are the spline's, whose error is of second order.

    A cell at the end of an axis is half a cell; the parabola through the last three samples goes
    on half a step beyond. A zero on the end itself counts. Cells at a pole are left out, where
    directions have no meaning. Cells without any slope make plateaus, and so do those with lines of
    zeros along an axis: connected ones are one row, cells that share a corner are connected.
    A ridge that is oblique to the axes comes as a row of saddles and extrema.

    A cell with a sample that is not finite around it holds no point. ``nan="propagate"`` refines
    none whose polynomial would take one; ``nan="adapt"`` refines those with fewer samples.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.linspace(-1, 1, 41)
    >>> f = xr.DataArray((x - 0.31) ** 2 - (x[:, None] + 0.12) ** 2, {"y": x, "x": x}, ("y", "x"))
    >>> found = dhess.critical_points(f)
    >>> found.x.round(6).values, found.y.round(6).values, found.kind.values
    (array([0.31]), array([-0.12]), array(['saddle'], dtype='<U10'))
    """
    asked = Asked.of(data, tolerance, settings(**options), k)
    if is_lazy(asked.array):
        return _gathered(asked)
    return asked.answer(_eagerly(asked))


def check_options(tolerance: object, scheme: str, k: object) -> None:
    """Refuse options of a search for critical points that cannot be."""
    if not (is_number(tolerance) and 0 < tolerance <= COARSEST):  # type: ignore[operator]
        raise InputError(
            f"tolerance={reprlib.repr(tolerance)} is none; it must be a number above 0 and at most "
            f"{COARSEST}, in steps of the grid"
        )
    if scheme != "direct":
        raise InputError(
            f"scheme={scheme!r} is for derivatives at points, and critical points lie "
            "between them, on local polynomials; leave it out"
        )
    if k is not None and not is_count(k):
        raise InputError(f"k={reprlib.repr(k)} is no number of points; {COUNTS}")


@dataclass(frozen=True, eq=False)
class Asked:
    """What is looked for in an array, all of it checked."""

    array: xr.DataArray
    pint: Pint | None
    stencil: Stencil
    quest: Quest
    chosen: Settings
    labels: Labels
    k: int | None = None
    """Rows of the answer at most."""

    @classmethod
    def of(
        cls,
        data: xr.DataArray | xr.Dataset,
        tolerance: float,
        chosen: Settings,
        k: int | None = None,
    ) -> Asked:
        """Check what is asked before any data is read."""
        check_options(tolerance, chosen.scheme, k)
        array, pint = plain(the_variable(data, chosen))
        grid = Grid.of(array, chosen)
        check_names(array)
        grid.warn()
        stencil = reaching(Stencil.of(grid, chosen, EVERYTHING), chosen)
        places = [(axis.step, axis.offsets, axis.period) for axis in grid.axes]
        quest = Quest(_cells(grid), float(tolerance), (chosen.order, places))
        labels = Labels(
            grid.names, _attributes(array, grid, chosen, quest), _units(array, grid, chosen)
        )
        return cls(array, pint, stencil, quest, chosen, labels, k)

    def searched(self) -> Searched:
        """Choose the blocks; refuse those that the workers cannot hold."""
        searched = Searched.of(self.array.variable.data, self.stencil, self.quest, workers())
        searched.refuse(self.array.dims)
        return searched

    def answer(self, found: Found) -> xr.Dataset:
        """Return what is told of the points that were found."""
        if found.nans == self.labels.attrs["points"]:
            raise NoValidPoint(
                f"no valid point: a sample is not finite around each of the {found.nans} points; "
                "look at the share of NaN in the data"
            )
        dtype = self.array.dtype
        epsilon = float(np.finfo(dtype if dtype.char in "efd" else np.float64).eps)
        rows = settled(self.stencil, found, self.chosen, epsilon)
        counts = np.bincount(rows["morse"] + 1, minlength=len(self.stencil.axes) + 2).tolist()
        attrs = {
            **({} if self.k is None else {"k": int(self.k)}),
            "by_index": counts[1:],
            "degenerate": counts[0],
            "nan_cells": found.nans,
            **({"missing_chunks": found.missing} if found.missing else {}),
        }
        kept = {name: column[: self.k] for name, column in rows.items()}
        told = table(kept, self.array, self.stencil, self.labels).assign_attrs(attrs)
        return requantified(told, self.pint)


def _cells(grid: Grid) -> tuple[Range, ...]:
    """Return the ranges of the cells that count: all but those at a pole."""
    ranges = [(0, size) for size in grid.shape]
    if grid.parallels is not None:
        (axis,) = (axis for axis in grid.axes if axis.role == "latitude")
        poles = np.isnan(grid.parallels.cos)
        ranges[axis.position] = int(poles[0]), axis.size - int(poles[-1])
    return tuple(ranges)


def _gathered(asked: Asked) -> xr.Dataset:
    """Search out of core, and on Ctrl-C tell what there is so far."""
    tally = Tally(asked.searched())
    try:
        gather(tally)
    except KeyboardInterrupt as stop:
        if tally.best is None:
            raise
        told = f"{tally.done:,} of {tally.total:,} blocks searched"
        raise Interrupted(asked.answer(tally.best).assign_attrs(partial=told)) from stop
    return asked.answer(tally.best)


def _eagerly(asked: Asked) -> Found:
    values: Array = asked.array.variable.data
    origin = (0,) * values.ndim

    def work(ranges: tuple[Range, ...]) -> Found:
        return asked.quest.look(asked.stencil, [Block(values, origin, ranges)])

    return asked.quest.merge(in_threads(work, values.shape, values))


def _attributes(array: xr.DataArray, grid: Grid, chosen: Settings, quest: Quest) -> dict[str, Any]:
    source = str(array.encoding.get("source", ""))
    name = "" if array.name is None else f"::{array.name}"
    return {
        "tolerance": quest.tolerance,
        **chosen.describe(grid.names, array.dtype),
        "points": int(np.prod([b - a for a, b in quest.points], dtype=object)),
        **({"smoothed": str(array.attrs["smoothed"])} if "smoothed" in array.attrs else {}),
        "dhess_version": own_version(),
        "source": source + name if source else "",
    }


def _units(array: xr.DataArray, grid: Grid, chosen: Settings) -> dict[str, dict[str, str]]:
    """Return the attributes of the variables that say their units."""
    told = partial(unit_attrs, array, grid, chosen)
    quantities = {"gradient": GRADIENT, "hessian": HESSIAN, "eigenvalues": EIGENVALUES}
    kept = ("units", "component_units")
    units = {
        name: {key: text for key, text in told(each).items() if key in kept}
        for name, each in quantities.items()
    }
    own = array.attrs.get("units")
    return {**units, "field": {} if own is None else {"units": str(own)}}
