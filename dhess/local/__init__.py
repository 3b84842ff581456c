"""The local model of a field: value, gradient and Hessian at a place, on the grid or between."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import xarray as xr

from dhess.answer import kinds_of
from dhess.block import Block
from dhess.errors import GridError, InputError
from dhess.fields.labels import is_lazy, the_variable
from dhess.fields.quantity import EIGENVALUES, GRADIENT, HESSIAN, POLES, unit_attrs, warn_units
from dhess.grid import Grid
from dhess.grid.sphere import parallels
from dhess.kernels.eigen import symmetric_eigenvalues
from dhess.local.model import LocalModel
from dhess.local.place import Place, find_places
from dhess.local.reading import read
from dhess.local.rows import reachable
from dhess.local.taylor import Spot, Taylor, taylor
from dhess.options import Options, Settings, settings
from dhess.stencil import EVERYTHING, Stencil
from dhess.units import axis_units, plain, requantified, unit_text

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from dhess.tables import Array, Range

__all__ = ["LocalModel", "local_model"]

_PARTS = {
    "value": (), "gradient": ("row",), "hessian": ("row", "col"), "eigenvalues": ("eigen",),
    "kind": (), "direction": ("eigen", "row"), "radius": ("eigen",), "value_error": (),
    "gradient_error": ("row",), "hessian_error": ("row", "col"),
}  # fmt: skip
"""What a model tells, and along which dimensions."""


def local_model(
    data: xr.DataArray | xr.Dataset, at: Mapping[Any, Any], **options: Unpack[Options]
) -> LocalModel:
    """Return f(x + h) ≈ f + g·h + h'Hh/2 around a place x: value, gradient and Hessian there.

    Parameters
    ----------
    data
        DataArray, or a Dataset with one candidate variable.
    at
        The place, by dimension: ``{"x": 1.25, "y": 0.5}``, in the unit of the coordinate, a date or
        a length of time along times, an index along a dimension without coordinate. Along an axis
        with a period it may lie anywhere. Dimensions that ``dims`` leaves out may be named too,
        with one of their points.
    **options
        The common options, see `dhess.gradient`.

    Returns
    -------
    `LocalModel`, a Dataset with the method ``predict(h)``. Its dimensions are row, col, eigen, and
    those of the data that are neither differentiated nor named in ``at``: a model for each of their
    points. Variables: ``value``, ``gradient`` (row), ``hessian`` (row, col), ``eigenvalues``
    (eigen) ascending, ``direction`` (eigen, row): the principal directions, unit eigenvectors whose
    largest component is positive; ``radius`` (eigen): the principal radii of curvature 1/λ, with
    the sign of λ, infinite where λ is within the rounding of the data; ``kind``, as
    `dhess.find_minimum` has it; ``value_error``, ``gradient_error`` and ``hessian_error``.
    ``index`` (dim): of the nearest point, -1 along dimensions that the model keeps. Coordinates:
    the place, in the coordinate's own dtype where that holds it.
    Attributes: options, points of the grid that were used, those among them that are NaN, version,
    source.

    Raises
    ------
    GridError, InputError
        As for `dhess.hessian`; also for a place that is outside of the grid or no place, a name
        that is no dimension, a differentiated dimension without a place, and a place between points
        with ``scheme="iterated"``.

    Notes
    -----
    On a point of the grid the numbers are those of `dhess.gradient` and `dhess.hessian`, to the
    bit. Elsewhere they are those of the tensor-product polynomial through the order + 2 nearest
    points along each axis, one-sided at the ends: exact for polynomials of degree order + 1
    everywhere, and for quadratics at any order. Along an axis on whose point the place lies the
    rows are the operators' own.

    The errors are estimates: how far the model of order p is from that of order p + 2; NaN where an
    axis is too short for that. They do not see the noise of the data.

    ``nan="propagate"``: NaN where a point with a weight is NaN. ``nan="adapt"``: where such a one
    is among them, the polynomial goes through a box of valid points around the place, up to order +
    2 along each axis; NaN where a corner of the cell that the place lies in is NaN.
    ``geometry="sphere"``: physical components and covariant derivatives, for h along great circles.

    The radii are those of the sections of the graph of the field less its tangent plane, along the
    principal directions [1]_, and √(2/|λ|) = √(2|radius|) are the half-axes of the curve (surface)
    on which the field is one unit off its tangent plane, Dupin's indicatrix.

    References
    ----------
    .. [1] M. do Carmo, Differential Geometry of Curves and Surfaces (1976), 3-2 and 3-3.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.linspace(-1, 1, 21)
    >>> y = x[:, None]
    >>> f = xr.DataArray(x**2 + x * y - 3 * y**2, {"y": x, "x": x}, ("y", "x"))
    >>> model = dhess.local_model(f, {"y": 0.25, "x": 0.5})
    >>> np.round(model.gradient.values, 9), np.round(model.hessian.values, 9)
    (array([-1.  ,  1.25]), array([[-6.,  1.],
           [ 1.,  2.]]))
    >>> round(float(model.predict({"x": 0.1})), 9), str(model.kind.values)
    (0.3225, 'saddle')
    """
    chosen = settings(**options)
    array, pint = plain(the_variable(data, chosen))
    is_lazy(array)  # refuses other arrays
    grid = Grid.of(array, chosen)
    _check_names(array)
    stencil = Stencil.of(grid, chosen, EVERYTHING)
    places = find_places(array, at, chosen)
    _check_scheme(places, grid, chosen)
    grid.warn()
    warn_units(array, grid, chosen, EIGENVALUES)
    spots, counts = _spots(array, grid, chosen, stencil, places)
    columns = _columns(spots, chosen.result_dtype(array.dtype))
    attrs = _attributes(array, grid, chosen) | counts
    model = _dataset(columns, array, grid, chosen, places).assign_attrs(attrs)
    return LocalModel.of(requantified(model, pint))


def _check_names(array: xr.DataArray) -> None:
    taken = {*_PARTS, "row", "col", "eigen", "dim", "index"}
    for name in array.dims:
        if name in taken:
            raise InputError(
                f"dimension {name!r} has the name of a part of the model; "
                f"rename it, as in .rename({name}='{name}_')"
            )


def _check_scheme(places: Mapping[Hashable, Place], grid: Grid, chosen: Settings) -> None:
    for name in grid.names:
        if places[name].fraction and chosen.scheme == "iterated":
            raise InputError(
                f"at {name}={places[name].value} is between two points of the grid, where "
                "scheme='iterated' has no value; use scheme='direct', or a point of the grid"
            )


def _spots(
    array: xr.DataArray,
    grid: Grid,
    chosen: Settings,
    stencil: Stencil,
    places: Mapping[Hashable, Place],
) -> tuple[list[Spot], dict[str, int]]:
    """Read what is around a place: for the order that was chosen, and the next one if it can be."""
    along = tuple(places[name] for name in grid.names)
    stencils = {chosen.order: stencil}
    try:
        more = replace(chosen, order=chosen.order + 2)
        stencils[more.order] = Stencil.of(grid, more, EVERYTHING)
    except GridError:  # too few points, so that there is no estimate
        pass
    ranges: list[Range] = [
        (places[name].index, places[name].index + 1) if name in places else (0, size)
        for name, size in array.sizes.items()
    ]
    batch = tuple(ranges)
    for order, each in stencils.items():
        for axis, place in zip(each.axes, along, strict=True):
            d = axis.axis.position
            near = reachable(axis, place, order)
            wide = min(ranges[d][0], near[0]), max(ranges[d][1], near[1])
            ranges[d] = wide if wide[1] - wide[0] < axis.axis.size else (0, axis.axis.size)
    values, missing = read(array.variable.data, ranges)
    block = Block(values, tuple(a for a, _ in ranges), batch)
    circle = _circle(array, grid, chosen, places)
    counts = {"points": values.size, "nan_points": int(np.isnan(values).sum())}
    if missing:
        counts["missing_chunks"] = missing
    return [Spot(each, along, order, block, circle) for order, each in stencils.items()], counts


def _circle(
    array: xr.DataArray, grid: Grid, chosen: Settings, places: Mapping[Hashable, Place]
) -> tuple[float, float]:
    """Return the cosine of the latitude of a place, and its tangent over the radius."""
    name = next((axis.name for axis in grid.axes if axis.role == "latitude"), None)
    if name is None:
        return 1.0, 0.0
    one = xr.DataArray([0.0], {name: (name, [places[name].value], array[name].attrs)}, (name,))
    circles = parallels(one, name, chosen.radius)
    return float(circles.cos[0]), float(circles.tan[0])


def _columns(spots: Sequence[Spot], dtype: np.dtype[Any]) -> dict[str, Array]:
    """Return everything that is told, with one row for each field."""
    series = [taylor(spot) for spot in spots]
    best = series[0]
    other = series[1] if len(series) > 1 else None
    values, directions = _principal(best.hessian)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        flat = np.abs(values) <= best.noise[:, None]
        floats = {
            "value": best.value,
            "gradient": best.gradient,
            "hessian": best.hessian,
            "eigenvalues": values,
            "direction": directions,
            "radius": np.where(flat, np.inf, 1.0 / values),
            **{
                f"{name}_error": _off(best, other, name)
                for name in ("value", "gradient", "hessian")
            },
        }
        columns = {name: part.astype(dtype) for name, part in floats.items()}
    return {**columns, "kind": kinds_of(values, best.noise)}


def _off(best: Taylor, other: Taylor | None, name: str) -> Array:
    one: Array = getattr(best, name)
    off: Array = np.full_like(one, np.nan) if other is None else np.abs(one - getattr(other, name))
    return off


def _principal(hessian: Array) -> tuple[Array, Array]:
    """Return eigenvalues, ascending, and unit eigenvectors as rows; NaN where an entry is."""
    values = np.empty(hessian.shape[:2])
    symmetric_eigenvalues(hessian.copy(), values)
    good = np.isfinite(hessian).all(axis=(1, 2))
    directions = np.full(hessian.shape, np.nan)
    found = np.linalg.eigh(hessian[good])[1].swapaxes(1, 2)
    largest = np.take_along_axis(found, np.abs(found).argmax(axis=2)[..., None], axis=2)
    directions[good] = found * np.where(largest < 0, -1.0, 1.0)
    return values, directions


def _dataset(
    columns: Mapping[str, Array],
    array: xr.DataArray,
    grid: Grid,
    chosen: Settings,
    places: Mapping[Hashable, Place],
) -> xr.Dataset:
    batch = [name for name in array.dims if name not in places]
    sizes = [array.sizes[name] for name in batch]
    units = _units(array, grid, chosen)
    variables = {
        name: (
            (*batch, *dims),
            columns[name].reshape((*sizes, *columns[name].shape[1:])),
            units.get(name.removesuffix("_error"), {}),
        )
        for name, dims in _PARTS.items()
    }
    rows = [str(name) for name in grid.names]
    coords: dict[Hashable, Any] = {"dim": list(map(str, array.dims)), "row": rows, "col": rows}
    for name in array.dims:
        kept = array.coords[name].attrs if name in array.coords else {}
        if name in places:
            coords[name] = ((), places[name].value, kept)
        elif name in array.coords:
            coords[name] = array.coords[name]
    near = [
        places[name].nearest % size if name in places else -1 for name, size in array.sizes.items()
    ]
    return xr.Dataset({**variables, "index": ("dim", near)}, coords)


def _units(array: xr.DataArray, grid: Grid, chosen: Settings) -> dict[str, dict[str, str]]:
    """Return the attributes of the variables that say their units."""
    own = array.attrs.get("units")
    axes = axis_units(grid.names, [axis.unit for axis in grid.axes], chosen.scale)
    radius = unit_text(own, axes, (-1, 2))
    quantities = {"gradient": GRADIENT, "hessian": HESSIAN, "eigenvalues": EIGENVALUES}
    told = {name: unit_attrs(array, grid, chosen, each) for name, each in quantities.items()}
    return {
        "value": {} if own is None else {"units": str(own)},
        "radius": {} if radius is None else {"units": radius},
        **told,
    }


def _attributes(array: xr.DataArray, grid: Grid, chosen: Settings) -> dict[str, Any]:
    source = str(array.encoding.get("source", ""))
    name = "" if array.name is None else f"::{array.name}"
    return {
        **chosen.describe(grid.names, array.dtype),
        **({"note": POLES} if grid.poles else {}),
        **({"smoothed": str(array.attrs["smoothed"])} if "smoothed" in array.attrs else {}),
        "dhess_version": version("dhess"),
        "source": source + name if source else "",
    }
