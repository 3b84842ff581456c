"""Stores larger than a block, searched and written by worker processes: each a function from a
scale to its rows, as the benchmarks of fields in memory.

The stores are made in a temporary folder (``TMPDIR`` chooses where; a full run needs about 10 GB
there), which goes with the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .big import big
from .counts import bytes_read, graph, windows
from .memory import memory
from .races import kinds, out_of_core, peers, speed_up, writing
from .wholes import critical, many_regions, regions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.benchmarks.report import Ratio
    from tests.benchmarks.scale import Scale

OUT_OF_CORE: dict[str, Callable[[Scale], Iterator[Ratio]]] = {
    "out-of-core": out_of_core,
    "kinds": kinds,
    "peers-out-of-core": peers,
    "writing": writing,
    "speed-up": speed_up,
    "bytes": bytes_read,
    "graph": graph,
    "memory": memory,
    "windows": windows,
    "regions": regions,
    "critical": critical,
    "many-regions": many_regions,
    "big": big,
}
