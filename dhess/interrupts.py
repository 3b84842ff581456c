"""Heed Ctrl-C though Python lost it in a finalizer, or a lock turned it into another error."""

from __future__ import annotations

import signal
import sys
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
    pressed, before = threading.Event(), sys.exception()

    def press(number: int, frame: Any) -> None:
        pressed.set()
        signal.default_int_handler(number, frame)

    def check() -> None:
        if pressed.is_set():
            pressed.clear()
            raise KeyboardInterrupt

    ours = _as_python_has_it()
    for each in ours:
        signal.signal(each, press)
    try:
        yield check
        check()
    except BaseException as error:
        if was_interrupted(error, before) and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        raise
    finally:
        for each in ours:
            signal.signal(each, signal.default_int_handler)


def _as_python_has_it() -> list[signal.Signals]:
    """Return the signals that raise KeyboardInterrupt here; a command may have SIGTERM do it."""
    if threading.current_thread() is not threading.main_thread():
        return []
    both = (signal.SIGINT, signal.SIGTERM)
    return [each for each in both if signal.getsignal(each) is signal.default_int_handler]
