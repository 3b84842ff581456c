"""Heed Ctrl-C wherever it comes: Python loses it in a finalizer, and a lock may turn it."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dhess.errors import was_interrupted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def ctrl_c_heeded() -> Iterator[Callable[[], None]]:
    """Hand out what raises KeyboardInterrupt if Ctrl-C was pressed inside, and to no avail.

    What a finalizer raises is printed and dropped, and futures have one. What came of Ctrl-C in a
    lock or a clean-up is another error; it leaves this as KeyboardInterrupt.

    Examples
    --------
    >>> with ctrl_c_heeded() as check:
    ...     check()
    """
    pressed = threading.Event()

    def press(number: int, frame: Any) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    def check() -> None:
        if pressed.is_set():
            raise KeyboardInterrupt

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, press)
    try:
        yield check
    except BaseException as error:
        if was_interrupted(error) and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
