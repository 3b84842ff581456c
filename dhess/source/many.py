"""Many files as one array, of which each read opens only what it touches."""

from __future__ import annotations

import bisect
import itertools
import pickle
import threading
import uuid
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from dhess.errors import SourceError, line
from dhess.source.joining import File, arranged
from dhess.source.single import opened
from dhess.stored import Stored
from dhess.stored.array import chosen
from dhess.stored.census import Census
from dhess.stored.origin import label_of, public

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence

    from dhess.source.joining import Layout
    from dhess.tables import Array, Range

    Index = tuple[int, ...]

_THREADS = 8
_KEPT = 64
"""So many files stay ready in a process; others are opened again when they are needed."""

_ready: OrderedDict[tuple[str, Index], Stored] = OrderedDict()
_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Parts:
    """A grid of files."""

    dtype: np.dtype[Any]
    edges: tuple[Index, ...]
    """Where the files begin along every axis, and where the last one ends."""
    pickled: Mapping[Index, bytes]
    """What reads each file."""
    token: str = field(default_factory=lambda: uuid.uuid4().hex)

    @classmethod
    def of(cls, layout: Layout) -> Parts:
        """Put the files of a layout together."""
        first = next(iter(layout.files.values()))
        lengths = map(layout.lengths, range(len(first.dims)))
        edges = tuple((0, *itertools.accumulate(sizes)) for sizes in lengths)
        return cls(first.dtype, edges, {place: f.part for place, f in layout.files.items()})

    @property
    def shape(self) -> Index:
        """Points per dimension of all files together."""
        return tuple(edge[-1] for edge in self.edges)

    def stored(self, place: Index) -> Stored:
        """Return what reads one file."""
        key = self.token, place
        with _lock:
            if key not in _ready:
                _ready[key] = pickle.loads(self.pickled[place])  # noqa: S301  (pickled here)
            _ready.move_to_end(key)
            while len(_ready) > _KEPT:
                _ready.popitem(last=False)  # the last one who reads from it closes it
            return _ready[key]

    def close(self) -> None:
        """Let go of what stays ready in this process."""
        with _lock:
            for key in [key for key in _ready if key[0] == self.token]:
                del _ready[key]

    def near(self, ranges: tuple[Range, ...]) -> Iterator[tuple[Index, tuple[Range, ...]]]:
        """Yield the place of every file that the ranges touch, and its part of them."""
        touched = [
            range(bisect.bisect_right(edge, a) - 1, bisect.bisect_left(edge, max(b, a + 1)))
            for edge, (a, b) in zip(self.edges, ranges, strict=True)
        ]
        for place in itertools.product(*touched):
            cut = zip(self.edges, place, ranges, strict=True)
            yield place, tuple((max(e[n], a), min(e[n + 1], b)) for e, n, (a, b) in cut)


@dataclass(frozen=True, eq=False)
class Joined(Stored):
    """One variable of many files."""

    array: Parts

    def read(self, ranges: tuple[Range, ...]) -> tuple[Array, int]:
        """Return the data at ranges of indices, and how many stored chunks of it are missing."""
        near = list(self.array.near(ranges))
        if len(near) == 1:
            return self._part(*near[0])
        data = np.empty([b - a for a, b in ranges], self.dtype)
        missing = 0
        for place, part in near:
            pairs = zip(part, ranges, strict=True)
            to = tuple(slice(a - start, b - start) for (a, b), (start, _) in pairs)
            data[to], lacking = self._part(place, part)
            missing += lacking
        return data, missing

    def missing(self) -> int:
        """Return how many stored chunks all files lack, from a listing of each."""
        return sum(self.array.stored(place).missing() for place in self.array.pickled)

    def marks(self) -> list[Any]:
        """Return what changes when one of the files is another one."""
        return [[place, self.array.stored(place).marks()] for place in sorted(self.array.pickled)]

    def census(self, ranges: tuple[Range, ...] | None = None) -> Census | None:
        """Return what can be seen of all files together; None if one of them shows nothing."""
        whole = ranges or tuple((0, n) for n in self.shape)
        parts = []
        for place, part in self.array.near(whole):
            found = self.array.stored(place).census(self._local(place, part))
            if found is None:
                return None
            parts.append(found)
        return Census.joined(parts)

    def as_of(self, then: Census) -> Joined:
        """Return the files as they were at a census."""
        parts = {
            place: pickle.dumps(self.array.stored(place).as_of(then))
            for place in self.array.pickled
        }
        return replace(self, array=Parts(self.array.dtype, self.array.edges, parts))

    def _fetched(self, index: Any, ranges: tuple[Range, ...]) -> tuple[Array, int]:
        data, missing = self.read(ranges)
        parts = chosen(index, self.shape)
        inside = [np.atleast_1d(c) - a for c, (a, _) in zip(parts, ranges, strict=True)]
        if all(np.array_equal(c, np.arange(n)) for c, n in zip(inside, data.shape, strict=True)):
            picked = data
        else:
            picked = data[np.ix_(*inside)]
        return picked.reshape([n for c in parts for n in c.shape]), missing

    def _part(self, place: Index, part: tuple[Range, ...]) -> tuple[Array, int]:
        return self.array.stored(place).read(self._local(place, part))

    def _local(self, place: Index, part: tuple[Range, ...]) -> tuple[Range, ...]:
        """Return ranges of all files as those of one."""
        starts = [edge[n] for edge, n in zip(self.array.edges, place, strict=True)]
        return tuple((a - start, b - start) for (a, b), start in zip(part, starts, strict=True))


