"""How large the cell around each grid point is, and where it lies: what regions are measured with.

A point stands for the part of the axis that is nearer to it than to its neighbours; at an open end
it reaches as far outwards as inwards. On the sphere cells are those of longitude and of the sine of
latitude, so that areas are true.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.grid.sphere import turn

if TYPE_CHECKING:
    import xarray as xr

    from dhess.grid import Axis, Grid
    from dhess.options import Settings
    from dhess.tables import Array


@dataclass(frozen=True, eq=False)
class Cells:
    """Sizes and places of the cells, as a factor per dimension of the array."""

    widths: tuple[Array, ...]
    """As shares of the largest, each of shape (size,); 1 along dimensions that are not measured."""
    places: tuple[Array, ...]
    """Coordinates as shares of the axis: 0 at the first point, 1 at the last or once around."""
    largest: float
    """Size of the largest cell."""

    def cut(self, d: int, index: Array) -> tuple[Array, Array]:
        """Return widths and places along a dimension at some indices."""
        return self.widths[d][index], self.places[d][index]


def cells_of(da: xr.DataArray, grid: Grid, chosen: Settings) -> Cells:
    """Return the cells of a grid.

    Examples
    --------
    >>> import xarray as xr
    >>> from dhess.grid import Grid
    >>> from dhess.options import settings
    >>> da = xr.DataArray(np.zeros(4), {"x": [0.0, 1.0, 3.0, 4.0]}, "x")
    >>> cells = cells_of(da, Grid.of(da, settings()), settings())
    >>> (cells.widths[0] * cells.largest).tolist(), cells.places[0].tolist()
    ([1.0, 1.5, 1.5, 1.0], [0.0, 0.25, 0.75, 1.0])
    """
    widths = [np.ones(size) for size in grid.shape]
    places = [np.zeros(size) for size in grid.shape]
    largest = 1.0
    for axis in grid.axes:
        own = _parallel_widths(da, axis, chosen) if axis.role == "latitude" else _widths(axis)
        top = float(own.max())
        largest *= top
        widths[axis.position] = own / top
        places[axis.position] = np.abs(axis.at(np.arange(axis.size))) / (axis.span or 1.0)
    return Cells(tuple(widths), tuple(places), largest)


def _widths(axis: Axis) -> Array:
    """Return half of the way to both neighbours."""
    if axis.step is not None:
        return np.full(axis.size, abs(axis.step))
    index = np.arange(-1, axis.size + 1)
    if axis.period is None:
        steps = np.abs(axis.steps())
        steps = np.concatenate([steps[:1], steps, steps[-1:]])
    else:
        steps = np.abs(np.diff(axis.at(index)))
    return (steps[:-1] + steps[1:]) / 2


def _parallel_widths(da: xr.DataArray, axis: Axis, chosen: Settings) -> Array:
    """Return by how much the sine of latitude grows over each cell, times the radius."""
    coordinate = da.coords[axis.name]
    right = turn(coordinate.attrs.get("units")) / 4
    latitude = np.asarray(coordinate.values, np.float64) / right
    edges = (latitude[:-1] + latitude[1:]) / 2
    first, last = 2 * latitude[0] - edges[0], 2 * latitude[-1] - edges[-1]
    edges = np.clip(np.concatenate([[first], edges, [last]]), -1.0, 1.0)
    sines = np.sin(edges * (np.pi / 2))
    widths: Any = np.abs(np.diff(sines)) * chosen.radius
    return np.asarray(widths)
