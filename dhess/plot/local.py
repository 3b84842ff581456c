"""The field along each axis through a place, with its slope as a line and its Hessian as a bow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import InputError
from dhess.grid import Grid
from dhess.local import local_model
from dhess.local.place import find_places
from dhess.options import settings
from dhess.plot import draw
from dhess.plot.given import usable
from dhess.plot.picture import label
from dhess.plot.places import Marks, coordinate
from dhess.plot.saving import finish

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping

    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dhess.grid import Axis
    from dhess.local import LocalModel
    from dhess.local.place import Place
    from dhess.options import Settings
    from dhess.tables import Array

REACH = 8
"""Points of the grid on each side of the place."""
COLUMNS = 3
ALONG_COORDINATES = ("geometry", "latitude", "longitude", "radius", "scale")
"""Options that a picture of the field over its own coordinates leaves out."""


def local(
    da: xr.DataArray,
    at: Mapping[Any, Any],
    *,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
    **options: Any,
) -> Figure:
    """Draw a field along each axis through a place, the linear and the quadratic fit there.

    Dots are the values on the nearest lines of the grid, between which they are interpolated as the
    model is; the dashed line is f + g·h, the bow f + g·h + h'Hh/2, along the coordinates as they
    are.

    Parameters
    ----------
    da
        The field.
    at
        The place, as for `dhess.local_model`; along every dimension that is not differentiated too.
    path, title
        As in `dhess.plot.map`.
    **options
        As for `dhess.local_model`; geometry and scale do not matter here.

    Returns
    -------
    Figure
        One panel for each differentiated dimension.

    Raises
    ------
    InputError
        As `dhess.local_model`; also if a dimension has no place, or matplotlib is missing.

    Examples
    --------
    >>> import numpy as np, xarray as xr, dhess
    >>> x = np.linspace(-1, 1, 21)
    >>> bowl = xr.DataArray(x**4 + x[:, None] ** 2, {"y": x, "x": x}, ("y", "x"), "bowl")
    >>> [ax.get_xlabel() for ax in dhess.plot.local(bowl, {"y": 0.25, "x": 0.5}).axes]
    ['distance along y', 'distance along x']
    """
    da = usable(da)
    missing = [str(name) for name in da.dims if name not in at]
    if missing:
        raise InputError(
            f"the picture of a local model needs a place along every dimension, and at names none "
            f"along {', '.join(missing)}; name one of its points"
        )
    options = {name: each for name, each in options.items() if name not in ALONG_COORDINATES}
    chosen = settings(**options)
    model = local_model(da, at, **options)
    grid = Grid.of(da, chosen)
    places = find_places(da, at, chosen)
    columns = min(COLUMNS, len(grid.axes))
    rows = -(-len(grid.axes) // columns)
    figure = draw.figure(3.7 * columns + 0.6, 3.3 * rows + 0.8)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for k, (ax, axis) in enumerate(zip(panels, grid.axes, strict=False)):
        values, h = _line(da, at, places, axis, options)
        _panel(ax, model, k, h, values)
        unit = f" [{axis.unit}]" if axis.unit else ""
        ax.set_xlabel(f"distance along {axis.name}{unit}")
        ax.set_ylabel(label(da) if k % columns == 0 else "")
    for ax in panels[len(grid.axes) :]:
        figure.delaxes(ax)
    where = ", ".join(f"{name} = {coordinate(model[name].values[()])}" for name in da.dims)
    figure.suptitle(title if title is not None else f"{label(da)} around {where}")
    draw.legend(panels[0], outside=True)
    return finish(panels[0], path, _said(da, model, where))


def _said(da: xr.DataArray, model: LocalModel, where: str) -> str:
    """Return the alt text."""
    slopes = ", ".join(
        f"{coordinate(slope)} along {name}"
        for name, slope in zip(model["row"].values, model["gradient"].values, strict=True)
    )
    value, kind = (coordinate(model[name].values) for name in ("value", "kind"))
    return (
        f"Lines of {label(da)} through {where}, where it is {value}: the field, its slope "
        f"({slopes}), and the parabolas of its Hessian ({kind})."
    )


def _line(
    da: xr.DataArray,
    at: Mapping[Any, Any],
    places: Mapping[Hashable, Place],
    axis: Axis,
    options: Mapping[str, Any],
) -> tuple[Array, Array]:
    """Return the field on grid points along an axis, and how far they are from the place."""
    chosen, place = settings(**options), places[axis.name]
    index = np.arange(place.index - REACH, place.index + REACH + 1 + (place.fraction > 0))
    if axis.period is None:
        index = index[(index >= 0) & (index < axis.size)]
    low, high = axis.at(np.array([place.index, place.index + (place.fraction > 0)]))
    h = axis.at(index) - (low + place.fraction * (high - low))
    cut = da.isel({axis.name: index % axis.size})
    others = [name for name in chosen.dims or da.dims if name != axis.name]
    if not others:
        held = {name: places[name].index for name in da.dims if name != axis.name}
        return np.asarray(cut.isel(held).values, np.float64), h
    there = {name: place for name, place in at.items() if name != axis.name}
    model = local_model(cut, there, **_without(options, chosen, axis.name), dims=others)
    return np.asarray(model["value"].values, np.float64), h


def _without(options: Mapping[str, Any], chosen: Settings, name: Hashable) -> dict[str, Any]:
    """Return the options for the other axes."""
    kept = {key: each for key, each in options.items() if key != "dims"}
    for key, given in (("period", chosen.period), ("spacing", chosen.spacing)):
        if key in kept:
            kept[key] = {dim: length for dim, length in given.items() if dim != name}
    return kept


def _panel(ax: Axes, model: LocalModel, k: int, h: Array, values: Array) -> None:
    f, slope = float(model["value"]), float(model["gradient"][k])
    bend = float(model["hessian"][k, k])
    fine = np.linspace(h.min(), h.max(), 201)
    ax.plot(h, values, "o", ms=4.5, color="#20242e", label="the field")
    limits = draw.limits(np.append(values, f))
    ax.plot(fine, f + slope * fine, "--", lw=1.4, color="#6b7280", label="its slope")
    ax.plot(fine, f + slope * fine + bend * fine**2 / 2, lw=1.8, color="#0072b2",
            label="with its Hessian")  # fmt: skip
    margin = 0.12 * ((limits[1] - limits[0]) or 1.0)
    ax.set_ylim(limits[0] - margin, limits[1] + margin)
    draw.points(ax, Marks((np.zeros(1), np.array([f])), "the place"))
