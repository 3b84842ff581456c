"""Arrays as text, as the ledger keeps what a window found: no bit of them changes."""

from __future__ import annotations

import base64
import io
import zlib
from typing import TYPE_CHECKING

import numpy as np

from dhess.job.work import digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dhess.tables import Array


def checksum(arrays: Mapping[str, Array]) -> str:
    """Return the checksum of arrays, in their order."""
    return digest(np.ascontiguousarray(each).tobytes() for each in arrays.values())


def packed(arrays: Mapping[str, Array]) -> str:
    """Return arrays as text: what is mostly 0 is packed away.

    Examples
    --------
    >>> unpacked(packed({"a/b": np.array([1.0, np.nan])}))
    {'a/b': array([ 1., nan])}
    """
    file = io.BytesIO()
    np.savez(file, **{name.replace("/", "|"): each for name, each in arrays.items()})  # type: ignore[arg-type]
    return base64.b64encode(zlib.compress(file.getbuffer(), 1)).decode()


def unpacked(text: str) -> dict[str, Array]:
    """Return the arrays of such a text."""
    with np.load(io.BytesIO(zlib.decompress(base64.b64decode(text)))) as file:
        return {name.replace("|", "/"): file[name] for name in file.files}