def open_many(
    locations: Sequence[str], variable: str | None, shown: str, kw: Mapping[str, Any]
) -> tuple[xr.DataArray, Joined, dict[Hashable, Index]]:
    """Return the files as one array, what reads it, and the pieces where these are uneven.

    The array has labels and no data: zeros of the same shape.
    """
    array, stored = opened(locations[0], variable, kw)
    try:
        name = str(array.name)
        first = _file(locations[0], array, stored)

        def look(location: str) -> File:
            other, reads = opened(location, name, kw, beside=first.path)
            with other:
                return _file(location, other, reads)

        with ThreadPoolExecutor(_THREADS) as pool:
            layout = arranged([first, *pool.map(look, locations[1:])])
    except BaseException:
        array.close()
        raise
    pieces: dict[Hashable, Index] = {
        dim: layout.pieces(first.dims.index(dim)) for dim in layout.joined
    }
    unit = _unit(layout, pieces)
    uneven = {
        d: sizes for d, sizes in pieces.items() if unit and len({*sizes[:-1], max(sizes)}) > 1
    }
    parts = Parts.of(layout)
    joined = Joined(parts, unit, label_of(shown, name), not uneven)
    empty = np.broadcast_to(np.zeros((), joined.dtype), joined.shape)
    whole = xr.DataArray(empty, _coords(array, layout), array.dims, name, array.attrs)
    whole.encoding = {"chunks": unit}

    def close() -> None:
        parts.close()
        array.close()

    whole.set_close(close)
    return whole, joined, uneven


def _file(location: str, array: xr.DataArray, stored: Stored) -> File:
    coords = {
        str(name): xr.Variable(c.dims, c.values, c.attrs)
        for name, c in array.coords.items()
        if c.ndim <= 1
    }
    dims = tuple(map(str, array.dims))
    units = array.attrs.get("units")
    try:
        part = pickle.dumps(stored)
    except TypeError as error:
        raise SourceError(
            f"{public(location)!r} cannot be opened again where it is read: {line(error)}; copy "
            "such files to a local folder first"
        ) from error
    return File(
        public(location), dims, array.shape, array.dtype, units, stored.chunks, coords, part
    )


def _unit(layout: Layout, pieces: Mapping[Hashable, Index]) -> Index | None:
    """Return the largest piece that has to be read as a whole, along every axis."""
    files = list(layout.files.values())
    if all(file.unit is None for file in files):
        return None
    units = [file.unit or file.shape for file in files]
    largest = map(max, zip(*units, strict=True))
    return tuple(max(pieces.get(d, (n,))) for d, n in zip(files[0].dims, largest, strict=True))


def _coords(array: xr.DataArray, layout: Layout) -> dict[str, xr.Variable]:
    """Return the coordinates of all files; those of several dimensions only if they stay."""
    coords = {}
    for name, coord in array.coords.items():
        along = [d for d in coord.dims if d in layout.joined]
        if not along:
            coords[str(name)] = coord.variable
        elif coord.ndim == 1:
            row = layout.row(array.dims.index(along[0]))
            parts = [file.coords[str(name)] for file in row]
            coords[str(name)] = xr.Variable.concat(parts, along[0])  # type: ignore[no-untyped-call]
    return coords
