"""The places where a measure is smallest, found by one pass and a tree of small combinations."""

from __future__ import annotations

import reprlib
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Unpack

import dask
import numpy as np
import xarray as xr  # noqa: TC002  (documentation examples read the annotations)

from dhess.answer import Labels, answer, check_names, lazy_answer
from dhess.block import Block
from dhess.description import described
from dhess.errors import GridError, InputError, Interrupted
from dhess.fields.labels import is_lazy, the_variable
from dhess.fields.quantity import (
    EIGENVALUES,
    GRADIENT,
    HESSIAN,
    POLES,
    quantity_of,
    unit_attrs,
    warn_units,
)
from dhess.grid import Grid
from dhess.measures import Measure, check_measure, find_measure
from dhess.options import COUNTS, Options, Settings, is_count, settings
from dhess.passes import Candidates, search
from dhess.running import workers
from dhess.stencil import EVERYTHING, Stencil
from dhess.sweep import Query
from dhess.tables import Table
from dhess.tiles import in_threads
from dhess.units import plain, requantified
from dhess.windows import Searched, Tally, gather, whole

if TYPE_CHECKING:
    from dhess.running import Workers
    from dhess.tables import Array, Range
    from dhess.units.quantities import Pint

MOST = 10_000
"""Points in an answer at most: each block describes as many, and most of them for nothing."""


