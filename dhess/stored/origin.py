"""Where the bytes of an array lie: what its chunks are called, which are missing or changed."""

from __future__ import annotations

import itertools
import math
import os
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from dhess.errors import ChangedError, ReadError
from dhess.stored.census import MOST, Census
from dhess.stored.quota import few_at_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dhess.tables import Array, Range

    Index = tuple[int, ...]
    Mark = tuple[int, int]

SHARD_BYTES = 256 * 10**6
"""A shard larger than this is read by its inner chunks."""


class Moment(NamedTuple):
    """How a store was when it was opened."""

    time: int
    """Nanoseconds since 1970; no chunk in a file of its own may be newer."""
    mark: Mark | None
    """Time of modification and size of the file, or of the array's metadata; None: not local."""


@dataclass(frozen=True, eq=False)
class Origin:
    """A variable in a store, and how it is cut there."""

    label: str
    """What store and variable are called in a sentence."""
    chunk: Index | None
    """Points per dimension that are decoded together; None if any run of bytes can be."""
    shard: Index | None
    """Points per dimension of one object of the store where it holds several chunks."""
    moment: Moment

    remedy: ClassVar[str] = "check the store and try again"

    def fetch(self, read: Callable[[], Array], ranges: tuple[Range, ...]) -> tuple[Array, int]:
        """Read, and count the stored chunks of these ranges that are missing."""
        return read(), self.check(ranges)

    def check(self, ranges: tuple[Range, ...]) -> int:  # noqa: ARG002  (others look at them)
        """Refuse what has changed since the opening; return how many chunks are seen to miss."""
        return 0

    def missing(self) -> int:
        """Count the chunks (or shards) of the whole array that the store does not have."""
        return 0

    def census(self, ranges: tuple[Range, ...]) -> Census | None:  # noqa: ARG002
        """Return what can be seen of the stored objects of these ranges; None if nothing can."""
        return None

    def as_of(self, then: Census) -> Origin:
        """Return it as it was at a census: what is newer will be refused."""
        return replace(self, moment=self._since(then))

    def _since(self, then: Census) -> Moment:
        if self.moment.mark is None:
            return self.moment
        # The clock of a file server may be ahead: metadata that are the same ones are not newer.
        time = max(then.newest, self.moment.mark[0])
        return self.moment._replace(time=time if then.digest else min(self.moment.time, time))

    def pieces(self, ranges: tuple[Range, ...]) -> Iterator[tuple[Index, tuple[Range, ...]]]:
        """Yield the place of every stored object that the ranges touch, and its part of them."""
        sides = self.shard or self.chunk
        if sides is None:
            return
        near = [range(a // side, -(-b // side)) for (a, b), side in zip(ranges, sides, strict=True)]
        for place in itertools.product(*near):
            cut = zip(place, sides, ranges, strict=True)
            yield place, tuple((max(p * s, a), min((p + 1) * s, b)) for p, s, (a, b) in cut)

    def name(self, place: Index) -> str:
        """Return what a stored object is called in a sentence."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class FileOrigin(Origin):
    """A variable of a NetCDF or HDF5 file."""

    shape: Index
    path: Path

    remedy: ClassVar[str] = "copy the file anew from where it came from, or write it again"

    def check(self, ranges: tuple[Range, ...]) -> int:  # noqa: ARG002
        """Refuse a file that is not as it was when it was opened."""
        _compare(self.label, self.path, self.moment.mark)
        return 0

    def name(self, place: Index) -> str:
        """Return what a stored object is called in a sentence: its indices."""
        assert self.chunk is not None
        cut = zip(place, self.chunk, self.shape, strict=True)
        return f"chunk {ranges_text([(p * side, min((p + 1) * side, n)) for p, side, n in cut])}"


@dataclass(frozen=True, eq=False)
class ZarrOrigin(Origin):
    """An array of a Zarr store."""

    array: Any
    """The Zarr array, the same object that is read from."""

    remedy: ClassVar[str] = "try again, and write it anew if it is damaged"

    def fetch(self, read: Callable[[], Array], ranges: tuple[Range, ...]) -> tuple[Array, int]:
        """Read, while the store notes which keys it does not have, if it is one that can."""
        watch = getattr(self.array.store, "watch", None)
        if watch is None:
            return super().fetch(read, ranges)
        path = self.array.store_path.path
        with watch([_below(path, self.key(place)) for place, _ in self.pieces(ranges)]) as count:
            return read(), count()

    def missing(self) -> int:
        """Count the chunks (or shards) that the store does not list."""
        chunks = self.array.chunks
        sides = self.array.shards or chunks
        total: int = math.prod(
            -(-n // side) for n, side in zip(self.array.shape, sides, strict=True)
        )
        each: int = math.prod(side // c for side, c in zip(sides, chunks, strict=True))
        return total - int(self.array.nchunks_initialized // each)

    def key(self, place: Index) -> str:
        """Return the key of a stored object below its array."""
        return str(self.array.metadata.encode_chunk_key(place))

    def name(self, place: Index) -> str:
        """Return what a stored object is called in a sentence."""
        return f"{'chunk' if self.shard is None else 'shard'} {self.key(place)}"


@dataclass(frozen=True, eq=False)
class FolderOrigin(ZarrOrigin):
    """An array of a Zarr store that is a local folder, where a look at a file costs little."""

    folder: Path
    """Of the array."""
    gone: frozenset[str] | None = None
    """Keys that had no file before; any other that has none is refused. None: not known."""

    remedy: ClassVar[str] = "write it anew, or remove it to have fill values in its place"

    def fetch(self, read: Callable[[], Array], ranges: tuple[Range, ...]) -> tuple[Array, int]:
        """Read a few chunks at a time."""
        with few_at_once():
            return super().fetch(read, ranges)

    def check(self, ranges: tuple[Range, ...]) -> int:
        """Refuse chunks newer than the opening; count those that have no file."""
        _compare(self.label, self.folder / _metadata(self.array), self.moment.mark)
        folder, missing = str(self.folder), 0
        for place, _ in self.pieces(ranges):
            key = self.key(place)
            try:
                # a Path for each of many small chunks would cost as much as looking at it
                status = os.stat(f"{folder}/{key}")  # noqa: PTH116
            except (FileNotFoundError, NotADirectoryError):
                missing += 1
                if self.gone is not None and key not in self.gone:
                    raise ChangedError(
                        f"{self.name(place)} of {self.label} is gone, which was there before (put "
                        "back as it was, all goes on)"
                    ) from None
            except OSError:
                continue  # whoever reads it is told why it cannot be read
            else:
                self._refuse(place, status.st_mtime_ns, status.st_size)
        return missing

    def census(self, ranges: tuple[Range, ...]) -> Census | None:
        """Look at every file of these ranges, unless there are too many."""
        sides = self.shard or self.chunk
        assert sides is not None
        near = zip(ranges, sides, strict=True)
        if math.prod(-(-b // side) - a // side for (a, b), side in near) > MOST:
            return None
        metadata = _metadata(self.array)
        keys = itertools.chain([metadata], (self.key(place) for place, _ in self.pieces(ranges)))
        folder = str(self.folder)
        return Census.of((key, _seen(f"{folder}/{key}")) for key in keys)

    def as_of(self, then: Census) -> Origin:
        """Return it as it was at a census: what is newer, or gone since, will be refused."""
        gone = None if then.gone is None else frozenset(then.gone)
        return replace(self, moment=self._since(then), gone=gone)

    def _refuse(self, place: Index, written: int, size: int) -> None:
        if written > self.moment.time:
            raise ChangedError(
                f"{self.name(place)} of {self.label} changed while it was read (written "
                f"{(written - self.moment.time) / 1e9:.3g} s later); open it again "
                "when its writer has finished"
            )
        if not size:  # Zarr takes a shard of no bytes for a missing one
            raise ReadError(
                f"{self.name(place)} of {self.label} cannot be read: it has no bytes; {self.remedy}"
            )


def origin_of(
    array: Any, label: str | None = None, moment: Moment | None = None, *, otherwise: str = "data"
) -> Origin | None:
    """Return where xarray's lazy array comes from, if that is known and it is the whole of it.

    Parameters
    ----------
    array
        What xarray slices: a variable that is no Dask array, or what it handed to Dask.
    label
        What to call it. Left out, path and name as the array below knows them.
    moment
        How the store was when it was opened. Left out, how it is now.
    otherwise
        What to call it if the array below knows no path.
    """
    backend = _backend(array)
    if backend is None or tuple(backend.shape) != tuple(array.shape):
        return None
    if hasattr(backend, "datastore"):
        return _file(backend, label, moment, otherwise)
    below = backend.get_array()
    return _zarr(below, label, moment) if hasattr(below, "store_path") else None


def _backend(array: Any) -> Any:
    """Go down through decoding and laziness, but through nothing that takes a part or turns."""
    array = getattr(array, "_data", array)
    while (inner := getattr(array, "array", None)) is not None:
        key = getattr(getattr(array, "key", None), "tuple", ())
        for part, size in zip(key, getattr(inner, "shape", ()), strict=False):
            if not isinstance(part, slice) or part.indices(size) != (0, size, 1):
                return None
        array = inner
    return array if hasattr(array, "get_array") else None


def _file(backend: Any, label: str | None, moment: Moment | None, otherwise: str) -> FileOrigin:
    variable, store = backend.get_array(), backend.datastore
    chunks = variable.chunking() if hasattr(variable, "chunking") else variable.chunks
    chunk = tuple(map(int, chunks)) if isinstance(chunks, (tuple, list)) else None
    path = Path(str(getattr(store, "_filename", "")))
    local = path.is_absolute()
    if label is None:
        group = getattr(store, "_group", None) or ""
        label = label_of(_below(str(path), group), backend.variable_name) if local else otherwise
    if moment is None or moment.mark is None:
        moment = Moment(time.time_ns(), _mark(path) if local else None)
    return FileOrigin(label, chunk, None, moment, tuple(backend.shape), path)


def _zarr(array: Any, label: str | None, moment: Moment | None) -> ZarrOrigin:
    from zarr.storage import LocalStore

    store, path = array.store, array.store_path.path
    local = isinstance(store, LocalStore)
    root = str(store.root.absolute()) if local else _url(store)
    group, _, name = path.rpartition("/")
    label = label or label_of(_below(root, group), name)
    moment = moment or Moment(time.time_ns(), None)
    if not local:
        return ZarrOrigin(label, array.chunks, array.shards, moment, array)
    folder = Path(root, path)
    if moment.mark is None and (mark := _mark(folder / _metadata(array))) is not None:
        # Where a file server's clock is ahead, what it has just stored is not yet past.
        moment = Moment(max(moment.time, mark[0]), mark)
    return FolderOrigin(label, array.chunks, array.shards, moment, array, folder)


def _url(store: Any) -> str:
    """Return the URL of a store of fsspec, or what the store says of itself."""
    try:
        files = getattr(store.fs, "sync_fs", store.fs)
        return str(files.unstrip_protocol(store.path))
    except Exception:  # noqa: BLE001  (only a name; each kind of store has others)
        return str(store)


def _metadata(array: Any) -> str:
    return "zarr.json" if array.metadata.zarr_format == 3 else ".zarray"


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _mark(path: Path) -> Mark | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _seen(path: str) -> Mark | None:
    """Return time and size of a file; none where there is none, zeros if that cannot be told."""
    try:
        status = os.stat(path)  # noqa: PTH116  (as above: there are many)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _compare(label: str, path: Path, then: Mark | None) -> None:
    """Refuse a file that is not as it was."""
    if then is None:
        return
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        now = None
    except OSError:
        return  # whoever reads it is told why it cannot be read
    else:
        now = status.st_mtime_ns, status.st_size
    if now == then:
        return
    if now is None:
        seen = "is gone"
    elif now[1] != then[1]:
        seen = f"had {then[1]} bytes when it was opened and has {now[1]} bytes"
    else:
        seen = f"was written again {abs(now[0] - then[0]) / 1e9:.3g} s later"
    raise ChangedError(
        f"{label} changed while it was read ({path.name} {seen}); open it again when "
        "its writer has finished"
    )


def reading_unit(
    shape: Sequence[int], chunk: Sequence[Any] | None, shard: Sequence[Any] | None, itemsize: int
) -> Index | None:
    """Return what one read should be made of: the shard where it is not too large, or the chunk.

    Examples
    --------
    >>> reading_unit((1000, 1000), (100, 100), (500, 500), itemsize=4)
    (500, 500)
    >>> reading_unit((50_000, 50_000), (100, 100), (10_000, 10_000), itemsize=4)
    (100, 100)
    >>> reading_unit((30, 1000), (100, 100), None, itemsize=4)
    (30, 100)
    """
    if shard and math.prod(shard) * itemsize <= SHARD_BYTES:
        chunk = shard
    if chunk is None:
        return None
    # An axis that the store cuts unevenly (a tuple of sizes) is one piece: no size has multiples.
    pairs = zip(shape, chunk, strict=True)
    return tuple(min(size, part) if isinstance(part, int) else size for size, part in pairs)


def ranges_text(ranges: Sequence[Range]) -> str:
    """Return ranges as they are written in an index.

    Examples
    --------
    >>> ranges_text([(0, 10), (5, 20)])
    '[0:10, 5:20]'
    """
    return f"[{', '.join(f'{a}:{b}' for a, b in ranges)}]"


def label_of(path: str, variable: str) -> str:
    """Return what a variable of a store is called in a sentence: as a source is written, quoted.

    Examples
    --------
    >>> label_of("s3://me:secret@bucket/run.zarr", "T")
    "'s3://bucket/run.zarr::T'"
    """
    return repr(f"{public(path)}::{variable}")


def public(location: str) -> str:
    """Return the location without a user's name and password, fit for results and messages."""
    return re.sub(r"://[^/@]*@", "://", location)
