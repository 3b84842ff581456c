"""Records windows as they are done, many in one write, and waits while the disk is full."""

from __future__ import annotations

import errno
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from dhess.errors import LedgerError
from dhess.ledger.schema import ReadOnlyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dhess.ledger import Ledger, Window

_NOT_WRITTEN: Final = (sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE)
"""What SQLite says of a quota that is used up, and of memory shared on a full disk."""
AGAIN: Final = 2.0
"""Seconds between two attempts to write to a full disk."""


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error says that nothing can be written for now, or what caused it does.

    The disk is full, another process is writing for long, or the ledger is read-only.
    """
    if isinstance(error, ReadOnlyError):
        return True
    if error is not None and error.__cause__ is not None and is_full(error.__cause__):
        return True
    if isinstance(error, sqlite3.OperationalError):
        written = getattr(error, "sqlite_errorcode", None) in _NOT_WRITTEN
        return written or "disk is full" in str(error) or "is locked" in str(error)
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def why_full(error: Exception) -> str:
    """Return what a job waits for that cannot write."""
    if isinstance(error, ReadOnlyError):
        return str(error)
    if "is locked" in str(error):
        return f"{error}: another process writes to it; end that if it does not"
    return f"a disk is full ({error}); free some space"


class Recorder:
    """A thread that writes what it is given, in the order in which it came.

    Each commit waits for the disk, some milliseconds; what arrives meanwhile goes into the next.
    """

    def __init__(self, ledger: Ledger, job: str, paused: Callable[[str], None]) -> None:
        self.ledger = ledger
        self.id = job
        self.paused = paused
        """Told why nothing can be written for now, and "" when it can again."""
        self._queue: queue.SimpleQueue[Window | None] = queue.SimpleQueue()
        self._error: BaseException | None = None
        self._give_up = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dhess-recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._queue.put(None)
        stop: KeyboardInterrupt | None = None
        while self._thread.is_alive():
            try:
                self._thread.join(0.2)
            except KeyboardInterrupt as again:
                self._give_up.set()  # not even a full disk is waited for any more
                stop = again
        if stop is not None:
            raise stop
        if kind is None and self._error is not None:
            raise self._error

    def add(self, window: Window) -> None:
        """Record a window soon.

        Raises
        ------
        LedgerError
            If an earlier one could not be recorded.
        """
        if self._error is not None:
            raise self._error
        self._queue.put(window)

    def _work(self) -> None:
        try:
            more = True
            while more:
                windows, more = self._waiting()
                if windows:
                    self._write(windows)
        except BaseException as error:  # noqa: BLE001  (raised where windows are added)
            self._error = error

    def _waiting(self) -> tuple[list[Window], bool]:
        """Return all that wait to be written, one at least, and whether more may come."""
        found: list[Window] = []
        while not found or not self._queue.empty():
            window = self._queue.get()
            if window is None:
                return found, False
            found.append(window)
        return found, True

    def _write(self, windows: list[Window]) -> None:
        told = False
        while True:
            try:
                self.ledger.record(self.id, windows)
            except (LedgerError, OSError) as error:
                if not is_full(error) or self._give_up.is_set():
                    raise
                self.paused(why_full(error))
                told = True
                time.sleep(AGAIN)
            else:
                if told:
                    self.paused("")
                return
