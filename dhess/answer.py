"""The Dataset that a search returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dask
import dask.array as da
import numpy as np
import xarray as xr

from dhess.errors import InputError, NoValidPoint
from dhess.kernels.eigen import symmetric_eigenvalues

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dhess.passes import Candidates
    from dhess.tables import Array

    Columns = dict[Hashable, Any]

KINDS: Final = ("minimum", "maximum", "saddle", "degenerate")
_PLURALS: Final = {"minimum": "minima", "maximum": "maxima", "saddle": "saddles"}
_DIMS: Final = {
    "value": (),
    "field": (),
    "index": ("dim",),
    "gradient": ("row",),
    "hessian": ("row", "col"),
    "eigenvalues": ("eigen",),
    "kind": (),
}


def check_names(array: xr.DataArray) -> None:
    """Raise InputError if a dimension has the name of a part of the answer."""
    taken = {"rank", "nan_points", *_DIMS, *(d for dims in _DIMS.values() for d in dims)}
    for name in array.dims:
        if name in taken:
            raise InputError(
                f"dimension {name!r} has the name of a part of the answer; "
                f"rename it, as in .rename({name}='{name}_')"
            )


@dataclass(frozen=True)
class Labels:
    """What the answer tells beside the points."""

    axes: tuple[Hashable, ...]
    """Names of the differentiated dimensions."""
    attrs: dict[str, Any]
    units: dict[str, dict[str, str]]
    """Attributes of the variables that say their units, where they are known."""


def answer(found: Candidates, array: xr.DataArray, labels: Labels) -> xr.Dataset:
    """Return the labelled answer.

    Raises
    ------
    NoValidPoint
        If nothing was found.
    """
    columns = _columns(found, array.shape, _coordinates(array), labels.attrs)
    nans = columns.pop("nan_points")
    counts = {"nan_points": int(nans)}
    if found.missing:
        counts["missing_chunks"] = found.missing
    return _dataset(columns, array, labels).assign_attrs(counts)


def lazy_answer(found: Any, array: xr.DataArray, labels: Labels, empty: Candidates) -> xr.Dataset:
    """Return the labelled answer as Dask arrays.

    ``found`` is delayed and ``empty`` holds as many rows of the same columns, of any value.
    """
    coordinates = _coordinates(array)
    k = len(empty.columns["place"])
    like = _columns(empty, array.shape, coordinates, labels.attrs)
    columns = dask.delayed(_padded, pure=True)(found, array.shape, coordinates, labels.attrs, k)
    lazy = {
        name: da.from_delayed(columns[name], values.shape, values.dtype)
        for name, values in like.items()
    }
    nans = lazy.pop("nan_points")
    return _dataset(lazy, array, labels).assign(nan_points=((), nans))


def _coordinates(array: xr.DataArray) -> dict[Hashable, Array]:
    return {
        name: array.coords[name].values if name in array.coords else np.arange(size)
        for name, size in array.sizes.items()
    }


def _columns(
    found: Candidates,
    shape: tuple[int, ...],
    coordinates: dict[Hashable, Array],
    attrs: dict[str, Any],
) -> Columns:
    """Return everything that is told of the points that were found."""
    given, dtype = found.columns, np.dtype(attrs["dtype"])
    if not len(given["place"]):
        raise NoValidPoint(
            f"no valid point: the measure is NaN at all {attrs['points']} points; look at the "
            "share of NaN in the data, or at dims= if a dimension has too few valid neighbours"
        )
    index = np.stack(np.unravel_index(given["place"], shape), axis=-1)
    hessian = given["hessian"]
    eigenvalues = np.empty(hessian.shape[:2])
    symmetric_eigenvalues(hessian.copy(), eigenvalues)
    with np.errstate(over="ignore"):  # beyond float32 is infinite, as kernels have it
        floats = {name: given[name] for name in ("value", "gradient", "hessian")}
        floats["eigenvalues"] = eigenvalues
        rounded: Columns = {name: values.astype(dtype) for name, values in floats.items()}
    return {
        **rounded,
        "field": given["field"],
        "index": index,
        "kind": kinds_of(eigenvalues, given["noise"]),
        "nan_points": np.array(found.nans),
        **{name: x[index[:, d]] for d, (name, x) in enumerate(coordinates.items())},
    }


def kinds_of(eigenvalues: Array, noise: Array) -> Array:
    """Classify by the signs of the eigenvalues; one below the rounding has no sign.

    Examples
    --------
    >>> kinds_of(np.array([[1.0, 2.0], [-1.0, 2.0], [1e-17, 2.0]]), np.full(3, 1e-15)).tolist()
    ['minimum', 'saddle', 'degenerate']
    """
    up = (eigenvalues > noise[:, None]).sum(axis=1)
    down = (eigenvalues < -noise[:, None]).sum(axis=1)
    n = eigenvalues.shape[1]
    code = np.select([up + down < n, up == n, down == n], [3, 0, 1], 2)
    kinds: Array = np.array(KINDS)[code]
    return kinds


def _padded(
    found: Candidates,
    shape: tuple[int, ...],
    coordinates: dict[Hashable, Array],
    attrs: dict[str, Any],
    k: int,
) -> Columns:
    """Return the columns with k rows; those without a point are NaN, NaT, -1 or empty text."""
    columns = _columns(found, shape, coordinates, attrs)
    for name, values in columns.items():
        if values.ndim and len(values) < k:
            kind = values.dtype.kind
            blank: Any = {"f": np.nan, "U": "", "b": False}.get(kind, -1)
            if kind in "Mm":
                blank = np.array("NaT", values.dtype)
            elif kind == "u":
                blank = 0
            rest = np.full((k - len(values), *values.shape[1:]), blank, values.dtype)
            columns[name] = np.concatenate([values, rest])
    return columns


def _dataset(columns: Columns, array: xr.DataArray, labels: Labels) -> xr.Dataset:
    variables = {
        name: (("rank", *dims), columns[name], labels.units.get(name, {}))
        for name, dims in _DIMS.items()
    }
    coords: dict[Hashable, Any] = {
        "rank": np.arange(columns["value"].shape[0]),
        "dim": [str(name) for name in array.dims],
        "row": [str(name) for name in labels.axes],
        "col": [str(name) for name in labels.axes],
    }
    for name in array.dims:
        kept = array.coords[name].attrs if name in array.coords else {}
        coords[name] = ("rank", columns[name], kept)
    return xr.Dataset(variables, coords, labels.attrs)


def counted_kind(count: int, kind: str) -> str:
    """Write how many points of a kind there are.

    Examples
    --------
    >>> counted_kind(1, "saddle"), counted_kind(3, "minimum"), counted_kind(2, "degenerate")
    ('1 saddle', '3 minima', '2 degenerate points')
    """
    plural = _PLURALS.get(kind, f"{kind} points")
    one = kind if kind in _PLURALS else f"{kind} point"
    return f"1 {one}" if count == 1 else f"{count:,} {plural}"
