"""What guards every request, before anything looks at it, and every answer.

A page of another site can have its reader's browser send requests here. Their Host (a name that
was made to lead to this machine) or their Origin give them away.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.datastructures import Headers, MutableHeaders

from dhess.service.bodies import too_large
from dhess.service.problems import told
from dhess.service.settings import LOCAL_HOSTS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dhess.service.settings import Settings

ALWAYS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""Headers of every answer."""


class Guard:
    """Refuses requests of other sites and bodies that are too large; adds headers to answers."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self._hosts = {*LOCAL_HOSTS, settings.host.lower(), *(h.lower() for h in settings.hosts)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(MutableHeaders(scope=message), scope["path"])
            await send(message)

        if (sentence := self._refusal(headers, scope["path"])) is not None:
            await told(403, sentence)(scope, receive, dressed)
        elif "content-length" in headers and "transfer-encoding" in headers:
            # What comes after the body, who is in between may take for its part.
            sentence = "a request has either a length or is sent in chunks; leave one out"
            await told(400, sentence, {"Connection": "close"})(scope, receive, dressed)
        elif _length(headers) > self.settings.max_body:
            error = too_large(self.settings.max_body)
            await told(error.status, str(error), error.headers)(scope, receive, dressed)
        else:
            await self.app(scope, receive, dressed)

    def _refusal(self, headers: Headers, path: str) -> str | None:
        """Say why a request is refused, or nothing."""
        hosts = headers.getlist("host")
        if len(hosts) > 1 or (self._is_picky and _name(headers.get("host", "")) not in self._hosts):
            return (
                f"the host {', '.join(hosts)[:100]!r} is not one of this service; "
                "dhess serve --allow-host adds one"
            )
        origin = headers.get("origin")
        if (
            origin is not None
            and origin.partition("://")[2].lower() != headers.get("host", "").lower()
        ):
            return f"a page of {origin[:100]!r} may not ask this service"
        foreign = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if foreign and path.startswith(("/v1/", "/metrics")):
            return "a page of another site may not ask this service"
        return None

    @property
    def _is_picky(self) -> bool:
        return self.settings.open or bool(self.settings.hosts)

    @staticmethod
    def _dress(headers: MutableHeaders, path: str) -> None:
        for name, value in ALWAYS.items():
            headers.setdefault(name, value)
        kept = path.startswith(("/page/", "/docs", "/openapi.json")) or path == "/"
        headers.setdefault("Cache-Control", "no-cache" if kept else "no-store")


def _name(host: str) -> str:
    """Return a host without its port.

    Examples
    --------
    >>> _name("LocalHost:8765"), _name("[::1]:8765"), _name("a.b")
    ('localhost', '::1', 'a.b')
    """
    return re.sub(r":\d*$", "", host.strip()).strip("[]").lower() if host != "::1" else host


def _length(headers: Headers) -> int:
    """Return how long a body says it is."""
    told_length = headers.get("content-length", "0")
    return int(told_length) if told_length.isdecimal() else 0
