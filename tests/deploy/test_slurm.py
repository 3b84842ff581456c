"""The SLURM script, read; and the program that it starts, with its tasks as processes here."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.errors import LedgerError
from dhess.ledger import Ledger
from dhess.report import FindReport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEPLOY = Path(__file__).parents[2] / "deploy"
SCRIPT = DEPLOY / "slurm" / "dhess.sbatch"
TASKS = 3


def test_the_script_parses_and_goes_back_into_the_queue() -> None:
    subprocess.run(["bash", "-n", SCRIPT], check=True)
    text = SCRIPT.read_text(encoding="utf-8")
    for word in ("--requeue", "--signal=B:USR1@", "--open-mode=append"):
        assert f"#SBATCH {word}" in text
    assert 'scontrol requeue "$SLURM_JOB_ID"' in text
    assert "srun --kill-on-bad-exit=1" in text


@pytest.fixture
def job(tmp_path: Path) -> Path:
    """A job of 100 windows on noise, whose answer nothing but the data decide."""
    noise = xr.DataArray(np.random.default_rng(5).random((160, 160)), dims=("y", "x"), name="f")
    noise.to_dataset().to_zarr(tmp_path / "noise.zarr", consolidated=False)
    path = tmp_path / "job.toml"
    path.write_text(
        'source = "noise.zarr::f"\nmeasure = "slope"\nchunks = 16\nk = 3\noutput = "best.json"\n'
        "[resources]\nwindow = 1\n"
    )
    return path


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Callable[[Path], list[subprocess.Popen[bytes]]]]:
    """Start the tasks of a step, as srun does; whatever happens, none is left."""
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue, whose SLURMRunner it runs")
    started: list[subprocess.Popen[bytes]] = []

    def start(job: Path) -> list[subprocess.Popen[bytes]]:
        folder = tmp_path / f"start-{len(started)}"
        subprocess.run(
            ["sh", DEPLOY / "image" / "certificates", folder], check=True, capture_output=True
        )
        tasks = []
        for number in range(TASKS):
            environment = {
                **os.environ, "SLURM_PROCID": str(number), "SLURM_NTASKS": str(TASKS),
                "SLURM_JOB_ID": "1", "SLURM_MEM_PER_CPU": "1000", "TMPDIR": str(tmp_path),
                "DHESS_INTERFACE": "lo", "DASK_LOGGING__DISTRIBUTED": "critical",
            }  # fmt: skip
            words: list[str | Path] = [sys.executable, DEPLOY / "slurm" / "run_job.py", job, folder]
            with (tmp_path / f"log-{len(started)}").open("wb") as log:
                tasks.append(subprocess.Popen(words, env=environment, stderr=log, stdout=log))
            started.append(tasks[-1])
        return tasks

    yield start
    for task in started:
        task.kill()
        task.wait()


def recorded(ledger: Path) -> int:
    """Return how many windows are done."""
    if not ledger.exists():
        return 0
    try:
        with Ledger(ledger) as opened:
            return sum(opened.count(each.id) for each in opened.page())
    except LedgerError:  # it is just being made
        return 0


def test_a_step_that_is_killed_goes_on(
    job: Path, step: Callable[[Path], list[subprocess.Popen[bytes]]]
) -> None:
    ledger = job.with_name("best.json.ledger")
    tasks = step(job)
    end = time.monotonic() + 300
    while recorded(ledger) < 5:
        assert time.monotonic() < end
        assert all(task.poll() is None for task in tasks), "a task has ended"
        time.sleep(0.05)
    for task in tasks:
        task.send_signal(signal.SIGKILL)
        task.wait()
    before = recorded(ledger)
    assert 5 <= before < 100
    tasks = step(job)
    assert [task.wait(timeout=300) for task in tasks] == [0] * TASKS
    assert (job.parent / "start-3" / "outcome").read_text() == "0"
    assert recorded(ledger) == 100
    best = dhess.find_minimum(
        xr.open_zarr(job.with_name("noise.zarr"), consolidated=False)["f"].load(), "slope", k=3
    )
    told = FindReport.model_validate_json(job.with_name("best.json").read_text())
    assert [list(point.index.values()) for point in told.answers] == best["index"].values.tolist()
    assert [point.value for point in told.answers] == best["value"].values.tolist()
