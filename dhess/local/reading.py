"""The few points that a model needs, read from where they lie."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import dask
import numpy as np

from dhess.pieces import turns
from dhess.running import run
from dhess.stored import stored_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import dask.array as da

    from dhess.tables import Array, Range


def read(values: Array | da.Array, ranges: Sequence[Range]) -> tuple[Array, int]:
    """Return the data at ranges of indices, and how many stored chunks of it are missing.

    A range may go over the ends of an axis that wraps. Of Dask arrays only the blocks that the
    ranges touch are computed, of stores only the chunks.

    Examples
    --------
    >>> read(np.arange(10), [(-2, 3)])
    (array([8, 9, 0, 1, 2]), 0)
    """
    out = np.empty([b - a for a, b in ranges], values.dtype.newbyteorder("="))
    cuts = [turns(each, size) for each, size in zip(ranges, values.shape, strict=True)]
    parts = [tuple(span for span, _ in cut) for cut in product(*cuts)]
    places = [
        tuple(
            slice(a - by - o, b - by - o) for ((a, b), by), (o, _) in zip(cut, ranges, strict=True)
        )
        for cut in product(*cuts)
    ]
    if isinstance(values, np.ndarray):
        for place, part in zip(places, parts, strict=True):
            out[place] = values[_slices(part)]
        return out, 0
    missing = 0

    def done(i: int, result: tuple[Array, int]) -> None:
        nonlocal missing
        out[places[i]] = result[0]
        missing += result[1]

    stored = stored_of(values)
    late = [
        dask.delayed(_there)(values[_slices(part)])
        if stored is None
        else dask.delayed(stored.read)(part)
        for part in parts
    ]
    run(late, done, name="local-model")
    return out, missing


def _there(values: Array) -> tuple[Array, int]:
    return values, 0


def _slices(ranges: Sequence[Range]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in ranges)
