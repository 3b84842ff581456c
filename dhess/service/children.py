"""The gateway's side of its children: processes that speak lines of JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import dhess

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_LINE = 64 << 20
LONGEST_LOG = 5_000_000
"""Bytes of what children say on stderr, after which a new file is begun."""
PATIENCE = 12.0
"""Seconds that a child has to end in order; a little more than it gives itself."""


class Child:
    """A process of our own, in a session of its own: Ctrl-C on the terminal is for the gateway."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.process = process
        self.take: Callable[[dict[str, Any]], None] = lambda _: None
        """Called with each message that it sends."""
        self._reading = asyncio.create_task(self._read())
        self.death = asyncio.create_task(process.wait())
        """Its end, for any number of those who wait."""

    @classmethod
    async def start(cls, name: str, logs: Path) -> Self:
        """Start ``python -m dhess.service.NAME``."""
        logs.mkdir(parents=True, exist_ok=True)
        place = str(Path(dhess.__file__).parent.parent)
        path = os.pathsep.join(filter(None, [place, os.environ.get("PYTHONPATH", "")]))
        with _log_of(logs / f"{name}.log") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", f"dhess.service.{name}",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
                limit=LONGEST_LINE,
            )  # fmt: skip
        return cls(name, process)

    @property
    def runs(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.returncode is None

    async def send(self, **message: Any) -> None:
        """Send a message; one that has ended hears nothing."""
        assert self.process.stdin is not None
        with suppress(ConnectionError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            await self.process.stdin.drain()

    async def ended(self) -> int:
        """Wait for its end and its last message; return its exit code."""
        code = await self.process.wait()
        # A process that it left behind may hold the pipe.
        await asyncio.wait([self._reading], timeout=2.0)
        self._reading.cancel()
        self._kill_group()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process._transport.close()  # type: ignore[attr-defined]
        return code

    async def end(self, patience: float = PATIENCE) -> None:
        """Tell it to end, and kill it if it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), patience)
        await self.kill()

    async def kill(self) -> None:
        """End it, and what it started, at once."""
        self._kill_group()
        # One that waits for a dead disk cannot be killed before the disk answers.
        with suppress(TimeoutError):
            await asyncio.wait_for(self.ended(), 5.0)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        with suppress(ValueError, ConnectionError):  # a line that is too long ends the talk
            async for line in self.process.stdout:
                self.take(json.loads(line))


def _log_of(file: Path) -> BinaryIO:
    with suppress(FileNotFoundError):
        if file.stat().st_size > LONGEST_LOG:
            file.replace(file.with_name(f"{file.name}.1"))
    return file.open("ab")
