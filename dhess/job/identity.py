"""What tells one job from another: what is asked, and of which data."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.errors import ChangedError
from dhess.source.prepared import census
from dhess.stored import stored_of
from dhess.stored.origin import public

if TYPE_CHECKING:
    import xarray as xr

    from dhess.job.spec import JobSpec
    from dhess.stored.census import Census

LENGTH = 16
"""Hexadecimal digits of an id."""


def fingerprint(data: xr.DataArray) -> str:
    """Return what changes when a source is another one, without reading its data.

    ``data`` is what `dhess.open` returned, untouched: shape, type, coordinates, and of a local
    store also when its metadata were written; a file is known by its time and size. A chunk that is
    written anew in place does not show here, but in a census of the files, see `check_unchanged`.
    """
    digest = hashlib.sha256()
    told: list[Any] = [list(map(str, data.dims)), list(data.shape), data.dtype.str]
    for name in sorted(map(str, data.coords)):
        values = data.coords[name].variable
        told.append([name, list(map(str, values.dims)), list(values.shape), str(values.dtype)])
        if values.ndim == 1:
            plain = np.asarray(values.values)
            digest.update(plain.tobytes() if plain.dtype.kind != "O" else repr(plain).encode())
    stored = stored_of(data.data)
    told.append(None if stored is None else stored.marks())
    digest.update(json.dumps(told, sort_keys=True).encode())
    return digest.hexdigest()


def identity(spec: JobSpec, data_fingerprint: str) -> str:
    """Return the id of a job: the same for the same spec of the same data."""
    whole = f"{spec.canonical()}\n{data_fingerprint}"
    return hashlib.sha256(whole.encode()).hexdigest()[:LENGTH]


def check_unchanged(
    data: xr.DataArray, spec: JobSpec, then: Census, *, removed: bool = False
) -> None:
    """Refuse a source whose files are not those that a job came for.

    Clocks may be set back, and a copy may have the times of its original: what was read is right if
    the same files are there at the end. ``removed`` allows that some are gone.

    Raises
    ------
    ChangedError
        If others are there.
    """
    now = census(data, spec.selection)
    if now is not None and then.digest and then.contradicts(now, removed=removed):
        first, *rest = [spec.source] if isinstance(spec.source, str) else spec.source
        more = f" and {len(rest)} more" if rest else ""
        raise ChangedError(
            f"files of {public(first)!r}{more} have changed since the job came "
            f"({_difference(then, now)}); open it again"
        )


def _difference(then: Census, now: Census) -> str:
    """Tell in a clause what is another in two censuses.

    Examples
    --------
    >>> from dhess.stored.census import Census
    >>> then, now = Census("a", 1, 3, gone=()), Census("b", 1, 2, gone=("c/0",))
    >>> _difference(then, now), _difference(then, Census("c", 5, 3, gone=()))
    ('c/0 is gone, of 3 that were there', '3 are there of 3, or their times or sizes are others')
    """
    gone = sorted(set(now.gone or ()) - set(then.gone or ())) if then.gone is not None else []
    if gone:
        return f"{gone[0]} is gone, of {then.there:,} that were there"
    return f"{now.there:,} are there of {then.there:,}, or their times or sizes are others"
