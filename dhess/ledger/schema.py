"""The tables of a ledger, and how an older one becomes a newer one."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from dhess.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
)


def prepare(path: Path, patience: float) -> sqlite3.Connection:
    """Open a ledger, make its tables, and bring those of an older version up to date.

    Raises
    ------
    LedgerError
        If the file cannot be opened, is no ledger, or is of a later version.
    """
    base: sqlite3.Connection | None = None
    try:
        base = sqlite3.connect(
            path, timeout=patience, isolation_level=None, check_same_thread=False
        )
        _check(base, path)
        # A commit is on the disk when it returns; readers do not wait for it.
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = FULL")
        base.execute("PRAGMA foreign_keys = ON")
        _migrate(base)
    except BaseException as error:
        if base is not None:
            base.close()
        if isinstance(error, sqlite3.Error):
            raise LedgerError(
                f"ledger {str(path)!r} cannot be used: {error}; check the path, or name another "
                "one with --ledger"
            ) from error
        raise
    return base


def _check(base: sqlite3.Connection, path: Path) -> None:
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
