"""What stands beside an answer: units of its rows, notes, and how the field was smoothed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr


def described(result: xr.Dataset, da: xr.DataArray, options: dict[str, Any]) -> xr.Dataset:
    """Return what a search found with the notes and units that a field would have."""
    from dhess.fields.quantity import GRADIENT, HESSIAN, unit_attrs
    from dhess.grid import Grid
    from dhess.options import settings

    chosen = settings(**options)
    grid = Grid.of(da, chosen)
    attrs = {name: da.attrs[name] for name in ("smoothed",) if name in da.attrs}
    told = result.copy()
    for name, quantity in (("gradient", GRADIENT), ("hessian", HESSIAN)):
        known = unit_attrs(da, grid, chosen, quantity)
        attrs |= {key: known[key] for key in ("note",) if key in known}
        told[name].attrs |= {k: v for k, v in known.items() if k in ("units", "component_units")}
    return told.assign_attrs(attrs)


def titled(da: xr.DataArray) -> xr.DataArray:
    """Return the field with a name that says if it was smoothed, for a picture.

    By how much would be too long beside a colour bar; the table and the JSON tell.
    """
    if "smoothed" not in da.attrs:
        return da
    name = da.attrs.get("long_name") or da.name
    return da.assign_attrs(long_name=f"{name}, smoothed")
