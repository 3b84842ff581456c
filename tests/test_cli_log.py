"""What ``dhess --verbose`` tells, and that nothing is told without it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zarr

from dhess.cli import main
from dhess.report import FindReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


def test_verbose_tells_where_what_and_how_fast(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--verbose", "find", source, "--chunks", "7"]) == 0
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert "rank" in out
    assert all(line.startswith("dhess: ") for line in lines), err
    assert lines[0] == "dhess: computing in threads of this process"
    assert lines[1].startswith("dhess: plan: 9 blocks of up to 7 × 7 in 1 window, ")
    assert lines[-1].startswith("dhess: find: read and searched 3.53 kB in ")
    assert lines[-1].endswith("B/s")


def test_verbose_tells_the_cluster(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "o.zarr")
    args = ["-v", "field", source, "--out", out, "--workers", "2", "--memory-limit", "400MB"]
    assert main(args) == 0
    first, second, *_ = capsys.readouterr().err.splitlines()
    assert first.startswith("dhess: computing on tcp://127.0.0.1:")
    assert first.endswith(": 2 workers of 1 thread and 400 MB each")
    assert second.startswith("dhess: plan: 1 block ")


def test_nothing_is_told_without_it(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("dhess")
    before = (list(log.handlers), log.level)
    assert main(["-v", "find", source]) == 0
    assert capsys.readouterr().err
    assert (list(log.handlers), log.level) == before
    assert main(["find", source]) == 0
    assert capsys.readouterr().err == ""


def test_log_that_somebody_set_up_stays(
    source: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="dhess"):
        assert main(["find", source]) == 0
    assert any("computing" in record.getMessage() for record in caplog.records)
    assert capsys.readouterr().err == ""


def lacking(folder: Path, chunks: int) -> str:
    """A store of 3 × 3 chunks without some of them, filled with NaN."""
    group = zarr.open_group(folder / "f.zarr", mode="w")
    array = group.create_array(
        "f", shape=(21, 21), chunks=(7, 7), dtype="f8", dimension_names=("y", "x"),
        fill_value=float("nan"),
    )  # fmt: skip
    array[:] = np.arange(441.0).reshape(21, 21) ** 2
    for i in range(chunks):
        (folder / "f.zarr" / "f" / "c" / "0" / str(i)).unlink()
    return str(folder / "f.zarr")


@pytest.mark.parametrize(("chunks", "told"), [(1, "1 chunk"), (2, "2 chunks")])
def test_chunks_that_are_missing(
    chunks: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = lacking(tmp_path, chunks)
    assert main(["find", source]) == 0
    out, err = capsys.readouterr()
    assert err == f"dhess: warning: {source}::f lacks {told}, read as fill value\n"
    assert f"\nthe store lacks {told}, read as fill value\n" in out
    assert main(["find", source, "--json", "-"]) == 0
    report = FindReport.model_validate_json(capsys.readouterr().out)
    assert (report.missing_chunks, report.partial) == (chunks, None)
    assert report.nan_points >= 49 * chunks


def test_no_chunk_is_missing(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["find", source, "--json", "-"]) == 0
    assert FindReport.model_validate_json(capsys.readouterr().out).missing_chunks == 0
    assert main(["find", source]) == 0
    assert "lacks" not in capsys.readouterr().out
