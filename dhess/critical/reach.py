"""How far around a cell the search for critical points reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dhess.stencil import AxisStencil, Need, Stencil

if TYPE_CHECKING:
    from dhess.options import Settings

NOTHING = Need()


@dataclass(frozen=True, eq=False)
class Reach(AxisStencil):
    """One axis, as blocks have to know it: it has no operators, only a halo."""

    nodes_around: int = 5
    """Nodes of a local polynomial; those of the cells beside a cell are among them."""

    @property
    def halo(self) -> int:
        """How many ghost cells a block needs of its neighbour."""
        return self.nodes_around // 2

    @property
    def reach(self) -> int:
        """The same; nothing here is one-sided but at the ends."""
        return self.halo

    @property
    def depth(self) -> int:
        """How long the first and the last block must be."""
        return min(self.axis.size, self.nodes_around)

    def around(self, first: int, last: int) -> tuple[int, int]:
        """Return a range and its halo, as far as the axis goes."""
        if self.axis.period is not None:
            return first - self.halo, last + self.halo
        return max(first - self.halo, 0), min(last + self.halo, self.axis.size)


def reaching(full: Stencil, chosen: Settings) -> Stencil:
    """Return what blocks have to know of the axes, for local polynomials of an order.

    Those of p + 3 nodes have first and second derivatives of order p and more anywhere near their
    middle, on uneven axes too.
    """
    axes = tuple(
        Reach(axis.axis, None, None, chosen.adapts, axis.parallels, chosen.order + 3)
        for axis in full.axes
    )
    return replace(full, axes=axes, need=NOTHING)
