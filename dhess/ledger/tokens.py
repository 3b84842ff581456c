"""Who may use a service: names and what they may do. Of a token only its digest is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from contextlib import AbstractContextManager


@dataclass(frozen=True)
class Token:
    """Somebody who may use the service."""

    name: str
    digest: str
    """SHA-256 of the token, hexadecimal. It is random and long, so no salt is needed."""
    scopes: tuple[str, ...]
    created: float
    """Seconds since 1970."""
    used: float | None = None
    """When it was last seen."""


class Tokens:
    """The part of a ledger that knows tokens."""

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        raise NotImplementedError

    def _rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        raise NotImplementedError

    def tokens(self) -> list[Token]:
        """Return all, by name."""
        return [_token(row) for row in self._rows("SELECT * FROM tokens ORDER BY name")]

    def token(self, digest: str) -> Token | None:
        """Return whose token has a digest."""
        rows = self._rows("SELECT * FROM tokens WHERE digest = ?", digest)
        return _token(rows[0]) if rows else None

    def add_token(self, token: Token) -> bool:
        """Keep a token; return whether its name was free."""
        values = (token.name, token.digest, " ".join(token.scopes), token.created)
        with self._writing() as base:
            done = base.execute(
                "INSERT INTO tokens (name, digest, scopes, created) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                values,
            )
            return done.rowcount == 1

    def drop_token(self, name: str) -> bool:
        """Revoke a token; return whether there was one of this name."""
        with self._writing() as base:
            return base.execute("DELETE FROM tokens WHERE name = ?", (name,)).rowcount == 1

    def touch_token(self, name: str, time: float) -> None:
        """Record when a token was used."""
        with self._writing() as base:
            base.execute("UPDATE tokens SET used = ? WHERE name = ?", (time, name))


def _token(row: tuple[Any, ...]) -> Token:
    name, digest, scopes, created, used = row
    return Token(name, digest, tuple(scopes.split()), created, used)
