"""Commands that wait, while the gateway is busy, killed, restarted, or never comes back."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from dhess.cli import main
from dhess.client import Client, RemoteError, UnreachableError
from tests.service.gateway import DHESS, PATIENCE, Gateway
from tests.stores import store
from tests.test_cli_progress import seen_on_a_terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WINDOWS, MANY = 196, 2500
"""Of a job that is to end, and of one that lasts until it is cancelled."""
CHUNKS = {WINDOWS: 29, MANY: 8}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of one worker that runs one job, and has room for one more."""
    folder = tmp_path_factory.mktemp("busy")
    noise = np.random.default_rng(6).random((400, 400))
    store(xr.DataArray(noise, dims=("y", "x"), name="f").chunk(20), folder / "run.zarr")
    options = ["--workers", "1", "--jobs-at-once", "1", "--queued-per-submitter", "1"]
    with Gateway(folder, options) as gateway:
        yield gateway


@pytest.fixture
def client(busy: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Client]:
    """A client, also for commands that a test starts; no job of the test outlives it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DHESS_SERVER", busy.url)
    for name in ("TOKEN", "TOKEN_FILE", "CA"):
        monkeypatch.delenv(f"DHESS_{name}", raising=False)
    client = Client()
    yield client
    for job in client.jobs():
        if job["state"] not in ("done", "failed", "cancelled"):
            client.cancel(job["id"])
            client.wait(job["id"])


def keys(busy: Gateway, k: int, windows: int = WINDOWS) -> dict[str, Any]:
    source = str(busy.folder / "run.zarr")
    return {"source": source, "chunks": CHUNKS[windows], "k": k, "resources": {"window": 1}}


def job_file(busy: Gateway, k: int, windows: int = WINDOWS) -> str:
    path = busy.folder / f"job-{k}.json"
    path.write_text(json.dumps(keys(busy, k, windows) | {"source": "run.zarr"}))
    return str(path)


class Command:
    """A command in a process of its own, read as it writes."""

    def __init__(self, *args: str) -> None:
        self.process = subprocess.Popen(
            [DHESS, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ.copy(),
        )  # fmt: skip
        self._said: tuple[list[str], list[str]] = ([], [])
        streams = (self.process.stdout, self.process.stderr)
        self._threads = [
            threading.Thread(target=lines.extend, args=(stream,))
            for lines, stream in zip(self._said, streams, strict=True)
        ]
        for each in self._threads:
            each.start()

    @property
    def out(self) -> str:
        return "".join(self._said[0])

    @property
    def err(self) -> str:
        return "".join(self._said[1])

    def until(self, pattern: str) -> str:
        """Wait until it has said something; return what the pattern's last group is."""
        deadline = time.monotonic() + PATIENCE
        while (found := re.search(pattern, self.out + self.err)) is None:
            assert self.process.poll() is None, self.err
            assert time.monotonic() < deadline, self.err
            time.sleep(0.05)
        return found[found.re.groups]

    def end(self) -> int:
        """Return its exit code, once it has ended."""
        try:
            return self.process.wait(2 * PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self.process.wait()
            for thread, stream in zip(
                self._threads, (self.process.stdout, self.process.stderr), strict=True
            ):
                thread.join()
                assert stream is not None
                stream.close()


def at_work(client: Client, job: str, windows: int = 5) -> None:
    """Wait until a job has done some windows."""
    deadline = time.monotonic() + PATIENCE
    while (view := client.show(job))["done"] < windows:
        assert view["state"] in ("queued", "running"), view
        assert time.monotonic() < deadline, view
        time.sleep(0.1)


def test_waiting_survives_a_gateway_that_is_killed_and_restarted(
    busy: Gateway, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting = Command("submit", job_file(busy, 3), "--wait")
    job = waiting.until(r"job ([0-9a-f]{16}) is with")
    views: list[dict[str, Any]] = []
    likewise = threading.Thread(target=lambda: views.append(Client().wait(job)))
    likewise.start()
    at_work(client, job)
    assert busy.end(signal.SIGKILL) == -signal.SIGKILL
    waiting.until("asking again")
    time.sleep(1.0)
    assert waiting.process.poll() is None
    busy.start()
    assert (waiting.end(), waiting.err.count("asking again")) == (0, 1)
    assert main(["find", str(busy.folder / "run.zarr"), "-k", "3"]) == 0
    assert waiting.out == capsys.readouterr().out
    likewise.join(2 * PATIENCE)
    assert [(view["state"], view["done"]) for view in views] == [("done", WINDOWS)]


def test_a_gateway_that_stays_away(busy: Gateway, client: Client) -> None:
    file = job_file(busy, 5, MANY)
    waiting = Command("submit", file, "--wait", "--patience", "1.5")
    job = waiting.until(r"job ([0-9a-f]{16}) is with")
    following = Command("logs", job, "--follow", "--patience", "1.5")
    following.until("the job runs")
    waiting.until("find: .* of 2,500 blocks")
    assert busy.end() == 0
    try:
        for command in (waiting, following):
            assert (command.end(), command.err.count("asking again")) == (1, 1), command.err
            last = command.err.splitlines()[-1]
            assert last.startswith(f"dhess: error: job {job} is waited for no longer: no server")
            assert last.endswith(f"then 'dhess show {job} --watch' tells how far it is")
        late = Command("submit", file, "--wait")
        assert late.end() == 2  # one that is not there at first is not waited for
        assert "no server answers at" in late.err
    finally:
        busy.start()
    assert client.show(job)["state"] in ("queued", "running")


def test_interrupted_and_cancelled(
    busy: Gateway, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends the waiting and not the job; cancelling the job ends the waiting of another."""
    first = Command("submit", job_file(busy, 6, MANY), "--wait")
    job = first.until(r"job ([0-9a-f]{16}) is with")
    second = Command("show", job[:10], "--watch")
    second.until("find: .* of 2,500 blocks")
    first.process.send_signal(signal.SIGINT)
    assert (first.end(), first.out) == (130, "")
    assert first.err.splitlines()[-1] == (
        f"dhess: interrupted; job {job} goes on: 'dhess show {job} --watch' tells how far it is"
    )
    assert client.show(job)["state"] == "running"
    assert main(["result", job]) == 2
    assert re.match(f"dhess: error: job {job} is running", capsys.readouterr().err)
    assert main(["cancel", job[:10]]) == 0
    assert f"dhess: job {job} is " in capsys.readouterr().err
    assert second.end() == 1
    assert re.search(r"state +cancelled", second.out)
    assert second.err.splitlines()[-1].startswith(f"dhess: error: job {job} was cancelled")
    done = client.show(job)["done"]
    assert main(["retry", job]) == 0
    at_work(client, job, done + 1)  # it goes on, not from the start


def test_too_many_jobs(busy: Gateway, client: Client) -> None:
    """One runs, one waits; a third is refused, or waited for until there is room."""
    first = client.submit(keys(busy, 7, MANY))["id"]
    at_work(client, first, 1)
    second = client.submit(keys(busy, 8, MANY))["id"]
    with pytest.raises(RemoteError) as refused:
        client.submit(keys(busy, 9))
    assert (refused.value.status, refused.value.exit_code) == (429, 1)
    assert refused.value.retry_after
    assert main(["submit", job_file(busy, 9)]) == 1
    third = Command("submit", job_file(busy, 9), "--wait")
    time.sleep(5.0)
    assert third.process.poll() is None
    assert "is with" not in third.err
    for job in (second, first):
        client.cancel(job)
    third.until(r"job ([0-9a-f]{16}) is with")
    assert third.end() == 0
    assert "9 smallest values" in third.out


def test_a_job_that_fails(
    busy: Gateway, client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    source = busy.folder / "damaged.zarr"
    noise = np.random.default_rng(0).random((40, 40))
    store(xr.DataArray(noise, dims=("y", "x"), name="f"), source)
    (chunk,) = (each for each in (source / "f" / "c").rglob("*") if each.is_file())
    chunk.write_bytes(b"no chunk")
    job = busy.folder / "damaged.toml"
    job.write_text('source = "damaged.zarr"\n')
    assert main(["submit", str(job), "--wait"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.search(r"dhess: error: job [0-9a-f]{16} failed: .*chunk", err), err
    (failed,) = client.jobs(state="failed")
    assert main(["show", failed["id"]]) == 0
    assert re.search(r"state +failed: .*chunk", capsys.readouterr().out)
    assert main(["show", failed["id"], "--watch"]) == 1
    assert main(["result", failed["id"]]) == 2


def test_on_a_terminal(busy: Gateway, client: Client) -> None:
    job = client.submit(keys(busy, 10, MANY))["id"]
    at_work(client, job, 1)
    ending = threading.Timer(10.0, client.cancel, [job])
    ending.start()
    lines = re.split(r"[\r\n]+", seen_on_a_terminal(["show", job, "--watch"], os.environ.copy()))
    ending.join()
    assert any(re.search(r"^windows +[\d,]+ of 2,500, \d+ %", line) for line in lines), lines
    bars = [line for line in lines if line.startswith(("find ━", "find ╸"))]
    assert any(re.search(r"window [\d,]+ of 2,500, .*best 0\.", line) for line in bars), lines
    assert any(re.search(r"^state +cancelled", line) for line in lines[-15:])


def test_nobody_there_in_python() -> None:
    with pytest.raises(UnreachableError, match="start one with 'dhess serve'"):
        Client("http://127.0.0.1:9").me()  # the port of the discard protocol
