"""A child's side of the talk with its gateway: lines of JSON, and an end when it is gone."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import queue
import resource
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

GRACE = 10.0
"""Seconds in which a child has to be gone once it was told so."""
MEMORY = 3_000_000_000
"""Bytes of address space that a child which reads may take beyond what it begins with."""
_PR_SET_PDEATHSIG = 1


class Gateway:
    """Whoever started this process: says what to do on stdin, and hears on stdout."""

    def __init__(self) -> None:
        self._rest = b""
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        # What libraries print must not get between the messages.
        self._out = os.dup(1)
        os.dup2(2, 1)

    def read(self) -> dict[str, Any] | None:
        """Return the next message; none if the gateway is gone or wants no more."""
        while b"\n" not in self._rest:
            # Not sys.stdin, whose lock would be held when the interpreter ends.
            more = os.read(0, 1 << 16)
            if not more:
                return None
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def next(self) -> dict[str, Any]:
        """Return the next message, once one of the two below was called."""
        return self._inbox.get()

    def tell(self, **message: Any) -> None:
        """Send a message; to a gateway that is gone, nothing."""
        whole = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock, contextlib.suppress(BrokenPipeError):
            while whole:
                whole = whole[os.write(self._out, whole) :]

    def end_with_it(self) -> None:
        """Have Ctrl-C come to this process when the gateway goes, and the end soon after."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self._attend(_interrupt)

    def die_with_it(self) -> None:
        """Have this process end at once when the gateway goes, whatever it waits for."""
        # A reader that waits for a dead disk may hold the interpreter's lock.
        with contextlib.suppress(OSError, AttributeError):  # not on every system
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        self._attend(lambda: os._exit(0))

    def _attend(self, end: Callable[[], None]) -> None:
        def attend() -> None:
            while (message := self.read()) is not None:
                self._inbox.put(message)
            end()

        threading.Thread(target=attend, name="dhess-gateway", daemon=True).start()


def _interrupt() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)
    threading.Event().wait(GRACE)
    os._exit(130)


def memory(column: int) -> int:
    """Return the bytes of address space (0) or of memory (1) that this process has."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[column])
    except OSError:  # no Linux
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def limit_memory() -> None:
    """Have whatever takes too much memory fail in this process, and not end another one."""
    taken = memory(0)
    if not taken:
        return
    most = taken + MEMORY
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
