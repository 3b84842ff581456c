"""Regions: connected sets of points where a measure is below a threshold."""

from __future__ import annotations

import math
import os
import reprlib
import uuid
from contextlib import ExitStack
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, Final, Unpack

import dask
import dask.array as da
import numpy as np

from dhess.errors import InputError, suggest
from dhess.fields.labels import is_lazy, the_variable
from dhess.fields.quantity import quantity_of, unit_attrs, warn_units
from dhess.grid import Grid
from dhess.measures import check_measure, find_measure
from dhess.options import COUNTS, Options, Settings, is_count, is_number, settings
from dhess.regions.answer import answer, check_names, content_attrs
from dhess.regions.blocks import Asked
from dhess.regions.cells import Cells, cells_of
from dhess.regions.field import labels_field
from dhess.regions.gathering import Gathered, Labelled, gather
from dhess.regions.levels import level
from dhess.running import workers
from dhess.search import options_told, origin_told
from dhess.stencil import Stencil
from dhess.sweep import Query
from dhess.units import axis_units, plain, requantified
from dhess.windows import Searched

if TYPE_CHECKING:
    import xarray as xr

    from dhess.regions.joins import Whole
    from dhess.running import Workers
    from dhess.tables import Array

CONNECTIVITIES: Final = ("faces", "full")
LABEL_BYTES: Final = 5
"""Of a point: its label, and whether it is NaN."""
MOST: Final = 2**63 - 1
"""Largest number that a file can tell."""
LEAST_BLOCK: Final = 1 << 20
"""Points that a block of an array in memory has at least."""


def flat_regions(
    data: xr.DataArray | xr.Dataset,
    measure: str = "hessian_norm",
    *,
    threshold: float | None = None,
    quantile: float | None = None,
    connectivity: str = "faces",
    min_size: int = 1,
    k: int | None = None,
    labels: bool = False,
    **options: Unpack[Options],
) -> Any:
    """Find the connected regions where a measure is below a threshold, largest first.

    Parameters
    ----------
    data
        DataArray, or a Dataset with one candidate variable.
    measure
        Which measure, see `dhess.measure`.
    threshold
        Points with ``measure < threshold`` belong to a region; NaN never does.
    quantile
        Instead of a threshold: the share of all valid points, those of smallest measure, from 0 to
        1. Equal values stay together. The threshold is then the float after
        ``numpy.quantile(values, quantile, method="inverted_cdf")``, found exactly by counting: two
        more passes over the data, two to four for float64, in bounded memory.
    connectivity
        ``"faces"``: points are neighbours along one axis; ``"full"``: also where they only touch at
        an edge or a corner. Axes with a ``period`` go on at their other end. Dimensions that
        ``dims`` leaves out are batches: no region extends along them.
    min_size
        Leave out regions of fewer points.
    k
        Return so many at most, the largest.
    labels
        Return the field of labels too: for each point 0, or 1 + the row of its region. Lazy if the
        data is, and computed from them once more.
    **options
        The common options, see `dhess.gradient`.

    Returns
    -------
    Dataset, or with ``labels`` a Dataset and a DataArray. Its dims are region and dim: ``size``
    (points), ``content`` (length, area, volume: what the points stand for, each from half-way to
    half-way to its neighbours; true area on the sphere), ``value`` (the smallest of the measure),
    ``field`` and ``index`` (region, dim) there and one coordinate along region per dimension of the
    data, the bounding box ``low_index`` and ``high_index`` (region, dim; inclusive, and high below
    low where it goes over a seam) with the coordinates ``low_X`` and ``high_X``, the centroid
    ``centroid_X``, weighted by content (NaN around an axis that it goes all around),
    ``touches_edge`` (a point lies at an open end of an axis) and ``wraps`` (region, dim: goes all
    the way around). Regions of equal size are in the order of their first points. Attributes:
    measure, threshold, all options, ``regions`` (before min_size and k), ``points_below``,
    ``points``, ``nan_points``, ``smallest`` (value of the measure anywhere), version, source. No
    region is no error: the Dataset then has none.

    Raises
    ------
    InputError
        If not just one of threshold and quantile is given, or they cannot be; and as for
        `find_minimum`.
    GridError
        As for `measure`.

    Notes
    -----
    Each block is labelled by a scan with union and find [1]_, and a union tree joins what touches
    across its faces. Sums are kept in fixed point: every number has the same bits for any chunking.

    References
    ----------
    .. [1] A. Rosenfeld, J. L. Pfaltz, "Sequential operations in digital picture processing",
       Journal of the ACM 13(4), 1966; R. E. Tarjan, "Efficiency of a good but not linear set union
       algorithm", Journal of the ACM 22(2), 1975.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.linspace(-2, 2, 81)
    >>> f = xr.DataArray(np.exp(-(x**2) - x[:, None] ** 2), {"y": x, "x": x}, ("y", "x"))
    >>> regions = dhess.flat_regions(f, "slope", threshold=0.1)
    >>> regions["size"].values.tolist(), regions.x.values.round(2).tolist()
    ([1984, 5], [-2.0, 0.0])
    """
    check_options(threshold, quantile, connectivity, min_size, k)
    if not isinstance(labels, bool | np.bool_):
        raise InputError(f"labels={reprlib.repr(labels)} is neither True nor False")
    asked = Question.of(data, measure, settings(**options), full=connectivity == "full")
    with ExitStack() as stack:
        if not is_lazy(asked.array):
            stack.enter_context(dask.config.set(scheduler="threads"))
        searched = asked.searched(workers() if is_lazy(asked.array) else None)
        if threshold is None:
            assert quantile is not None
            threshold = threshold_of(searched, asked.query, quantile)
        labelled = asked.labelled(searched, float(threshold))
        found = gather(labelled, uuid.uuid4().hex)
        whole = found.whole()
        table = asked.answer(found, whole, min_size, k, quantile)
        if not labels:
            return table
        field = labels_field(labelled, found.tables(whole, table.sizes["region"]))
        return table, asked.field(field)


