"""HTTP from those who take long: a connection that does not say what it wants is closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

HEAD = 10.0
"""Seconds in which the head of a request has to be there, from the connection or the last byte
of the answer before it on."""


class PatientProtocol(H11Protocol):
    """As uvicorn's, which waits for the head of a request for ever."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait for the rest, if this was not a whole head."""
        super().data_received(data)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _wait(self) -> None:
        last = cast("RequestResponseCycle | None", self.cycle)
        if self._timer is None and (last is None or last.response_complete):
            self._timer = self.loop.call_later(HEAD, self._give_up, last)

    def _give_up(self, last: RequestResponseCycle | None) -> None:
        self._timer = None
        if self.cycle is last and not self.transport.is_closing():
            self.transport.abort()
