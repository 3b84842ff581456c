"""What only a real process shows: pipes, a reader that leaves, Ctrl-C, and who computes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr
from matplotlib.image import imread

import dhess
from dhess.cli import main
from dhess.cli.progress import Meter
from dhess.demo import MAP, MARK, TERRAIN, terrain
from dhess.report import FindReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path

RUN = [sys.executable, "-c", "import sys; from dhess.cli import main; sys.exit(main())"]
TALKATIVE = [
    sys.executable,
    "-c",
    "import sys; from dhess.cli import main, progress; progress.EVERY = 0.1; sys.exit(main())",
]
"""The same with a line of progress ten times a second, so that work is seen to have begun."""


def said(err: str) -> list[str]:
    """Return the lines of stderr, without those about progress."""
    return [line for line in err.splitlines() if " tasks, " not in line]


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


@pytest.fixture
def large(tmp_path: Path) -> str:
    """A thousand small blocks: seconds of work."""
    noise = np.random.default_rng(0).random((1000, 1000))
    da = xr.DataArray(noise, dims=("y", "x"), name="f").chunk(y=31, x=31)
    return str(store(da, tmp_path / "large.zarr"))


def test_find_can_be_piped(source: str, fresh_process_environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*RUN, "find", source, "--json", "-"],
        env=fresh_process_environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as finding:  # fmt: skip
        reader = subprocess.run(
            [sys.executable, "-c", "import json, sys; print(json.load(sys.stdin)['points'])"],
            stdin=finding.stdout, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert finding.stderr is not None
        assert said(finding.stderr.read()) == []
    assert (finding.returncode, reader.stdout) == (0, "441\n")


def test_reader_that_leaves_is_no_error(fresh_process_environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*RUN, "measures"],
        env=fresh_process_environment, stdout=writing, stderr=subprocess.PIPE, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_ascii_terminal(fresh_process_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [*RUN, "measures"],
        env={**fresh_process_environment, "PYTHONIOENCODING": "ascii"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "hessian_norm" in done.stdout


@pytest.mark.parametrize(
    "args",
    [
        ["field", "--chunks", "31", "--out", "out.zarr", "--json", "out.json"],
        ["find", "--chunks", "31", "--plot", "out.png", "--json", "out.json"],
        ["find", "--chunks", "31", "--workers", "2", "--json", "out.json"],
    ],
    ids=["field", "find on threads", "find on processes"],
)
def test_interrupt_leaves_nothing(
    args: list[str], large: str, tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    folder = tmp_path / "outputs"
    folder.mkdir()
    with subprocess.Popen(
        [*TALKATIVE, args[0], large, *args[1:]],
        env=fresh_process_environment, cwd=folder, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stderr is not None
        assert "tasks" in running.stderr.readline()
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        out, err = running.communicate(timeout=30)
    assert said(err) == ["dhess: interrupted; nothing was written"]
    assert (running.returncode, out) == (130, "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("moment", ["1. The", "searched by"])
def test_interrupted_demo_leaves_only_what_is_whole(
    moment: str, tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    with subprocess.Popen(
        [*RUN, "demo", "--out", "demo", "--workers", "1"],
        env=fresh_process_environment, cwd=tmp_path, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stdout is not None
        assert any(moment in line for line in running.stdout)
        time.sleep(0.2)
        os.killpg(running.pid, signal.SIGINT)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 130, err
    assert len(said(err)) == 1, err
    assert "interrupted" in err
    left = {each.name for each in (tmp_path / "demo").iterdir()}
    assert left <= {MARK, TERRAIN, MAP}
    if TERRAIN in left:
        np.testing.assert_array_equal(dhess.open(tmp_path / "demo" / TERRAIN), terrain())
    if MAP in left:
        assert min(imread(tmp_path / "demo" / MAP).shape[:2]) > 600


def test_embedded_cluster_gives_the_same_answer(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["find", source, "--json", "-"]) == 0
    threads = capsys.readouterr().out
    assert main(["find", source, "--workers", "2", "--memory-limit", "1GB", "--json", "-"]) == 0
    processes, err = capsys.readouterr()
    assert (json.loads(processes), said(err)) == (json.loads(threads), [])


def test_running_scheduler_is_used(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with dhess.local_cluster(1) as client:
        file = tmp_path / "scheduler.json"
        file.write_text(json.dumps({"address": client.scheduler.address, "type": "Scheduler"}))
        for where in (client.scheduler.address, str(file)):
            assert main(["find", source, "--scheduler", where, "--json", "-"]) == 0
            report = FindReport.model_validate_json(capsys.readouterr().out)
            assert report.answers[0].index == {"y": 8, "x": 13}
        finished = client.run_on_scheduler(
            lambda dask_scheduler: sum(
                each.state_counts["memory"] for each in dask_scheduler.task_prefixes.values()
            )
        )
        assert finished > 0


def test_plain_progress_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter([0.0, 1.0, 6.0, 7.0, 12.5])
    monkeypatch.setattr(time, "monotonic", lambda: next(now))
    with Meter("find") as meter:
        for done in (1, 20, 30, 4000):
            meter.show(done, 5000)
    assert capsys.readouterr().err.splitlines() == [
        "find: 20 of 5,000 tasks, 6 s",
        "find: 4,000 of 5,000 tasks, 12 s",
    ]
