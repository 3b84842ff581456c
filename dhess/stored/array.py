"""One array of a store: what it is cut into, and how ranges of it are read."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from dhess.errors import ReadError, line
from dhess.stored.origin import ranges_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.stored.census import Census
    from dhess.stored.origin import Origin
    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Stored:
    """A variable of a store, decoded as it is read.

    It travels to the workers as it is, so it holds no open file. A store that changes between the
    opening and the reading is refused where it is a local file or folder; elsewhere a change is
    not noticed.
    """

    array: Any
    """What is sliced: an array with ``shape`` and ``dtype`` that lazily reads and decodes."""
    chunks: tuple[int, ...] | None
    """Points per dimension that should be read together; None if any run of bytes can be."""
    label: str
    """What the store and the variable are called in a sentence."""
    free: bool = False
    """Whether nobody chose the size of the blocks, so that a plan may."""
    origin: Origin | None = None
    """Where the bytes lie, if that is known."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Points per dimension."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the decoded data."""
        dtype: np.dtype[Any] = np.dtype(self.array.dtype)
        return dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> Array:
        """Return what an index of whole numbers, slices and lists along each axis selects."""
        return self._fetched(index, hull(chosen(index, self.shape)))[0]

    def read(self, ranges: tuple[Range, ...]) -> tuple[Array, int]:
        """Return the data at ranges of indices, and how many stored chunks of it are missing.

        What a Zarr store does not have is fill value. Shards are counted where there are any. What
        is missing costs no request more: a folder is looked at, another store that dhess opened
        notes it while it is read; for any other it is 0.

        Raises
        ------
        ReadError
            A chunk is damaged or cannot be read, or the store has changed since it was opened.
        """
        return self._fetched(_slices(ranges), ranges)

    def missing(self) -> int:
        """Return how many stored chunks the whole array lacks, from a listing of the store."""
        return 0 if self.origin is None else self.origin.missing()

    def marks(self) -> list[Any]:
        """Return what changes when the store is another one, as far as that can be seen."""
        origin = self.origin
        return [] if origin is None else [[origin.chunk, origin.shard, origin.moment.mark]]

    def census(self, ranges: tuple[Range, ...] | None = None) -> Census | None:
        """Return what can be seen of the files of these ranges, or of all; None if nothing can."""
        whole = ranges or tuple((0, n) for n in self.shape)
        return None if self.origin is None else self.origin.census(whole)

    def as_of(self, then: Census) -> Stored:
        """Return it as it was at a census: reading refuses what was written since, or is gone."""
        return self if self.origin is None else replace(self, origin=self.origin.as_of(then))

    def _fetched(self, index: Any, ranges: tuple[Range, ...]) -> tuple[Array, int]:
        fetch = partial(self._sliced, index)
        try:
            return (fetch(), 0) if self.origin is None else self.origin.fetch(fetch, ranges)
        except (ReadError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001  (what libraries below may say has no limit)
            self._blame(ranges, error)

    def _sliced(self, index: Any) -> Array:
        return np.asarray(self.array[index])

    def _blame(self, ranges: tuple[Range, ...], error: Exception) -> NoReturn:
        """Raise the sentence that names the stored chunk for which reading failed."""
        name, remedy = ranges_text(ranges), "check the store and try again"
        if self.origin is not None:
            self.origin.check(ranges)  # a change explains everything
            remedy = self.origin.remedy
            for place, part in self.origin.pieces(ranges):
                try:
                    self.origin.fetch(partial(self._sliced, _slices(part)), part)
                except Exception as again:  # noqa: BLE001  (any failure tells which one it is)
                    name, error = self.origin.name(place), again
                    break
        if isinstance(error, PermissionError):
            remedy = "check its permissions"
        raise ReadError(
            f"{name} of {self.label} cannot be read: {_clause(error)}; {remedy}"
        ) from error


def _clause(error: Exception) -> str:
    """Return the cause in a few words."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else line(error)
    return textwrap.shorten(told, 140, placeholder=" …")


def _slices(ranges: Sequence[Range]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in ranges)


def chosen(index: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return the indices that an index selects along each axis; one alone without a dimension.

    Examples
    --------
    >>> [part.tolist() for part in chosen((slice(None, None, -3), [4, 2], -1), (10, 5, 8, 2))]
    [[9, 6, 3, 0], [4, 2], 7, [0, 1]]
    """
    index = index if isinstance(index, tuple) else (index,)
    whole = (*index, *[slice(None)] * (len(shape) - len(index)))
    return [np.asarray(np.arange(n)[part]) for part, n in zip(whole, shape, strict=True)]


def hull(parts: Sequence[Any]) -> tuple[Range, ...]:
    """Return the smallest ranges that hold everything that is chosen.

    Examples
    --------
    >>> hull(chosen((slice(None, None, -3), [4, 2], -1), (10, 5, 8, 2)))
    ((0, 10), (2, 5), (7, 8), (0, 2))
    """
    return tuple((int(c.min()), int(c.max()) + 1) if c.size else (0, 0) for c in parts)
