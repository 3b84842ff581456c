"""What a service asks of a runner: jobs in one ledger, promises, turns, and clusters that go."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import ClusterError, InputError, LedgerError, find_minimum
from dhess.cluster import connect
from dhess.errors import ChangedError
from dhess.job import JobSpec, Runner
from dhess.job.identity import fingerprint, identity
from dhess.job.work import turns
from dhess.ledger import Ledger
from dhess.running import Progress, watched

from .faults.run import windows
from .faults.stage import free_port
from .test_options import one_sentence
from .test_windows import identical, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CHUNKS = (4, 5, 6)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    values = np.random.default_rng(4).standard_normal((24, 20, 18)).astype("f4")
    return write(xr.DataArray(values, dims=["z", "y", "x"], name="f"), tmp_path / "f.zarr", CHUNKS)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger.sqlite") as opened:
        yield opened


def found(runner: Runner) -> xr.Dataset:
    result = runner.run()
    assert isinstance(result, xr.Dataset)
    return result


def asked(path: Path, **more: Any) -> JobSpec:
    return JobSpec.read({"source": str(path), "chunks": 5, **more})


def state(ledger: Ledger, job: str) -> tuple[str, str]:
    entry = ledger.entry(job)
    return ("", "") if entry is None else (entry.state, entry.note)


def until(what: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def test_jobs_with_locks_of_their_own_run_at_once(
    path: Path, tmp_path: Path, ledger: Ledger
) -> None:
    """One goes on inside the other: they wait for nothing."""
    inner = Runner(asked(path, k=2), ledger, lock=tmp_path / "inner.lock")
    outer = Runner(asked(path, k=3), ledger, lock=tmp_path / "outer.lock")
    outer.keep = lambda _: identical(found(inner), find_minimum(dhess.open(path), k=2))
    identical(found(outer), find_minimum(dhess.open(path), k=3))
    assert {entry.state for entry in ledger.entries()} == {"done"}
    assert not list(tmp_path.glob("*.lock"))


def test_the_result_is_kept_before_the_job_is_done(path: Path, ledger: Ledger) -> None:
    seen: list[Any] = []
    runner = Runner(asked(path), ledger)
    runner.keep = lambda result: seen.append((state(ledger, runner.job)[0], result))
    result = runner.run()
    assert seen == [("running", result)]
    assert state(ledger, runner.job)[0] == "done"


def test_a_result_that_cannot_be_kept_fails_the_job(path: Path, ledger: Ledger) -> None:
    def full(_: object) -> None:
        raise PermissionError("not there")

    runner = Runner(asked(path), ledger, keep=full)
    with pytest.raises(PermissionError):
        runner.run()
    assert state(ledger, runner.job) == ("failed", "not there")


def test_a_job_is_the_one_that_was_promised(path: Path, ledger: Ledger) -> None:
    spec = asked(path)
    promised = identity(spec, fingerprint(dhess.open(path, chunks=5)))
    Runner(spec, ledger, job=promised).run()
    assert state(ledger, promised)[0] == "done"
    time.sleep(0.01)
    changed = dhess.open(path).load() + 1
    shutil.rmtree(path)
    write(changed, path, CHUNKS)
    with pytest.raises(InputError) as caught:
        Runner(spec, ledger, job=promised).run()
    one_sentence(caught.value, promised, "has changed", "hand it in again")
    assert len(ledger.entries()) == 1


def test_a_chunk_that_was_written_since_needs_a_new_start(path: Path, ledger: Ledger) -> None:
    spec = asked(path)
    told = fingerprint(dhess.open(path, chunks=5))
    job = identity(spec, told)
    assert ledger.add(job, spec.model_dump_json(exclude_none=True), told)
    time.sleep(0.01)
    chunk = next(each for each in (path / "f" / "c").rglob("*") if each.is_file())
    chunk.write_bytes(chunk.read_bytes())
    with pytest.raises(ChangedError) as caught:
        Runner(spec, ledger).run()
    one_sentence(caught.value, job, "changed", "--fresh")
    assert state(ledger, job)[0] == "failed"
    identical(found(Runner(spec, ledger, fresh=True)), find_minimum(dhess.open(path)))


def test_one_process_at_a_time_writes_an_output(path: Path, tmp_path: Path) -> None:
    """A job is the same one in every ledger, and would take up what another runner writes."""
    spec = asked(path, task="field", output=str(tmp_path / "norm.zarr"))
    seen: list[Any] = []

    def another(_: Progress) -> None:
        if not seen:
            with Ledger(tmp_path / "b.ledger") as other, pytest.raises(LedgerError) as caught:
                Runner(spec, other).run()
            seen.append(caught.value)

    with Ledger(tmp_path / "a.ledger") as ledger, watched(another):
        Runner(spec, ledger).run()
    one_sentence(seen[0], "norm.zarr", "another process writes")
    assert not np.isnan(dhess.open(tmp_path / "norm.zarr").values).any()
    assert not list(tmp_path.glob("**/*.lock"))


def test_an_error_over_ctrl_c_is_no_failure_of_the_job(path: Path, ledger: Ledger) -> None:
    @contextmanager
    def slow_to_part() -> Iterator[None]:
        try:
            yield
        finally:
            raise TimeoutError

    def ctrl_c(_: Progress) -> None:
        raise KeyboardInterrupt

    runner = Runner(asked(path), ledger, slow_to_part)
    with pytest.raises(TimeoutError), watched(ctrl_c):
        runner.run()
    assert state(ledger, runner.job) == ("stopped", "")


# -------------------------------------------------------------------------------------- clusters


@contextmanager
def cluster(port: int) -> Iterator[None]:
    """A scheduler at a port and a worker, processes both."""
    dask, place = [sys.executable, "-m", "dask"], ["--host", "127.0.0.1", "--no-dashboard"]
    commands = (
        [*dask, "scheduler", "--port", str(port), *place],
        [*dask, "worker", f"tcp://127.0.0.1:{port}", "--no-nanny", "--nthreads", "1", *place],
    )
    running = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for command in commands]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def test_a_cluster_that_is_not_there_yet_pauses_the_job(path: Path, ledger: Ledger) -> None:
    port = free_port()
    runner = Runner(
        asked(path), ledger, lambda: connect(f"tcp://127.0.0.1:{port}", timeout=1), elsewhere=True
    )
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(runner.run()))
    thread.start()
    until(lambda: bool(runner.job) and state(ledger, runner.job)[0] == "paused")
    assert f"127.0.0.1:{port}" in state(ledger, runner.job)[1]
    with cluster(port):
        thread.join(60)
        assert not thread.is_alive()
    assert state(ledger, runner.job) == ("done", "")
    identical(results[0], find_minimum(dhess.open(path)))


def test_patience_ends(path: Path, ledger: Ledger) -> None:
    address = f"tcp://127.0.0.1:{free_port()}"
    runner = Runner(
        asked(path), ledger, lambda: connect(address, timeout=1), patience=0.5, elsewhere=True
    )
    with pytest.raises(ClusterError, match="no scheduler"):
        runner.run()
    assert state(ledger, runner.job)[0] == "failed"


RUN = """
import sys
from dhess.cluster import connect
from dhess.errors import ChangedError
from dhess.job import JobSpec, Runner
from dhess.ledger import Ledger
_, spec, ledger, address, base = sys.argv
with Ledger(ledger) as opened:
    place = lambda: connect(address)
    Runner(JobSpec.model_validate_json(spec), opened, place, base=int(base)).run()
