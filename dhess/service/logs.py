"""The log of a gateway: one line per request, as text for people or as JSON for machines.

A line has the route as it was declared, never the address as it was asked for, and the name of a
token, never the token.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

requests = logging.getLogger("dhess.service.requests")
FIELDS = ("method", "route", "status", "ms", "caller", "job")
"""What a line may tell besides its message."""


class JSONLines(logging.Formatter):
    """One JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        when = dt.datetime.fromtimestamp(record.created, dt.UTC)
        line: dict[str, Any] = {
            "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


@contextmanager
def logged(*, json_lines: bool) -> Iterator[None]:
    """Write what dhess and its server log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    handler.setFormatter(JSONLines() if json_lines else text)
    loggers = [logging.getLogger(name) for name in ("dhess", "uvicorn.error")]
    before = [(each, each.level, each.propagate) for each in loggers]
    for each, level in zip(loggers, (logging.INFO, logging.WARNING), strict=True):
        each.addHandler(handler)
        each.setLevel(level)
        each.propagate = False
    try:
        yield
    finally:
        for each, level, propagate in before:
            each.removeHandler(handler)
            each.setLevel(level)
            each.propagate = propagate


class Requests:
    """Logs and counts what is answered."""

    def __init__(self, app: ASGIApp, count: Callable[[str, str, int, float], None]) -> None:
        self.app = app
        self.count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and note how it was answered."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self.count(method, route, status, seconds)
        caller = scope.get("state", {}).get("caller", "")
        told = {"method": method, "route": route, "status": status, "caller": caller}
        if _JOB.fullmatch(job := scope.get("path_params", {}).get("job", "")):
            told["job"] = job
        ms = round(1000 * seconds, 1)
        level = logging.DEBUG if route in _QUIET and status < 400 else logging.INFO
        message = "%s %s %s in %s ms%s"
        by = f" for {caller}" if caller else ""
        requests.log(level, message, method, route, status, ms, by, extra={**told, "ms": ms})


_JOB = re.compile("[0-9a-f]{16}")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"}
# Asked for every few seconds by whoever watches over the gateway.
_QUIET = {"/health", "/ready", "/metrics"}
