"""How many chunks of a local store are read at a time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 2
"""Each takes memory, compressed and not, and a disk has no latency to hide: a search of blocks of
67 MB peaks at 430 MB instead of 490 with Zarr's ten, as fast."""

_lock = threading.Lock()
_readers = 0
_before = AT_ONCE


@contextmanager
def few_at_once() -> Iterator[None]:
    """Have Zarr read few chunks at a time, until the last of all readers inside has left.

    Its setting is one for the whole process, so that readers cannot each put it back.
    """
    import zarr

    global _readers, _before  # noqa: PLW0603  (one for the process, as what it counts)
    with _lock:
        if not _readers:
            _before = zarr.config.get("async.concurrency")
            zarr.config.set({"async.concurrency": min(AT_ONCE, _before)})
        _readers += 1
    try:
        yield
    finally:
        with _lock:
            _readers -= 1
            if not _readers:
                zarr.config.set({"async.concurrency": _before})
