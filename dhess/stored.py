"""An array that lies in a store, read by ranges of global indices, without a graph in between."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import dask.array as da

    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Stored:
    """A variable of a store, decoded as it is read.

    It travels to the workers as it is, so it holds no open file.
    """

    array: Any
    """What is sliced: an array with ``shape`` and ``dtype`` that lazily reads and decodes."""
    chunks: tuple[int, ...] | None
    """Points per dimension that can only be decoded together; None if any run of bytes can."""
    label: str
    """What the store and the variable are called in a sentence."""
    free: bool = False
    """Whether nobody chose the size of the blocks, so that a plan may."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Points per dimension."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the decoded data."""
        return np.dtype(self.array.dtype)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, index: tuple[slice, ...]) -> Array:
        return np.asarray(self.array[index])

    def read(self, ranges: tuple[Range, ...]) -> tuple[Array, int]:
        """Return the data at ranges of indices, and how many stored chunks of it are missing."""
        return self[tuple(slice(a, b) for a, b in ranges)], 0


def stored_of(values: da.Array) -> Stored | None:
    """Return what a Dask array reads from, if it does nothing but read; None otherwise."""
    graph = values.__dask_graph__()
    layers = getattr(graph, "layers", {})
    own = layers.get(values.name)
    sources = [layer for name, layer in layers.items() if name != values.name]
    if own is None or len(sources) != 1 or len(sources[0]) != 1:
        return None
    function = getattr(getattr(own, "task", None), "func", None)
    if getattr(function, "__name__", "") not in {"getter", "getter_nofancy"}:
        return None
    (source,) = sources[0].values()
    source = getattr(source, "value", source)  # a DataNode holds it
    if tuple(getattr(source, "shape", ())) != values.shape or source.dtype != values.dtype:
        return None
    if isinstance(source, Stored):
        return source
    if isinstance(source, np.ndarray):
        return None
    chunks = tuple(max(sizes) for sizes in values.chunks)
    return Stored(source, chunks, f"array {values.name!r}")
