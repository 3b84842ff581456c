"""Real processes that can be killed: a scheduler, two workers, and the runner of a job."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
ROLES = ("scheduler", "worker-0", "worker-1", "runner")
ENVIRONMENT = {
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "2s",
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10",
    "OMP_NUM_THREADS": "1",
}


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Stage:
    """All processes of a run. What dies is started again, as a supervisor would."""

    folder: Path
    job: str
    """The file that describes it."""
    port: int = field(default_factory=free_port)
    started: dict[str, int] = field(default_factory=dict)
    """How often each was started."""
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        for role in ROLES[:3]:
            self.start(role)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._stack.close()

    @property
    def address(self) -> str:
        return f"tcp://{HOST}:{self.port}"

    def command(self, role: str) -> list[str]:
        """Return what starts a process of that role."""
        if role == "runner":
            dhess = str(Path(sys.executable).with_name("dhess"))
            return [dhess, "-v", "run", self.job, "--scheduler", self.address]
        if role == "scheduler":
            place = ["--host", HOST, "--port", str(self.port), "--no-dashboard"]
            return ["-m", "dask", "scheduler", *place]
        limits = ["--nthreads", "1", "--memory-limit", "2GB", "--death-timeout", "60"]
        place = ["--host", HOST, "--no-nanny", "--no-dashboard", "--name", role]
        return ["-m", "dask", "worker", self.address, *limits, *place]

    def start(self, role: str) -> None:
        log: IO[bytes] = self._stack.enter_context((self.folder / f"{role}.log").open("ab"))
        self.started[role] = self.started.get(role, 0) + 1
        self._running[role] = subprocess.Popen(
            [sys.executable, "-W", "ignore", *self.command(role)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT},
            cwd=self.folder,
        )

    def kill(self, role: str) -> None:
        """End a process without a warning."""
        process = self._running[role]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def code(self, role: str) -> int | None:
        """Return how a process ended; None if it runs."""
        return self._running[role].poll()

    def tend(self, deadline: float, each: Callable[[], None] = lambda: None) -> None:
        """Start again what has died, until the runner ends well."""
        while True:
            each()
            for role in ROLES:
                code = self.code(role)
                if role == "runner" and code == 0:
                    return
                if code is not None:
                    if role == "runner" and code > 0:
                        raise AssertionError(f"the runner gave up with {code}: {self.told()}")
                    self.start(role)
            if time.monotonic() > deadline:
                raise AssertionError(f"the job does not end: {self.told()}")
            time.sleep(0.05)

    def told(self) -> str:
        """Return the last lines of the runner's log."""
        lines = (self.folder / "runner.log").read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])
