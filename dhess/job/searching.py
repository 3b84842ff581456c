"""What all searches have in common as jobs: blocks in batches, and windows of a few of them."""

from __future__ import annotations

import math
import uuid
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from dhess.job.outputs import write_result
from dhess.windows import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Hashable, Iterator, Sequence

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.tables import Range
    from dhess.windows import Searched


class Searching:
    """A search on its data; what a window has, and what comes of all, is told below it."""

    def __init__(
        self,
        spec: JobSpec,
        searched: Searched,
        dims: Sequence[Hashable],
        note: Callable[[str], None],
        layout: dict[str, Any] | None,
    ) -> None:
        self.spec = spec
        self.note = note
        if layout is not None:
            searched = replace(
                searched,
                sizes=tuple(map(tuple, layout["sizes"])),
                fixed=tuple(tuple((a, b) for a, b in row) for row in layout["batches"]),
            )
        searched.refuse(dims)
        self.searched = searched
        self.per_window = int(layout["window"]) if layout else spec.resources.window or BRANCHES
        self.name = searched.name
        self.blocks = searched.blocks.number
        self.nbytes = int(searched.values.nbytes)
        self.windows = sum(self._count(batch) for batch in product(*searched.along))

    def _count(self, batch: tuple[Range, ...]) -> int:
        return -(-math.prod(b - a for a, b in batch) // self.per_window)

    def layout(self) -> dict[str, Any]:
        """Return the sizes of the blocks, and which are handed over together."""
        return {
            "sizes": self.searched.sizes,
            "batches": self.searched.along,
            "window": self.per_window,
        }

    def start(self) -> None:
        """Do nothing: a search writes only at its end."""

    def batches(self, done: Container[int]) -> Iterator[list[tuple[int, Delayed]]]:
        """Yield a batch of blocks after the other."""
        run, first = uuid.uuid4().hex, 0
        for batch in product(*self.searched.along):
            numbers = range(first, first + self._count(batch))
            first = numbers.stop
            if not all(n in done for n in numbers):
                tasks = self.parts(batch, run)
                yield [(n, t) for n, t in zip(numbers, tasks, strict=True) if n not in done]

    def parts(self, batch: tuple[Range, ...], run: str) -> list[Delayed]:
        """Return the windows of a batch, in their order."""
        raise NotImplementedError

    def layer(self, number: int) -> int:  # noqa: ARG002
        """Return the same for all: blocks wait for nothing but thin shells."""
        return 0

    def published(self, result: xr.Dataset) -> xr.Dataset:
        """Write a result, if that is asked for, and return it."""
        if self.spec.output is not None:
            write_result(result, self.spec.output, self.note)
        return result

    def check_whole(self, blocks: int) -> None:
        """Make sure that no block is missing."""
        if blocks != self.blocks:
            raise AssertionError(f"{blocks} of {self.blocks} blocks are recorded")

    def missing(self, counted: int) -> int:
        """Return how many stored chunks are missing: blocks may have met the same."""
        stored = self.searched.stored
        return counted if not counted or stored is None else min(counted, stored.missing())
