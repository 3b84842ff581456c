"""``dhess critical``: fields whose level places are known on paper, told in every form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import plot
from dhess.cli import main
from dhess.report import CriticalReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


def saddle() -> xr.DataArray:
    """(x − 0.31)² − (y + 0.12)², between the points of its grid: everything about it is exact."""
    like = quartic()
    return (like["x"] - 0.31) ** 2 - (like["y"] + 0.12) ** 2 + xr.zeros_like(like)


def torus(*dims: str) -> xr.DataArray:
    """Σ cos 2π(d − 3.5)/24: one extremum of each index at every choice of 3.5 or 15.5."""
    wave = [xr.DataArray(np.cos(2 * np.pi * (np.arange(24) - 3.5) / 24), dims=d) for d in dims]
    return sum(wave[1:], wave[0]).rename("f")


def terrace() -> xr.DataArray:
    """Falls to 0 from both ends, level on points 7 to 13: cells 8 to 12 have no slope."""
    return xr.DataArray(np.maximum(np.abs(np.arange(21.0) - 10) - 3, 0), dims="x", name="f")


@pytest.fixture
def source(tmp_path: Path) -> str:
    da = saddle().transpose("y", "x").rename("f").assign_attrs(units="K")
    return str(store(da, tmp_path / "f.zarr"))


def ran(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Run a command that must succeed without a word on stderr; return its stdout."""
    code = main(["critical", *args])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def told(capsys: pytest.CaptureFixture[str], *args: str) -> CriticalReport:
    return CriticalReport.model_validate_json(ran(capsys, *args, "--json", "-"))


