"""The one variable that is meant: the one named, or the only one that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dhess.errors import SourceError, suggest

if TYPE_CHECKING:
    import xarray as xr

_MEANING = {
    "c": "complex numbers",
    "M": "dates",
    "m": "time differences",
    "O": "Python objects",
    "S": "text",
    "T": "text",
    "U": "text",
    "V": "records",
}


def choose(dataset: xr.Dataset, variable: str | None, source: str) -> str:
    """Return the name of the variable that is asked for, or of the only one there is."""
    known = _candidates(dataset)
    if variable is not None:
        if variable not in dataset.variables:
            near = suggest(variable, known)
            raise SourceError(f"{source!r} has no variable {variable!r}; {near}")
        _check_numeric(dataset[variable], variable, source, known)
        return variable
    if len(known) == 1:
        _check_numeric(dataset[known[0]], known[0], source, known)
        return known[0]
    if known:
        raise SourceError(
            f"{source!r} has several variables ({', '.join(known)}); "
            f"name one, as '{source}::{known[0]}'"
        )
    there = ", ".join(f"{name} ({v.dtype})" for name, v in dataset.variables.items()) or "none"
    raise SourceError(
        f"{source!r} has no numeric data variable with a dimension (its variables: {there}); "
        "name a coordinate or a group= if the data is there"
    )


def _candidates(dataset: xr.Dataset) -> list[str]:
    """Return the data variables that may be meant when none is named."""
    bounds = {
        value
        for variable in dataset.variables.values()
        for key in ("bounds", "climatology")
        for value in (variable.attrs.get(key), variable.encoding.get(key))
    }
    return sorted(
        str(name)
        for name, variable in dataset.data_vars.items()
        if variable.ndim and variable.dtype.kind in "biuf" and name not in bounds
    )


def _check_numeric(array: xr.DataArray, name: str, source: str, known: list[str]) -> None:
    others = f"numeric variables: {', '.join(known) or 'none'}"
    if array.dtype.kind not in "biuf":
        held = f"{_MEANING[array.dtype.kind]} ({array.dtype})"
        raise SourceError(
            f"variable {name!r} of {source!r} holds {held}, not real numbers; {others}"
        )
    if not array.ndim:
        raise SourceError(f"variable {name!r} of {source!r} is a single number; {others}")
    if not array.size:
        sizes = ", ".join(f"{dim}: {size}" for dim, size in array.sizes.items())
        raise SourceError(f"variable {name!r} of {source!r} is empty ({sizes}); {others}")


def named(dataset: xr.Dataset, name: str) -> xr.DataArray:
    """Return the variable as data, even where it is the coordinate of its own dimension."""
    import xarray as xr

    array = dataset[name]
    if name not in dataset.dims:
        return array
    return xr.DataArray(array.variable.to_base_variable(), coords=array.coords, name=name)
