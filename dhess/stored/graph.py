"""What a Dask array reads from, if it does nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.stored.array import Stored
from dhess.stored.origin import Origin, origin_of, reading_unit

if TYPE_CHECKING:
    import dask.array as da

_GETTERS = {"getter", "getter_nofancy"}


def stored_of(values: da.Array) -> Stored | None:
    """Return what a Dask array reads from, if it does nothing but read; None otherwise.

    What `dhess.open` returns is known, and so is what xarray opened in blocks
    (`xarray.open_zarr`, `xarray.open_dataset` with ``chunks=``), as long as nothing was done to it.
    A plan may choose other blocks where these are just the stored chunks. An array in memory that
    Dask has cut is nothing that is read.
    """
    with suppress(Exception):  # only a question: a graph of another kind goes the usual way
        source = _source(values)
        if isinstance(source, Stored):
            return source
        if source is not None and type(source).__module__.startswith("xarray."):
            return _plain(source, values)
    return None


def _source(values: da.Array) -> Any:
    """Return the one array that every block is a slice of."""
    layers = values.__dask_graph__().layers
    own = layers[values.name]
    if getattr(own.task.func, "__name__", "") not in _GETTERS:
        return None
    source = own.indices[0][0]
    others = [layer for name, layer in layers.items() if name != values.name]
    if others:  # the array has a key of its own, unless it is in every task
        ((held,),) = (layer.values() for layer in others)
        source = getattr(held, "value", held)
    if tuple(source.shape) != values.shape or source.dtype != values.dtype:
        return None
    return source


def _plain(source: Any, values: da.Array) -> Stored | None:
    """Return xarray's own array with what can be known of its store."""
    blocks = tuple(sizes[0] for sizes in values.chunks)
    name = f"array {values.name!r}"
    origin: Origin | None = None
    with suppress(Exception):  # an origin that is not known costs names of chunks, no data
        origin = origin_of(source, otherwise=name)
    if origin is None:
        largest = tuple(max(sizes) for sizes in values.chunks)
        return None if _in_memory(source) else Stored(source, largest, name)
    itemsize = np.dtype(source.dtype).itemsize
    unit = reading_unit(values.shape, origin.chunk, origin.shard, itemsize)
    whole = reading_unit(values.shape, origin.chunk, None, itemsize) or values.shape
    even = all(len({*sizes[:-1], max(sizes)}) == 1 for sizes in values.chunks)
    return Stored(source, unit, origin.label, even and blocks in (unit, whole), origin)


def _in_memory(source: Any) -> bool:
    """Tell whether what is at the bottom are numbers."""
    while (inner := getattr(source, "array", None)) is not None:
        source = inner
    return isinstance(source, np.ndarray)
