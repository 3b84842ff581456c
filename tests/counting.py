"""An array that exists nowhere as a whole: made block by block, and watched."""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from typing import Any

import dask.array
import numpy as np
import xarray as xr


class Store:
    """An array that is made block by block, counts what is read, and knows what is still held."""

    def __init__(self, shape: tuple[int, ...], value: Any) -> None:
        self.shape, self.ndim, self.dtype = shape, len(shape), np.dtype(np.float32)
        self.value = value
        self.reads: Counter[tuple[int, ...]] = Counter()
        self.held = self.most = 0
        self.lock = threading.RLock()

    def __getitem__(self, key: tuple[slice, ...]) -> Any:
        block = self.value(*np.ogrid[key]).astype(np.float32)
        weakref.finalize(block, self._let_go)  # when nobody looks at its memory any more
        with self.lock:
            self.reads[tuple(each.start for each in key)] += 1
            self.held += 1
            self.most = max(self.most, self.held)
        return block

    def _let_go(self) -> None:
        with self.lock:
            self.held -= 1

    def opened(self, chunks: Any, **coords: Any) -> xr.DataArray:
        meta = np.empty((0,) * self.ndim, np.float32)
        data = dask.array.from_array(self, chunks=chunks, asarray=False, meta=meta, fancy=False)
        dims = ("z", "y", "x")[-self.ndim :]
        return xr.DataArray(data, coords, dims, "f")
