"""Who holds a folder or a job: locks that go with their process, however that ends."""

from __future__ import annotations

import fcntl
import os
import time
from typing import TYPE_CHECKING, Final

from dhess.errors import InputError, LedgerError
from dhess.ledger.lock import locked

if TYPE_CHECKING:
    from pathlib import Path

OLD_RUNNER: Final = 60.0
"""Seconds that a runner has to end once its gateway was killed."""


def held(folder: Path) -> int:
    """Return the open lock of a gateway's folder, which is made if there is none.

    Raises
    ------
    InputError
        If the folder cannot be made or written, or another gateway serves it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "outputs").mkdir(exist_ok=True)
        lock = os.open(folder / "gateway.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InputError(
            f"data folder {str(folder)!r} cannot be used: {error.strerror}; choose another with "
            "--data"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise InputError(
            f"another gateway serves the data folder {str(folder)!r}; end it, or choose another "
            "folder with --data"
        ) from error
    return lock


def lock_of(folder: Path) -> Path:
    """Return the lock of the job that is kept in a folder: one runner at a time holds it."""
    return folder / "runner.lock"


def wait_until_free(folder: Path) -> None:
    """Wait until no runner of an earlier gateway has a job any more.

    Raises
    ------
    LedgerError
        If one still has it after a minute.
    """
    lock, deadline = lock_of(folder), time.monotonic() + OLD_RUNNER
    while folder.is_dir():
        try:
            with locked(lock, lock):
                return
        except LedgerError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
