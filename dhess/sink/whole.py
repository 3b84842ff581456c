"""Single files that are whole or absent."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dhess.errors import OutputError
from dhess.sink.check import check_single_file
from dhess.source import location_of

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Hand out a hidden file beside `path`, and rename it once the block has ended well.

    Nothing but the writing belongs into the block, for an `OSError` inside is taken as its failure.

    Raises
    ------
    OutputError
        The file cannot be written, or something other than a regular file stands there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with whole_file(f"{folder}/a.txt") as partial:
    ...         size = partial.write_text("all of it")
    ...     Path(folder, "a.txt").read_text()
    'all of it'
    """
    check_single_file(path)
    goal = Path(location_of(path))
    partial = goal.with_name(f".{goal.stem}.partial-{secrets.token_hex(4)}{goal.suffix}")
    try:
        yield partial
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        partial.replace(goal)
        sync_folder(goal.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {str(path)!r}: {error.strerror or error}; check its folder and the room "
            "on its disk"
        ) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
