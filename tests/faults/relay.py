"""A relay on the loopback interface, in between who connects and who listens: a bad network."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Self

HOST = "127.0.0.1"
PIECE = 65_536


class Relay:
    """Passes on what comes, unless it is told to do otherwise."""

    def __init__(self, target: int) -> None:
        self.target = target
        """The port to which it connects."""
        self.port = 0
        """On which it listens."""
        self.delay = 0.0
        """Seconds that each piece takes."""
        self.cuts = 0
        """Connections that it has cut."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._is_cut = False
        self._flows = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def cut(self) -> None:
        """Break all connections, and let no other be made."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._break)

    def stall(self) -> None:
        """Pass on nothing, with nobody told."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def mend(self) -> None:
        """Be a good network again."""
        self._is_cut, self.delay = False, 0.0
        self._loop.call_soon_threadsafe(self._flows.set)

    async def _start(self) -> None:
        self._flows.set()
        self._server = await asyncio.start_server(self._connected, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        """Close all in order: no socket is left for the collector to complain about."""
        assert self._server is not None
        self._server.close()
        self._break()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        await asyncio.sleep(0)  # transports close in the next turn of the loop

    def _break(self) -> None:
        self.cuts += len(self._writers)
        for writer in self._writers:
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        other: asyncio.StreamWriter | None = None
        try:
            if self._is_cut:
                return
            beyond, other = await asyncio.open_connection(HOST, self.target)
            self._writers.add(other)
            pairs = (reader, other), (beyond, writer)
            both = [asyncio.create_task(self._passed_on(*pair)) for pair in pairs]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in both:
                    way.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            return  # nobody listens there
        finally:
            for each in (writer, other):
                if each is not None:
                    each.transport.abort()
                    with suppress(OSError):
                        await each.wait_closed()
                    self._writers.discard(each)
            self._tasks.discard(task)

    async def _passed_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(PIECE):
            await self._flows.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(piece)
            await writer.drain()
