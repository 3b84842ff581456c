"""How far the work is, as it is shown: on a terminal, elsewhere, and how fast it seems."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

from dhess.cli import main
from dhess.cli.pace import MEMORY, Pace
from dhess.cli.progress import Meter, SearchMeter
from dhess.running import Progress
from tests.stores import quartic, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = [sys.executable, "-c", "import sys; from dhess.cli import main; sys.exit(main())"]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time, in the first place of a list."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    yield now
    monkeypatch.undo()


def test_lines_about_tasks(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with Meter("field") as meter:
        for now, done in [(1.0, 1), (6.0, 20), (7.0, 30), (12.5, 4000)]:
            clock[0] = now
            meter.show(done, 5000)
    assert capsys.readouterr().err.splitlines() == [
        "field: 20 of 5,000 tasks, 6 s",
        "field: 4,000 of 5,000 tasks, 12 s",
    ]


def test_lines_about_a_search(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    """10,000 blocks of 10 MB; 83 of them a second, after 4 s in which nothing was there."""
    with SearchMeter("find") as meter:
        for now, done, value in [
            (4.0, 4, None),
            (6.0, 170, 0.5),
            (7.0, 253, 0.5),
            (16.0, 1000, 3.14159e-9),
        ]:
            clock[0] = now
            meter.see(Progress(done, 10_000, done * 10**7, 10**11, 1, 1, value))
    assert capsys.readouterr().err.splitlines() == [
        "find: 170 of 10,000 blocks, 1 %, 830 MB/s, 2 min left, best 0.5",
        "find: 1,000 of 10,000 blocks, 10 %, 830 MB/s, 2 min left, best 3.14e-09",
    ]


def test_windows_are_told_where_there_are_several(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with SearchMeter("find") as meter:
        clock[0] = 5.0
        meter.see(Progress(10_004, 1_000_000, 10_004, 10**6, 2, 100))
    assert capsys.readouterr().err == "find: 10,004 of 1,000,000 blocks, 1 %, window 2 of 100\n"


def test_pace_leaves_the_start_out() -> None:
    """Workers that import for 20 s say nothing of the time that is left."""
    pace = Pace()
    assert pace.rate() is None
    pace.add(20.0, 400)
    assert pace.rate() is None
    pace.add(20.1, 800)  # two results at once
    assert pace.rate() is None
    pace.add(22.0, 800)
    assert pace.rate() == 200.0


def test_pace_forgets() -> None:
    """The network was fast for an hour, and is slow since."""
    pace = Pace()
    for second in range(3600):
        pace.add(second, 1000 * second)
    done = 1000 * 3599
    assert pace.rate() == pytest.approx(1000)
    for second in range(3600, 3600 + int(MEMORY) + 1):
        done += 10
        pace.add(second, done)
    assert pace.rate() == pytest.approx(10)


def test_pace_of_results_that_are_rare() -> None:
    pace = Pace()
    for hour in range(4):
        pace.add(3600 * hour, 7200 * hour)
        assert pace.rate() == (2.0 if hour else None)


def test_small_data_is_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", str(store(quartic(), tmp_path / "f.zarr")), "--chunks", "5"]) == 0
    assert capsys.readouterr().err == ""


def seen_on_a_terminal(args: list[str], environment: dict[str, str]) -> str:
    """What a command writes to the terminal, without what moves the cursor."""
    own, theirs = pty.openpty()
    with subprocess.Popen(
        [*RUN, *args], env={**environment, "TERM": "xterm", "COLUMNS": "150"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    ):  # fmt: skip
        os.close(theirs)
        said = b""
        while select.select([own], [], [], 60)[0]:
            try:
                said += os.read(own, 65536)
            except OSError:  # so a terminal ends
                break
    os.close(own)
    return re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", said).decode()


def test_bar_on_a_terminal(tmp_path: Path, fresh_process_environment: dict[str, str]) -> None:
    noise = np.random.default_rng(0).random((600, 600))
    source = str(store(xr.DataArray(noise, dims=("y", "x"), name="f"), tmp_path / "f.zarr"))
    args = ["-v", "find", source, "--chunks", "31"]
    lines = re.split(r"[\r\n]+", seen_on_a_terminal(args, fresh_process_environment))
    bars = [line for line in lines if line.startswith("find ━")]
    assert any(re.search(r"\d+% .*best 0\.\d+", line) for line in bars), lines
    assert any(re.search(r"B/s, \d+ s left, best", line) for line in bars), bars[-3:]
    logged = [line for line in lines if "computing in threads" in line]
    assert [line.strip() for line in logged] == ["dhess: computing in threads of this process"]
    assert any("rank" in line for line in lines)
