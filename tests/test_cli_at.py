"""``dhess at``: the library's model as a table, as JSON, as a picture and as NetCDF."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import dask.array
import numpy as np
import psutil
import pytest
import xarray as xr

import dhess
from dhess import plot
from dhess.cli import main
from dhess.local import LocalModel
from dhess.report import AtReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


@pytest.fixture
def series(tmp_path: Path) -> str:
    """quartic at three times, doubled at the second."""
    times = xr.Variable("time", np.array(["2026-01-01", "2026-01-02", "2026-01-03"], "M8[ns]"))
    da = xr.concat([quartic(), 2 * quartic(), quartic()], times)
    return str(store(da.rename("f"), tmp_path / "series.zarr"))


def ran(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    """Run a command that must succeed without a word on stderr; return its stdout."""
    code = main(["at", *args])
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    return out


def test_the_table_tells_the_model(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """x⁴ and y⁴ around x = 0.3, y = -0.2, at order 4, which is exact between points."""
    out = ran(capsys, source, "y=0.25", "x=-0.15", "--order", "4")
    for word in ("0.25", "-0.15", "0.0820125", "minimum", "K m-1", "K m-2", f"{source}::f"):
        assert word in out
    assert "0.3645 ±" in out  # 4 · 0.45³
    assert "2.43 ±" in out  # 12 · 0.45²
    assert "order 4" in out


def test_json_is_the_library(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = ran(capsys, source, "y=0.123", "x=-.5", "--nan", "adapt", "--json", "-")
    report = AtReport.model_validate_json(out)
    model = dhess.local_model(quartic(), {"y": 0.123, "x": -0.5}, nan="adapt")
    (answer,) = report.answers
    assert answer.value == float(model.value)
    assert answer.at == {"y": 0.123, "x": -0.5}
    assert answer.index == {"y": 11, "x": 5}
    assert list(answer.gradient.values()) == model.gradient.values.tolist()
    assert [list(row) for row in answer.hessian] == model.hessian.values.tolist()
    assert [list(row) for row in answer.directions] == model.direction.values.tolist()
    assert list(answer.radii) == model.radius.values.tolist()
    assert [list(row) for row in answer.hessian_error] == model.hessian_error.values.tolist()
    assert report.differentiated == ("y", "x")
    assert report.options["nan"] == "adapt"
    assert report.units["radius"] == "K-1 m2"
    assert AtReport.from_dataset(model.assign_attrs(source=report.source)) == report


def test_a_flat_place_has_no_radius_in_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plane = quartic().copy(data=np.add.outer(np.arange(21.0), np.arange(21.0)))
    out = ran(capsys, str(store(plane, tmp_path / "p.zarr")), "y=0", "x=0.1", "--json", "-")
    (answer,) = AtReport.model_validate_json(out).answers
    assert answer.radii == (None, None)
    assert answer.kind == "degenerate"


def test_batch_dimensions(series: str, capsys: pytest.CaptureFixture[str]) -> None:
    place = ("y=0.25", "x=-0.15", "--dims", "y,x")
    report = AtReport.model_validate_json(ran(capsys, series, *place, "--json", "-"))
    assert [each.at["time"] for each in report.answers] == [
        f"2026-01-0{day}T00:00:00.000000000" for day in (1, 2, 3)
    ]
    assert [each.index["time"] for each in report.answers] == [0, 1, 2]
    assert report.dims == ("time", "y", "x")
    first, second, _ = report.answers
    assert (first.value, second.value) == (first.value, 2 * (first.value or math.nan))
    one = ran(capsys, series, *place, "time=2026-01-02", "--json", "-")
    (named,) = AtReport.model_validate_json(one).answers
    assert (named.value, named.gradient) == (second.value, second.gradient)
    table = ran(capsys, series, *place)
    assert all(f"2026-01-0{day}" in table for day in (1, 2, 3))


def test_a_place_between_times(series: str, capsys: pytest.CaptureFixture[str]) -> None:
    more = xr.concat([quartic() * k for k in range(5)], "time")
    times = np.datetime64("2026-01-01", "ns") + np.arange(5) * np.timedelta64(1, "D")
    path = series.replace("series", "ramp")
    more.assign_coords(time=times).to_dataset(name="f").to_zarr(path, consolidated=False)
    out = ran(
        capsys, path, "time=2026-01-02T12:00", "y=-0.2", "x=0.8", "--datetime-unit", "D",
        "--scale", "time=1,y=1,x=1", "--json", "-",
    )  # fmt: skip
    (answer,) = AtReport.model_validate_json(out).answers
    assert answer.gradient["time"] == pytest.approx(0.5**4)
    assert answer.value == pytest.approx(1.5 * 0.5**4)


def test_a_large_store_needs_no_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """64 GB, and none of its chunks is there: what would be read of it is told."""
    whole = xr.DataArray(dask.array.zeros((2000,) * 3, chunks=100), dims=("z", "y", "x"))
    path = tmp_path / "large.zarr"
    whole.to_dataset(name="f").to_zarr(path, compute=False, consolidated=False)
    before = len(psutil.Process().children(recursive=True))
    assert main(["at", str(path), "z=50.5", "y=99.5", "x=1050"]) == 0
    out, err = capsys.readouterr()
    assert "lacks 2 chunks" in err
    assert "the store lacks 2 chunks" in out
    assert len(psutil.Process().children(recursive=True)) == before


def test_the_model_as_netcdf(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.nc"
    ran(capsys, source, "y=0.25", "x=-0.15", "--out", str(out))
    with xr.open_dataset(out, engine="h5netcdf") as read:
        found = LocalModel.of(read).predict({"y": 0.1})
        expected = dhess.local_model(quartic(), {"y": 0.25, "x": -0.15}).predict({"y": 0.1})
        assert float(found) == float(expected)
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_the_picture(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "place.png"
    ran(capsys, source, "y=0.25", "x=-0.15", "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")


def line(figure: Figure, panel: int, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """What is drawn under a name of the legend."""
    (found,) = (each for each in figure.axes[panel].lines if each.get_label() == name)
    return np.asarray(found.get_xdata()), np.asarray(found.get_ydata())


def test_the_picture_shows_field_slope_and_bow() -> None:
    """x²y on its grid: at (0.25, 0.5) the slope along x is 2xy = 0.25, f_xx = 2y = 0.5."""
    x = np.linspace(-1, 1, 21)
    da = xr.DataArray(x**2 * x[:, None], {"y": x, "x": x}, ("y", "x"), "f")
    figure = plot.local(da, {"y": 0.25, "x": 0.5}, geometry="cartesian", scale={"x": 2.0})
    h, f = line(figure, 1, "the field")
    np.testing.assert_allclose(f, (0.5 + h) ** 2 * 0.25, atol=1e-12)
    assert h.min() == pytest.approx(-0.8)
    h, f = line(figure, 1, "its slope")
    np.testing.assert_allclose(f, 0.0625 + 0.25 * h, atol=1e-12)
    h, f = line(figure, 1, "with its Hessian")
    np.testing.assert_allclose(f, (0.5 + h) ** 2 * 0.25, atol=1e-12)
    assert plot.alt_text(figure) == (
        "Lines of f through y = 0.25, x = 0.5, where it is 0.0625: the field, its slope (0.25 "
        "along y, 0.25 along x), and the parabolas of its Hessian (saddle)."
    )


def test_the_picture_goes_over_a_seam() -> None:
    lon = np.arange(0.0, 360, 10)
    wave = xr.DataArray(np.sin(np.radians(lon)), {"lon": lon}, "lon", "f")
    figure = plot.local(wave, {"lon": -3}, period={"lon": 360})
    h, f = line(figure, 0, "the field")
    np.testing.assert_allclose(f, np.sin(np.radians(-3 + h)), atol=1e-12)
    assert h.min() < -60 < 60 < h.max()


def test_the_picture_needs_a_place_along_every_dimension() -> None:
    da = xr.concat([quartic(), quartic()], "time")
    with pytest.raises(dhess.InputError, match="none along time"):
        plot.local(da, {"y": 0, "x": 0}, dims=["y", "x"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["y=0.25"], ["'x'", "dims"]),
        (["y=0.25", "x"], ["'x'", "NAME=VALUE"]),
        (["y=0.25", "x="], ["'x='", "NAME=VALUE"]),
        (["y=0.25", "x=1", "x=2"], ["x", "twice", "1.0", "2"]),
        (["y=0.25", "x=1.25"], ["x=1.25", "-1.0 to 1.0", "period"]),
        (["y=0.25", "x=east"], ["x='east'", "number"]),
        (["y=0.25", "x=0", "lon=4"], ["'lon'", "y, x"]),
        (["y=0.25", "x=0", "--order", "3"], ["order=3"]),
        (["y=0.2", "x=0.01", "--scheme", "iterated"], ["x=0.01", "iterated"]),
        (["y=0.25", "x=0", "--out", "model.zarr"], ["'model.zarr'", ".nc"]),
        (["y=0.25", "x=0", "--plot", "place.pgn"], ["pgn", "png"]),
        (["y=0.25", "x=0", "--out", "a.nc", "--json", "a.nc"], ["'a.nc'", "two outputs"]),
        ([], ["NAME=VALUE"]),
    ],
    ids=lambda each: " ".join(each),
)
def test_what_is_no_place(
    args: list[str], words: list[str], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["at", source, *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert all(word in err for word in words), err


def test_outputs_are_not_replaced_by_accident(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.nc"
    out.write_text("mine")
    assert main(["at", source, "y=0", "x=0", "--out", str(out)]) == 2
    assert "model.nc" in capsys.readouterr().err
    assert out.read_text() == "mine"
    ran(capsys, source, "y=0", "x=0", "--out", str(out), "--overwrite")
    assert out.read_bytes().startswith(b"\x89HDF")
