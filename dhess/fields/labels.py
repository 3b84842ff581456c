"""Labelled arrays in and out: what is accepted, and how labels are put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import dask.array as da
import numpy as np
import xarray as xr

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dhess.fields.quantity import Quantity
    from dhess.grid import Grid
    from dhess.options import Settings

    Field = xr.DataArray | xr.Dataset

OF_THE_VALUES: Final = frozenset({
    "units", "standard_name", "cell_methods",
    "valid_range", "valid_min", "valid_max", "actual_range",
    "flag_values", "flag_meanings", "flag_masks",
    "missing_value", "_FillValue", "scale_factor", "add_offset",
})  # fmt: skip
"""Attributes (CF conventions) that are true of the data and not of its derivatives."""


def check_type(data: object) -> None:
    """Raise InputError for what is no DataArray and no Dataset."""
    if not isinstance(data, xr.DataArray | xr.Dataset):
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


def candidates(data: xr.Dataset, chosen: Settings) -> list[Hashable]:
    """Return the variables of a Dataset that can be differentiated along the wanted dims.

    Those that hold the bounds of a coordinate's cells are none.
    """
    bounds = {v.attrs.get("bounds") for v in data.variables.values()}
    return [
        name
        for name, v in data.data_vars.items()
        if v.dtype.kind in "biuf"
        and v.ndim
        and set(chosen.dims or ()) <= set(v.dims)
        and name not in bounds
    ]


def variables_of(data: xr.Dataset, chosen: Settings) -> list[Hashable]:
    """Return what `candidates` does; raise InputError if that is nothing."""
    names = candidates(data, chosen)
    if not names:
        raise InputError(
            "no numeric variable of the Dataset has the dimensions "
            f"{list(chosen.dims or ())!r}; variables: "
            f"{', '.join(map(str, data.data_vars)) or 'none'}"
        )
    return names


def the_variable(data: Field, chosen: Settings) -> xr.DataArray:
    """Return the array to search: the data, or the only candidate of a Dataset."""
    if isinstance(data, xr.DataArray):
        return data
    check_type(data)
    names = candidates(data, chosen)
    if len(names) != 1:
        raise InputError(
            f"the Dataset has {len(names)} variables that could be searched "
            f"({', '.join(map(str, names)) or 'none'}); pass one of them, as in data['name']"
        )
    return data[names[0]]


def labelled(
    values: Any, data: xr.DataArray, grid: Grid, quantity: Quantity, unit_attrs: dict[str, str]
) -> xr.DataArray:
    """Put dims, coords, name, attrs and units back, here and nowhere else."""
    names = list(map(str, grid.names))
    coords = dict(data.coords)
    coords |= {name: names for name in quantity.leading if name != "eigen"}
    attrs = {k: v for k, v in data.attrs.items() if k not in OF_THE_VALUES}
    name = "the field" if data.name is None else data.name
    label = str(data.attrs.get("long_name", name))
    attrs["long_name"] = f"{quantity.long_name} of {label}"
    attrs |= unit_attrs
    return xr.DataArray(values, coords, (*quantity.leading, *data.dims), data.name, attrs)
