"""What is logged under "dhess", shown on stderr."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dhess.errors import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPILING = "dhess.kernels"
"""Who tells what takes long at first."""


class _Stderr(logging.Handler):
    """Writes to whatever stderr is by then: above a bar of progress, not into it."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            print(harmless(self.format(record)), file=sys.stderr, flush=True)
        except Exception:  # noqa: BLE001  (as logging does: the work goes on)
            self.handleError(record)


def _is_told(record: logging.LogRecord) -> bool:
    """Leave out what Zarr's tasks failed with after the first one, which is told in a sentence."""
    return not str(record.msg).startswith("Task exception was never retrieved")


@contextmanager
def shown_log(*, verbose: bool) -> Iterator[None]:
    """Show all that is logged or, to a person at a terminal, only what explains a wait at first.

    A log that somebody has set up before stays as it is.
    """
    logging.getLogger("asyncio").addFilter(_is_told)
    log = logging.getLogger("dhess" if verbose else COMPILING)
    if log.handlers or not (verbose or sys.stderr.isatty()):
        yield
        return
    handler, level = _Stderr(), log.level
    handler.setFormatter(logging.Formatter("dhess: %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
