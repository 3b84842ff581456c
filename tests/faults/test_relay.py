"""The bad network of the fault scenarios: what it passes on, and that it leaves no socket open."""

from __future__ import annotations

import gc
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from .relay import HOST, Relay

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of one who says again what he hears, to one connection after the other."""
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        while heard := connection.recv(100):
                            connection.sendall(heard)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(30)
    assert not thread.is_alive()


def test_a_network_that_is_good_stalled_cut_and_mended(echo: int) -> None:
    with Relay(echo) as relay:
        with socket.create_connection((HOST, relay.port), 30) as first:
            first.sendall(b"one")
            assert first.recv(100) == b"one"
            relay.stall()
            first.sendall(b"two")
            first.settimeout(0.3)
            with pytest.raises(TimeoutError):
                first.recv(100)
            relay.mend()
            first.settimeout(30)
            assert first.recv(100) == b"two"
            relay.cut()
            assert _is_closed(first)
        with socket.create_connection((HOST, relay.port), 30) as refused:
            assert _is_closed(refused)
        relay.mend()
        with socket.create_connection((HOST, relay.port), 30) as again:
            again.sendall(b"three")
            assert again.recv(100) == b"three"
        assert relay.cuts == 2  # both sides of the one connection that there was
    gc.collect()  # a socket that is open would warn now, which fails the test


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True
