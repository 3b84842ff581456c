"""Regions as a job: each window has the regions of a few blocks, and the faces towards others."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.job.packing import checksum, packed, unpacked
from dhess.job.searching import Searching
from dhess.options import settings
from dhess.regions import Question, threshold_of
from dhess.regions.blocks import Seen
from dhess.regions.gathering import Gathered, Labelled
from dhess.regions.joins import Faces, Found, Links
from dhess.regions.rows import Rows
from dhess.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import xarray as xr
    from dask.delayed import Delayed

    from dhess.job.spec import JobSpec
    from dhess.ledger import Window
    from dhess.running import Workers
    from dhess.tables import Array, Range

ROW_ARRAYS = tuple(each.name for each in fields(Rows))


class Labels(Searching):
    """A search for regions on its data."""

    def __init__(
        self,
        spec: JobSpec,
        data: xr.DataArray,
        team: Workers | None,
        note: Callable[[str], None],
        layout: dict[str, Any] | None = None,
    ) -> None:
        full = spec.connectivity == "full"
        self.question = Question.of(data, spec.measure, settings(**spec.options), full=full)
        searched = self.question.searched(team)
        super().__init__(spec, searched, self.question.array.dims, note, layout)
        self.threshold = spec.threshold if layout is None else float(layout["threshold"])
        self.name = "regions"
        self._least = math.inf

    @property
    def labelled(self) -> Labelled:
        """What is labelled, once the threshold is known."""
        assert self.threshold is not None
        return self.question.labelled(self.searched, float(self.threshold))

    def layout(self) -> dict[str, Any]:
        """Return the sizes of the blocks, which are handed over together, and the threshold."""
        return {**super().layout(), "threshold": self.threshold}

    def parts(self, batch: tuple[Range, ...], run: str) -> list[Delayed]:
        """Return the windows of a batch, in their order."""
        return self.labelled.parts(batch, run, self.per_window)

    def start(self) -> None:
        """Find the threshold of a quantile, before the first window."""
        if self.threshold is None:
            assert self.spec.quantile is not None
            self.threshold = threshold_of(
                self.searched, self.question.query, float(self.spec.quantile)
            )

    def resume(self, done: Iterable[Window], *, verify: bool) -> set[int]:  # noqa: ARG002
        """Take up the smallest value of the windows that are recorded."""
        for window in done:
            self._least = min(self._least, json.loads(window.result)["least"])
        return set()

    def recorded(self, number: int, result: Found) -> tuple[str, str]:  # noqa: ARG002
        """Return all that a window found, and its checksum."""
        arrays = dict(_arrays(result))
        self._least = min(self._least, result.seen.least)
        seen = {each.name: getattr(result.seen, each.name) for each in fields(Seen)}
        text = json.dumps({"least": seen.pop("least"), **seen, "arrays": packed(arrays)})
        return text, checksum(arrays)

    def finish(self, done: Iterable[Window]) -> xr.Dataset:
        """Join what all windows found, and write it."""
        gathered = Gathered(self.labelled)
        for window in done:
            gathered.add(_found(window.result))
        self.check_whole(gathered.seen.blocks)
        spec = self.spec
        result = self.question.answer(
            gathered, gathered.whole(), spec.min_size or 1, spec.k, spec.quantile
        )
        return self.published(result)

    def best(self) -> tuple[float | None, tuple[int, ...]]:
        """Return the smallest value so far."""
        return (self._least if math.isfinite(self._least) else None), ()


def _arrays(found: Found) -> Iterator[tuple[str, Array]]:
    """Take what a window found apart into arrays, each with a name that tells its place."""
    yield "numbers", np.array(found.numbers, np.int64)
    for i, rows in enumerate(found.rows):
        for name in ROW_ARRAYS:
            yield f"rows/{i}/{name}", getattr(rows, name)
    for i, links in enumerate(found.links):
        yield f"links/{i}/ends", links.ends
        yield f"links/{i}/turns", links.turns
    for i, faces in enumerate(found.faces):
        yield f"faces/{i}/number", np.array([faces.number])
        yield f"faces/{i}/ranges", np.array(faces.ranges, np.int64)
        for j, (ranges, labels) in enumerate(faces.shell.slabs):
            yield f"faces/{i}/slabs/{j}/ranges", np.array(ranges, np.int64)
            yield f"faces/{i}/slabs/{j}/labels", labels


def _found(text: str) -> Found:
    """Return what a window recorded."""
    plain = json.loads(text)
    arrays = unpacked(plain.pop("arrays"))
    numbers = tuple(arrays["numbers"].tolist())
    rows = tuple(
        Rows(*(arrays[f"rows/{i}/{name}"] for name in ROW_ARRAYS)) for i in range(len(numbers))
    )
    links = tuple(
        Links(arrays[f"links/{i}/ends"], arrays[f"links/{i}/turns"]) for i in range(len(numbers))
    )
    faces: list[Faces] = []
    while (at := f"faces/{len(faces)}") + "/number" in arrays:
        slabs: list[tuple[tuple[Range, ...], Array]] = []
        while (slab := f"{at}/slabs/{len(slabs)}") + "/ranges" in arrays:
            slabs.append((_ranges(arrays[f"{slab}/ranges"]), arrays[f"{slab}/labels"]))
        ranges = _ranges(arrays[f"{at}/ranges"])
        faces.append(Faces(int(arrays[f"{at}/number"][0]), ranges, Shell(ranges, tuple(slabs))))
    return Found(numbers, rows, links, tuple(faces), Seen(**plain))


def _ranges(pairs: Array) -> tuple[Range, ...]:
    return tuple((int(a), int(b)) for a, b in pairs)