def threshold_of(searched: Searched, query: Query, quantile: float) -> float:
    """Return the threshold that a share of all points is below."""
    found = level(searched, query, quantile, uuid.uuid4().hex)
    if found is None:
        return float("nan")  # no point is below it, for none is valid
    # In the measure's own type: whoever compares a field with it gets the same points.
    one = query.dtype.type
    return float(np.nextafter(one(found), one(np.inf)))


def check_options(
    threshold: object, quantile: object, connectivity: object, min_size: object, k: object
) -> None:
    """Refuse options of a search for regions that cannot be."""
    if (threshold is None) == (quantile is None):
        given = "neither is" if threshold is None else "both are"
        raise InputError(
            f"threshold and quantile exclude each other, and {given} given; write "
            "threshold=0.1 for values of the measure, or quantile=0.01 for a share of the points"
        )
    for name, value in (("threshold", threshold), ("quantile", quantile)):
        if value is not None and not _is_finite(value):
            raise InputError(f"{name}={reprlib.repr(value)} is no finite number; write {name}=0.1")
    if quantile is not None and not 0 <= quantile <= 1:  # type: ignore[operator]
        raise InputError(
            f"quantile={quantile!r} is no share of the points; it must be from 0 to 1"
        )  # fmt: skip
    if connectivity not in CONNECTIVITIES:
        known = suggest(str(connectivity), CONNECTIVITIES)
        raise InputError(f"connectivity={connectivity!r} is unknown; {known}")
    for name, value in (("min_size", min_size), ("k", k)):
        if not (is_count(value) or (value is None and name == "k")):
            what = "points" if name == "min_size" else "regions"
            raise InputError(f"{name}={reprlib.repr(value)} is no number of {what}; {COUNTS}")


def _is_finite(value: object) -> bool:
    try:
        return is_number(value) and math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # a whole number beyond all floats
        return False


