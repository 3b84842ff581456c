"""An array that lies in a store, read by ranges of global indices, without a graph in between.

What is read through Dask is a task per chunk and a copy more; what is read inside the task that
needs it is neither. So an array that dhess opened, and any that xarray opened and nobody touched
since, is known by what it reads from. Whatever goes wrong while reading names the chunk.
"""

from __future__ import annotations

from dhess.stored.array import Stored
from dhess.stored.graph import stored_of

__all__ = ["Stored", "stored_of"]