def test_the_table(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(capsys, source)
    head, _, row, *_ = out.splitlines()
    assert head.split("  ")[0] == "rank"
    for word in ("kind", "y (m)", "x (m)", "field (K)", "eigenvalues (K m-2)", "Morse index"):
        assert word in head
    # Trailing digits of a place are those of rounding, at most.
    assert row.split()[:2] == ["0", "saddle"]
    assert [float(each) for each in row.split()[2:4]] == pytest.approx([-0.12, 0.31], abs=1e-8)
    assert "-2, 2" in row
    assert row.split()[-1] == "1"
    assert "1 critical point (1 saddle) among 441 points, none of them beside NaN" in out
    assert "alternating" not in out  # no axis wraps
    assert source in out


def test_json_is_the_library(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    report = told(capsys, source, "--order", "4")
    (point,) = report.critical_points
    assert list(point.at.values()) == pytest.approx([-0.12, 0.31], abs=1e-9)
    assert point.index == {"y": 9, "x": 13}
    assert (point.kind, point.morse_index, point.refined, point.cells) == ("saddle", 1, True, 1)
    np.testing.assert_allclose(np.array(point.hessian, float), [[-2, 0], [0, 2]], atol=1e-9)
    assert point.eigenvalues == pytest.approx((-2, 2))
    assert point.field == pytest.approx(0, abs=1e-12)
    assert report.counts == {"minimum": 0, "maximum": 0, "saddle": 1, "degenerate": 0}
    assert (report.found, report.by_index, report.alternating) == (1, (0, 1, 0), None)
    assert (report.points, report.nan_cells, report.partial) == (441, 0, None)
    assert report.options["order"] == 4
    assert report.units == {
        "y": "m", "x": "m", "field": "K", "gradient": "K m-1", "hessian": "K m-2",
        "eigenvalues": "K m-2",
    }  # fmt: skip
    expected = dhess.critical_points(dhess.open(source), order=4)
    assert CriticalReport.from_dataset(expected).critical_points == report.critical_points


@pytest.mark.parametrize(
    ("dims", "by_index", "line"),
    [
        (("x",), (1, 1), "alternating sum 1 − 1 = 0"),
        (("y", "x"), (1, 2, 1), "alternating sum 1 − 2 + 1 = 0"),
        (("z", "y", "x"), (1, 3, 3, 1), "alternating sum 1 − 3 + 3 − 1 = 0"),
    ],
)
def test_a_torus(
    dims: tuple[str, ...],
    by_index: tuple[int, ...],
    line: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(store(torus(*dims), tmp_path / "f.zarr"))
    around = [each for dim in dims for each in ("--period", f"{dim}=24")]
    out = ran(capsys, path, *around)
    assert line in out
    assert ("3 of index 1, 3 of index 2" in out) == (len(dims) == 3)
    report = told(capsys, path, *around)
    assert (report.by_index, report.alternating) == (by_index, 0)
    assert report.found == 2 ** len(dims) == sum(report.counts.values())
    lowest, *_, highest = report.critical_points
    assert (lowest.kind, highest.kind) == ("minimum", "maximum")
    assert list(lowest.at.values()) == [15.5] * len(dims)
    assert told(capsys, path, *around[:-2]).alternating is None  # one axis does not wrap


def test_no_sum_where_cells_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    da = torus("y", "x")
    da[9, 9] = np.nan
    path = str(store(da, tmp_path / "f.zarr"))
    report = told(capsys, path, "--period", "x=24,y=24")
    assert (report.nan_cells, report.alternating) == (9, None)
    assert "9 of them beside NaN" in ran(capsys, path, "--period", "x=24,y=24")


def test_a_plateau_is_one_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(store(terrace(), tmp_path / "f.zarr"))
    (point,) = told(capsys, path).critical_points
    assert (point.kind, point.morse_index, point.cells) == ("degenerate", None, 5)
    assert (point.extent, point.at) == ({"x": (8, 12)}, {"x": 8.0})
    out = ran(capsys, path)
    assert "plateau of 5 points, indices x 8 … 12" in out
    assert "1 critical point (1 degenerate point)" in out


def test_the_lowest_of_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(store(torus("y", "x"), tmp_path / "f.zarr"))
    report = told(capsys, path, "--period", "x=24,y=24", "-k", "1")
    assert [each.kind for each in report.critical_points] == ["minimum"]
    assert (report.found, report.by_index, report.alternating) == (4, (1, 2, 1), 0)
    assert "… 3 more that k leaves out" in ran(capsys, path, "--period", "x=24,y=24", "-k", "1")
    many = xr.DataArray(np.cos(np.pi * np.arange(80) / 2 + 0.3), dims="x", name="f")
    out = ran(capsys, str(store(many, tmp_path / "many.zarr")))
    rows = [line for line in out.splitlines() if line.split()[1:2] in (["minimum"], ["maximum"])]
    count = int(out.split(" critical points (")[0].splitlines()[-1])
    assert len(rows) == 30
    assert f"… {count - 30} more; --json has them all" in out
    assert f"… {count - 30} more; --json has them all" in ran(
        capsys, str(tmp_path / "many.zarr"), "--json", str(tmp_path / "many.json")
    )
    whole = CriticalReport.model_validate_json((tmp_path / "many.json").read_text())
    assert len(whole.critical_points) == count
    out = ran(capsys, str(tmp_path / "many.zarr"), "-k", "31")
    assert "… 1 more; --json has them all" in out
    assert f"… {count - 31} more that k leaves out" in out


def test_nothing_is_level(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plane = quartic().copy(data=np.add.outer(np.arange(21.0), np.arange(21.0)))
    out = ran(capsys, str(store(plane, tmp_path / "f.zarr")))
    assert out.startswith("no critical point among 441 points")


def test_the_points_as_netcdf(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "points.nc"
    ran(capsys, source, "--out", str(out))
    with xr.open_dataset(out, engine="h5netcdf") as read:
        expected = dhess.critical_points(dhess.open(source))
        xr.testing.assert_equal(read, expected)
        assert CriticalReport.from_dataset(read) == CriticalReport.from_dataset(expected)


def test_the_picture(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "places.png"
    ran(capsys, source, "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_each_kind_has_its_mark_and_cuts_have_that_of_the_first() -> None:
    da = torus("y", "x")
    figure = plot.answer(da, dhess.critical_points(da, period={"x": 24, "y": 24}))
    handles, texts = figure.axes[0].get_legend_handles_labels()
    assert texts == ["1 minimum", "1 maximum", "2 saddles"]
    shapes = {each.get_paths()[0].vertices.tobytes() for each in handles}  # type: ignore[attr-defined]
    assert len(shapes) == 3
    assert figure.axes[0].get_title("left") == "1 minimum, 1 maximum, 2 saddles"
    assert "Marked in red: minimum at y = 15.5, x = 15.5; saddle at" in plot.alt_text(figure)
    cube = torus("z", "y", "x")
    found = dhess.critical_points(cube, period=dict.fromkeys(cube.dims, 24.0))
    figure = plot.answer(cube, found)
    (handle,), (text,) = figure.axes[0].get_legend_handles_labels()
    assert text == "lowest critical point"
    assert handle.get_paths()[0].vertices.tobytes() in shapes  # type: ignore[attr-defined]
    where = "1 minimum, 1 maximum, 6 saddles; minimum at z = 15.5, y = 15.5, x = 15.5"
    assert where in plot.alt_text(figure)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--dims", "lon"], ["'lon'", "y, x"]),
        (["--tolerance", "0"], ["tolerance=0.0", "0.1"]),
        (["--scheme", "iterated"], ["scheme='iterated'", "leave it out"]),
        (["-k", "0"], ["k=0", "from 1 on"]),
        (["--order", "3"], ["order=3"]),
        (["--out", "points.zarr"], ["'points.zarr'", ".nc"]),
        (["--plot", "points.pgn"], ["pgn", "png"]),
        (["--out", "a.nc", "--json", "a.nc"], ["'a.nc'", "two outputs"]),
        (["--sel", "x=0:2"], ["x", "2"]),
    ],
    ids=lambda each: " ".join(each),
)
def test_what_cannot_be(
    args: list[str], words: list[str], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["critical", source, *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert all(word in err for word in words), err


def test_too_many_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("dhess.critical.found.MOST", 100)
    noise = np.random.default_rng(1).standard_normal((40, 40))
    path = store(xr.DataArray(noise, dims=("y", "x"), name="f"), tmp_path / "f.zarr")
    assert main(["critical", str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "critical points and more, and an answer at most 100; smooth it first" in err


def test_all_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = quartic().copy(data=np.full((21, 21), np.nan))
    assert main(["critical", str(store(empty, tmp_path / "f.zarr"))]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "a sample is not finite around each of the 441 points" in err
