"""The ledger, for an event loop that must not wait for a disk."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from dhess.errors import LedgerError
from dhess.ledger import Ledger
from dhess.ledger.recorder import AGAIN
from dhess.service.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = logging.getLogger(__name__)
T = TypeVar("T")


class Records:
    """A ledger that is opened twice: who reads does not wait for a write to reach the disk."""

    def __init__(self, path: Path) -> None:
        self._writer, self._reader = Ledger(path), Ledger(path)
        self._writing = ThreadPoolExecutor(1, "dhess-ledger-writer")
        self._reading = ThreadPoolExecutor(1, "dhess-ledger-reader")

    async def read(self, call: Callable[[Ledger], T]) -> T:
        """Return what a function reads.

        Raises
        ------
        Unavailable
            If the ledger cannot be read.
        """
        return await self._called(self._reading, self._reader, call)

    async def write(self, call: Callable[[Ledger], T]) -> T:
        """Have a function write; what it wrote is on the disk when this returns.

        Raises
        ------
        Unavailable
            If the ledger cannot be written.
        """
        return await self._called(self._writing, self._writer, call)

    async def insist(self, call: Callable[[Ledger], T]) -> T:
        """Write what has to be written, as soon as the disk takes it."""
        while True:
            try:
                return await self.write(call)
            except Unavailable as error:
                log.warning("%s; trying again in %.0f s", error, AGAIN)
                await asyncio.sleep(AGAIN)

    async def close(self) -> None:
        """Let what is being written end, and close the file."""
        await asyncio.to_thread(self._writing.shutdown)
        await asyncio.to_thread(self._reading.shutdown)
        self._writer.close()
        self._reader.close()

    async def _called(
        self, where: ThreadPoolExecutor, ledger: Ledger, call: Callable[[Ledger], T]
    ) -> T:
        try:
            asked = asyncio.get_running_loop().run_in_executor(where, call, ledger)
        except RuntimeError as error:  # the threads have been told to end
            raise Unavailable("the gateway is ending; try again when it is back") from error
        try:
            return await asked
        except LedgerError as error:
            log.error("%s", error)
            raise Unavailable("the ledger cannot be used now; try again later") from error