"""


def test_a_short_job_does_not_wait_for_a_long_one(tmp_path: Path) -> None:
    values = np.random.default_rng(5).standard_normal((30, 30, 30)).astype("f4")
    many = xr.DataArray(values, dims=["z", "y", "x"], name="f")
    path = write(many, tmp_path / "many.zarr", (3, 3, 3))
    specs = {
        "long": asked(path, chunks=3, resources={"window": 2}),
        "short": asked(path, chunks=3, sel={"z": [0, 6]}, resources={"window": 2}),
    }
    port = free_port()

    def start(name: str, base: int) -> subprocess.Popen[bytes]:
        arguments = [specs[name].model_dump_json(), str(tmp_path / name), f"127.0.0.1:{port}"]
        return subprocess.Popen([sys.executable, "-c", RUN, *arguments, str(base)])

    def done(name: str) -> int:
        return len(windows(tmp_path / name))

    with cluster(port):
        first = start("long", 0)
        until(lambda: done("long") > 40)
        second = start("short", done("long"))
        assert second.wait(120) == 0
        at_its_end = done("long")
        assert first.wait(240) == 0
    assert done("short") > 10
    assert at_its_end < done("long") - 10
    with Ledger(tmp_path / "long") as opened:
        assert [entry.windows for entry in opened.entries()] == [done("long")]


@pytest.mark.parametrize(("number", "base"), [(1, 0), (7, 5), (200, 3), (2500, 40)])
def test_turns_go_on_from_what_the_others_have_done(number: int, base: int) -> None:
    """Each window is due once as many came before it, give or take those that go together."""
    due = turns(number, base)
    assert due == sorted(due)
    assert due[0] == base
    together = max(8, -(-number // 32))
    assert all(0 <= base + i - turn < together for i, turn in enumerate(due))
    assert len(set(due)) <= 32
