"""Blocks read once: something is made of the inner points of each, then of its seams, then of both.

As in a search, a block is gone once its inner points are done; a second task does the seams to the
blocks before it. Inner points and seams together tile the array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from dask.base import tokenize
from dask.delayed import Delayed
from dask.highlevelgraph import HighLevelGraph

from dhess.block import Block
from dhess.shell import Shell
from dhess.sweep import filled, placed, read, slabs_of
from dhess.windows import BRANCHES, region_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dask.array as da

    from dhess.pieces import Layout, Piece
    from dhess.stencil import Stencil
    from dhess.stored import Stored
    from dhess.tables import Array, Range
    from dhess.windows import Searched

    Index = tuple[int, ...]

Key = tuple[Any, ...]


class Work(Protocol):
    """What is made of boxes of points."""

    @property
    def stencil(self) -> Stencil:
        """Of the measure."""

    def box(self, data: Block, points: tuple[Range, ...]) -> Any:
        """Return what is made of a box, with the data around it. It may go over seams."""

    def whole(self, block: Sequence[Piece], boxes: Sequence[Any], missing: int) -> Any:
        """Return what is made of a block: of its inner points first, then of its seams."""


class Shelled(Protocol):
    """What a neighbour needs the shell of: of the data, or of the labels."""

    @property
    def shell(self) -> Shell:
        """Its slabs along the faces."""


@dataclass(frozen=True, eq=False)
class Shared:
    """All that the tasks of a window share."""

    work: Work
    layout: Layout
    stored: Stored | None
    """What blocks are read from; None where a graph brings them."""


@dataclass(frozen=True, eq=False)
class Part:
    """What is left of a block: what was made of its inner points, and the shell of its data."""

    inner: Any
    shell: Shell
    missing: int
    """Stored chunks that were not there."""

    def __sizeof__(self) -> int:
        return self.shell.nbytes + int(self.inner.__sizeof__())


def interior(shared: Shared, index: Index, data: Array | None = None) -> Part:
    """Read a block, unless it comes, do its inner points, and keep its shell."""
    block = shared.layout.block(index)
    ranges = tuple(piece.data for piece in block)
    missing = 0
    if data is None:
        assert shared.stored is not None
        data, missing = read(shared.stored, ranges)
    whole = Block(data, tuple(a for a, _ in ranges), ())
    inner = shared.work.box(whole, tuple(piece.inner for piece in block))
    return Part(inner, Shell.of(data, ranges, [piece.keep for piece in block]), missing)


def shell_of(made: Shelled) -> Shell:
    """Return the shell alone, for those that do not need what was made of the block."""
    return made.shell


def seams(shared: Shared, index: Index, part: Part, before: Sequence[Shell]) -> Any:
    """Do the seams of a block.

    ``before`` are the shells of the blocks that its seams touch, as `Layout.before` tells them.
    """
    layout, work = shared.layout, shared.work
    block = layout.block(index)
    shells = [
        placed(layout, index, at, shell)
        for at, shell in zip(layout.before(index), [part.shell, *before], strict=True)
    ]
    boxes = [part.inner]
    for points in slabs_of(block):
        if all(a < b for a, b in points):
            data, region = filled(work.stencil, block, points, shells)
            boxes.append(work.box(Block(data, tuple(a for a, _ in region), ()), points))
    return work.whole(block, boxes, part.missing)


def tasks(
    searched: Searched, work: Work, window: tuple[Range, ...], name: str, token: str
) -> tuple[dict[Any, Any], list[da.Array], dict[Index, Key]]:
    """Return the tasks of a window, what they depend on, and the key of each block's result."""
    layout = searched.layout(window)
    whole = tokenize(searched.values.name, searched.stencil.token, searched.sizes, window, token)
    kinds = ("work", "interior", "shell", "seams")
    shared, inside, rim, around = (f"{name}-{what}-{whole}" for what in kinds)
    graph: dict[Any, Any] = {shared: Shared(work, layout, searched.stored)}
    sources = [] if searched.stored is not None else [region_of(searched.values, layout)]
    keys = {}
    for index in layout:
        _, *before = layout.before(index)
        rims = [(rim, *at) for at in before]
        graph[inside, *index] = (interior, shared, index, *((s.name, *index) for s in sources))
        graph[around, *index] = (seams, shared, index, (inside, *index), rims)
        for at in before:
            graph[rim, *at] = (shell_of, (inside, *at))
        keys[index] = (around, *index)
    return graph, sources, keys


def grouped(
    graph: dict[Any, Any],
    sources: list[da.Array],
    keys: Sequence[Key],
    merge: Any,
    most: int = BRANCHES,
) -> list[Delayed]:
    """Merge results, a few at a time, and return what is left."""
    name = f"{keys[0][0]}-merged"
    groups = [list(keys[i : i + most]) for i in range(0, len(keys), most)]
    for i, group in enumerate(groups):
        graph[name, i] = (merge, group)
    layers = HighLevelGraph.from_collections(name, graph, dependencies=sources)
    return [Delayed((name, i), layers, layer=name) for i in range(len(groups))]
