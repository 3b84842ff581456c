"""``--performance``: Dask's performance report, whole or absent."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

import dhess
from dhess.cli import main
from dhess.report import FindReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


def page(path: Path) -> str:
    """What was written, which shows without a network."""
    text = path.read_text(encoding="utf-8")
    assert text.lstrip().startswith("<!DOCTYPE html>")
    assert "Dask Performance Report" in text
    assert "cdn.bokeh.org/bokeh/release" not in text
    return text


def test_report_of_a_search(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Small data gets a cluster of its own for it."""
    file = tmp_path / "tasks.html"
    args = ["find", source, "--chunks", "7", "--performance", str(file), "--json", "-"]
    assert main(args) == 0
    out = capsys.readouterr().out
    assert FindReport.model_validate_json(out).answers[0].index == {"y": 8, "x": 13}
    text = page(file)
    assert "find-hessian_norm-interior-" in text
    assert "find-hessian_norm-seams-" in text
    assert f"dhess find {source}" in text


def test_report_of_a_field_replaces_a_file(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "tasks.html", tmp_path / "o.zarr"
    file.write_text("old")
    args = ["field", source, "-m", "slope", "--out", str(out), "--chunks", "7", "--performance"]
    assert main([*args, str(file), "--overwrite"]) == 0
    assert dhess.open(out).sizes == {"y": 21, "x": 21}
    assert "slope" in page(file)


def test_report_from_a_cluster_that_runs(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "tasks.html"
    with dhess.local_cluster(1) as client:
        address = client.scheduler.address
        assert main(["find", source, "--scheduler", address, "--performance", str(file)]) == 0
    assert "find-hessian_norm-interior-" in page(file)


def test_work_that_fails_leaves_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(store(quartic() * float("nan"), tmp_path / "nan.zarr"))
    assert main(["find", source, "--performance", str(tmp_path / "tasks.html")]) == 1
    assert "no valid point" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == ["nan.zarr"]


@pytest.mark.parametrize("where", ["here", "there"])
def test_missing_bokeh_is_named(
    where: str,
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = importlib.metadata.version

    def version(name: str) -> Any:
        return refuse(name) if name == "bokeh" else original(name)

    def refuse(name: str) -> NoReturn:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("dhess.cli.performance.version", version)
    file = tmp_path / "tasks.html"
    args = ["find", source, "--performance", str(file)]
    if where == "here":
        assert main(args) == 2
    else:
        with dhess.local_cluster(1) as client:
            assert main([*args, "--scheduler", client.scheduler.address]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "bokeh" in err
    assert "dhess[performance]'" in err
    assert not file.exists()


def test_report_that_fails_costs_no_answer(
    source: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*_: Any, **__: Any) -> NoReturn:
        raise RuntimeError("no canvas")

    monkeypatch.setattr("distributed.performance_report.__aexit__", fail)
    file = tmp_path / "tasks.html"
    assert main(["find", source, "--performance", str(file), "--json", "-"]) == 2
    out, err = capsys.readouterr()
    assert FindReport.model_validate_json(out).points == 441
    assert "cannot make a performance report (no canvas)" in err
    assert not file.exists()
