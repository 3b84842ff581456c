"""What only a real process shows: pipes, a reader that leaves, Ctrl-C, and who computes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest
import xarray as xr
from matplotlib.image import imread

import dhess
from dhess.cli import main
from dhess.demo import MADE, MAP, MARK, TERRAIN
from dhess.demo.data import terrain
from dhess.report import CriticalReport, FindReport
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
    return [line for line in err.splitlines() if not re.search(" (tasks|blocks), ", line)]


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


def interrupted(
    args: list[str], folder: Path, environment: dict[str, str], moment: str
) -> tuple[int, str, str]:
    """Press Ctrl-C once a line with that word is on stderr; return exit code, stdout and stderr."""
    with subprocess.Popen(
        [*TALKATIVE, *args],
        env=environment, cwd=folder, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as running:  # fmt: skip
        assert running.stderr is not None
        assert any(moment in line for line in running.stderr)
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers as well
        out, err = running.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while alive := [p for p in psutil.pids() if _group(p) == running.pid]:
        assert time.monotonic() < deadline, alive
        time.sleep(0.1)
    return running.returncode, out, err


def _group(pid: int) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        return os.getpgid(pid)
    return None


@pytest.mark.parametrize(
    ("args", "moment"),
    [
        (["field", "--out", "out.zarr", "--json", "out.json"], "tasks"),
        (["find", "--plot", "out.png", "--json", "out.json"], "computing"),
        (
            ["find", "--workers", "2", "--performance", "out.html", "--json", "out.json"],
            "computing",
        ),
    ],
    ids=["field", "find on threads", "find on processes"],
)
def test_interrupt_leaves_nothing(
    args: list[str],
    moment: str,
    large: str,
    tmp_path: Path,
    fresh_process_environment: dict[str, str],
) -> None:
    folder = tmp_path / "outputs"
    folder.mkdir()
    line = ["-v", args[0], large, "--chunks", "31", *args[1:]]
    code, out, err = interrupted(line, folder, fresh_process_environment, moment)
    assert said(err)[-1] == "dhess: interrupted; nothing was written"
    assert "Traceback" not in err
    assert (code, out) == (130, "")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("where", [[], ["--workers", "1"]], ids=["threads", "processes"])
def test_interrupted_search_tells_the_best_so_far(
    where: list[str], large: str, tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    folder = tmp_path / "outputs"
    folder.mkdir()
    args = ["find", large, "--chunks", "31", "--k", "3", "--json", "-", "--plot", "out.png", *where]
    code, out, err = interrupted(args, folder, fresh_process_environment, "best")
    assert code == 130, err
    report = FindReport.model_validate_json(out)
    assert report.partial is not None
    searched, of, blocks = report.partial.split()[:3]
    assert (of, blocks) == ("of", "1,089")
    assert 0 < int(searched.replace(",", "")) < 1089
    everything = dhess.measure(dhess.open(large), "hessian_norm").values
    assert len(report.answers) == 3
    for each in report.answers:
        assert each.value == everything[each.index["y"], each.index["x"]]
    assert said(err) == [f"dhess: interrupted; {report.partial}, so the answer is partial"]
    assert list(folder.iterdir()) == []


def test_interrupted_critical_tells_the_points_so_far(
    tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    """cos 2πx/50 + cos 2πy/50 is level at all multiples of 25, and nowhere else."""
    wave = xr.DataArray(np.cos(2 * np.pi * np.arange(1000) / 50), dims="x")
    da = (wave + wave.rename(x="y")).rename("f").chunk(y=31, x=31)
    path = str(store(da, tmp_path / "large.zarr"))
    args = ["critical", path, "--chunks", "31", "--json", "-", "--out", "out.nc"]
    code, out, err = interrupted(args, tmp_path, fresh_process_environment, "best")
    assert code == 130, err
    report = CriticalReport.model_validate_json(out)
    assert report.partial is not None
    assert report.partial.endswith(" of 1,089 blocks searched")
    assert 0 < report.found < 1600
    for each in report.critical_points:
        x, y = (float(str(place)) / 25 for place in each.at.values())
        assert max(abs(x - round(x)), abs(y - round(y))) < 1e-6
        turns = round(x) % 2 + round(y) % 2
        assert each.kind == ("maximum", "saddle", "minimum")[turns]
    assert said(err) == [f"dhess: interrupted; {report.partial}, so the answer is partial"]
    assert [each.name for each in tmp_path.iterdir()] == ["large.zarr"]


def test_interrupted_search_prints_a_table_and_keeps_its_files(
    large: str, tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    args = ["find", large, "--chunks", "31", "--json", "out.json", "--report", "out.html"]
    code, out, err = interrupted(args, tmp_path, fresh_process_environment, "best")
    assert code == 130, err
    report = FindReport.model_validate_json((tmp_path / "out.json").read_text())
    said_so = f"partial answer, {report.partial}: smallest value of hessian_norm so far"
    assert said_so in out
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert said_so in page
    assert "<img" not in page  # a picture would take as long again


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
    assert left <= {MARK, TERRAIN, *MADE}
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
