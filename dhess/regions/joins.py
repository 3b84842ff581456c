"""Regions that go over the faces of cells: which touch, and what they are together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from dhess.kernels.labels import unite
from dhess.regions.blocks import Cell, Seen, layer, touching
from dhess.regions.rows import Rows
from dhess.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dhess.regions.blocks import Asked
    from dhess.tables import Array, Range

    Index = tuple[int, ...]

SHIFT = 32
"""Bits of a label within a cell, below those of the cell."""


@dataclass(frozen=True, eq=False)
class Tiling:
    """The cells of an array, as their numbers along each dimension."""

    counts: tuple[int, ...]
    shape: tuple[int, ...]
    """Points of the array."""
    wrapped: tuple[bool, ...]
    """Along which dimensions it starts over."""
    connected: tuple[bool, ...]

    def number(self, index: Index) -> int:
        """Return the position of a cell in C order."""
        return int(np.ravel_multi_index(index, self.counts))

    def index(self, number: int) -> Index:
        """Return which cell that is along each dimension."""
        return tuple(int(i) for i in np.unravel_index(number, self.counts))

    def lower(self, index: Index, d: int) -> tuple[int, int] | None:
        """Return the cell before one, and how far its indices are moved to lie before it."""
        if not self.connected[d]:
            return None
        if index[d] > 0:
            return index[d] - 1, 0
        return (self.counts[d] - 1, -self.shape[d]) if self.wrapped[d] else None

    def has_upper(self, index: Index, d: int) -> bool:
        """Tell whether a cell lies behind one."""
        return self.connected[d] and (self.wrapped[d] or index[d] < self.counts[d] - 1)

    def before(self, index: Index) -> list[tuple[Index, tuple[int, ...]]]:
        """Return the cells before one, along one or more dimensions, and how far each is moved."""
        sides = []
        for d, i in enumerate(index):
            lower = self.lower(index, d)
            sides.append([(i, 0, False)] if lower is None else [(i, 0, False), (*lower, True)])
        return [
            (tuple(i for i, *_ in way), tuple(by for _, by, _ in way))
            for way in product(*sides)
            if any(moved for *_, moved in way)
        ]


@dataclass(frozen=True, eq=False)
class Faces:
    """The labels on the faces of a cell."""

    number: int
    ranges: tuple[Range, ...]
    shell: Shell

    @classmethod
    def of(cls, number: int, shell: Shell, wanted: Sequence[tuple[bool, bool]]) -> Faces:
        """Keep some of a cell's faces: per dimension the lower and the upper one."""

        def is_wanted(held: tuple[Range, ...]) -> bool:
            return any(
                (low and h == (a, a + 1)) or (high and h == (b - 1, b))
                for h, (a, b), (low, high) in zip(held, shell.ranges, wanted, strict=True)
            )

        slabs = tuple(each for each in shell.slabs if is_wanted(each[0]) and each[1].any())
        return cls(number, shell.ranges, Shell(shell.ranges, slabs))


@dataclass(frozen=True, eq=False)
class Links:
    """Pairs of regions that are one."""

    ends: Array
    """Cell and label of both, shape (m, 4)."""
    turns: Array
    """How many periods further the second one's own indices are, shape (m, dims)."""

    @classmethod
    def joined(cls, parts: Sequence[Links], ndim: int) -> Links:
        """Put links one after another."""
        ends = [np.empty((0, 4), np.int64), *(part.ends for part in parts)]
        turns = [np.empty((0, ndim), np.int64), *(part.turns for part in parts)]
        return cls(np.concatenate(ends), np.concatenate(turns))


def link(
    asked: Asked,
    own: Faces,
    others: Sequence[tuple[Faces, tuple[int, ...]]],
    along: Sequence[int],
    shape: tuple[int, ...],
) -> Links:
    """Find the regions that touch across the lower faces of a cell along some dimensions.

    ``others`` are cells before it, and how far each is moved to lie there.
    """
    shells = [(own.shell, 0)]
    shells += [(f.shell.moved(by), k << SHIFT) for k, (f, by) in enumerate(others, 1)]
    numbers = np.array([own.number, *(f.number for f, _ in others)], np.int64)
    moved = [(0,) * len(shape), *(by for _, by in others)]
    turned = np.array(moved, np.int64).reshape(-1, len(shape)) // np.array(shape)
    found = []
    for d in along:
        first = own.ranges[d][0]
        further = [int(asked.full and each) for each in asked.connected]
        region = tuple(
            (first - 1, first + 1) if e == d else (a - further[e], b)
            for e, (a, b) in enumerate(own.ranges)
        )
        pairs = touching(layer(shells, region), d, asked)
        which, label = pairs >> SHIFT, (pairs & ((1 << SHIFT) - 1)) + 1
        differ = which[:, 0] != which[:, 1]
        which, label = which[differ], label[differ]
        ends = np.stack([numbers[which[:, 0]], label[:, 0], numbers[which[:, 1]], label[:, 1]], 1)
        found.append(Links(ends, turned[which[:, 1]] - turned[which[:, 0]]))
    return Links.joined(found, len(shape))


