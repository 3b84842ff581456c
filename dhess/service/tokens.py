"""Bearer tokens: what they look like, what they allow, and whose one is."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from dhess.errors import InputError, suggest
from dhess.ledger import Ledger, Token

if TYPE_CHECKING:
    from pathlib import Path

SCOPES: Final = ("read", "submit", "admin")
"""Each allows what those before it allow. admin: change also the jobs of others."""
PREFIX: Final = "dhess_"
"""So that scanners of repositories and logs recognise one."""
LOCAL: Final = "local"
"""Who submits where no token is needed."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_SELDOM = 60.0  # seconds


@dataclass(frozen=True)
class Caller:
    """Who asks."""

    name: str
    scopes: tuple[str, ...]

    def may(self, scope: str) -> bool:
        """Tell whether a scope is among those that the token has, or below one of them."""
        return any(SCOPES.index(scope) <= SCOPES.index(own) for own in self.scopes)


def new_token(name: str, scope: str) -> tuple[str, Token]:
    """Make a token: its text, which nobody keeps, and what is kept.

    Raises
    ------
    InputError
        If the name or the scope cannot be one.

    Examples
    --------
    >>> text, kept = new_token("ada", "submit")
    >>> text.startswith("dhess_"), kept.scopes, kept.digest == digest(text)
    (True, ('read', 'submit'), True)
    """
    if not _NAME.fullmatch(name) or name == LOCAL:
        raise InputError(
            f"{name!r} cannot name a token; take up to 64 letters, digits and . _ @ -, and not "
            f"{LOCAL!r}"
        )
    if scope not in SCOPES:
        raise InputError(f"unknown scope {scope!r}; {suggest(scope, SCOPES)}")
    text = PREFIX + secrets.token_urlsafe(32)
    scopes = SCOPES[: SCOPES.index(scope) + 1]
    return text, Token(name, digest(text), scopes, time.time())


def digest(text: str) -> str:
    """Return what is kept of a token. It is random and long, so that one hash is enough."""
    return hashlib.sha256(text.encode()).hexdigest()


class Keys:
    """The tokens of a service, read anew for each request, so that a revoked one ends at once.

    Who reads has a connection of its own, and does not wait for who writes.
    """

    def __init__(self, path: Path) -> None:
        self._reading, self._writing = Ledger(path), Ledger(path)
        self._reader = ThreadPoolExecutor(1, "dhess-keys")
        self._writer = ThreadPoolExecutor(1, "dhess-touch")
        self._touched: dict[str, float] = {}

    def close(self) -> None:
        """Close the ledger."""
        for pool in (self._reader, self._writer):
            pool.shutdown(wait=True, cancel_futures=True)
        self._reading.close()
        self._writing.close()

    async def caller(self, text: str) -> Caller | None:
        """Return whose token it is; none if it is nobody's."""
        given = digest(text)
        token = await self._in_thread(given)
        if token is None or not hmac.compare_digest(token.digest, given):
            return None
        self._touch(token.name)
        return Caller(token.name, token.scopes)

    async def any(self) -> bool:
        """Tell whether there is a token."""
        loop = asyncio.get_running_loop()
        return bool(await loop.run_in_executor(self._reader, self._reading.tokens))

    async def answers(self) -> None:
        """Read something from the ledger, which fails if it cannot be read."""
        await self._in_thread("")

    async def _in_thread(self, given: str) -> Token | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, self._reading.token, given)

    def _touch(self, name: str) -> None:
        """Record that a token was used, once in a while, and whether that goes well or not."""
        now = time.time()
        if now - self._touched.get(name, 0.0) > _SELDOM:
            self._touched[name] = now
            self._writer.submit(self._writing.touch_token, name, now)
