"""What a store says of itself is refused where it would reach elsewhere or run code.

The metadata of a store are somebody's text. Names in them become keys of the store, and so paths;
codecs in them are run.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from zarr.storage import LocalStore

from dhess.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype

_METADATA: Final = ("zarr.json", ".zmetadata", ".zarray")
_CODE: Final = ("pickle", "numcodecs.pickle")
"""Codecs that run what they decode."""
_TEXTS: Final = ("vlen-utf8", "vlen-bytes", "vlen-array", "json2", "msgpack2", "categorize")
"""Codecs that make Python objects out of bytes, and run nothing for it."""


def check_key(key: str) -> None:
    """Refuse a key that would lead out of its store.

    Raises
    ------
    SourceError
        It begins at the root of the file system, or goes up.

    Examples
    --------
    >>> check_key("f/c/0/1"), check_key("a..b/0.0")
    (None, None)
    >>> check_key("../secret.zarr/0.0")
    Traceback (most recent call last):
    ...
    dhess.errors.SourceError: it has an array called '../secret.zarr/0.0', which lies outside of it
    """
    if key.startswith(("/", "\\")) or "\0" in key or (".." in key and _goes_up(key)):
        raise SourceError(f"it has an array called {key[:200]!r}, which lies outside of it")


def _goes_up(key: str) -> bool:
    return ".." in re.split(r"[/\\]", key)


def check_metadata(key: str, text: bytes) -> None:
    """Refuse metadata that name arrays outside of the store, or codecs that can run code.

    What is no metadata, or cannot be read, is left to whoever reads it.

    Raises
    ------
    SourceError
        In one clause, about the store.
    """
    if key.rpartition("/")[2] not in _METADATA:
        return
    try:
        found = json.loads(text)
    except ValueError:
        return
    except RecursionError as error:
        raise SourceError("its metadata are nested too deep") from error
    if not isinstance(found, dict):
        return
    inner = found.get("consolidated_metadata")
    for names in (found.get("metadata"), inner.get("metadata") if isinstance(inner, dict) else 0):
        for name in names if isinstance(names, dict) else ():
            check_key(name)
    for each in _tables(found):
        _check_codec(each)


def _tables(found: Any) -> Iterator[dict[str, Any]]:
    """Yield every table in metadata but those of attributes, in which anything may stand."""
    left = [found]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            yield each
            node = isinstance(each.get("node_type"), str)
            left += [inner for name, inner in each.items() if not _is_free(name, inner, node)]
        elif isinstance(each, list):
            left += each


def _is_free(name: str, inner: Any, node: bool) -> bool:
    """Tell whether a part of metadata is attributes: a node may be called like them."""
    if node:
        return name == "attributes"
    is_node = isinstance(inner, dict) and isinstance(inner.get("node_type"), str)
    return not is_node and (name == ".zattrs" or name.endswith("/.zattrs"))


def _check_codec(table: dict[str, Any]) -> None:
    for name in (table.get("id"), table.get("name")):
        if not isinstance(name, str) or name.lower() not in _CODE:
            continue
        raise SourceError(f"its codec {name!r} runs code that the store holds")
    given = table.get("filters")
    filters = given if isinstance(given, list) else []
    codecs = [each.get("id") for each in filters if isinstance(each, dict)]
    if any(codec in _TEXTS for codec in codecs if isinstance(codec, str)):
        return
    for key in ("dtype", "astype", "encode_dtype", "decode_dtype"):
        if _has_objects(table.get(key)):
            raise SourceError(f"its {key} {str(table[key])[:50]!r} holds Python objects")


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _has_objects(dtype: Any) -> bool:
    """Tell whether a type of NumPy, or one field of it, is an object.

    Examples
    --------
    >>> _has_objects("|O"), _has_objects([["a", "<f8"], ["b", "O8"]]), _has_objects("<f8")
    (True, True, False)
    """
    if isinstance(dtype, str):
        return dtype.lstrip("|<>=")[:1] == "O" or dtype == "object"
    return _is_list(dtype) and any(
        _has_objects(field[1]) for field in dtype if _is_list(field) and len(field) > 1
    )


class LocalFolder(LocalStore):
    """A Zarr store in a local folder, which gives nothing from elsewhere."""

    def __init__(self, root: Path | str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)

    async def get(
        self,
        key: str,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return what is stored under a key."""
        check_key(key)
        return checked(key, await super().get(key, prototype, byte_range))

    def get_sync(
        self,
        key: str,
        *,
        prototype: BufferPrototype | None = None,
        byte_range: ByteRequest | None = None,
    ) -> Buffer | None:
        """Return what is stored under a key, for a caller that has no event loop."""
        check_key(key)
        return checked(key, super().get_sync(key, prototype=prototype, byte_range=byte_range))

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return parts of what is stored under keys."""
        asked = list(key_ranges)
        for key, _ in asked:
            check_key(key)
        return await super().get_partial_values(prototype, asked)


def checked(key: str, found: Buffer | None) -> Buffer | None:
    """Return what was found under a key, if it may be used; see `check_metadata`."""
    if found is not None and key.endswith(_METADATA):
        check_metadata(key, found.to_bytes())
    return found
