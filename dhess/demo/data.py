"""What the demo looks at: real terrain, random numbers in four dimensions, and a callable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import xarray as xr

from dhess.errors import InputError
from dhess.options import EARTH
from dhess.sampling import sample
from dhess.smoothing import TRUNCATE, smooth

if TYPE_CHECKING:
    from dhess.tables import Array

SIGMA: Final = 2.5
"""Grid steps by which the terrain is smoothed: whole metres make stairs on a 90 m grid."""


def terrain() -> xr.DataArray:
    """Return the elevation model that matplotlib ships, smoothed, on axes in metres.

    Rows run from north to south.  The Gaussian's reach is cut off at the borders, so that no
    ground is made up.  Latitude and longitude come along as coordinates.
    """
    try:
        from matplotlib.cbook import get_sample_data
    except ImportError as missing:
        raise InputError(
            "the demo needs matplotlib, which ships its elevation model: pip install 'dhess[plot]'"
        ) from missing
    with np.load(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False)) as file:
        metres = file["elevation"].astype(np.float64)
        west, north = float(file["xmin"]), float(file["ymin"])
        step = float(file["dx"])
    margin = int(np.ceil(TRUNCATE * SIGMA))
    inside = slice(margin, -margin)
    height = smooth(xr.DataArray(metres, dims=("y", "x")), SIGMA).values[inside, inside]
    lat = north - step * (margin + np.arange(height.shape[0]))
    lon = west + step * (margin + np.arange(height.shape[1]))
    y = EARTH * np.deg2rad(step) * np.arange(height.shape[0])[::-1]
    x = EARTH * np.deg2rad(step) * np.cos(np.deg2rad(lat.mean())) * np.arange(height.shape[1])
    coords = {
        "y": ("y", y, {"units": "m", "long_name": "northing"}),
        "x": ("x", x, {"units": "m", "long_name": "easting"}),
        "lat": ("y", lat, {"units": "degrees_north"}),
        "lon": ("x", lon, {"units": "degrees_east"}),
    }
    return xr.DataArray(height, coords, ("y", "x"), "elevation", {"units": "m"})


def noise() -> xr.DataArray:
    """Return random numbers on a grid of four dimensions, smoothed by two steps."""
    numbers = np.random.default_rng(0).random((30, 50, 40, 20))
    smoothed: xr.DataArray = smooth(
        xr.DataArray(numbers, dims=("t", "z", "y", "x"), name="noise"), 2.0
    )
    return smoothed


def bowl(y: Array, x: Array) -> Array:
    """Return (1 − exp(−10x² − y²)) / 100."""
    values: Array = (1 - np.exp(-10 * x**2 - y**2)) / 100
    return values


def bowl_on_a_grid() -> xr.DataArray:
    """Return the bowl on a grid that resolves where its Laplacian vanishes."""
    return sample(bowl, {"y": np.linspace(-1.8, 1.8, 801), "x": np.linspace(-0.8, 0.8, 801)})
