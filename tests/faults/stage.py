"""Real processes that can be killed: a scheduler, two workers, the runner of a job, a gateway."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from dhess.client import Client
from dhess.job import JobSpec
from dhess.ledger import Ledger

from .relay import Relay
from .scenario import Hang

if TYPE_CHECKING:
    from collections.abc import Callable

HOST = "127.0.0.1"
CLUSTER = ("scheduler", "worker-0", "worker-1")
ROLES = {"run": (*CLUSTER, "runner"), "serve": (*CLUSTER, "runner", "gateway")}
"""Who can die, by how a job is handed in."""
DHESS = str(Path(sys.executable).with_name("dhess"))
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
    job: Path
    """The file that describes it."""
    links: tuple[str, ...] = ()
    """Who reaches the scheduler by way of a relay only: ``workers``, ``client``."""
    port: int = field(default_factory=free_port)
    started: dict[str, int] = field(default_factory=dict)
    """How often each was started."""
    _running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        self.relay = self._stack.enter_context(Relay(self.port)) if self.links else None
        for role in CLUSTER:
            self.start(role)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running.values():
            process.kill()
        for process in self._running.values():
            process.wait()
        self._stack.close()

    def address(self, who: str) -> str:
        """Return where the workers, or the client, find the scheduler."""
        port = self.relay.port if self.relay is not None and who in self.links else self.port
        return f"tcp://{HOST}:{port}"

    @property
    def ledger(self) -> Path:
        """Where the job is recorded."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """Where its runners say what they do."""
        raise NotImplementedError

    def hand_in(self) -> None:
        """Start the job."""
        raise NotImplementedError

    def is_over(self) -> bool:
        """Tell whether it has ended well; AssertionError if it has ended otherwise."""
        raise NotImplementedError

    def leave(self) -> None:
        """End what ran the job, in order."""

    def strangers(self) -> list[int]:
        """Return processes that work in this folder, and are none of ours."""
        ours = {process.pid for process in self._running.values()}
        found = []
        for link in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):
                if link.readlink() == self.folder and int(link.parts[2]) not in ours:
                    found.append(int(link.parts[2]))
        return found

    def command(self, role: str) -> list[str]:
        """Return what starts a process of that role."""
        if role == "scheduler":
            place = ["--host", HOST, "--port", str(self.port), "--no-dashboard"]
            return ["-m", "dask", "scheduler", *place]
        limits = ["--nthreads", "1", "--memory-limit", "2GB", "--death-timeout", "60"]
        place = ["--host", HOST, "--no-nanny", "--no-dashboard", "--name", role]
        return ["-m", "dask", "worker", self.address("workers"), *limits, *place]

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

    def pids(self, role: str) -> list[int]:
        """Return the processes of a role."""
        return [self._running[role].pid]

    def pause(self, role: str, seconds: float) -> None:
        """Have a process stand still for a while."""
        pids = self.pids(role)
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            time.sleep(seconds if number == signal.SIGSTOP else 0)

    def tend(self, deadline: float, each: Callable[[], None] = lambda: None) -> None:
        """Start again what has died, until the job is over."""
        while True:
            each()
            if self.is_over():
                return
            for role, process in self._running.items():
                if process.poll() is not None:
                    self.start(role)
            if time.monotonic() > deadline:
                raise Hang(f"the job does not end: {self.told()}")
            time.sleep(0.05)

    def told(self) -> str:
        """Return the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


class Alone(Stage):
    """A job by ``dhess run``, which a supervisor starts again until it ends well."""

    @property
    def ledger(self) -> Path:
        return Path(f"{JobSpec.load(self.job).output}.ledger")

    @property
    def log(self) -> Path:
        return self.folder / "runner.log"

    def hand_in(self) -> None:
        self.start("runner")

    def is_over(self) -> bool:
        code = self._running["runner"].poll()
        if code is not None and code > 0:
            raise AssertionError(f"the runner gave up with {code}: {self.told()}")
        return code == 0

    def command(self, role: str) -> list[str]:
        if role == "runner":
            return [DHESS, "-v", "run", str(self.job), "--scheduler", self.address("client")]
        return super().command(role)


class Served(Stage):
    """A job that is handed in to a gateway, once."""

    id: str = ""

    def __enter__(self) -> Self:
        self.web = free_port()
        return super().__enter__()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def ledger(self) -> Path:
        return self.data / "ledger.sqlite"

    @property
    def log(self) -> Path:
        return self.data / "jobs" / self.id / "log.jsonl"

    def hand_in(self) -> None:
        self.start("gateway")
        client = Client(f"http://{HOST}:{self.web}")
        self.id = client.submit(JobSpec.load(self.job), patience=60)["id"]

    def is_over(self) -> bool:
        with Ledger(self.ledger) as ledger:
            entry = ledger.entry(self.id)
        assert entry is not None, "the job is lost"
        assert entry.state not in ("failed", "cancelled"), f"{entry.note}: {self.told()}"
        return entry.state == "done"

    def leave(self) -> None:
        gateway = self._running.pop("gateway")
        gateway.terminate()
        assert gateway.wait(30) == 0

    def command(self, role: str) -> list[str]:
        if role != "gateway":
            return super().command(role)
        source = JobSpec.load(self.job).source
        assert isinstance(source, str)
        roots = ["--root", str(Path(source).parent), "--output-root", str(self.folder)]
        place = [
            "--port",
            str(self.web),
            "--data",
            str(self.data),
            "--scheduler",
            self.address("client"),
        ]
        return [DHESS, "serve", *place, *roots]

    def kill(self, role: str) -> None:
        if role != "runner":
            super().kill(role)
            return
        until(lambda: self._runner() is not None, 60)
        pid = self._runner()
        self.started[role] = self.started.get(role, 1) + 1
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def pids(self, role: str) -> list[int]:
        if role != "runner":
            return super().pids(role)
        until(lambda: self._runner() is not None, 60)
        pid = self._runner()
        return [] if pid is None else [pid]

    def _runner(self) -> int | None:
        """Return who holds the lock of the job."""
        lock = str(self.log.with_name("runner.lock"))
        for link in Path("/proc").glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if str(link.readlink()) == lock:
                    return int(link.parts[2])
        return None


def until(what: Callable[[], bool], seconds: float) -> None:
    """Wait for something."""
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise Hang("it did not happen")
        time.sleep(0.05)


STAGES: dict[str, type[Stage]] = {"run": Alone, "serve": Served}