@dataclass(frozen=True, eq=False)
class Found:
    """What is known of some cells: regions, links between them, and the faces towards others."""

    numbers: tuple[int, ...]
    rows: tuple[Rows, ...]
    links: tuple[Links, ...]
    faces: tuple[Faces, ...]
    seen: Seen

    @classmethod
    def merge(cls, parts: Sequence[Found]) -> Found:
        """Put together what is known of several."""
        return cls(
            tuple(n for part in parts for n in part.numbers),
            tuple(r for part in parts for r in part.rows),
            tuple(link for part in parts for link in part.links),
            tuple(face for part in parts for face in part.faces),
            sum((part.seen for part in parts), Seen()),
        )

    @property
    def nbytes(self) -> int:
        """Bytes of it."""
        return sum(r.nbytes for r in self.rows) + sum(f.shell.nbytes for f in self.faces)

    def __sizeof__(self) -> int:
        return self.nbytes


def joined(
    asked: Asked,
    tiling: Tiling,
    index: Index,
    own: Cell,
    others: Sequence[Shell],
    window: Sequence[Range],
) -> Found:
    """Link a cell to those before it in its window, and keep the faces towards other windows."""

    def within(at: int, d: int) -> bool:
        return window[d][0] <= at < window[d][1]

    everywhere = [(True, True)] * len(index)
    near = near_before(tiling, index, window)
    faces = [
        (Faces.of(tiling.number(at), shell, everywhere), by)
        for (at, by), shell in zip(near, others, strict=True)
    ]
    along, wanted = [], []
    for d, i in enumerate(index):
        lower = tiling.lower(index, d)
        inside = lower is not None and within(lower[0], d)
        if inside:
            along.append(d)
        outside_above = tiling.has_upper(index, d) and not within((i + 1) % tiling.counts[d], d)
        wanted.append((lower is not None and not inside, outside_above))
    number = tiling.number(index)
    links = link(asked, Faces.of(number, own.shell, everywhere), faces, along, tiling.shape)
    kept = Faces.of(number, own.shell, wanted)
    # An empty one may lie between two that touch at a corner, and then tells where to look.
    between = asked.full and any(lower for lower, _ in wanted)
    faces_kept = (kept,) if kept.shell.slabs or between else ()
    return Found((number,), (own.rows,), (links,), faces_kept, own.seen)


def near_before(
    tiling: Tiling, index: Index, window: Sequence[Range]
) -> list[tuple[Index, tuple[int, ...]]]:
    """Return the cells before one that are in its window."""
    return [
        (at, by)
        for at, by in tiling.before(index)
        if all(a <= i < b for i, (a, b) in zip(at, window, strict=True))
    ]


def link_windows(
    asked: Asked, tiling: Tiling, faces: Mapping[int, Faces], window_of: Sequence[Array]
) -> list[Links]:
    """Link the cells of different windows.

    ``window_of`` tells per dimension in which window each cell lies.
    """
    found = []
    for number, own in faces.items():
        index = tiling.index(number)
        along = []
        for d, i in enumerate(index):
            lower = tiling.lower(index, d)
            if lower is not None and window_of[d][lower[0]] != window_of[d][i]:
                along.append(d)
        if along:
            others = [
                (faces[n], by)
                for at, by in tiling.before(index)
                if (n := tiling.number(at)) in faces
            ]
            found.append(link(asked, own, others, along, tiling.shape))
    return found


@dataclass(frozen=True, eq=False)
class Whole:
    """All regions of an array."""

    rows: Rows
    wraps: Array
    """Along which dimensions each goes all the way around, shape (m, dims)."""
    ids: Array
    """Which region each row of the cells belongs to, in the order of the cells."""


def united(
    rows: Mapping[int, Rows], links: Links, shape: tuple[int, ...], wrapped: tuple[bool, ...]
) -> Whole:
    """Join the regions of all cells, largest first; equal ones by their first point."""
    numbers = np.array(sorted(rows), np.int64)
    begin = np.cumsum([0, *(len(rows[n]) for n in numbers.tolist())])
    ends = links.ends

    def ids(cell: Array, label: Array) -> Array:
        found: Array = begin[np.searchsorted(numbers, cell)] + label - 1
        return found

    pairs = np.stack([ids(ends[:, 0], ends[:, 1]), ids(ends[:, 2], ends[:, 3])], axis=1)
    root, offset, wraps = unite(int(begin[-1]), pairs, links.turns)
    roots, which = np.unique(root, return_inverse=True)
    every = Rows.joined([rows[n] for n in numbers.tolist()])
    around = wraps[roots]
    whole = _at_home(every.united(root, offset, shape), shape, wrapped, around)
    order = np.lexsort((whole.first, -whole.size))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return Whole(whole.take(order), around[order], rank[which])


def _at_home(rows: Rows, shape: tuple[int, ...], wrapped: tuple[bool, ...], around: Array) -> Rows:
    """Move regions to where their lowest index lies within the axis.

    One that goes all around, or winds around without closing, has all of the axis as its box.
    """
    turns = np.where(wrapped, rows.low // np.array(shape), 0)
    sums = rows.sums.copy()
    sums[:, 1:] -= turns[:, :, None] * rows.sums[:, :1]
    by = turns * np.array(shape)
    everywhere = around | (rows.high - rows.low + 1 >= np.array(shape))
    low = np.where(everywhere, 0, rows.low - by)
    high = np.where(everywhere, np.array(shape) - 1, rows.high - by)
    return replace(rows, low=low, high=high, sums=sums)
