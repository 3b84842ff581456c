"""Who holds a folder or a job: locks that go with their process, however that ends."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from dhess.errors import InputError, LedgerError
from dhess.ledger.lock import HeldError, locked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OLD_RUNNER: Final = 60.0
"""Seconds that a runner has to end once its gateway was killed."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make a gateway's folder, if there is none, and hold it: one gateway at a time.

    Raises
    ------
    InputError
        If the folder cannot be made or written, or another gateway serves it.
    """
    busy = (
        f"another gateway serves the data folder {str(folder)!r}; end it, or choose another "
        "folder with --data"
    )
    with ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (folder / "outputs").mkdir(exist_ok=True)
            stack.enter_context(locked(folder, folder / "gateway.lock", busy=busy))
        except OSError as error:
            raise InputError(
                f"data folder {str(folder)!r} cannot be used: {error.strerror}; choose another "
                "with --data"
            ) from error
        except LedgerError as error:
            raise InputError(str(error)) from error
        yield


def lock_of(folder: Path) -> Path:
    """Return the lock of the job that is kept in a folder: one runner at a time holds it."""
    return folder / "runner.lock"


def wait_until_free(
    folder: Path, patience: float = OLD_RUNNER, waits: Callable[[], None] = lambda: None
) -> None:
    """Wait until no runner of an earlier gateway has a job any more.

    ``waits`` is called each time when one still has it.

    Raises
    ------
    HeldError
        If one still has it after so many seconds.
    """
    lock, deadline = lock_of(folder), time.monotonic() + patience
    while folder.is_dir():
        try:
            with locked(lock, lock):
                return
        except HeldError:
            if time.monotonic() > deadline:
                raise
            waits()
            time.sleep(0.5)
