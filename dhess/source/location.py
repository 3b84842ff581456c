"""Where a source is: local path or fsspec URL, and the variable named behind it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from dhess.errors import SourceError

# fsspec's file systems that read through another one: what follows their "::" is that other one.
CACHES = {"blockcache", "cached", "filecache", "simplecache"}
_CHAINED = CACHES | {"async_wrapper", "dir", "libarchive", "reference", "tar", "zip"}


def split_source(source: str | os.PathLike[str]) -> tuple[str, str | None]:
    """Split ``PATH::VARIABLE``; the ``::`` of a chained URL stays in the path.

    Raises
    ------
    SourceError
        Nothing stands before or after the ``::``, or *source* is no path at all.

    Examples
    --------
    >>> split_source("dem.zarr::height")
    ('dem.zarr', 'height')
    >>> split_source("simplecache::s3://bucket/dem.zarr")
    ('simplecache::s3://bucket/dem.zarr', None)
    >>> split_source("zip://dem.zarr::dem.zip::height")
    ('zip://dem.zarr::dem.zip', 'height')
    """
    text = _text(source)
    head, mark, tail = text.rpartition("::")
    protocol = head.rpartition("::")[2].partition("://")[0]
    if not mark or "/" in tail or protocol in _CHAINED:
        return text, None
    if not head or not tail:
        part = "variable after" if head else "path before"
        raise SourceError(f"{text!r} has no {part} its '::'; write PATH or PATH::VARIABLE")
    return head, tail


def is_url(path: str) -> bool:
    """Tell an fsspec URL, chained ones included, from a local path.

    Examples
    --------
    >>> is_url("s3://bucket/dem.zarr"), is_url("simplecache::s3://b/dem.nc"), is_url("dem.zarr")
    (True, True, False)
    """
    return "://" in path or ("::" in path and path.partition("::")[0] in _CHAINED)


def location_of(path: str | os.PathLike[str]) -> str:
    """Return the URL as it is, or the absolute local path."""
    text = re.sub(r"^(file|local)://", "", _text(path))
    if is_url(text):
        return text
    try:
        return str(Path(text).expanduser().absolute())
    except RuntimeError:  # a "~name" that is no user's
        return str(Path(text).absolute())


def _text(path: Any) -> str:
    try:
        text: object = os.fspath(path)
    except TypeError as error:
        raise SourceError(f"a source is a path or a URL, not {path!r}") from error
    if not isinstance(text, str) or not text.strip():
        raise SourceError(f"a source is a path or a URL, not {text!r}")
    if "\0" in text or not _can_be_named(text):
        raise SourceError(f"{text!r} has a character that no path has; check how it is written")
    return text


def _can_be_named(text: str) -> bool:
    """Tell whether the system can be asked for a name; half of a surrogate pair is no text."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return False
    return True
