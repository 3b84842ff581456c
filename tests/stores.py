"""Small stores whose flattest points are known on paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from pathlib import Path

FLAT = {"y": -0.2, "x": 0.3}
"""Where `quartic` is flattest: index 8 of y and 13 of x."""


def quartic() -> xr.DataArray:
    """f = (x − 0.3)⁴ + (y + 0.2)⁴: its second derivatives vanish at x = 0.3, y = −0.2 only."""
    y, x = np.linspace(-1, 1, 21), np.linspace(-1, 1, 21)
    values = (x - FLAT["x"]) ** 4 + ((y - FLAT["y"]) ** 4)[:, np.newaxis]
    coords = {
        "y": ("y", y, {"units": "m", "long_name": "northing"}),
        "x": ("x", x, {"units": "m", "long_name": "easting"}),
    }
    return xr.DataArray(values, coords, ("y", "x"), "f", {"units": "K"})


def quartic_nd(ndim: int, size: int = 9) -> xr.DataArray:
    """Σ (x_k − c_k)⁴ with c_k = grid point 3: flattest there, in any number of dimensions."""
    axis = np.linspace(0.0, 1.0, size)
    names = [f"d{k}" for k in range(ndim)]
    parts = np.meshgrid(*[(axis - axis[3]) ** 4] * ndim, indexing="ij")
    return xr.DataArray(np.sum(parts, axis=0), dict.fromkeys(names, axis), names, "f")


def store(da: xr.DataArray, path: Path) -> Path:
    """Write an array as the only variable of a new Zarr store."""
    da.to_dataset(name=str(da.name)).to_zarr(path, consolidated=False)
    return path
