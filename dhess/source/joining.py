"""How files lie beside each other: what they must have in common, and the grid that they fill."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import xarray as xr

    from dhess.tables import Array

    Index = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class File:
    """What has to be known of a file to put it beside others; nothing of it is open."""

    path: str
    """What it is called in a sentence."""
    dims: tuple[str, ...]
    shape: Index
    dtype: np.dtype[Any]
    units: str | None
    unit: Index | None
    """Points per dimension that should be read together; None if any run of bytes can be."""
    coords: Mapping[str, xr.Variable]
    """The coordinates that have at most one dimension, in memory."""
    part: bytes
    """What reads the variable, pickled."""


@dataclass(frozen=True)
class Layout:
    """Files in a grid."""

    joined: tuple[str, ...]
    """The dimensions along which there is more than one file."""
    files: Mapping[Index, File]
    """By place along all dimensions of the variable."""

    def row(self, axis: int) -> list[File]:
        """Return the files along one axis, at the first place of all others."""
        places = sorted(self.files)
        first = places[0]
        lines = [p for p in places if p[:axis] + p[axis + 1 :] == first[:axis] + first[axis + 1 :]]
        return [self.files[place] for place in lines]

    def lengths(self, axis: int) -> Index:
        """Return the points of each file along an axis."""
        return tuple(file.shape[axis] for file in self.row(axis))

    def pieces(self, axis: int) -> Index:
        """Return the points of each piece along an axis that should be read as a whole.

        A file of which any run of bytes can be read is one piece.
        """
        sizes: list[int] = []
        for file in self.row(axis):
            size = file.shape[axis]
            step = file.unit[axis] if file.unit else size
            sizes += [min(step, size - start) for start in range(0, size, step)]
        return tuple(sizes)


def arranged(files: Sequence[File]) -> Layout:
    """Return two or more files in the order of their coordinates.

    Raises
    ------
    SourceError
        Two of them disagree, overlap or leave a hole.
    """
    first = files[0]
    for file in files[1:]:
        _agree(first, file)
    joined = tuple(d for d in first.dims if d in first.coords and _differ(files, d))
    if not joined:
        raise SourceError(
            f"{first.path!r} and {files[1].path!r} differ in no coordinate of {_and(first.dims)}, "
            "so there is no dimension to join them along; give files with different coordinates"
        )
    for file in files[1:]:
        _agree_beside(first, file, joined)
    places = [_order(files, dim) if dim in joined else [0] * len(files) for dim in first.dims]
    grid: dict[Index, File] = {}
    for file, place in zip(files, zip(*places, strict=True), strict=True):
        if place in grid:
            raise SourceError(
                f"{grid[place].path!r} and {file.path!r} have the same values of {_and(joined)}; "
                "give each part of the data once"
            )
        grid[place] = file
    _refuse_holes(grid, first.dims)
    return Layout(joined, grid)


def _agree(first: File, other: File) -> None:
    """Refuse two files that cannot be parts of one array."""
    _same(first, other, "dimensions", _and(first.dims), _and(other.dims))
    _same(first, other, "data type", first.dtype, other.dtype)
    _same(first, other, "units", first.units, other.units)
    _same(first, other, "coordinates", _and(sorted(first.coords)), _and(sorted(other.coords)))
    for name, mine in first.coords.items():
        yours = other.coords[name]
        _same(first, other, f"dimensions of {name!r}", _and(mine.dims), _and(yours.dims))
        _same(first, other, f"kind of {name!r}", _kind(mine.values), _kind(yours.values))
        _same(first, other, f"units of {name!r}", mine.attrs.get("units"), yours.attrs.get("units"))
    for dim, mine_long, yours_long in zip(first.dims, first.shape, other.shape, strict=True):
        if dim not in first.coords:
            what = f"number of points along {dim!r}, which has no coordinate"
            _same(first, other, what, mine_long, yours_long)


def _agree_beside(first: File, other: File, joined: Sequence[str]) -> None:
    """Refuse coordinates that differ although the files are not joined along them."""
    for name, mine in first.coords.items():
        if not set(mine.dims) & set(joined) and not _equal(mine, other.coords[name]):
            raise _disagree(first, other, f"values of the coordinate {name!r}")


def _same(first: File, other: File, what: str, mine: object, yours: object) -> None:
    if mine != yours:
        raise _disagree(first, other, f"{what} ({mine} and {yours})")


def _disagree(first: File, other: File, what: str) -> SourceError:
    return SourceError(
        f"{first.path!r} and {other.path!r} do not have the same {what}; give files that are parts "
        "of one array"
    )


def _and(names: Sequence[Any]) -> str:
    return ", ".join(map(str, names)) or "none"


def _kind(values: Array) -> str:
    """Return what values are: dates can only follow dates of the same calendar."""
    if values.dtype.kind == "O" and values.size:
        return f"dates of the calendar {getattr(values.flat[0], 'calendar', None)}"
    return {"M": "dates of the calendar standard", "m": "durations", "U": "text"}.get(
        values.dtype.kind, "numbers"
    )


def _differ(files: Sequence[File], dim: str) -> bool:
    first = files[0].coords[dim].values
    return not all(np.array_equal(first, file.coords[dim].values) for file in files[1:])


def _equal(mine: xr.Variable, yours: xr.Variable) -> bool:
    return bool(mine.equals(yours))  # type: ignore[no-untyped-call]


def _order(files: Sequence[File], dim: str) -> list[int]:
    """Return the place of every file along a dimension; those with the same values share one."""
    values = [file.coords[dim].values for file in files]
    common = np.result_type(*values)
    keys = [tuple(v) if common.kind == "O" else v.astype(common).tobytes() for v in values]
    first = {key: n for n, key in reversed(list(enumerate(keys)))}  # any file that has the values
    falls = {_falls(files[n], dim): n for n in first.values() if values[n].size > 1}
    if len(falls) > 1:
        up, down = files[falls[False]].path, files[falls[True]].path
        raise SourceError(
            f"{dim!r} rises in {up!r} and falls in {down!r}; give files in which it runs one way"
        )
    rank = sorted(first.values(), key=lambda n: values[n][0], reverse=True in falls)
    for a, b in itertools.pairwise(rank):
        before, after = values[a][-1], values[b][0]
        if not (before > after if True in falls else before < after):
            raise SourceError(
                f"{files[a].path!r} and {files[b].path!r} overlap along {dim!r} "
                f"({_span(values[a])} and {_span(values[b])}); give files that follow one another, "
                f"or have the same {dim!r}"
            )
    return [rank.index(first[key]) for key in keys]


def _falls(file: File, dim: str) -> bool:
    """Tell whether a coordinate falls all along, and not rises."""
    values = file.coords[dim].values
    if np.all(values[1:] > values[:-1]):
        return False
    if np.all(values[1:] < values[:-1]):
        return True
    raise SourceError(
        f"{dim!r} neither rises nor falls all along in {file.path!r}, so there is no telling what "
        "follows it; sort that file"
    )


def _span(values: Array) -> str:
    seconds = values.astype("M8[s]") if values.dtype.kind == "M" else values
    return f"{seconds[0]} to {seconds[-1]}"


def _refuse_holes(grid: Mapping[Index, File], dims: Sequence[str]) -> None:
    sizes = [len(set(places)) for places in zip(*grid, strict=True)]
    for place in itertools.product(*map(range, sizes)):
        if place not in grid:
            here = [next(f for p, f in grid.items() if p[d] == n) for d, n in enumerate(place)]
            a, b = [d for d, size in enumerate(sizes) if size > 1][:2]
            raise SourceError(
                f"no file has the {dims[a]!r} of {here[a].path!r} and the {dims[b]!r} of "
                f"{here[b].path!r}; give files that differ in one dimension, or fill a grid"
            )
