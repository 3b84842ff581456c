"""A local Zarr store that stays removed once its folder is."""

from __future__ import annotations

import asyncio
import os
import uuid
from typing import TYPE_CHECKING

from zarr.storage import LocalStore

from dhess.sink.whole import sync_folder

if TYPE_CHECKING:
    from pathlib import Path

    from zarr.core.buffer import Buffer


class ConfinedStore(LocalStore):
    """Write into a folder, and fail where that folder is gone.

    Zarr's own local store makes missing parent folders with every chunk. When a computation fails
    or is interrupted, tasks that run already would bring back the folder that was just removed.
    """

    durable = False
    """Whether what is written is on the disk when that returns."""

    async def _open(self, **_mode: object) -> None:
        if not self.root.is_dir():
            raise FileNotFoundError(f"{self.root} is gone")
        self._is_open = True

    async def set(self, key: str, value: Buffer) -> None:
        """Write one key."""
        self._check_writable()
        await asyncio.to_thread(_put, self.root, key, value, durable=self.durable)

    def set_sync(self, key: str, value: Buffer) -> None:
        """Write one key, from code that runs no event loop."""
        self._check_writable()
        _put(self.root, key, value, durable=self.durable)


class DurableStore(ConfinedStore):
    """One whose chunks outlive a power failure: Zarr itself leaves them to the system's cache."""

    durable = True


def _put(root: Path, key: str, value: Buffer, *, durable: bool) -> None:
    """Write one file whole or not at all, making folders below *root* only."""
    *folders, name = key.split("/")
    for folder in folders:
        root /= folder
        root.mkdir(exist_ok=True)
    partial = root / f".{uuid.uuid4().hex}.partial"
    try:
        with partial.open("wb") as file:
            file.write(value.as_numpy_array().data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(root / name)
        if durable:
            sync_folder(root)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
