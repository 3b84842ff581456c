"""Curvature fields of labelled arrays: NumPy in, NumPy out; Dask in, Dask out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Unpack

import dask.array as da
import numpy as np
import xarray as xr

from dhess.block import Block
from dhess.errors import InputError
from dhess.grid import Grid
from dhess.halo import map_blocks
from dhess.kernels import boxes
from dhess.measures import MEASURES, Measure, check_measure, find_measure, unit_text
from dhess.options import Options, Settings, settings
from dhess.passes import write_components, write_measure
from dhess.stencil import HESSIAN as SECOND
from dhess.stencil import SLOPES, Need, Stencil
from dhess.tables import Table
from dhess.tiles import in_threads

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dhess.tables import Array, Range

    Field = xr.DataArray | xr.Dataset


@dataclass(frozen=True)
class Quantity:
    """What a field function returns: a measure, or the components of a tensor."""

    name: str
    long_name: str
    need: Need
    measure: Measure | None = None
    components: int = -1
    leading: tuple[str, ...] = ()
    """Dimensions before those of the data, each as long as there are axes."""
    powers: tuple[int, int] | None = None
    unit: str | None = None


GRADIENT = Quantity(
    "gradient", "gradient", SLOPES,
    components=boxes.GRADIENT, leading=("row",), powers=(1, -1),
)  # fmt: skip
HESSIAN = Quantity(
    "hessian", "Hessian", SECOND,
    components=boxes.HESSIAN, leading=("row", "col"), powers=(1, -2),
)  # fmt: skip
EIGENVALUES = Quantity(
    "eigenvalues", "eigenvalues of the Hessian", SECOND,
    components=boxes.EIGENVALUES, leading=("eigen",), powers=(1, -2),
)  # fmt: skip


def quantity_of(measure: Measure) -> Quantity:
    """Return the scalar field of a measure."""
    return Quantity(
        measure.name,
        measure.name.replace("_", " "),
        measure.need,
        measure=measure,
        powers=measure.powers,
        unit="rad" if measure.unit == "rad" else None,
    )


def gradient(data: Field, **options: Unpack[Options]) -> Any:
    """Return ∇f: the first derivative along every dimension.

    Parameters
    ----------
    data
        DataArray, or a Dataset of which every numeric variable with the dimensions is taken.
    **options
        The common options, see `dhess.options.Options`: dims, order, scheme, spacing, nan,
        geometry, datetime_unit, dtype.

    Returns
    -------
    DataArray with dims ("row", *data.dims), or Dataset of those; the coordinate ``row`` holds the
    names of the differentiated dimensions. Lazy if the data is.

    Raises
    ------
    GridError
        If a coordinate cannot carry a derivative or an axis has fewer than 3 points.
    InputError
        If an option or the data does not fit.

    Notes
    -----
    Three-point differences, exact for polynomials of degree 2, one-sided at the ends. Inside a
    checkerboard the gradient is zero: use the Hessian to see it.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.array([0.0, 0.1, 0.3, 0.7, 1.0])
    >>> f = xr.DataArray(x**2, {"x": x}, "x")
    >>> dhess.gradient(f).sel(row="x").values.round(12)
    array([0. , 0.2, 0.6, 1.4, 2. ])
    """
    return _apply(data, GRADIENT, settings(**options))


def hessian(data: Field, **options: Unpack[Options]) -> Any:
    """Return the matrix of second derivatives, exactly symmetric.

    Parameters
    ----------
    data, **options
        As for `gradient`.

    Returns
    -------
    DataArray with dims ("row", "col", *data.dims), or Dataset of those. Lazy if the data is.

    Raises
    ------
    GridError
        If a coordinate cannot carry a derivative or an axis has fewer than 4 points.
    InputError
        If an option or the data does not fit.

    Notes
    -----
    ``scheme="direct"``: f_kk by one operator, exact for polynomials of degree 3 (three points
    inside and four at the ends of even axes, five on uneven ones); f_kl = D_k D_l.
    ``scheme="iterated"`` is `numpy.gradient` of `numpy.gradient`: there to reproduce results, but
    it does not converge at the edges and calls a checkerboard flat.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> y, x = np.arange(4.0), np.arange(5.0)
    >>> f = xr.DataArray(y[:, None] ** 2 + 3 * y[:, None] * x, {"y": y, "x": x}, ("y", "x"))
    >>> dhess.hessian(f)[:, :, 0, 0].values
    array([[2., 3.],
           [3., 0.]])
    """
    return _apply(data, HESSIAN, settings(**options))


def eigenvalues(data: Field, **options: Unpack[Options]) -> Any:
    """Return the eigenvalues of the Hessian, ascending, with no Hessian field in between.

    Parameters
    ----------
    data, **options
        As for `gradient`.

    Returns
    -------
    DataArray with dims ("eigen", *data.dims), or Dataset of those. Lazy if the data is.

    Raises
    ------
    GridError, InputError
        As for `hessian`.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.arange(4.0)
    >>> saddle = xr.DataArray(np.outer(x, x), dims=("y", "x"))
    >>> dhess.eigenvalues(saddle)[:, 0, 0].values
    array([-1.,  1.])
    """
    return _apply(data, EIGENVALUES, settings(**options))


def laplacian(data: Field, **options: Unpack[Options]) -> Any:
    """Return the sum of the second derivatives along every dimension.

    Parameters
    ----------
    data, **options
        As for `gradient`.

    Returns
    -------
    DataArray with the dims of the data, or Dataset of those. Lazy if the data is.

    Raises
    ------
    GridError, InputError
        As for `hessian`.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> i = np.arange(5.0)
    >>> dhess.laplacian(xr.DataArray(i**2, dims="x")).values
    array([2., 2., 2., 2., 2.])
    """
    return _apply(data, quantity_of(MEASURES["laplacian"]), settings(**options))


def measure(data: Field, name: str, **options: Unpack[Options]) -> Any:
    """Return one scalar measure of slope or curvature; `dhess measures` prints the table.

    Parameters
    ----------
    data, **options
        As for `gradient`.
    name
        Which measure: slope, slope_angle, laplacian, laplacian_abs, hessian_norm,
        hessian_spectral, hessian_det, hessian_min_element, eigenvalue_min, eigenvalue_max.

    Returns
    -------
    DataArray with the dims of the data, or Dataset of those. Lazy if the data is. Slope and norm
    are roots of sums of squares: 0 where the derivatives are below 1e-154, infinite above 1e154.

    Raises
    ------
    GridError, InputError
        As for `hessian`; also for an unknown measure, or one for another number of dimensions.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.arange(4.0)
    >>> plane = xr.DataArray(3 * x[:, None] + 4 * x, dims=("y", "x"), attrs={"units": "m"})
    >>> dhess.measure(plane, "slope").values[0]
    array([5., 5., 5., 5.])
    """
    return _apply(data, quantity_of(find_measure(name)), settings(**options))


def _apply(data: Field, quantity: Quantity, chosen: Settings) -> Field:
    if isinstance(data, xr.DataArray):
        return _field(data, quantity, chosen)
    _check_type(data)
    variables = _candidates(data, chosen)
    if not variables:
        raise InputError(
            "no numeric variable of the Dataset has the dimensions "
            f"{list(chosen.dims or ())!r}; variables: {', '.join(map(str, data.data_vars))}"
        )
    dims = {data[name].dims for name in variables}
    if quantity.leading and chosen.dims is None and len(dims) > 1:
        which = "; ".join(f"{name} ({', '.join(map(str, data[name].dims))})" for name in variables)
        raise InputError(
            f"variables of the Dataset have different dimensions, and so would the rows of their "
            f"{quantity.name}: {which}; name the dimensions with dims="
        )
    return xr.Dataset(
        {name: _field(data[name], quantity, chosen) for name in variables}, attrs=data.attrs
    )


def _check_type(data: object) -> None:
    if not isinstance(data, xr.Dataset):
        raise InputError(
            f"an xarray DataArray or Dataset is needed, not {type(data).__name__}; "
            "wrap the array as xr.DataArray(values, coords, dims)"
        )


def is_lazy(data: xr.DataArray) -> bool:
    """Tell whether data is in Dask chunks; refuse what is neither those nor NumPy."""
    values = data.variable.data
    if not isinstance(values, da.Array | np.ndarray):
        raise InputError(
            f"data of type {type(values).__module__}.{type(values).__name__} is not supported; "
            "convert it to NumPy or Dask"
        )
    return isinstance(values, da.Array)


def _candidates(data: xr.Dataset, chosen: Settings) -> list[Hashable]:
    """Return the variables of a Dataset that can be differentiated along the wanted dims."""
    return [
        name
        for name, v in data.data_vars.items()
        if v.dtype.kind in "biuf" and v.ndim and set(chosen.dims or ()) <= set(v.dims)
    ]


def the_variable(data: Field, chosen: Settings) -> xr.DataArray:
    """Return the array to search: the data, or the only candidate of a Dataset."""
    if isinstance(data, xr.DataArray):
        return data
    _check_type(data)
    names = _candidates(data, chosen)
    if len(names) != 1:
        raise InputError(
            f"the Dataset has {len(names)} variables that could be searched "
            f"({', '.join(map(str, names)) or 'none'}); pass one of them, as in data['name']"
        )
    return data[names[0]]


def _field(data: xr.DataArray, quantity: Quantity, chosen: Settings) -> xr.DataArray:
    grid = Grid.of(data, chosen)
    if quantity.measure is not None:
        check_measure(quantity.measure, len(grid.axes))
    for name in quantity.leading:
        if name in data.dims or name in data.coords:
            raise InputError(
                f"{quantity.name} makes a dimension {name!r}, which the array already has; "
                f"rename it, as in .rename({name}='{name}_')"
            )
    weights = Stencil.of(grid, chosen, quantity.need)
    dtype = chosen.result_dtype(data.dtype)
    lazy = is_lazy(data)
    result = (_lazy if lazy else _eager)(data.variable.data, weights, quantity, dtype)
    return _labelled(result, data, grid, quantity)


def unit_of(data: xr.DataArray, grid: Grid, quantity: Quantity) -> str | None:
    """Return the unit of a quantity as text, None if the attributes do not tell it."""
    if quantity.powers is None:
        return quantity.unit
    units = tuple(axis.unit for axis in grid.axes)
    return unit_text(data.attrs.get("units"), units, quantity.powers)


def _labelled(values: Any, data: xr.DataArray, grid: Grid, quantity: Quantity) -> xr.DataArray:
    """Put dims, coords, name, attrs and units back, here and nowhere else."""
    names = list(map(str, grid.names))
    coords = dict(data.coords)
    coords |= {name: names for name in quantity.leading if name != "eigen"}
    attrs = {k: v for k, v in data.attrs.items() if k not in ("units", "standard_name")}
    name = "the field" if data.name is None else data.name
    label = str(data.attrs.get("long_name", name))
    attrs["long_name"] = f"{quantity.long_name} of {label}"
    unit = unit_of(data, grid, quantity)
    if unit is not None:
        attrs["units"] = unit
    return xr.DataArray(values, coords, (*quantity.leading, *data.dims), data.name, attrs)


def _eager(values: Array, stencil: Stencil, quantity: Quantity, dtype: np.dtype[Any]) -> Array:
    out = _empty(stencil, quantity, values.shape, dtype)
    whole = tuple((0, size) for size in values.shape)

    def work(ranges: tuple[Range, ...]) -> None:
        _write(stencil, Block(values, (0,) * values.ndim, ranges), quantity, out, whole)

    in_threads(work, values.shape, values)
    return out


def _lazy(values: da.Array, stencil: Stencil, quantity: Quantity, dtype: np.dtype[Any]) -> da.Array:
    leading = (len(stencil.axes),) * len(quantity.leading)
    meta = np.empty((0,) * (len(leading) + values.ndim), dtype)
    return map_blocks(
        _on_block,
        values,
        stencil,
        leading=leading,
        meta=meta,
        name=quantity.name,
        quantity=quantity,
        dtype=dtype,
    )


def _on_block(stencil: Stencil, block: Block, *, quantity: Quantity, dtype: np.dtype[Any]) -> Array:
    shape = tuple(b - a for a, b in block.ranges)
    out = _empty(stencil, quantity, shape, dtype)
    _write(stencil, block, quantity, out, block.ranges)
    return out


def _empty(
    stencil: Stencil, quantity: Quantity, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    return np.empty((*(len(stencil.axes) for _ in quantity.leading), *shape), dtype)


def _write(
    stencil: Stencil, block: Block, quantity: Quantity, out: Array, held: tuple[Range, ...]
) -> None:
    if quantity.measure is not None:
        write_measure(Table(stencil), block, quantity.measure.code, out, held)
    else:
        write_components(Table(stencil), block, quantity.components, out, held)
