"""A gateway that is killed as soon as it has taken a job in: what it said yes to is there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dhess
from dhess.client import Client
from dhess.ledger import Ledger

from .run import BLOCK
from .stage import DHESS, HOST, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 300.0
"""Seconds in which all jobs have to be done at last."""


def accepted(folder: Path, store: Path, number: int) -> list[str]:
    """Hand in jobs, each to a gateway that dies over it; return their ids, once all are done.

    Nobody computes before all are handed in: a scheduler is named that is not there.
    """
    port, nowhere = free_port(), f"tcp://{HOST}:{free_port()}"
    client = Client(f"http://{HOST}:{port}")
    ids: list[str] = []
    for i in range(number):
        with gateway(folder, store, port, "--scheduler", nowhere) as process:
            view = client.submit(asked(store, i + 1), patience=60)
            process.send_signal(signal.SIGKILL)
            process.wait()
        ids.append(view["id"])
        with Ledger(folder / "data" / "ledger.sqlite") as ledger:
            known = {entry.id: entry.state for entry in ledger.entries()}
        assert set(known) == set(ids), f"job {i + 1} is lost"
        assert set(known.values()) <= {"queued", "running", "paused", "stopped"}
    with gateway(folder, store, port, "--workers", "2"):
        until(lambda: there(client), 60)
        for i, job in enumerate(ids):
            assert client.wait(job, patience=LIMIT)["state"] == "done"
            expected = dhess.find_minimum(dhess.open(store), k=i + 1)
            found = client.result_dataset(job)
            assert found["index"].equals(expected["index"])
            assert found["value"].equals(expected["value"])
    return ids


def asked(store: Path, k: int) -> dict[str, object]:
    """Return a job that differs from the others."""
    return {"source": f"{store}::f", "k": k, "chunks": 4 * BLOCK}


def there(client: Client) -> bool:
    """Tell whether the gateway answers."""
    try:
        return bool(client.me())
    except dhess.DhessError:
        return False


@contextmanager
def gateway(folder: Path, store: Path, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway, which is ended in order unless it was killed."""
    place = ["--port", str(port), "--data", str(folder / "data"), "--root", str(store.parent)]
    with (folder / "gateway.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, DHESS, "serve", *place, *more], stderr=log, cwd=folder, env=os.environ
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()
