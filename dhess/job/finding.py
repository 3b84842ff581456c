"""A search as a job: each window has the best of a few blocks and of the seams between them."""

from __future__ import annotations

import json
import math
import uuid
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.job.outputs import write_result
from dhess.job.work import digest
from dhess.options import settings
from dhess.passes import Candidates
from dhess.search import asked
from dhess.windows import BRANCHES, Searched, parts

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.ledger import Window
    from dhess.running import Workers


class Finding:
    """A search on its data."""

    def __init__(
        self,
        spec: JobSpec,
        data: xr.DataArray,
        team: Workers | None,
        note: Callable[[str], None],
        layout: dict[str, Any] | None = None,
    ) -> None:
        self.spec = spec
        self.note = note
        self.search = asked(
            data, spec.measure, spec.k, settings(**spec.options), exclude_edges=spec.exclude_edges
        )
        searched = Searched.of(data.variable.data, self.search.full, self.search.query, team)
        if layout is not None:
            searched = replace(
                searched,
                sizes=tuple(map(tuple, layout["sizes"])),
                fixed=tuple(tuple((a, b) for a, b in row) for row in layout["batches"]),
            )
        searched.refuse(self.search.array.dims)
        self.searched = searched
        self.per_window = int(layout["window"]) if layout else spec.resources.window or BRANCHES
        self.name = searched.name
        self.blocks = searched.blocks.number
        self.nbytes = int(searched.values.nbytes)
        self.windows = sum(self._count(batch) for batch in product(*searched.along))
        self._best: Candidates | None = None

    def _count(self, batch: tuple[tuple[int, int], ...]) -> int:
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

    def resume(self, done: Iterable[Window], *, verify: bool) -> set[int]:  # noqa: ARG002
        """Take up the best of the windows that are recorded."""
        for window in done:
            self._add(self._read(window.result))
        return set()

    def batches(self, done: Container[int]) -> Iterator[list[tuple[int, Delayed]]]:
        """Yield a batch of blocks after the other."""
        run, first = uuid.uuid4().hex, 0
        for batch in product(*self.searched.along):
            numbers = range(first, first + self._count(batch))
            first = numbers.stop
            if not all(n in done for n in numbers):
                tasks = parts(self.searched, batch, run, self.per_window)
                yield [(n, t) for n, t in zip(numbers, tasks, strict=True) if n not in done]

    def layer(self, number: int) -> int:  # noqa: ARG002
        """Return the same for all: blocks wait for nothing but thin shells."""
        return 0

    def recorded(self, number: int, result: Candidates) -> tuple[str, str]:  # noqa: ARG002
        """Return the points that may still be among the best, and a checksum of all."""
        counts = np.array([result.nans, result.missing, result.blocks])
        columns = [counts, *(result.columns[name] for name in sorted(result.columns))]
        checksum = digest(np.ascontiguousarray(each).tobytes() for each in columns)
        self._add(result)
        assert self._best is not None
        kept = result.among(self._best.columns["place"])
        plain: dict[str, Any] = {"nans": kept.nans, "missing": kept.missing, "blocks": kept.blocks}
        if len(kept.columns["place"]):
            plain["columns"] = {name: each.tolist() for name, each in kept.columns.items()}
        return json.dumps(plain, separators=(",", ":")), checksum

    def finish(self, done: Iterable[Window]) -> xr.Dataset:
        """Merge what all windows found, and write it."""
        best = Candidates.merge([self._read(each.result) for each in done], self.search.query.k)
        if best.blocks != self.blocks:
            raise AssertionError(f"{best.blocks} of {self.blocks} blocks are recorded")
        stored = self.searched.stored
        if best.missing and stored is not None:
            # Blocks may have met the same chunk.
            best = replace(best, missing=min(best.missing, stored.missing()))
        result = self.search.answer(best)
        if self.spec.output is not None:
            write_result(result, self.spec.output, self.note)
        return result

    def best(self) -> tuple[float | None, tuple[int, ...]]:
        """Return the smallest value so far, and where it is."""
        if self._best is None or not len(self._best.columns["place"]):
            return None, ()
        place = np.unravel_index(self._best.columns["place"][0], self.searched.values.shape)
        return float(self._best.columns["value"][0]), tuple(map(int, place))

    def _add(self, found: Candidates) -> None:
        known = [] if self._best is None else [self._best]
        self._best = Candidates.merge([*known, found], self.search.query.k)

    def _read(self, text: str) -> Candidates:
        """Return what a window recorded, with the types that it had."""
        plain = json.loads(text)
        columns = plain.pop("columns", {"value": [], "place": []})
        types = {"place": np.dtype("i8"), "field": self.searched.values.dtype.newbyteorder("=")}
        arrays = {n: np.array(v, types.get(n, np.dtype("f8"))) for n, v in columns.items()}
        return Candidates(arrays, **plain)
