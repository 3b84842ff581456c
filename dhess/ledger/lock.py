"""One runner at a time: a lock that goes with its process, however that ends."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from dhess.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class HeldError(LedgerError):
    """Another process holds the lock."""


@contextmanager
def locked(ledger: Path, lock: Path | None = None, *, busy: str | None = None) -> Iterator[None]:
    """Hold a ledger's lock, the file ``LEDGER.lock`` or another, which is gone afterwards.

    ``busy`` is what is said if another process holds it.

    Raises
    ------
    HeldError
        If another process holds it.
    LedgerError
        If there can be no lock.
    """
    path = lock or ledger.with_name(f"{ledger.name}.lock")
    busy = busy or (
        f"another process runs the job of ledger {str(ledger)!r}; wait for it, or end it"
    )
    while (held := _taken(path, busy)) is None:
        pass
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(held)


def _taken(path: Path, busy: str) -> int | None:
    """Return the locked file; none if its last holder removed it meanwhile."""
    import fcntl

    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LedgerError(
            f"lock {str(path)!r} cannot be made: {error.strerror}; check the folder, or name "
            "another ledger with --ledger"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(held)
        if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN):
            raise HeldError(busy) from error
        raise LedgerError(
            f"lock {str(path)!r} cannot be taken: {error.strerror}; put the ledger on a local "
            "disk with --ledger"
        ) from error
    with suppress(FileNotFoundError):
        if os.fstat(held).st_ino == path.stat().st_ino:
            return held
    os.close(held)
    return None
