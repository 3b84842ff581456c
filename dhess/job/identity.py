"""What tells one job from another: what is asked, and of which data."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from dhess.stored import stored_of

if TYPE_CHECKING:
    import xarray as xr

    from dhess.job.spec import JobSpec

LENGTH = 16
"""Hexadecimal digits of an id."""


def fingerprint(data: xr.DataArray) -> str:
    """Return what changes when a source is another one, without reading its data.

    ``data`` is what `dhess.open` returned, untouched: shape, type, coordinates, and of a local
    store also when its metadata were written; a file is known by its time and size. A chunk that is
    written anew in place does not show here: reading refuses one that is newer than the job.
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
