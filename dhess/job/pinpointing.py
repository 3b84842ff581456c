"""Critical points as a job: each window has those of a few blocks, and parts of plateaus."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.critical import TOLERANCE, Asked
from dhess.critical.found import Found, refuse
from dhess.job.packing import checksum, packed, unpacked
from dhess.job.searching import Searching
from dhess.options import settings
from dhess.windows import parts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.ledger import Window
    from dhess.running import Workers
    from dhess.tables import Array, Range

COUNTS = ("nans", "missing", "blocks")


class Pinpointing(Searching):
    """A search for critical points on its data."""

    def __init__(
        self,
        spec: JobSpec,
        data: xr.DataArray,
        team: Workers | None,  # noqa: ARG002  (those that are there)
        note: Callable[[str], None],
        layout: dict[str, Any] | None = None,
    ) -> None:
        tolerance = TOLERANCE if spec.tolerance is None else spec.tolerance
        self.asked = Asked.of(data, tolerance, settings(**spec.options), spec.k)
        super().__init__(spec, self.asked.searched(), self.asked.array.dims, note, layout)
        self._points = 0
        self._lowest: tuple[float, int] | None = None

    def parts(self, batch: tuple[Range, ...], run: str) -> list[Delayed]:
        """Return the windows of a batch, in their order."""
        return parts(self.searched, batch, run, self.per_window)

    def resume(self, done: Iterable[Window], *, verify: bool) -> set[int]:  # noqa: ARG002
        """Take up how many there are, and the lowest, from the windows that are recorded."""
        for window in done:
            plain = json.loads(window.result)
            self._add(plain["points"], plain["lowest"])
        return set()

    def recorded(self, number: int, result: Found) -> tuple[str, str]:  # noqa: ARG002
        """Return all that a window found, and its checksum.

        Raises
        ------
        InputError
            If there are more points by now than an answer may have.
        """
        arrays = dict(_arrays(result))
        count, lowest = len(result.points["cell"]), self.asked.quest.first(result)
        self._add(count, lowest)
        plain = {name: getattr(result, name) for name in COUNTS}
        text = json.dumps({"points": count, "lowest": lowest, **plain, "arrays": packed(arrays)})
        return text, checksum({**arrays, "counts": np.array(list(plain.values()))})

    def finish(self, done: Iterable[Window]) -> xr.Dataset:
        """Put together what all windows found, join plateaus, and write it."""
        found = self.asked.quest.merge([_found(window.result) for window in done])
        self.check_whole(found.blocks)
        found = replace(found, missing=self.missing(found.missing))
        return self.published(self.asked.answer(found))

    def best(self) -> tuple[float | None, tuple[int, ...]]:
        """Return the lowest value so far, and where it is."""
        if self._lowest is None:
            return None, ()
        value, cell = self._lowest
        return value, tuple(map(int, np.unravel_index(cell, self.searched.values.shape)))

    def _add(self, points: int, lowest: tuple[float, int] | None) -> None:
        self._points += points
        refuse(self._points)
        known = [(value, cell) for value, cell in filter(None, (self._lowest, lowest))]
        self._lowest = min(known, default=None)


def _arrays(found: Found) -> Iterator[tuple[str, Array]]:
    """Take what a window found apart into arrays, each with a name that tells its place."""
    for kind in ("points", "plateaus"):
        for name, each in getattr(found, kind).items():
            yield f"{kind}/{name}", each
    yield "rim/cells", found.rim[0]
    yield "rim/owners", found.rim[1]


def _found(text: str) -> Found:
    """Return what a window recorded."""
    plain = json.loads(text)
    tables: dict[str, dict[str, Array]] = {"points": {}, "plateaus": {}, "rim": {}}
    for place, each in unpacked(plain["arrays"]).items():
        kind, _, name = place.partition("/")
        tables[kind][name] = each
    rim = tables["rim"]["cells"], tables["rim"]["owners"]
    counts = {name: plain[name] for name in COUNTS}
    return Found(tables["points"], tables["plateaus"], rim, **counts)
