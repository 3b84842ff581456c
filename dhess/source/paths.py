"""Which files a source names: one, a list of them, or all that fit a pattern."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from dhess.errors import SourceError, line
from dhess.source.location import CACHES, is_url, location_of, split_source
from dhess.stored.origin import public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PATTERN = re.compile(r"[*?\[]")


def locations_of(
    path: Any, variable: str | None, storage_options: Mapping[str, Any] | None
) -> tuple[list[str], str | None, str]:
    """Return the locations that are meant, the variable if it is named, and what to call them all.

    A file whose name looks like a pattern is that file, if it exists.
    """
    if isinstance(path, (list, tuple, Iterator)):
        return _listed(list(path), variable)
    if variable is None:
        path, variable = split_source(path)
    location = location_of(path)
    if not _is_pattern(location):
        return [location], variable, public(location)
    shown = public(location)
    try:
        found = _matching(location, storage_options or {})
    except Exception as error:
        raise SourceError(
            f"files like {shown!r} cannot be listed: {line(error)}; name them one by one, in a list"
        ) from error
    if not found:
        raise SourceError(f"no file or store fits {shown!r}; check the pattern and its folder")
    return found, variable, shown if len(found) > 1 else public(found[0])


def _listed(paths: Sequence[Any], variable: str | None) -> tuple[list[str], str | None, str]:
    if not paths:
        raise SourceError("an empty list of files names no source; give at least one path")
    pairs = [(p, variable) if variable is not None else split_source(p) for p in paths]
    names = sorted({name for _, name in pairs if name is not None})
    if len(names) > 1:
        raise SourceError(
            f"a list of files is one variable of all of them, not {' and '.join(names)}; name one"
        )
    locations = [location_of(p) for p, _ in pairs]
    first, last = public(locations[0]), public(locations[-1])
    shown = first if len(locations) == 1 else f"{first} … {last} ({len(locations)} files)"
    return locations, names[0] if names else None, shown


def _is_pattern(location: str) -> bool:
    """Tell a pattern from a name; what follows the "?" of a web address is neither."""
    if re.match(r"https?://", location.rpartition("::")[2]):
        location = location.partition("?")[0]
    return bool(_PATTERN.search(location))


def _matching(location: str, storage_options: Mapping[str, Any]) -> list[str]:
    if not is_url(location):
        found = glob.glob(location)  # noqa: PTH207  (that of Path takes no absolute pattern)
        return [location] if os.path.lexists(location) else sorted(found)
    head, mark, rest = location.partition("::")
    if mark and head in CACHES:
        inner = storage_options.get(rest.partition("://")[0], storage_options)
        return [f"{head}::{found}" for found in _matching(rest, inner)]
    from fsspec.core import url_to_fs

    files, root = url_to_fs(location, **storage_options)
    if files.exists(root):
        return [location]
    # Put back what fsspec takes off: the protocol, and with some of them the host.
    prefix = head.removesuffix(root) if head.endswith(root) else f"{head.partition('://')[0]}://"
    return [f"{prefix}{found}{mark}{rest}" for found in sorted(map(str, files.glob(root)))]
