"""The rim of a block: what its neighbours need of it once the block itself is gone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Shell:
    """Slabs of a block along its faces, each with its global ranges."""

    ranges: tuple[Range, ...]
    """Of the block."""
    slabs: tuple[tuple[tuple[Range, ...], Array], ...]

    @classmethod
    def whole(cls, data: Array, ranges: tuple[Range, ...]) -> Shell:
        """Keep a block as it is, as one slab."""
        return cls(ranges, ((ranges, data),))

    @classmethod
    def of(cls, data: Array, ranges: tuple[Range, ...], keep: Sequence[tuple[int, int]]) -> Shell:
        """Copy the slabs off a block, as thick as is told for both faces of each dimension.

        Examples
        --------
        >>> shell = Shell.of(np.arange(10), ((0, 10),), [(0, 2)])
        >>> [(ranges, data.tolist()) for ranges, data in shell.slabs]
        [(((8, 10),), [8, 9])]
        """
        slabs = []
        for d, thick in enumerate(keep):
            first, last = ranges[d]
            for part in ((first, first + thick[0]), (last - thick[1], last)):
                if part[0] < part[1]:
                    within = (*ranges[:d], part, *ranges[d + 1 :])
                    slabs.append((within, _part(data, ranges, within).copy()))
        return cls(ranges, tuple(slabs))

    @property
    def nbytes(self) -> int:
        """Bytes of its data."""
        return sum(data.nbytes for _, data in self.slabs)

    def __sizeof__(self) -> int:
        return self.nbytes  # so that Dask knows what it would cost to move

    def moved(self, by: Sequence[int]) -> Shell:
        """Return it at other indices: those that it has beyond the end of an axis that wraps."""

        def there(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
            return tuple((a + s, b + s) for (a, b), s in zip(ranges, by, strict=True))

        slabs = tuple((there(ranges), data) for ranges, data in self.slabs)
        return Shell(there(self.ranges), slabs)

    def copy_to(self, out: Array, region: tuple[Range, ...]) -> None:
        """Copy what it has of a region to an array of that: from one slab, if one has it all."""
        common = _common(self.ranges, region)
        if common is None:
            return
        for ranges, data in self.slabs:
            if all(a <= c and d <= b for (a, b), (c, d) in zip(ranges, common, strict=True)):
                _part(out, region, common)[...] = _part(data, ranges, common)
                return
        for ranges, data in self.slabs:
            if (part := _common(ranges, region)) is not None:
                _part(out, region, part)[...] = _part(data, ranges, part)


def joined(shells: Sequence[Shell], region: tuple[Range, ...]) -> Array:
    """Put together the data of a region from the shells that hold it.

    What none of them holds stays undefined; a stencil reads nothing there.

    Examples
    --------
    >>> a = Shell.of(np.arange(10), ((0, 10),), [(0, 2)])
    >>> b = Shell.of(np.arange(10, 20), ((10, 20),), [(2, 0)])
    >>> joined([a, b], ((8, 12),)).tolist()
    [8, 9, 10, 11]
    """
    dtype = next(data.dtype for shell in shells for _, data in shell.slabs)
    out = np.empty(tuple(b - a for a, b in region), dtype)
    for shell in shells:
        shell.copy_to(out, region)
    return out


def _common(a: tuple[Range, ...], b: tuple[Range, ...]) -> tuple[Range, ...] | None:
    """Return where ranges overlap; None if they do not."""
    both = tuple((max(p[0], q[0]), min(p[1], q[1])) for p, q in zip(a, b, strict=True))
    return both if all(first < last for first, last in both) else None


def _part(data: Array, held: tuple[Range, ...], wanted: tuple[Range, ...]) -> Array:
    index = (slice(a - o, b - o) for (a, b), (o, _) in zip(wanted, held, strict=True))
    return data[tuple(index)]
