"""Compile every form of every kernel, and write the data that the image ships.

Run once, when the image is built: ``warm.py FOLDER`` writes ``FOLDER/jacksboro.zarr``.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import xarray as xr

import dhess
from dhess.demo.data import terrain
from dhess.demo.parts import CHUNK
from dhess.sink import write_field

WIDTHS = ("float32", "float64")


def fields() -> list[xr.DataArray]:
    """Return data of either width, with a gap, on a plane and on a sphere."""
    rough = np.random.default_rng(0).random((24, 24))
    rough[10:12, 10:12] = np.nan
    coords = {
        "lat": ("lat", np.linspace(40.0, 42.3, 24), {"units": "degrees_north"}),
        "lon": ("lon", np.linspace(10.0, 12.3, 24), {"units": "degrees_east"}),
    }
    return [xr.DataArray(rough.astype(width), coords, ("lat", "lon"), "f") for width in WIDTHS]


def use(data: xr.DataArray, **options: str) -> None:
    """Call what leads to each kernel."""
    for each in (data, data.fillna(0.5)):
        dhess.find_minimum(each, k=2, **options)
        dhess.find_minimum(each.chunk(12), "slope", k=2, **options)
        dhess.measure(each, "hessian_spectral", **options)
        for field in (dhess.gradient, dhess.hessian, dhess.eigenvalues):
            field(each, **options)
        dhess.flat_regions(each, quantile=0.5, labels=True, **options)
        dhess.critical_points(each, **options)
        dhess.local_model(each, {"lat": 40.5, "lon": 10.5}, **options)


def main() -> None:
    """Compile, and write the sample."""
    for data, width, nan, geometry in itertools.product(
        fields(), WIDTHS, ("propagate", "adapt"), ("cartesian", "sphere")
    ):
        use(data, dtype=width, nan=nan, geometry=geometry)
    store = Path(sys.argv[1]) / "jacksboro.zarr"
    write_field(terrain().chunk(y=CHUNK, x=CHUNK), store)


if __name__ == "__main__":
    main()
