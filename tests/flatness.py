"""Regions and critical points as Datasets, made from their definitions with NumPy and SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from scipy import ndimage


def label_regions(small: xr.DataArray, threshold: float) -> xr.DataArray:
    """Number the connected regions below a threshold, the largest first; 0 is none."""
    labels, count = ndimage.label(small.values < threshold)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")
    renamed = np.zeros(count + 1, np.int64)
    renamed[order + 1] = np.arange(1, count + 1)
    return small.copy(data=renamed[labels])


def tell_regions(
    da: xr.DataArray, small: xr.DataArray, threshold: float, name: str, **attrs: Any
) -> xr.Dataset:
    """Return one row per region, as far as pictures look at it."""
    labels = label_regions(small, threshold).values
    dims = [str(dim) for dim in da.dims]
    rows = [np.argwhere(labels == i) for i in range(1, labels.max() + 1)]
    lowest = [row[np.argmin(small.values[tuple(row.T)])] for row in rows]
    index = np.array(lowest, dtype=np.int64).reshape(len(rows), len(dims))
    places = {dim: da[dim].values for dim in dims}

    def ends(which: Any) -> Any:
        corners = [which(row, axis=0) for row in rows]
        return (("region", "dim"), np.array(corners, dtype=np.int64).reshape(index.shape))

    at = tuple(index.T)
    return xr.Dataset(
        {
            "size": ("region", np.array([len(row) for row in rows], dtype=np.int64)),
            "value": ("region", small.values[at]),
            "field": ("region", da.values[at]),
            "index": (("region", "dim"), index),
            "low_index": ends(np.min),
            "high_index": ends(np.max),
        },
        {"dim": dims} | {d: ("region", places[d][index[:, k]]) for k, d in enumerate(dims)},
        {"measure": name, "threshold": threshold, "dims": ",".join(dims), **attrs},
    )


def tell_critical(da: xr.DataArray, points: list[tuple[str, tuple[float, ...]]]) -> xr.Dataset:
    """Return critical points of given kinds at given coordinates, as far as pictures look at it."""
    dims = [str(dim) for dim in da.dims]
    at = np.array([place for _, place in points]).reshape(len(points), len(dims))
    nearest = [
        [int(np.abs(da[d].values - place[k]).argmin()) for k, d in enumerate(dims)] for place in at
    ]
    index = np.array(nearest, dtype=np.int64).reshape(len(points), len(dims))
    return xr.Dataset(
        {
            "field": ("rank", da.values[tuple(index.T)]),
            "index": (("rank", "dim"), index),
            "kind": ("rank", np.array([kind for kind, _ in points], dtype="U10")),
            "morse_index": ("rank", np.zeros(len(points), np.int64)),
        },
        {"dim": dims, "row": dims} | {d: ("rank", at[:, k]) for k, d in enumerate(dims)},
        {"dims": ",".join(dims)},
    )
