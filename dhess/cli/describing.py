"""What a picture says of the field beside its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray as xr


def titled(da: xr.DataArray) -> xr.DataArray:
    """Return the field with a name that says if it was smoothed, for a picture.

    By how much would be too long beside a colour bar; the table and the JSON tell.
    """
    if "smoothed" not in da.attrs:
        return da
    name = da.attrs.get("long_name") or da.name
    return da.assign_attrs(long_name=f"{name}, smoothed")
