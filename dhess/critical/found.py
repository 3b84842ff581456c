"""What is known of critical points while they are being found: rows, to be put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dhess.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dhess.tables import Array

MOST = 1_000_000
"""Points of an answer at most."""


@dataclass(frozen=True, eq=False)
class Found:
    """Critical points of some blocks, in no order.

    Lengths are those of the axes as they are differentiated, from the cell's own point on.
    """

    points: dict[str, Array]
    """A row for each: ``cell`` (position in C order), ``inside`` (n; place in the cell, 0…1),
    ``regular``, ``negative`` (how many eigenvalues are), ``own_place`` (n), ``own_hessian`` (n, n):
    those of the spline; then ``refined``, ``place`` (n), ``value``, ``gradient`` (n), ``hessian``
    (n, n), ``bending`` (n), ``size``: those of the local polynomial, at the spline's place unless
    it is refined."""
    plateaus: dict[str, Array]
    """A row for each connected part within a box: ``cell`` (its first), ``cells`` (how many),
    ``first`` and ``last`` (dims; bounding box), ``value``, ``gradient``, ``hessian`` at the first
    cell's point."""
    rim: tuple[Array, Array]
    """Cells of plateaus where others may go on: position, and row of ``plateaus``."""
    nans: int = 0
    """Cells that hold none because a sample around them is not finite."""
    missing: int = 0
    """Stored chunks that were not there when the points were read."""
    blocks: int = 0
    """Blocks that were searched whole."""

    @classmethod
    def merge(cls, parts: Sequence[Found]) -> Found:
        """Put several together.

        Raises
        ------
        InputError
            If there are more points than an answer may have.
        """
        begins = np.cumsum([0, *(len(part.plateaus["cell"]) for part in parts)])[:-1]
        owners = [part.rim[1] + begin for part, begin in zip(parts, begins, strict=True)]
        rim = np.concatenate([part.rim[0] for part in parts]), np.concatenate(owners)
        sums = (sum(getattr(p, name) for p in parts) for name in ("nans", "missing", "blocks"))
        points = _joined([part.points for part in parts])
        refuse(len(points["cell"]))
        return cls(points, _joined([part.plateaus for part in parts]), rim, *sums)


def refuse(count: int) -> None:
    """Raise InputError for too many points."""
    if count > MOST:
        raise InputError(
            f"the field has {count:,} critical points and more, and an answer at most {MOST:,}; "
            "smooth it first, as with dhess.smooth, or search a part of it"
        )


def _joined(parts: Sequence[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
