"""A gateway as a process: its socket, its signals, its end in order."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from dhess.errors import InputError
from dhess.ledger import Ledger
from dhess.service.app import create_app, guarded
from dhess.service.engine import Engine
from dhess.service.patient import PatientProtocol
from dhess.service.state import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dhess.service.settings import Settings

GRACE: Final = 5
"""Seconds that requests have to be answered in, once it is to end."""
FILES: Final = 65_536
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def serve(settings: Settings, told: Callable[[str], None]) -> int:
    """Serve until a signal says to end; return 0 for SIGTERM and 130 for Ctrl-C.

    ``told`` is called with the address once it answers.

    Raises
    ------
    InputError
        If the address cannot be used, or another gateway has the folder.
    """
    _allow_files()
    with _listening(settings) as sock:
        host, port = sock.getsockname()[:2]
        scheme = "http" if settings.serve_cert is None else "https"
        name = f"[{host}]" if ":" in host else host
        # Signals wait until _serve has its handlers: before, Ctrl-C would end asyncio half-made.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            caught = asyncio.run(_serve(settings, sock, lambda: told(f"{scheme}://{name}:{port}")))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    return 130 if caught == signal.SIGINT else 0


def check_tokens(settings: Settings) -> bool:
    """Return whether there is a token, as every gateway but one on loopback needs.

    Raises
    ------
    InputError
        If there is none, and others could reach the gateway.
    """
    with Ledger(settings.ledger) as ledger:
        found = bool(ledger.tokens())
    if not found and not (settings.is_local and not settings.hosts):
        raise InputError(
            f"a gateway at {settings.host!r} is not only for this machine, and needs a token; make "
            f"one with: dhess token add NAME --data {str(settings.data)!r}"
        )
    return found


def _allow_files() -> None:
    """Have room for many connections: the usual limit is 1,024 files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    """Take the port, before anything else is started."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, kind, proto)
    except OSError as error:
        raise _no_address(settings, error) from error
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
        except OSError as error:
            raise _no_address(settings, error) from error
        yield sock


def _no_address(settings: Settings, error: OSError) -> InputError:
    return InputError(
        f"cannot listen at {settings.host}:{settings.port}: {error.strerror}; choose another "
        "--host or --port (0: any that is free)"
    )


async def _serve(settings: Settings, sock: socket.socket, answers: Callable[[], None]) -> int:
    """Start the engine, serve it, stop it; return the signal that came first, or 0."""
    engine = Engine(settings)
    server: _Server | None = None
    caught: list[int] = []
    main = asyncio.current_task()
    assert main is not None

    def stop(number: int) -> None:
        """End in order; whoever asks twice wants it sooner."""
        caught.append(number)
        if server is None or len(caught) > 1:
            main.cancel()
        else:
            server.stop()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop, number)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    try:
        await engine.start()
        try:
            service = Service.of(settings, engine)
            server = _Server(_config(settings, service), service, answers)
            await server.serve([sock])
            service.keys.close()
        finally:
            await engine.stop()
    except asyncio.CancelledError:
        # Children whose gateway is gone end on their own.
        if not caught:
            raise
        main.uncancel()
    return caught[0] if caught else 0


def _config(settings: Settings, service: Service) -> uvicorn.Config:
    return uvicorn.Config(
        guarded(create_app(service)),
        http=PatientProtocol, ws="none", loop="asyncio", lifespan="off", interface="asgi3",
        log_config=None, access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=GRACE, limit_concurrency=2000,
        h11_max_incomplete_event_size=65536,
        ssl_certfile=settings.serve_cert, ssl_keyfile=settings.serve_key,
    )  # fmt: skip


class _Server(uvicorn.Server):
    """Leaves signals to us, and tells when it answers."""

    def __init__(
        self, config: uvicorn.Config, service: Service, answers: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service = service
        self._answers = answers

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._answers()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """End in order."""
        self._service.stopping.set()
        self.should_exit = True