@dataclass(frozen=True, eq=False)
class Question:
    """What is looked for in an array, all of it checked but the threshold."""

    array: xr.DataArray
    pint: Any
    grid: Grid
    chosen: Settings
    stencil: Stencil
    query: Query
    cells: Cells
    full: bool

    @classmethod
    def of(
        cls, data: xr.DataArray | xr.Dataset, measure: str, chosen: Settings, *, full: bool
    ) -> Question:
        """Check a question, before any data is read."""
        array, pint = plain(the_variable(data, chosen))
        grid = Grid.of(array, chosen)
        check_names(array)
        wanted = find_measure(measure)
        check_measure(wanted, len(grid.axes))
        grid.warn()
        warn_units(array, grid, chosen, quantity_of(wanted))
        points = tuple((0, size) for size in array.shape)
        dtype = chosen.result_dtype(array.dtype)
        query = Query(wanted, 1, dtype, points, scratch=dtype.itemsize + LABEL_BYTES)
        stencil = Stencil.of(grid, chosen, wanted.need)
        cells = cells_of(array, grid, chosen)
        return cls(array, pint, grid, chosen, stencil, query, cells, full)

    def searched(self, team: Workers | None) -> Searched:
        """Choose the blocks; refuse those that the workers cannot hold."""
        values = _in_blocks(self.array.variable.data)
        searched = Searched.of(values, self.stencil, self.query, team)
        searched.refuse(self.array.dims)
        return searched

    def labelled(self, searched: Searched, threshold: float) -> Labelled:
        """Return what is labelled."""
        connected = tuple(self.stencil.along(d) is not None for d in range(self.array.ndim))
        query = self.query
        asked = Asked(query.measure, threshold, self.full, query.dtype, connected, self.cells)
        return Labelled(searched, asked)

    def answer(
        self, found: Gathered, whole: Whole, min_size: int, k: int | None, quantile: float | None
    ) -> xr.Dataset:
        """Return what is told of the regions."""
        asked = found.labelled.asked
        attrs = {
            "measure": self.query.measure.name,
            "threshold": asked.threshold,
            **({} if quantile is None else {"quantile": float(quantile)}),
            "connectivity": CONNECTIVITIES[self.full],
            "min_size": min(int(min_size), MOST),
            **({} if k is None else {"k": min(int(k), MOST)}),
            **options_told(self.array, self.grid, self.chosen),
            "regions": len(whole.rows),
            "points_below": int(whole.rows.size.sum()),
            "points": prod(self.array.shape),
            "nan_points": found.seen.nans,
            **({"missing_chunks": found.seen.missing} if found.seen.missing else {}),
            "smallest": found.seen.least if np.isfinite(found.seen.least) else float("nan"),
            **origin_told(self.array),
        }
        kept = _kept(whole, min_size, k)
        result = answer(
            kept, self.array, self.grid, self.cells, attrs=attrs, units=self._units()
        )  # fmt: skip
        return requantified(result, self.pint)

    def field(self, labels: da.Array) -> xr.DataArray:
        """Return the labelled field of labels."""
        values = labels.rechunk(self.array.chunks) if self.array.chunks else labels.compute()
        attrs = {"long_name": "region", **origin_told(self.array)}
        return (
            self.array.copy(data=values).rename("region").drop_attrs(deep=False).assign_attrs(attrs)
        )

    def _units(self) -> dict[str, dict[str, str]]:
        told = unit_attrs(self.array, self.grid, self.chosen, quantity_of(self.query.measure))
        own = self.array.attrs.get("units")
        names, units = self.grid.names, [axis.unit for axis in self.grid.axes]
        return {
            "value": {key: told[key] for key in ("units",) if key in told},
            "field": {} if own is None else {"units": str(own)},
            "content": content_attrs(axis_units(names, units, self.chosen.scale)),
        }


def _kept(whole: Whole, min_size: int, k: int | None) -> Whole:
    """Return the largest regions."""
    many = int(np.searchsorted(-whole.rows.size, -min_size, side="right"))
    index = np.arange(many if k is None else min(many, int(k)))
    return type(whole)(whole.rows.take(index), whole.wraps[index], whole.ids)


def _in_blocks(values: Array | da.Array) -> da.Array:
    """Return an array of Dask; one in memory is cut for the cores."""
    if isinstance(values, da.Array):
        return values
    points = max(values.size // (4 * (os.cpu_count() or 1)), LEAST_BLOCK)
    return da.from_array(values, chunks="auto" if values.size == 0 else _chunks(values, points))


def _chunks(values: Array, points: int) -> tuple[int, ...]:
    """Cut the first dimensions, whose parts lie together in memory."""
    sizes = list(values.shape)
    for d, size in enumerate(values.shape):
        behind = prod(values.shape[d + 1 :])
        sizes[d] = min(size, max(points // behind, 1))
        if sizes[d] > 1:
            break
    return tuple(sizes)
