"""The tables of a ledger, and how an older one becomes a newer one."""

from __future__ import annotations

import os
import sqlite3
import textwrap
import uuid
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dhess.errors import LedgerError, line

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTOR: Final = 512
"""Bytes of the smallest page that SQLite writes."""
_REMEDY: Final = "put a copy of it back, or name another one with --ledger"
APPLICATION: Final = 0x64686573
"""What a file says that it is: "dhes"."""

# Step i makes version i + 1 of version i. A step that was released is never changed.
STEPS: Final = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        spec TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        state TEXT NOT NULL,
        note TEXT NOT NULL DEFAULT '',
        layout TEXT NOT NULL DEFAULT '',
        windows INTEGER NOT NULL DEFAULT 0,
        created REAL NOT NULL,
        started REAL,
        ended REAL,
        submitter TEXT NOT NULL DEFAULT '',
        written TEXT NOT NULL DEFAULT ''
    ) STRICT;
    CREATE INDEX jobs_by_state ON jobs (state, created);
    CREATE TABLE windows (
        job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        result TEXT NOT NULL,
        checksum TEXT NOT NULL,
        began REAL NOT NULL,
        ended REAL NOT NULL,
        PRIMARY KEY (job, number)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    ALTER TABLE jobs ADD COLUMN wish TEXT NOT NULL DEFAULT 'run';
    ALTER TABLE jobs ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX jobs_by_time ON jobs (created, id);
    CREATE TABLE tokens (
        name TEXT PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        scopes TEXT NOT NULL,
        created REAL NOT NULL,
        used REAL
    ) STRICT;
    CREATE TABLE proofs (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL) STRICT;
    """,
    """
    ALTER TABLE jobs ADD COLUMN seen TEXT NOT NULL DEFAULT '';
    """,
)


class ReadOnlyError(LedgerError):
    """A ledger that cannot be written for now: its file, or where that is, is read-only."""


def prepare(path: Path, patience: float) -> sqlite3.Connection:
    """Open a ledger, or make a new one, and bring one of an older version up to date.

    Raises
    ------
    LedgerError
        If the file cannot be opened, is no ledger, is cut off, or is of a later version.
    """
    base: sqlite3.Connection | None = None
    try:
        if not path.exists():
            _make(path)
        _check_file(path)
        base = _connected(path, patience)
        _check(base, path)
        _set_up(base)
    except BaseException as error:
        if base is not None:
            base.close()
        if isinstance(error, LedgerError):
            raise
        if (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
            raise LedgerError(f"ledger {str(path)!r} was cut off or damaged; {_REMEDY}") from error
        if isinstance(error, sqlite3.Error | OSError | ValueError):  # a name may hold a NUL
            why = (error.strerror if isinstance(error, OSError) else None) or line(error)
            raise LedgerError(
                f"ledger {textwrap.shorten(repr(str(path)), 200)} cannot be used: {why}; check the "
                "path, put a copy of it back if it is damaged, or name another one with --ledger"
            ) from error
        raise
    return base


def _connected(path: Path, patience: float) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)


def _set_up(base: sqlite3.Connection) -> None:
    """Have a commit on the disk when it returns, and readers not wait for it; make the tables."""
    base.execute("PRAGMA journal_mode = WAL")
    base.execute("PRAGMA synchronous = FULL")
    base.execute("PRAGMA foreign_keys = ON")
    _migrate(base)


def _make(path: Path) -> None:
    """Make a ledger that appears whole: whoever dies over it leaves none, and never half of one."""
    path.with_name(f"{path.name}-wal").exists()  # raises if no file beside it can be called so
    new = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.new")
    try:
        with closing(_connected(new, 0.0)) as base:
            _set_up(base)
        try:
            path.hardlink_to(new)
        except FileExistsError:
            return  # another process was first
        except OSError:  # a file system without links
            if not path.exists():
                new.replace(path)
        _to_disk(path.parent)
    finally:
        for end in ("", "-wal", "-shm"):
            Path(f"{new}{end}").unlink(missing_ok=True)


def _to_disk(folder: Path) -> None:
    """Have the names in a folder outlive a power failure."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _check_file(path: Path) -> None:
    """Refuse what SQLite would take for a new database, or find out about too late.

    The file is not opened: whoever closes it lets go of all locks that this process has on it, and
    another process would take the log away from under a connection that is open.
    """
    _check_size(path, SECTOR)
    if not os.access(path, os.W_OK) and os.access(path, os.R_OK):
        raise ReadOnlyError(
            f"ledger {str(path)!r} is read-only; make it writable, or name another one with "
            "--ledger"
        )


def _check_size(path: Path, page: int) -> None:
    size = path.stat().st_size
    if not size or size % page:
        raise LedgerError(
            f"ledger {str(path)!r} was cut off, or is none: it has {size:,} bytes; {_REMEDY}"
        )


def _check(base: sqlite3.Connection, path: Path) -> None:
    ((page,),) = base.execute("PRAGMA page_size")
    _check_size(path, page)
    ((application,),) = base.execute("PRAGMA application_id")
    ((version,),) = base.execute("PRAGMA user_version")
    ((tables,),) = base.execute("SELECT COUNT(*) FROM sqlite_schema")
    if application != APPLICATION and (tables or version):
        raise LedgerError(
            f"{str(path)!r} is a database, but no ledger of jobs; name another file with --ledger"
        )
    if version > len(STEPS):
        raise LedgerError(
            f"ledger {str(path)!r} is of version {version}, and this dhess knows up to "
            f"{len(STEPS)}; use the dhess that wrote it, or a later one"
        )


def _migrate(base: sqlite3.Connection) -> None:
    """Bring the tables to the latest version, all steps or none; another process may be at it."""
    ((application,),) = base.execute("PRAGMA application_id")
    ((version,),) = base.execute("PRAGMA user_version")
    if (application, version) == (APPLICATION, len(STEPS)):
        return  # nothing is written, for the disk may be full
    with transaction(base):
        ((version,),) = base.execute("PRAGMA user_version")
        for step in STEPS[version:]:
            for statement in filter(str.strip, step.split(";")):
                base.execute(statement)
        base.execute(f"PRAGMA application_id = {APPLICATION}")
        base.execute(f"PRAGMA user_version = {len(STEPS)}")


@contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """Write everything inside, or nothing; it is on the disk when this ends."""
    base.execute("BEGIN IMMEDIATE")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        if base.in_transaction:  # Ctrl-C may come between COMMIT and here
            base.execute("ROLLBACK")
        raise
