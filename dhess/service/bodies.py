"""JSON bodies, read within limits: of size, of depth, and of what JSON can say."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, Final, NoReturn

from dhess.errors import InputError
from dhess.service.problems import Bad

if TYPE_CHECKING:
    from starlette.requests import Request

DEEPEST: Final = 16
"""Lists and tables inside each other; a job has four."""
PATIENCE: Final = 30.0
"""Seconds for a body to arrive."""
_LARGEST_INTEGER: Final = 2**63


def check_type(request: Request, *, needed: bool) -> None:
    """Refuse a body that is not JSON by its type.

    A form of another site cannot be of this type, so that none can post here.
    """
    given = request.headers.get("content-type")
    if given is None and not needed:
        return
    kind, _, rest = (given or "").partition(";")
    charset = rest.strip().lower().replace('"', "")
    if kind.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        shown = "of no type" if given is None else f"of type {given[:100]!r}"
        raise Bad(415, f"a body must be application/json, and this one is {shown}")


async def table_of(request: Request, limit: int) -> dict[str, Any]:
    """Return the JSON object that a body is."""
    check_type(request, needed=True)
    try:
        async with asyncio.timeout(PATIENCE):
            raw = await _whole(request, limit)
    except TimeoutError as error:
        raise Bad(400, f"the body did not arrive within {PATIENCE:.0f} s; send it anew") from error
    return parsed(raw)


async def _whole(request: Request, limit: int) -> bytes:
    """Return the body, of which no more is taken than may be, whatever its headers promise."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large(limit)
        parts.append(part)
    return b"".join(parts)


def too_large(limit: int) -> Bad:
    """Return the error for a body above the limit; what is left of it is not read."""
    return Bad(
        413, f"a body may have {limit:,} bytes, and this one has more", {"Connection": "close"}
    )


def parsed(raw: bytes) -> dict[str, Any]:
    """Return the JSON object in a text.

    Raises
    ------
    Bad
        If it is no JSON, or says what JSON cannot say.
    InputError
        If it is JSON, but no object, or too deep, or a number is too large.

    Examples
    --------
    >>> parsed(b'{"k": 3}')
    {'k': 3}
    """
    try:
        text = raw.decode()
        found = json.loads(text, parse_constant=_no_constant)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Bad(400, f"the body is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise InputError("the body must be a JSON object; write {…}")
    _check(found)
    return found


def _check(found: Any) -> None:
    """Refuse what Python takes for JSON, and others do not."""
    waiting = [(found, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise _too_deep()
        if isinstance(value, dict):
            waiting += ((each, depth + 1) for pair in value.items() for each in pair)
        elif isinstance(value, list):
            waiting += ((each, depth + 1) for each in value)
        elif isinstance(value, str):
            if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
                raise Bad(400, "the body is not valid JSON: a text has half of a character")
        elif isinstance(value, float) and not math.isfinite(value):
            raise InputError("a number of the body is beyond what a double can hold, 1.8e308")
        elif isinstance(value, int) and abs(value) >= _LARGEST_INTEGER:
            raise InputError("a whole number of the body has more than 64 bits; give a smaller one")


def _too_deep() -> InputError:
    return InputError(
        f"the body has more than {DEEPEST} lists or objects inside each other; a job needs four"
    )


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number there")
