"""Requests to one gateway: no redirect is followed, and every failure is one sentence."""

from __future__ import annotations

import json
import os
import ssl
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from dhess.client.errors import RemoteError, UnreachableError
from dhess.errors import InputError, line, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dhess.client.access import Access

MOST_TOLD: Final = 2000
"""Characters of what a gateway says of an error."""


class Transport:
    """The way to a gateway."""

    def __init__(self, access: Access, timeout: float) -> None:
        self.access = access
        self.timeout = timeout
        self._opener = _opener(access)

    @contextmanager
    def open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        accept: str = "application/json",
        timeout: float | None = None,
    ) -> Iterator[HTTPResponse]:
        """Hand out the answer to a request, open; what fails inside is the connection's failure.

        Raises
        ------
        RemoteError
            If the gateway refuses it.
        UnreachableError
            If there is none, or it goes away.
        """
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        url = f"{self.access.server}{path}" + (f"?{urlencode(asked)}" if asked else "")
        data = None if body is None else json.dumps(body, default=os.fspath).encode()
        request = Request(url, data, {"Accept": accept}, method=method)  # noqa: S310  (checked)
        if data is not None:
            request.add_header("Content-Type", "application/json")
        if self.access.token is not None:
            request.add_unredirected_header("Authorization", f"Bearer {self.access.token}")
        seconds = self.timeout if timeout is None else timeout
        begun = False
        try:
            with cast("HTTPResponse", self._opener.open(request, timeout=seconds)) as answer:
                begun = True
                yield answer
        except HTTPError as error:
            with error:
                raise self._refused(error) from None
        except (OSError, HTTPException) as error:
            raise self._lost(error, seconds, begun=begun) from error

    def json(self, method: str, path: str, **how: Any) -> Any:
        """Return what a gateway answers, None where it has nothing to say."""
        with self.open(method, path, **how) as answer:
            text = answer.read()
        if answer.status == 204:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise UnreachableError(
                f"what answers at {self.access.server} is no gateway of dhess (it sent "
                f"{plain(answer.headers.get_content_type())}); check the address",
                passing=False,
            ) from error

    def _refused(self, error: HTTPError) -> RemoteError:
        """Say what the gateway has against a request."""
        server, status = self.access.server, error.code
        if 300 <= status < 400:
            there = plain(error.headers.get("Location", "elsewhere"))[:200]
            return RemoteError(
                f"the server at {server} sends us to {there} ({status}), and the token must not go "
                "along; if that is the gateway, name it with --server",
                status,
            )
        if status == 401:
            given = (
                "does not know our token, or no longer" if self.access.token else "wants a token"
            )
            return RemoteError(
                f"the server at {server} {given}; give one of its own with --token-file or "
                "DHESS_TOKEN",
                status,
            )
        after = error.headers.get("Retry-After", "")
        return RemoteError(
            _told(error), status, retry_after=float(after) if after.isdecimal() else None
        )

    def _lost(self, error: Exception, seconds: float, *, begun: bool) -> UnreachableError:
        """Say why nobody answers."""
        server = self.access.server
        cause = error.reason if isinstance(error, URLError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return UnreachableError(
                f"the certificate of {server} is not trusted ({cause.verify_message}); name the "
                "authority that signed it with --ca",
                passing=False,
            )
        # Until a request is sent, urllib wraps what goes wrong.
        begun = begun or not isinstance(error, URLError) or isinstance(cause, ConnectionResetError)
        if isinstance(cause, TimeoutError):
            return UnreachableError(
                f"the server at {server} said nothing for {seconds:g} s; check that it runs",
                begun=begun,
            )
        told = getattr(cause, "strerror", None) or plain(cause) or type(error).__name__
        if begun:
            return UnreachableError(
                f"the server at {server} broke off ({told}); check that it runs", begun=True
            )
        return UnreachableError(
            f"no server answers at {server} ({told}); start one with 'dhess serve', or name "
            "another with --server"
        )


def _opener(access: Access) -> OpenerDirector:
    """Return what opens addresses, without anything that would follow a redirect."""
    opener = OpenerDirector()
    opener.addheaders = [("User-Agent", f"dhess/{version('dhess')}")]
    handlers = [HTTPHandler(), HTTPDefaultErrorHandler(), HTTPErrorProcessor()]
    if access.server.startswith("https:"):
        handlers.append(HTTPSHandler(context=_trust(access.ca)))
    if not access.is_near:
        handlers.append(ProxyHandler())
    for each in handlers:
        opener.add_handler(each)
    return opener


def _trust(ca: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        told = getattr(error, "strerror", None) or line(error)
        raise InputError(
            f"the authority's certificate {ca!r} cannot be read ({told}); name a PEM file"
        ) from error


def _told(error: HTTPError) -> str:
    """Return the sentence of an answer that refuses."""
    try:
        text = error.read(100_000).decode(errors="replace")
        detail = json.loads(text)["detail"]
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return f"the server answers {error.code} {plain(error.reason)}"
    return plain(detail if isinstance(detail, str) else json.dumps(detail))[:MOST_TOLD]
