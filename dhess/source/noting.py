"""A Zarr store that notes which keys it was asked for and did not have, and guards the others."""

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from zarr.abc.store import Store
from zarr.storage import WrapperStore

from dhess.source.guarding import check_key, checked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype


class NotingStore(WrapperStore[Store]):
    """Pass every request on, and note what is not there while somebody watches.

    Zarr asks in a thread of its own, so keys tell who is meant. Nothing is kept of a key that
    nobody watches: a store may lack millions.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._lock = threading.Lock()
        self._watched: Counter[str] = Counter()
        self._lacking: set[str] = set()

    def __reduce__(self) -> tuple[type[NotingStore], tuple[Store]]:
        return type(self), (self._store,)

    @contextlib.contextmanager
    def watch(self, keys: Iterable[str]) -> Iterator[Callable[[], int]]:
        """Give a function that counts the keys which were asked for inside and are not there."""
        keys = list(keys)
        with self._lock:
            self._watched.update(keys)
        try:
            yield lambda: sum(key in self._lacking for key in keys)
        finally:
            with self._lock:
                for key in keys:
                    self._watched[key] -= 1
                    if not self._watched[key]:
                        del self._watched[key]
                        self._lacking.discard(key)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return what is stored under a key."""
        check_key(key)
        found = checked(key, await super().get(key, prototype, byte_range))
        self._note(key, found)
        if found is not None and not len(found) and key in self._watched:
            raise OSError("it has no bytes")  # Zarr takes such a shard for a missing one
        return found

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Return parts of what is stored under keys."""
        asked = list(key_ranges)
        for key, _ in asked:
            check_key(key)
        found = await super().get_partial_values(prototype, asked)
        for (key, _), value in zip(asked, found, strict=True):
            self._note(key, value)
        return found

    def _note(self, key: str, found: Any) -> None:
        if found is None and key in self._watched:
            self._lacking.add(key)
