"""What a store held when a job came, so that another day it is known to be the same.

Clocks are set back, and copies keep the times of what they were copied from. So chunks are compared
with what they were, by name, time and size, and not with the time of day.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST: Final = 500_000
"""Files that are looked at (5 s); of a larger store only what is written later is refused."""
LONGEST: Final = 10.0
MOST_GONE: Final = 20_000
"""Places without a file that are kept by name."""


@dataclass(frozen=True)
class Census:
    """Files of a store, or of several."""

    digest: str
    """Of all names, times and sizes; empty if nobody looked."""
    newest: int
    """Nanoseconds since 1970 when the last of them was written."""
    there: int = 0
    """How many there were."""
    gone: tuple[str, ...] | None = None
    """Keys that had no file; None if that is not known."""

    @classmethod
    def of(cls, files: Iterable[tuple[str, tuple[int, int] | None]]) -> Census | None:
        """Count files, each with its key and its time and size, or None where there is none.

        None if that takes `LONGEST` seconds, as on a slow file server.

        Examples
        --------
        >>> Census.of([("c/0", (7, 100)), ("c/1", None)]).gone
        ('c/1',)
        """
        whole, newest, there = hashlib.sha256(), 0, 0
        gone: list[str] | None = []
        until = time.monotonic() + LONGEST
        for n, (key, mark) in enumerate(files):
            if n % 1024 == 1023 and time.monotonic() > until:
                return None
            whole.update(f"{key}:{mark}\n".encode())
            if mark is not None:
                newest, there = max(newest, mark[0]), there + 1
            elif gone is not None:
                gone.append(key)
                if len(gone) > MOST_GONE:
                    gone = None
        return cls(whole.hexdigest(), newest, there, None if gone is None else tuple(gone))

    @classmethod
    def joined(cls, parts: Iterable[Census]) -> Census:
        """Return that of several stores together."""
        whole, newest, there = hashlib.sha256(), 0, 0
        for part in parts:
            whole.update(part.digest.encode())
            newest, there = max(newest, part.newest), there + part.there
        return cls(whole.hexdigest(), newest, there)

    @classmethod
    def read(cls, text: str) -> Census | None:
        """Return what `text` kept."""
        if not text:
            return None
        plain = json.loads(text)
        gone = plain.pop("gone")
        return cls(**plain, gone=None if gone is None else tuple(gone))

    def text(self) -> str:
        """Return it as it is kept."""
        return json.dumps(asdict(self))

    def contradicts(self, now: Census, *, removed: bool = False) -> bool:
        """Tell whether a later census found other files.

        Parameters
        ----------
        removed
            Whether files may have been removed since, as of data that nobody needs any more.
        """
        if now.digest == self.digest:
            return False
        return not (removed and now.there < self.there and now.newest <= self.newest)
