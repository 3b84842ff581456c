"""The commands do what they say, through `main` as the shell calls it."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.cli import main
from dhess.measures import MEASURES
from dhess.report import FieldReport, FindReport, InfoReport, MeasuresReport
from tests.stores import quartic, quartic_nd, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


def ran(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Run a command that must succeed without a word on stderr; return its stdout."""
    code = main(args)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def test_find_prints_the_table(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(capsys, "find", source)
    assert "hessian_norm" in out
    assert "8, 13" in out
    assert "among 441 points" in out
    assert source in out


def test_find_json_validates_and_agrees(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = FindReport.model_validate_json(ran(capsys, "find", source, "--k", "3", "--json", "-"))
    assert report.answers[0].index == {"y": 8, "x": 13}
    assert len(report.answers) == 3
    assert report.source == f"{source}::f"


def test_json_in_a_file_leaves_the_table_on_stdout(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answer.json"
    assert "8, 13" in ran(capsys, "find", source, "--json", str(file))
    assert FindReport.model_validate_json(file.read_text()).points == 441


def test_overwrite_replaces_files(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "answer.json"
    file.write_text("old")
    ran(capsys, "find", source, "--json", str(file), "--overwrite")
    assert FindReport.model_validate_json(file.read_text()).points == 441


@pytest.mark.parametrize("measure", list(MEASURES))
def test_every_measure_can_be_found(
    tmp_path: Path, measure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    surface = quartic().assign_attrs(units="m")  # a height in the unit of its axes
    source = str(store(surface, tmp_path / "surface.zarr"))
    out = ran(capsys, "find", source, "--measure", measure, "--json", "-")
    report = FindReport.model_validate_json(out)
    expected = dhess.measure(surface, measure)
    assert report.answers[0].value == float(expected.min())


def test_options_reach_the_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    da = xr.DataArray(np.arange(6.0)[:, np.newaxis] ** 2 + np.zeros(5), dims=("y", "x"), name="f")
    source = str(store(da, tmp_path / "f.zarr"))
    out = ran(
        capsys, "find", source, "--spacing", "y=0.5,x=2", "--scheme", "iterated", "--dims", "y,x",
        "--measure", "laplacian", "--exclude-edges", "--dtype", "float32", "--json", "-",
    )  # fmt: skip
    report = FindReport.model_validate_json(out)
    assert report.answers[0].value == 8.0  # the second derivative 2 over 0.5²
    assert report.options["scheme"] == "iterated"
    assert "y" in str(report.options["spacing"])


def test_batch_dimensions_and_selection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    da = xr.concat([quartic() * 0.5, quartic(), quartic() * 0.25], dim="time")
    source = str(store(da, tmp_path / "f.zarr"))
    best = FindReport.model_validate_json(
        ran(capsys, "find", source, "--dims", "y,x", "--json", "-")
    )
    assert best.answers[0].index == {"time": 2, "y": 8, "x": 13}
    part = ran(capsys, "find", source, "--dims", "y,x", "--sel", "time=0:2", "--json", "-")
    assert FindReport.model_validate_json(part).answers[0].index["time"] == 0
    one = ran(capsys, "find", source, "--sel", "time=1", "--sel", "x=10:21", "--json", "-")
    assert FindReport.model_validate_json(one).answers[0].index == {"y": 8, "x": 3}
    last = ran(capsys, "find", source, "--sel", "time=-1,y=-15:", "--json", "-")
    assert FindReport.model_validate_json(last).answers[0].index == {"y": 2, "x": 13}


def test_chunks_do_not_change_the_answer(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    outs = {
        ran(capsys, "find", source, "--k", "5", "--chunks", chunks, "--json", "-")
        for chunks in ("auto", "4", "x=3,y=21")
    }
    assert len(outs) == 1


@pytest.mark.parametrize("ndim", [1, 2, 3, 4])
def test_find_draws_any_number_of_dimensions(
    ndim: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(store(quartic_nd(ndim), tmp_path / "f.zarr"))
    picture = tmp_path / "answer.png"
    ran(capsys, "find", source, "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["slope", "hessian_norm", "gradient", "hessian", "eigenvalues"])
def test_field_writes_what_the_library_computes(
    name: str, source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.zarr")
    said = ran(capsys, "field", source, "--measure", name, "--out", out, "--json", "-")
    report = FieldReport.model_validate_json(said)
    direct = getattr(dhess, name)(quartic()) if hasattr(dhess, name) else None
    expected = direct if direct is not None else dhess.measure(quartic(), name)
    written = dhess.open(out)
    np.testing.assert_array_equal(written.values, expected.values)
    assert report.dims == written.dims == expected.dims
    assert report.out == out


def test_field_table(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, "field", source, "--measure", "slope", "--out", str(tmp_path / "s.zarr"))
    assert str(tmp_path / "s.zarr") in said
    assert "float64" in said


def test_info(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, "info", source)
    assert "0.1 m" in said
    report = InfoReport.model_validate_json(ran(capsys, "info", source, "--json", "-"))
    assert report.shape == (21, 21)
    assert report.stored_chunks == (21, 21)
    assert [axis.spacing for axis in report.axes] == ["even", "even"]
    assert report.axes[0].step_min == pytest.approx(0.1)
    assert report.nan_share is None


def test_info_counts_nan_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    da = quartic()
    da[0, 0] = np.nan
    source = str(store(da, tmp_path / "f.zarr"))
    said = ran(capsys, "info", source, "--nan-share", "--json", "-")
    assert InfoReport.model_validate_json(said).nan_share == pytest.approx(1 / 441)


def test_measures(capsys: pytest.CaptureFixture[str]) -> None:
    said = ran(capsys, "measures")
    assert all(name in said for name in MEASURES)
    report = MeasuresReport.model_validate_json(ran(capsys, "measures", "--json", "-"))
    assert [each.name for each in report.measures] == list(MEASURES)


def test_json_is_plain_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    da = quartic()
    da[8, 13] = np.inf
    source = str(store(da, tmp_path / "f.zarr"))
    said = ran(capsys, "find", source, "--k", "441", "--json", "-")
    assert json.loads(said, parse_constant=pytest.fail)["answers"][-1]["value"] is None


def test_variable_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    xr.Dataset({"f": quartic(), "g": quartic() * 2}).to_zarr(
        tmp_path / "two.zarr", consolidated=False
    )
    said = ran(capsys, "find", f"{tmp_path / 'two.zarr'}::g", "--json", "-")
    assert FindReport.model_validate_json(said).source.endswith("two.zarr::g")


def test_netcdf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    quartic().to_netcdf(tmp_path / "f.nc", engine="h5netcdf")
    said = ran(capsys, "find", str(tmp_path / "f.nc"), "--json", "-")
    assert FindReport.model_validate_json(said).answers[0].index == {"y": 8, "x": 13}


@pytest.mark.parametrize("command", ["info", "plan", "find", "field"])
def test_many_files(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for k, part in enumerate((quartic()[:10], quartic()[10:])):
        part.to_netcdf(tmp_path / f"run_{k}.nc", engine="h5netcdf")
    extra = ["--out", str(tmp_path / "o.zarr")] if command == "field" else []
    said = json.loads(ran(capsys, command, f"{tmp_path}/run_*.nc::f", *extra, "--json", "-"))
    assert said["source"].startswith(f"{tmp_path}/run_*.nc")
    if command == "find":
        assert said["answers"][0]["index"] == {"y": 8, "x": 13}
    else:
        assert said["shape"] == [21, 21]