def find_minimum(
    data: xr.DataArray | xr.Dataset,
    measure: str = "hessian_norm",
    *,
    k: int = 1,
    exclude_edges: bool = False,
    compute: bool = True,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Find the k points at which a measure of slope or curvature is smallest.

    Parameters
    ----------
    data
        DataArray, or a Dataset with one candidate variable.
    measure
        Which measure, see `dhess.measure`.
    k
        How many points, smallest first, at most 10,000; equal values rank by index in C order.
    exclude_edges
        Leave out the points whose stencil is one-sided because they lie at an end of an axis.
    compute
        False: return a lazy Dataset with k rows. Where there are fewer valid points, the rows left
        over have index -1 and NaN, NaT, -1 (0 if unsigned) or no text elsewhere; the number of NaN
        is a variable and not an attribute.
    **options
        The common options, see `dhess.gradient`. Dimensions that ``dims`` leaves out are searched
        too, but not differentiated along.

    Returns
    -------
    Dataset with dims rank, dim, row, col, eigen: ``value`` of the measure, ``field`` there,
    ``index`` (rank, dim), one coordinate along rank per dimension of the data, ``gradient``
    (rank, row), ``hessian`` (rank, row, col), ``eigenvalues`` (rank, eigen) ascending, and ``kind``
    (minimum, maximum, saddle or degenerate, from the signs of the eigenvalues; degenerate also
    where one cannot be told from rounding). Attributes: measure, options, points, NaN points,
    version, source, and ``smoothed`` if the data has it. Variables have ``units``; ``gradient`` and
    ``hessian`` have ``component_units`` where the axes have several. NaN never wins.

    Raises
    ------
    NoValidPoint
        If the measure is NaN everywhere.
    Interrupted
        On Ctrl-C during a search of Dask data, with the best so far as ``partial``.
    GridError, InputError
        As for `dhess.hessian`, whatever the measure, since the answer tells the Hessian; also for k
        below 1, or if no point is left without the edges.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.linspace(-1, 1, 41)
    >>> f = xr.DataArray(x**4 + x[:, None] ** 4, {"y": x, "x": x}, ("y", "x"))
    >>> best = dhess.find_minimum(f)
    >>> float(best.x[0]), float(best.y[0]), float(best.value[0]) < 0.01
    (0.0, 0.0, True)
    """
    if not isinstance(compute, bool | np.bool_):
        raise InputError(f"compute={reprlib.repr(compute)} is neither True nor False")
    search = asked(data, measure, k, settings(**options), exclude_edges=exclude_edges)
    values, full, query = search.array.variable.data, search.full, search.query
    if not is_lazy(search.array):
        found = partial(_eagerly, values, search.own, full, query)
        if compute:
            return search.answer(found())
        late: Any = dask.delayed(_eagerly, pure=True)(values, search.own, full, query)
    elif compute:
        return _gathered(search)
    else:
        late = whole(Searched.lazily(values, full, query))
    blank = _blank(search.array, len(full.axes), query)
    return requantified(lazy_answer(late, search.array, search.labels, blank), search.pint)


@dataclass(frozen=True, eq=False)
class Search:
    """What is looked for in an array, all of it checked."""

    array: xr.DataArray
    pint: Pint | None
    own: Stencil
    """For the measure."""
    full: Stencil
    """For everything that is told of a point."""
    query: Query
    labels: Labels

    def searched(self, team: Workers | None) -> Searched:
        """Choose the blocks; refuse those that the workers cannot hold."""
        searched = Searched.of(self.array.variable.data, self.full, self.query, team)
        searched.refuse(self.array.dims)
        return searched

    def answer(self, found: Candidates) -> xr.Dataset:
        """Return what is told of the points that were found."""
        return requantified(answer(found, self.array, self.labels), self.pint)


def asked(
    data: xr.DataArray | xr.Dataset,
    measure: str,
    k: int,
    chosen: Settings,
    *,
    exclude_edges: bool,
) -> Search:
    """Check a search, as `find_minimum` takes it, before any data is read."""
    if not isinstance(exclude_edges, bool | np.bool_):
        raise InputError(f"exclude_edges={exclude_edges!r} is neither True nor False")
    array, pint = plain(the_variable(data, chosen))
    grid = Grid.of(array, chosen)
    check_names(array)
    wanted = find_measure(measure)
    check_measure(wanted, len(grid.axes))
    grid.warn()
    warn_units(array, grid, chosen, quantity_of(wanted))
    full = Stencil.of(grid, chosen, EVERYTHING)
    own = full.restricted(wanted.need)
    query = Query(
        wanted,
        checked_count(k, array.size),
        chosen.result_dtype(array.dtype),
        _points(own, exclude_edges=exclude_edges),
    )
    attrs = _attributes(array, grid, chosen, query, k, exclude_edges=exclude_edges)
    labels = Labels(grid.names, attrs, _units(array, grid, chosen, wanted))
    return Search(array, pint, own, full, query, labels)


def _gathered(search: Search) -> xr.Dataset:
    """Search, and on Ctrl-C tell the best so far."""
    tally = Tally(search.searched(workers()))
    try:
        gather(tally)
    except KeyboardInterrupt as stop:
        if tally.best is None or not len(tally.best.columns["place"]):
            raise
        told = f"{tally.done:,} of {tally.total:,} blocks searched"
        raise Interrupted(search.answer(tally.best).assign_attrs(partial=told)) from stop
    assert tally.best is not None
    return search.answer(tally.best)


def checked_count(k: int, size: int) -> int:
    """Return how many points to find.

    Raises
    ------
    InputError
        If k is no whole number from 1 to `MOST`.
    """
    if not is_count(k):
        raise InputError(f"k={reprlib.repr(k)} is no number of points; {COUNTS}")
    count = min(int(k), size)
    if count > MOST:
        raise InputError(
            f"k={k} is more than the {MOST:,} points that a search describes; "
            "compute the field with dhess.measure and sort it"
        )
    return count


def _points(stencil: Stencil, *, exclude_edges: bool) -> tuple[Range, ...]:
    ranges = [(0, size) for size in stencil.grid.shape]
    if exclude_edges:
        for axis in stencil.axes:
            low, high = axis.centred
            if low >= high:
                raise GridError(
                    f"dimension {axis.axis.name!r} has {axis.axis.size} points, all of them with "
                    "a one-sided stencil; leave exclude_edges out, or bring more points"
                )
            ranges[axis.axis.position] = low, high
    return tuple(ranges)


def _attributes(
    array: xr.DataArray,
    grid: Grid,
    chosen: Settings,
    query: Query,
    k: int,
    *,
    exclude_edges: bool,
) -> dict[str, Any]:
    return {
        "measure": query.measure.name,
        "k": int(k),
        "exclude_edges": int(exclude_edges),
        **options_told(array, grid, chosen),
        "points": int(np.prod([b - a for a, b in query.points], dtype=object)),
        **origin_told(array),
    }


def options_told(array: xr.DataArray, grid: Grid, chosen: Settings) -> dict[str, Any]:
    """Return the attributes that tell how the derivatives were taken."""
    return {
        **chosen.describe(grid.names, array.dtype),
        **({"note": POLES} if grid.poles else {}),
        **({"smoothed": str(array.attrs["smoothed"])} if "smoothed" in array.attrs else {}),
    }


def origin_told(array: xr.DataArray) -> dict[str, str]:
    """Return the attributes that tell what made an answer, and of which data."""
    source = str(array.encoding.get("source", ""))
    name = "" if array.name is None else f"::{array.name}"
    return {"dhess_version": own_version(), "source": source + name if source else ""}


def _blank(array: xr.DataArray, n: int, query: Query) -> Candidates:
    """Return candidates of the right shapes and types, for so many axes."""
    k = query.k
    columns: dict[str, Array] = {
        "value": np.zeros(k),
        "place": np.zeros(k, np.int64),
        "field": np.zeros(k, array.dtype.newbyteorder("=")),
        "noise": np.zeros(k),
        "gradient": np.zeros((k, n)),
        "hessian": np.zeros((k, n, n)),
    }
    return Candidates(columns, 0)


def _units(
    array: xr.DataArray, grid: Grid, chosen: Settings, wanted: Measure
) -> dict[str, dict[str, str]]:
    """Return the attributes of the variables that say their units."""
    quantities = {
        "value": quantity_of(wanted),
        "gradient": GRADIENT,
        "hessian": HESSIAN,
        "eigenvalues": EIGENVALUES,
    }
    told = {name: unit_attrs(array, grid, chosen, each) for name, each in quantities.items()}
    own = array.attrs.get("units")
    told["field"] = {} if own is None else {"units": str(own)}
    kept = ("units", "component_units")
    return {name: {k: each[k] for k in kept if k in each} for name, each in told.items()}


@cache
def own_version() -> str:
    """Return the version of dhess that is installed."""
    return version("dhess")


def _eagerly(values: Array, own: Stencil, full: Stencil, query: Query) -> Candidates:
    origin = tuple(a for a, _ in query.points)
    shape = tuple(b - a for a, b in query.points)

    def work(ranges: tuple[Range, ...]) -> Candidates:
        part = tuple((a + o, b + o) for (a, b), o in zip(ranges, origin, strict=True))
        return _candidates(own, Block(values, (0,) * values.ndim, part), query)

    best = Candidates.merge(in_threads(work, shape, values), query.k)
    whole = tuple((0, size) for size in values.shape)
    return described(full, Block(values, (0,) * values.ndim, whole), best)


def _candidates(stencil: Stencil, block: Block, query: Query) -> Candidates:
    single = query.dtype == np.float32
    return search(Table(stencil), block, query.measure.code, query.k, single=single)
