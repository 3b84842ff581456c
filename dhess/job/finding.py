"""A search as a job: each window has the best of a few blocks and of the seams between them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.job.searching import Searching
from dhess.job.work import digest
from dhess.options import settings
from dhess.passes import Candidates
from dhess.search import asked
from dhess.windows import Searched, parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.ledger import Window
    from dhess.running import Workers
    from dhess.tables import Range


class Finding(Searching):
    """A search on its data."""

    def __init__(
        self,
        spec: JobSpec,
        data: xr.DataArray,
        team: Workers | None,
        note: Callable[[str], None],
        layout: dict[str, Any] | None = None,
    ) -> None:
        self.search = asked(
            data,
            spec.measure,
            spec.count,
            settings(**spec.options),
            exclude_edges=spec.exclude_edges,
        )
        searched = Searched.of(data.variable.data, self.search.full, self.search.query, team)
        super().__init__(spec, searched, self.search.array.dims, note, layout)
        self._best: Candidates | None = None

    def parts(self, batch: tuple[Range, ...], run: str) -> list[Delayed]:
        """Return the windows of a batch, in their order."""
        return parts(self.searched, batch, run, self.per_window)

    def resume(self, done: Iterable[Window], *, verify: bool) -> set[int]:  # noqa: ARG002
        """Take up the best of the windows that are recorded."""
        for window in done:
            self._add(self._read(window.result))
        return set()

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
        self.check_whole(best.blocks)
        best = replace(best, missing=self.missing(best.missing))
        return self.published(self.search.answer(best))

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
