"""The Dataset of regions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from dhess.errors import InputError
from dhess.units import product

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from dhess.grid import Axis, Grid
    from dhess.regions.cells import Cells
    from dhess.regions.joins import Whole
    from dhess.tables import Array

CONTENT: Final = {1: "length", 2: "area", 3: "volume"}
"""What the size of a region is called, by the number of dimensions."""
_OWN: Final = (
    "region", "dim", "size", "content", "value", "field", "index", "low_index", "high_index",
    "touches_edge", "wraps",
)  # fmt: skip
_OF_DIMS: Final = ("centroid_", "low_", "high_")


def check_names(array: xr.DataArray) -> None:
    """Raise InputError if a dimension has the name of a part of the answer."""
    made = {f"{each}{name}" for each in _OF_DIMS for name in array.dims}
    for name in array.dims:
        if name in _OWN or name in made:
            raise InputError(
                f"dimension {name!r} has the name of a part of the answer; "
                f"rename it, as in .rename({name}='{name}_')"
            )


def answer(
    whole: Whole,
    array: xr.DataArray,
    grid: Grid,
    cells: Cells,
    *,
    attrs: dict[str, Any],
    units: dict[str, dict[str, str]],
) -> xr.Dataset:
    """Return the labelled answer: a row per region."""
    rows, shape = whole.rows, np.array(array.shape)
    totals = rows.totals()
    index = np.stack(np.unravel_index(rows.place, array.shape), axis=-1).reshape(-1, array.ndim)
    one = ("region",)
    variables: dict[Hashable, Any] = {
        "size": (one, rows.size, {"long_name": "points"}),
        "content": (one, totals[:, 0] * cells.largest, units["content"]),
        "value": (one, rows.value.astype(attrs["dtype"]), units["value"]),
        "field": (one, rows.field, units["field"]),
        "index": ((*one, "dim"), index),
        "low_index": ((*one, "dim"), rows.low),
        "high_index": ((*one, "dim"), rows.high % shape),
        "touches_edge": (one, _touching(rows.low, rows.high, grid)),
        "wraps": ((*one, "dim"), whole.wraps),
    }
    coords: dict[Hashable, Any] = {
        "region": np.arange(len(rows)),
        "dim": [str(name) for name in array.dims],
    }
    for d, name in enumerate(array.dims):
        x = array.coords[name].values if name in array.coords else np.arange(array.shape[d])
        kept = array.coords[name].attrs if name in array.coords else {}
        coords[name] = (one, x[index[:, d]], kept)
        variables[f"low_{name}"] = (one, x[rows.low[:, d]], kept)
        variables[f"high_{name}"] = (one, x[rows.high[:, d] % shape[d]], kept)
    for axis in grid.axes:
        name, d = axis.name, axis.position
        share = totals[:, 1 + d] / np.where(totals[:, 0] > 0, totals[:, 0], np.nan)
        share = np.where(whole.wraps[:, d], np.nan, share)
        if axis.period is not None:
            share = share - np.floor(share)
            share[share == 1] = 0.0  # what was less than 0 by a rounding
        x = array.coords[name].values if name in array.coords else np.arange(array.shape[d])
        kept = array.coords[name].attrs if name in array.coords else {}
        variables[f"centroid_{name}"] = (one, _at(x, share * _turns(axis)), kept)
    return xr.Dataset(variables, coords, attrs)


def _turns(axis: Axis) -> float:
    """Return the length of an axis that wraps as a share of the way to its last point."""
    if axis.period is None or axis.size == 1:
        return 1.0
    return abs(float(axis.period / axis.at(np.array([axis.size - 1]))[0]))


def _at(x: Array, share: Array) -> Array:
    """Return the coordinate at shares of the way from the first point to the last."""
    if x.dtype.kind in "Mm" or x.dtype == object:
        found = [x[0] + (x[-1] - x[0]) * s if np.isfinite(s) else None for s in share.tolist()]
        if x.dtype == object:
            return np.array(found, object)
        nat = np.array("NaT", x.dtype)
        return np.array([nat if f is None else f for f in found], x.dtype)
    first, last = np.float64(x[0]), np.float64(x[-1])
    found_at: Array = first + (last - first) * share
    return found_at


def _touching(low: Array, high: Array, grid: Grid) -> Array:
    """Tell which regions have a point at an open end of an axis."""
    touches = np.zeros(len(low), np.bool_)
    for axis in grid.axes:
        if axis.period is None:
            d = axis.position
            touches |= (low[:, d] == 0) | (high[:, d] == axis.size - 1)
    return touches


def content_attrs(units: Sequence[str | None]) -> dict[str, str]:
    """Return the attributes of the size of regions, from the units of the axes."""
    unit = product([(each, 1) for each in units])
    name = CONTENT.get(len(units), "content")
    return {"long_name": name} | ({} if unit is None else {"units": unit})
