"""The graph of a search for regions, window by window, and what comes of it.

Three tasks per block: its inner points, its seams, and the links to the blocks before it; two small
ones take off what the neighbours need, so that rows of regions do not travel with it. What is kept
here between windows are a row per region and cell, and the faces towards other windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np
from dask.base import tokenize

from dhess.regions.blocks import Labelling, Seen
from dhess.regions.joins import (
    Faces,
    Found,
    Links,
    Tiling,
    Whole,
    joined,
    link_windows,
    near_before,
    united,
)
from dhess.regions.tasks import grouped, shell_of, tasks
from dhess.running import Progress, run, tell
from dhess.windows import BRANCHES

if TYPE_CHECKING:
    from dask.delayed import Delayed

    from dhess.regions.blocks import Asked
    from dhess.regions.rows import Rows
    from dhess.tables import Array, Range
    from dhess.windows import Searched


@dataclass(frozen=True, eq=False)
class Labelled:
    """What is labelled, and in which blocks."""

    searched: Searched
    asked: Asked

    @property
    def tiling(self) -> Tiling:
        """The cells."""
        searched, stencil = self.searched, self.searched.stencil
        axes = [stencil.along(d) for d in range(searched.values.ndim)]
        return Tiling(
            tuple(map(len, searched.sizes)),
            searched.values.shape,
            tuple(axis is not None and axis.axis.period is not None for axis in axes),
            self.asked.connected,
        )

    def taken_off(self, window: tuple[Range, ...]) -> int:
        """Return how many shells and faces of blocks are wanted by others of a window."""
        shells = [
            len({piece.before for piece in row if piece.seam is not None})
            for row in self.searched.layout(window).pieces
        ]
        tiling, faces = self.tiling, []
        for d, (a, b) in enumerate(window):
            lower = {tiling.lower((i,) * (d + 1), d) for i in range(a, b)}
            faces.append(sum(each is not None and a <= each[0] < b for each in lower))
        counts = [b - a for a, b in window]
        return sum(
            prod(counts) - prod(n - m for n, m in zip(counts, wanted, strict=True))
            for wanted in (shells, faces)
        )

    def parts(self, window: tuple[Range, ...], turn: str, most: int = BRANCHES) -> list[Delayed]:
        """Return what is known of a window, in parts of a few cells."""
        searched, tiling = self.searched, self.tiling
        work = Labelling(searched.stencil, self.asked)
        graph, sources, cells = tasks(searched, work, window, "regions", turn)
        name = f"regions-links-{tokenize(next(iter(cells.values())))}"
        for index, cell in cells.items():
            whole = tuple(i + a for i, (a, _) in zip(index, window, strict=True))
            others = []
            for at, _ in near_before(tiling, whole, window):
                near = tuple(i - a for i, (a, _) in zip(at, window, strict=True))
                others.append((f"{name}-faces", *near))
                graph[others[-1]] = (shell_of, cells[near])
            graph[name, *index] = (joined, self.asked, tiling, whole, cell, others, window)
        return grouped(graph, sources, [(name, *index) for index in cells], Found.merge, most)


class Gathered:
    """What is known of the cells so far."""

    def __init__(self, labelled: Labelled) -> None:
        self.labelled = labelled
        self.rows: dict[int, Rows] = {}
        self.links: list[Links] = []
        self.faces: dict[int, Faces] = {}
        self.seen = Seen()

    def add(self, found: Found) -> None:
        """Take in some cells."""
        self.rows |= dict(zip(found.numbers, found.rows, strict=True))
        self.links += [each for each in found.links if len(each.ends)]
        self.faces |= {each.number: each for each in found.faces}
        self.seen += found.seen

    def progress(self, window: int, of_windows: int) -> Progress:
        """Return how far it is."""
        searched = self.labelled.searched
        total, nbytes = searched.blocks.number, int(searched.values.nbytes)
        least = self.seen.least if np.isfinite(self.seen.least) else None
        share = nbytes * self.seen.blocks // total
        return Progress(self.seen.blocks, total, share, nbytes, window, of_windows, least)

    def whole(self) -> Whole:
        """Join what touches, and return all regions."""
        labelled, tiling = self.labelled, self.labelled.tiling
        window_of = [np.zeros(count, np.int64) for count in tiling.counts]
        for row, along in zip(window_of, labelled.searched.along, strict=True):
            for i, (a, b) in enumerate(along):
                row[a:b] = i
        links = [*self.links, *link_windows(labelled.asked, tiling, self.faces, window_of)]
        every = Links.joined(links, len(tiling.shape))
        return united(self.rows, every, tiling.shape, tiling.wrapped)

    def tables(self, whole: Whole, kept: int) -> dict[int, Array]:
        """Return, for each cell, 1 + the row of each of its regions; 0 for those left out."""
        rows = np.where(whole.ids < kept, whole.ids + 1, 0)
        numbers = sorted(self.rows)
        ends = np.cumsum([len(self.rows[n]) for n in numbers])
        return dict(zip(numbers, np.split(rows, ends[:-1]), strict=True))


def gather(labelled: Labelled, turn: str = "") -> Gathered:
    """Label window by window."""
    found = Gathered(labelled)
    windows = list(product(*labelled.searched.along))
    for i, window in enumerate(windows, 1):
        tell(found.progress(i, len(windows)))

        def done(_: int, part: Found, i: int = i) -> None:
            found.add(part)
            tell(found.progress(i, len(windows)))

        run(labelled.parts(window, turn), done, name="regions")
    return found
