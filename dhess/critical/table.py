"""The Dataset that the search for critical points returns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import xarray as xr

from dhess.answer import KINDS
from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dhess.answer import Labels
    from dhess.stencil import Stencil
    from dhess.tables import Array

DIMS: Final = {
    "field": (),
    "index": ("dim",),
    "gradient": ("row",),
    "hessian": ("row", "col"),
    "eigenvalues": ("eigen",),
    "kind": (),
    "morse_index": (),
    "refined": (),
    "cells": (),
    "extent": ("dim", "end"),
}


def check_names(array: xr.DataArray) -> None:
    """Raise InputError if a dimension has the name of a part of the answer."""
    taken = {"rank", *DIMS, *(d for dims in DIMS.values() for d in dims)}
    for name in array.dims:
        if name in taken:
            raise InputError(
                f"dimension {name!r} has the name of a part of the answer; "
                f"rename it, as in .rename({name}='{name}_')"
            )


def table(
    rows: dict[str, Array], array: xr.DataArray, stencil: Stencil, labels: Labels
) -> xr.Dataset:
    """Return the labelled answer."""
    dtype = np.dtype(labels.attrs["dtype"])
    n = len(stencil.axes)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, as kernels have it
        numbers = {
            name: rows[name].astype(dtype) for name in ("gradient", "hessian", "eigenvalues")
        }
    columns: dict[str, Array] = {
        **numbers,
        "field": rows["value"].astype(dtype),
        "kind": np.array(KINDS)[kinds(rows["morse"], n)],
        "morse_index": rows["morse"],
        **{name: rows[name] for name in ("index", "refined", "cells", "extent")},
    }
    variables = {
        name: (("rank", *dims), columns[name], labels.units.get(name, {}))
        for name, dims in DIMS.items()
    }
    coords: dict[Hashable, Any] = {
        "rank": np.arange(len(rows["value"])),
        "dim": [str(name) for name in array.dims],
        "row": [str(name) for name in labels.axes],
        "col": [str(name) for name in labels.axes],
        "end": ["first", "last"],
    }
    for d, name in enumerate(array.dims):
        kept = array.coords[name].attrs if name in array.coords else {}
        coords[name] = ("rank", _coordinate(array, stencil, rows, d), kept)
    return xr.Dataset(variables, coords, labels.attrs)


def kinds(morse: Array, n: int) -> Array:
    """Return places in `dhess.answer.KINDS`.

    Examples
    --------
    >>> [KINDS[i] for i in kinds(np.array([0, 1, 2, -1]), 2)]
    ['minimum', 'saddle', 'maximum', 'degenerate']
    """
    return np.select([morse < 0, morse == 0, morse == n], [3, 0, 1], 2)


def _coordinate(array: xr.DataArray, stencil: Stencil, rows: dict[str, Array], d: int) -> Array:
    """Return the coordinate of the places along a dimension.

    It is linear in the lengths of the axis, so that two points give it for any place; those before
    the first point of an axis that wraps are told as behind the last one. Whole numbers become
    float64: a place between two of them is none.
    """
    name, axis = array.dims[d], stencil.along(d)
    index, size = rows["index"][:, d], array.shape[d]
    x: Array = array.coords[name].values if name in array.coords else np.arange(size)
    if axis is None:
        return x[index]
    offset = rows["offset"][:, stencil.axes.index(axis)]
    at = axis.axis.at
    if axis.axis.period is not None:
        before = (index == 0) & (offset * axis.axis.period < 0)
        offset = np.where(before, offset + (at(index + size) - at(index + size - 1)), offset)
        index = np.where(before, size - 1, index)
    other = np.where(index < size - 1, index + 1, index - 1)
    share = offset / (at(other) - at(index))
    if x.dtype.kind in "biuf":
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
        x = x.astype(np.result_type(dtype, np.float64))
        found: Array = (x[index] + share * (x[other] - x[index])).astype(dtype)
        return found
    way = x[other] - x[index]
    if x.dtype.kind in "mM":
        way = np.round(way.astype(np.int64) * share).astype(np.int64).astype(way.dtype)
    else:  # dates of a calendar
        way = way * share
    place: Array = x[index] + way
    return place
