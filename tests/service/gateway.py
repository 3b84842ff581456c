"""A real gateway: ``dhess serve`` in a process of its own, on a free port."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx

from dhess.ledger import Ledger
from dhess.service.tokens import new_token

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE = 90.0
"""Seconds for what takes two on a machine that does nothing else."""
DHESS = str(Path(sys.executable).with_name("dhess"))
ENDED = ("done", "failed", "cancelled")


def run_dhess(*args: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command of dhess to its end."""
    done = subprocess.run(
        [DHESS, *args],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


@dataclass
class Gateway:
    """A gateway with a folder of its own. What its processes write goes to ``serve.log``."""

    folder: Path
    options: Sequence[str] = ()
    token: str | None = None
    """Sent with each request that names no other."""
    port: int = 0
    """0 until it was started once: it comes back at the same address."""
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def cluster_options(self) -> list[str]:
        """What has another gateway use the embedded cluster of this one, once that is there."""
        address = self.data / "scheduler.json"
        deadline = time.monotonic() + PATIENCE
        while not address.exists():  # written last, after the certificates
            assert time.monotonic() < deadline, self.told()
            time.sleep(0.05)
        files = [f"--tls-{name}={self.data}/tls/{name}.pem" for name in ("ca", "cert", "key")]
        return ["--scheduler", str(address), *files]

    @property
    def log(self) -> Path:
        return self.folder / "serve.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self.log.open("ab") as log:
            before = log.tell()
            self.process = subprocess.Popen(
                [DHESS, "serve", "--data", str(self.data),
                 "--port", str(self.port), *self.options],
                stdout=log, stderr=subprocess.STDOUT, cwd=self.folder,
                env={**os.environ, **self.environment},
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while (
            found := re.search(r"dhess serves at \w+://[^ ]+:(\d+) ", self.told(before))
        ) is None:
            assert self.process.poll() is None, self.told(before)
            assert time.monotonic() < deadline, self.told(before)
            time.sleep(0.05)
        self.port = int(found[1])

    def told(self, after: int = 0) -> str:
        """Return what it has written to stderr."""
        return self.log.read_bytes()[after:].decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it in order, or kill it; return its exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def ask(self, method: str, path: str, *, token: str | None = "", **more: Any) -> httpx.Response:
        """Send a request and return the answer; ``token=None`` sends none."""
        token = self.token if token == "" else token
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= more.pop("headers", {})
        with httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False) as client:
            return client.request(method, path, headers=headers, **more)

    def submit(self, **job: Any) -> str:
        """Hand in a job and return its id."""
        answer = self.ask("POST", "/v1/jobs", json=job)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def wait(self, job: str, *states: str) -> dict[str, Any]:
        """Wait until a job is in one of these states, or has ended."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            view: dict[str, Any] = self.ask("GET", f"/v1/jobs/{job}").json()
            if view["state"] in (states or ENDED):
                return view
            assert view["state"] not in ENDED, view
            time.sleep(0.1)
        raise AssertionError(f"{view}\n{self.told()}")


def add_token(data: Path, name: str, scope: str) -> str:
    """Make a token, as ``dhess token add`` does."""
    data.mkdir(parents=True, exist_ok=True)
    text, kept = new_token(name, scope)
    with Ledger(data / "ledger.sqlite") as ledger:
        assert ledger.add_token(kept)
    return text
