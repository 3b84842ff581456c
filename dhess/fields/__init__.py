"""Curvature fields of labelled arrays: NumPy in, NumPy out; Dask in, Dask out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

import dask.array as da
import numpy as np
import xarray as xr
from dask.base import tokenize

from dhess import halo
from dhess.block import Block
from dhess.budget import Blocks, field_memory, fits, refuse, stored_blocks
from dhess.errors import InputError
from dhess.fields.labels import check_type, is_lazy, labelled, variables_of
from dhess.fields.quantity import (
    EIGENVALUES,
    GRADIENT,
    HESSIAN,
    Quantity,
    quantity_of,
    unit_attrs,
    warn_units,
)
from dhess.grid import Grid
from dhess.measures import MEASURES, check_measure, find_measure
from dhess.options import Options, Settings, settings
from dhess.passes import write_components, write_measure
from dhess.running import workers
from dhess.stencil import Stencil
from dhess.stored import stored_of
from dhess.tables import Table
from dhess.tiles import in_threads
from dhess.units import plain, requantified

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.running import Workers
    from dhess.stored import Stored
    from dhess.tables import Array, Range

    Field = xr.DataArray | xr.Dataset


def gradient(data: Field, **options: Unpack[Options]) -> Any:
    """Return ∇f: the first derivative along every dimension.

    Parameters
    ----------
    data
        DataArray, or a Dataset of which every numeric variable with the dimensions is taken.
    **options
        The common options, see `dhess.options.Options`: dims, order, scheme, period, spacing,
        scale, nan, geometry, latitude, longitude, radius, datetime_unit, dtype.

    Returns
    -------
    DataArray with dims ("row", *data.dims), or Dataset of those; the coordinate ``row`` holds the
    names of the differentiated dimensions. Lazy if the data is. The attribute ``units`` is that of
    all components, or ``component_units`` lists them where the axes have several.

    Raises
    ------
    GridError
        If a coordinate cannot carry a derivative, or an axis has fewer than order + 1 points.
    InputError
        If an option or the data does not fit.

    Notes
    -----
    Differences of order + 1 points, exact for polynomials of that degree, one-sided at the ends.
    Inside a checkerboard the gradient is zero: use the Hessian to see it. With
    ``geometry="sphere"``, latitude φ, longitude λ and radius r: physical components f_φ / r and
    f_λ / (r cos φ); NaN at the poles.

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
        If a coordinate cannot carry a derivative, or an axis has fewer than order + 2 points.
    InputError
        If an option or the data does not fit.

    Notes
    -----
    ``scheme="direct"``: f_kk by one operator, exact for polynomials of degree p + 1 at order p
    (p + 1 points inside and p + 2 at the ends of even axes, p + 3 on uneven ones); f_kl = D_k D_l.
    ``scheme="iterated"`` is `numpy.gradient` of `numpy.gradient`: there to reproduce results, but
    it does not converge at the edges and calls a checkerboard flat. At a higher order it is the
    first derivative of that order, twice.

    On the sphere the Hessian is the covariant one, in physical components (M. do Carmo,
    "Riemannian Geometry", 1992, on ∇df): f_φφ / r², (f_φλ + tan φ f_λ) / (r² cos φ), and
    f_λλ / (r cos φ)² − tan φ f_φ / r²; its trace is the Laplace–Beltrami operator. Further
    dimensions, as height, are Cartesian beside them. Near a pole the terms grow like 1 / cos φ, and
    the error with them.

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
    """Return the sum of the second derivatives along every dimension, on a sphere Laplace–Beltrami.

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
        hessian_spectral, hessian_det, hessian_min_element, eigenvalue_min, eigenvalue_max,
        curvedness, shape_index, mean_curvature, gaussian_curvature, profile_curvature,
        plan_curvature.

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
    check_type(data)
    given, pint = plain(data)
    return requantified(_plainly(given, quantity, chosen), pint)


def _plainly(data: Field, quantity: Quantity, chosen: Settings) -> Field:
    if isinstance(data, xr.DataArray):
        return _field(data, quantity, chosen)
    variables = variables_of(data, chosen)
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
    grid.warn()
    warn_units(data, grid, chosen, quantity)
    weights = Stencil.of(grid, chosen, quantity.need)
    dtype = chosen.result_dtype(data.dtype)
    lazy = is_lazy(data)
    result = (_lazy if lazy else _eager)(data.variable.data, weights, quantity, dtype)
    return labelled(result, data, grid, quantity, unit_attrs(data, grid, chosen, quantity))


def _eager(values: Array, stencil: Stencil, quantity: Quantity, dtype: np.dtype[Any]) -> Array:
    work = FieldWork(quantity, dtype)
    out = work.empty(stencil, values.shape)
    whole = tuple((0, size) for size in values.shape)

    def part(ranges: tuple[Range, ...]) -> None:
        work.write(stencil, Block(values, (0,) * values.ndim, ranges), out, whole)

    in_threads(part, values.shape, values)
    return out


def _lazy(values: da.Array, stencil: Stencil, quantity: Quantity, dtype: np.dtype[Any]) -> da.Array:
    leading = (len(stencil.axes),) * len(quantity.leading)
    meta = np.empty((0,) * (len(leading) + values.ndim), dtype)
    work = FieldWork(quantity, dtype)
    itemsize = dtype.itemsize * math.prod(leading)
    team = workers()
    values, stored = fitting(values, stencil, itemsize, team)
    if stored is not None and team is not None:
        project = partial(
            field_memory, stencil=stencil, out_itemsize=itemsize, workers=team, reread=True
        )
        refuse(project, values.chunks, values.dtype, stored, team, stencil.grid.dims)
    return halo.field(
        values, stencil, work, leading=leading, meta=meta, name=quantity.name, stored=stored
    )


def fitting(
    values: da.Array, stencil: Stencil, out_itemsize: int, workers: Workers | None
) -> tuple[da.Array, Stored | None]:
    """Return an array in blocks that fit the memory of workers when a field is made of it.

    It comes with what it reads from, if its blocks have to be read twice: where those that wait for
    their neighbours would fill the memory. Bytes of a point of the field are ``out_itemsize``.
    """
    stored = None if workers is None else stored_of(values)
    if stored is None or workers is None:
        return values, None

    def project(blocks: Blocks, *, reread: bool = False) -> dict[str, int]:
        return field_memory(blocks, stencil, out_itemsize, workers, reread=reread)

    if fits(project(Blocks.of(values.chunks, values.dtype, stored)), workers):
        return values, None
    sizes = stored_blocks(stored, values.chunks, project, workers)
    if fits(project(Blocks.of(sizes, values.dtype, stored)), workers):
        return _cut(values, stored, sizes), None
    sizes = stored_blocks(stored, values.chunks, partial(project, reread=True), workers)
    return _cut(values, stored, sizes), stored


def _cut(values: da.Array, stored: Stored, sizes: Sequence[Sequence[int]]) -> da.Array:
    name = f"{values.name}-{tokenize(sizes)}"
    return da.from_array(stored, sizes, name=name, meta=values._meta)


@dataclass(frozen=True)
class FieldWork:
    """What computes a field on a part of the points."""

    quantity: Quantity
    dtype: np.dtype[Any]

    def empty(self, stencil: Stencil, shape: tuple[int, ...]) -> Array:
        """Return room for the results on so many points."""
        leading = (len(stencil.axes) for _ in self.quantity.leading)
        return np.empty((*leading, *shape), self.dtype)

    def write(self, stencil: Stencil, block: Block, out: Array, held: tuple[Range, ...]) -> None:
        """Write the results on the points of a block to their place in ``out``."""
        if self.quantity.measure is not None:
            write_measure(Table(stencil), block, self.quantity.measure.code, out, held)
        else:
            write_components(Table(stencil), block, self.quantity.components, out, held)
