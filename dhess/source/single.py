"""One variable of one store: its labels, and what reads it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dhess.errors import SourceError
from dhess.source.chunks import unit_of
from dhess.source.engine import open_dataset
from dhess.source.variable import choose, named
from dhess.stored import Stored
from dhess.stored.origin import Moment, label_of, origin_of, public

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr


def opened(
    location: str, variable: str | None, kw: Mapping[str, Any], *, beside: str | None = None
) -> tuple[xr.DataArray, Stored]:
    """Open a store; return its variable without Dask, which closes it, and what reads that.

    With *beside*, the sentence about a missing variable names the file that has it.
    """
    moment = Moment(time.time_ns(), None)
    dataset = open_dataset(location, kw)
    source = public(location)
    try:
        if beside is not None and variable not in dataset.variables:
            raise SourceError(
                f"{source!r} has no variable {variable!r}, which {beside!r} has; give files that "
                "are parts of one array"
            )
        name = choose(dataset, variable, source)
        array = named(dataset, name)
    except SourceError:
        dataset.close()
        raise
    array.set_close(dataset.close)
    bare = array.variable.to_base_variable().drop_encoding()
    bare.attrs = {}  # what only labels the data need not travel with every task
    label = label_of(location, name)
    origin = origin_of(bare, label, moment)
    return array, Stored(bare, unit_of(array), label, free=True, origin=origin)
