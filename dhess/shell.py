"""The rim of a block: what its neighbours need of it once the block itself is gone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dhess.tables import Array, Range


@dataclass(frozen=True, eq=False)
class Shell:
    """Slabs of a block along its faces, each with its global ranges."""

    slabs: tuple[tuple[tuple[Range, ...], Array], ...]

    @classmethod
    def whole(cls, data: Array, ranges: tuple[Range, ...]) -> Shell:
        """Keep a block as it is, as one slab."""
        return cls(((ranges, data),))

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
        return cls(tuple(slabs))

    @property
    def nbytes(self) -> int:
        """Bytes of its data."""
        return sum(data.nbytes for _, data in self.slabs)

    def moved(self, by: Sequence[int]) -> Shell:
        """Return it at other indices: those that it has beyond the end of an axis that wraps."""
        return replace(
            self,
            slabs=tuple(
                (tuple((a + s, b + s) for (a, b), s in zip(ranges, by, strict=True)), data)
                for ranges, data in self.slabs
            ),
        )


def joined(shells: Iterable[Shell], region: tuple[Range, ...]) -> Array:
    """Put together the data of a region from the shells that hold it.

    What none of them holds stays undefined; a stencil reads nothing there.

    Examples
    --------
    >>> a = Shell.of(np.arange(10), ((0, 10),), [(0, 2)])
    >>> b = Shell.of(np.arange(10, 20), ((10, 20),), [(2, 0)])
    >>> joined([a, b], ((8, 12),)).tolist()
    [8, 9, 10, 11]
    """
    shape = tuple(b - a for a, b in region)
    out: Array | None = None
    for shell in shells:
        for ranges, data in shell.slabs:
            if out is None:
                out = np.empty(shape, data.dtype)
            common = tuple(
                (max(a, c), min(b, d)) for (a, b), (c, d) in zip(ranges, region, strict=True)
            )
            if all(a < b for a, b in common):
                _part(out, region, common)[...] = _part(data, ranges, common)
    assert out is not None
    return out


def _part(data: Array, held: tuple[Range, ...], wanted: tuple[Range, ...]) -> Array:
    index = (slice(a - o, b - o) for (a, b), (o, _) in zip(wanted, held, strict=True))
    return data[tuple(index)]
