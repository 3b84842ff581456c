"""The options of the operators on the command line: what they do, and how the answer tells it."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import warnings
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.cli import commands, main
from dhess.report import FieldReport, FindReport, InfoReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


def ran(capsys: pytest.CaptureFixture[str], *args: str, warned: bool = False) -> str:
    """Run a command that must succeed, with at most one line on stderr; return its stdout."""
    code = main(args)
    out, err = capsys.readouterr()
    assert code == 0, err
    assert err.count("\n") == warned, err
    assert err.startswith("dhess: warning: ") == warned
    return out


def found(capsys: pytest.CaptureFixture[str], *args: str, warned: bool = False) -> FindReport:
    out = ran(capsys, "find", *args, "--json", "-", warned=warned)
    return FindReport.model_validate_json(out)


def globe(step: float = 10.0) -> xr.DataArray:
    """sin φ + cos φ cos λ on points of a cell around the globe, north first; float32 axes."""
    lat = np.arange(90 - step / 2, -90, -step).astype(np.float32)
    lon = np.arange(0, 360, step).astype(np.float32)
    phi, lam = np.radians(lat.astype(float))[:, np.newaxis], np.radians(lon.astype(float))
    coords = {
        "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude"}),
    }
    values = np.sin(phi) + np.cos(phi) * np.cos(lam)
    return xr.DataArray(values, coords, ("lat", "lon"), "sst", {"units": "K"})


def noleap() -> xr.DataArray:
    """(days since the first)² + x², over the end of a February that has 28 days in 2004 too."""
    days = xr.date_range("2004-02-25", periods=8, freq="D", calendar="noleap", use_cftime=True)
    x = np.arange(6.0)
    coords = {"time": days, "x": ("x", x, {"units": "m"})}
    values = np.arange(8.0)[:, np.newaxis] ** 2 + x**2
    return xr.DataArray(values, coords, ("time", "x"), "f", {"units": "K"})


def saved(da: xr.DataArray, folder: Path, kind: str) -> str:
    if kind == "zarr":
        return str(store(da, folder / "f.zarr"))
    da.to_netcdf(folder / "f.nc", engine="h5netcdf")
    return str(folder / "f.nc")


def test_period(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a wave the second difference is −(2 − 2 cos h)/h² times the wave, at the seam as well."""
    lon = np.arange(0.0, 360.0, 45.0)
    wave = xr.DataArray(np.cos(np.radians(lon)), {"lon": lon}, "lon", "f")
    source = str(store(wave, tmp_path / "f.zarr"))
    report = found(capsys, source, "--period", "lon=360", "--measure", "laplacian")
    assert report.answers[0].at == {"lon": 0.0}
    assert report.answers[0].value == pytest.approx(-(2 - 2 * math.cos(math.pi / 4)) / 45**2)
    assert report.options["period"] == "lon=360.0"
    said = ran(capsys, "find", source, "--period", "lon=360", "--order", "4")
    assert "with order 4; period lon=360.0" in said


def test_order_and_scheme_reach_the_library(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Order 6 is exact for x⁷; order 2 is not."""
    x = np.linspace(0.5, 1.5, 12)
    source = str(store(xr.DataArray(x**7, {"x": x}, "x", "f"), tmp_path / "f.zarr"))
    for order, exact in (("6", True), ("8", True), ("2", False)):
        report = found(capsys, source, "--order", order, "--measure", "laplacian")
        right = report.answers[0].value == pytest.approx(42 * 0.5**5, rel=1e-7)
        assert right is exact
        assert report.options["order"] == int(order)
    report = found(capsys, source, "--order", "4", "--scheme", "iterated", "--measure", "laplacian")
    expected = dhess.find_minimum(
        xr.DataArray(x**7, {"x": x}, "x"), "laplacian", order=4, scheme="iterated"
    )
    assert report.answers[0].value == float(expected["value"][0])


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_calendar(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = saved(noleap(), tmp_path, kind)
    typed = ("--dims", "time", "-m", "laplacian", "--k", "48")
    report = found(capsys, source, *typed, "--datetime-unit", "D")
    assert [each.value for each in report.answers] == pytest.approx([2.0] * 48)
    days = {each.index["time"]: each.at["time"] for each in report.answers}
    assert (days[3], days[4]) == ("2004-02-28T00:00:00", "2004-03-01T00:00:00")
    assert (report.units["value"], report.units["gradient"]) == ("K d-2", "K d-1")
    hourly = found(capsys, source, *typed, "--datetime-unit", "h")
    assert [each.value for each in hourly.answers] == pytest.approx([2.0 / 24**2] * 48)
    said = ran(capsys, "find", source, *typed)
    assert " 2004-02-28 " in said
    assert "2004-02-29" not in said


def test_axes_of_several_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = saved(noleap(), tmp_path, "zarr")
    report = found(capsys, source, warned=True)
    assert "value" not in report.units
    assert report.component_units["gradient"] == {"time": "K s-1", "x": "K m-1"}
    assert report.component_units["hessian"]["time,x"] == "K s-1 m-1"
    # f_tt = 2 per day² and f_xx = 2 per m²; two days and one metre count as one
    scaled = found(capsys, source, "--scale", "time=2", "--scale", "x=1", "--datetime-unit", "D")
    assert scaled.answers[0].value == pytest.approx(math.hypot(2 * 2**2, 2))
    assert scaled.options["scale"] == "time=2.0,x=1.0"
    # the lengths are 7 days and 5 metres
    span = found(capsys, source, "--scale", "span")
    assert span.answers[0].value == pytest.approx(math.hypot(2 * 7**2, 2 * 5**2))
    assert "scale span" in ran(capsys, "find", source, "--scale", "span")


@pytest.mark.parametrize("plot", [False, True])
def test_warning_is_one_line_of_a_real_process(
    plot: bool, tmp_path: Path, fresh_process_environment: dict[str, str]
) -> None:
    source = saved(noleap(), tmp_path, "zarr")
    more = ["--plot", str(tmp_path / "a.png")] if plot else []
    run = [sys.executable, "-c", "import sys; from dhess.cli import main; sys.exit(main())"]
    done = subprocess.run(
        [*run, "find", source, "--json", "-", *more],
        env=fresh_process_environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line for line in done.stderr.splitlines() if not re.search(" (tasks|blocks), ", line)]
    assert len(lines) == 1
    assert lines[0].startswith("dhess: warning: hessian_norm adds up derivatives along axes of")
    assert "time: s, x: m" in lines[0]
    assert json.loads(done.stdout)["points"] == 48


@click.command(hidden=True)
def chatter() -> None:
    """Warn of two things, one of them not dhess's and twice."""
    for _ in range(2):
        warnings.warn("a line\nand another.", dhess.UnitsWarning, stacklevel=1)
    warnings.warn("not ours", RuntimeWarning, stacklevel=1)


def test_each_warning_is_said_once_and_those_of_others_stay_as_they_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(commands.commands, "chatter", chatter)
    with pytest.warns(RuntimeWarning, match="not ours"):
        assert main(["chatter"]) == 0
    assert capsys.readouterr() == ("", "dhess: warning: a line and another\n")


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_sphere(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A harmonic of degree 1 has ∇²f = −2f/r²; its largest f, √2, is at 45° N, 0° E."""
    source = saved(globe(), tmp_path, kind)
    options = ("--geometry", "sphere", "--period", "lon=360", "--order", "6", "-m", "laplacian")
    report = found(capsys, source, *options, "--radius", "1000")
    assert report.answers[0].at == {"lat": 45.0, "lon": 0.0}
    assert report.answers[0].value == pytest.approx(-2 * math.sqrt(2) / 1000**2, rel=1e-4)
    assert report.units["value"] == "K m-2"
    assert (report.units["lat"], report.units["lon"]) == ("degrees_north", "degrees_east")
    assert report.options["radius"] == 1000.0
    earth = found(capsys, source, *options).answers[0].value
    assert earth == pytest.approx(-2 * math.sqrt(2) / 6371008.8**2, rel=1e-4)
    assert "geometry sphere; radius 6371008.8" in ran(capsys, "find", source, *options)


def test_sphere_by_name_and_its_poles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    da = globe()
    poles = da.interp(lat=np.arange(-90.0, 91.0, 15.0), kwargs={"fill_value": 0.0})
    bare = poles.rename(lat="y", lon="x").assign_attrs(units="K")
    for dim in ("y", "x"):
        bare[dim].attrs = {"units": "degrees"}
    source = saved(bare, tmp_path, "zarr")
    options = ("--geometry", "sphere", "--latitude", "y", "--longitude", "x", "--period", "x=360")
    report = found(capsys, source, *options)
    assert report.nan_points == 2 * 36
    assert "poles" in str(report.note)
    assert "note: NaN at the poles" in ran(capsys, "find", source, *options)
    out = str(tmp_path / "g.zarr")
    said = ran(capsys, "field", source, *options, "-m", "slope", "--out", out, "--json", "-")
    field = FieldReport.model_validate_json(said)
    assert "poles" in str(field.note)
    assert field.units == "K m-1"
    assert np.isnan(dhess.open(out).isel(y=[0, -1])).all()


def test_gaps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """f″ of x² is 2 at every valid point, beside a gap too, and no point is lost but the gap."""
    values = np.arange(12.0) ** 2
    values[5] = np.nan
    da = xr.DataArray(values, {"x": np.arange(12.0)}, "x", "f")
    source = saved(da, tmp_path, "netcdf")
    report = found(capsys, source, "--nan", "adapt", "-m", "laplacian", "--k", "12")
    assert report.nan_points == 1
    assert [each.value for each in report.answers] == pytest.approx([2.0] * 11)
    assert found(capsys, source, "-m", "laplacian").nan_points == 3
    assert "nan adapt" in ran(capsys, "find", source, "--nan", "adapt")


@pytest.mark.parametrize("command", ["find", "field"])
def test_everything_together_is_what_the_library_gives(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    da = globe().astype(np.float32)
    da[4:7, 8:15] = np.nan
    source = saved(da, tmp_path, "netcdf")
    typed = (
        "--geometry", "sphere", "--period", "lon=360", "--nan", "adapt", "--order", "4",
        "--smooth", "lat=12", "--smooth", "lon=15", "--chunks", "lat=7,lon=11",
    )  # fmt: skip
    shared: dict[str, Any] = {"period": {"lon": 360.0}, "nan": "adapt"}
    smoothed = dhess.smooth(da, {"lat": 12.0, "lon": 15.0}, **shared)
    expected = dhess.measure(smoothed, "slope", geometry="sphere", order=4, **shared)
    if command == "field":
        out = str(tmp_path / "out.zarr")
        said = ran(capsys, "field", source, "-m", "slope", *typed, "--out", out, "--json", "-")
        report = FieldReport.model_validate_json(said)
        assert report.smoothed == "lat=12.0 degrees_north, lon=15.0 degrees_east"
        np.testing.assert_array_equal(dhess.open(out).values, expected.values)
        return
    best = found(capsys, source, "-m", "slope", *typed)
    assert best.answers[0].value == float(expected.min())
    assert best.smoothed == "lat=12.0 degrees_north, lon=15.0 degrees_east"
    said = ran(capsys, "find", source, "-m", "slope", *typed)
    assert "smoothed by lat=12.0 degrees_north, lon=15.0 degrees_east" in said


def test_smoothing_keeps_the_curvature_of_a_parabola(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Gaussian adds a constant to x² where it does not reach an end: f″ stays 2."""
    x = np.arange(0.0, 40.0, 0.5)
    da = xr.DataArray((x - 20) ** 2, {"x": ("x", x, {"units": "m"})}, "x", "f", {"units": "K"})
    source = saved(da, tmp_path, "zarr")
    part = ("--sel", "x=30:50", "-m", "laplacian")
    raw = found(capsys, source, *part)
    assert raw.answers[0].value == pytest.approx(2.0)
    assert raw.smoothed is None
    report = found(capsys, source, "-m", "slope", "--smooth", "x=1")
    assert report.answers[0].at == {"x": 20.0}
    assert report.answers[0].hessian[0][0] == pytest.approx(2.0)
    weights = np.exp(-0.5 * (np.arange(-8, 9) * 0.5) ** 2)
    variance = float((weights * (np.arange(-8, 9) * 0.5) ** 2).sum() / weights.sum())
    assert report.answers[0].field == pytest.approx(variance)


def test_smoothing_along_a_dimension_that_is_only_searched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(noleap(), tmp_path, "zarr")
    typed = ("--dims", "x", "--smooth", "time=1", "--datetime-unit", "D")
    report = found(capsys, source, *typed)
    assert report.smoothed == "time=1.0 d"
    expected = dhess.smooth(noleap(), {"time": 1.0}, datetime_unit="D")
    assert report.answers[0].field == float(expected.isel(report.answers[0].index))


def test_smoothing_of_float32_in_float64(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    da = quartic().astype(np.float32)
    source = saved(da, tmp_path, "zarr")
    report = found(capsys, source, "--smooth", "x=0.2", "--dtype", "float64")
    smoothed = dhess.smooth(da, {"x": 0.2}, dtype="float64")
    assert report.answers[0].value == float(dhess.measure(smoothed, "hessian_norm").min())


def test_float32_coordinates_are_told_as_they_were_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.linspace(-1, 1, 21).astype(np.float32)
    da = quartic().assign_coords(x=("x", x, {"units": "m"}))
    source = saved(da, tmp_path, "netcdf")
    report = found(capsys, source)
    assert report.answers[0].at["x"] == 0.3
    assert float(da.sel(x=report.answers[0].at["x"])[8]) == report.answers[0].field
    assert " 0.3 " in ran(capsys, "find", source)
    told = InfoReport.model_validate_json(ran(capsys, "info", source, "--json", "-"))
    assert (told.axes[1].first, told.axes[1].last) == (-1.0, 1.0)


def test_durations_are_iso_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lead = np.arange(6) * np.timedelta64(6, "h").astype("m8[ns]")
    da = xr.DataArray((np.arange(6.0) - 2) ** 4, {"lead": lead}, "lead", "f")
    source = saved(da, tmp_path, "netcdf")
    report = found(capsys, source, "-m", "slope", "--datetime-unit", "h")
    assert report.answers[0].at == {"lead": "P0DT12H0M0S"}


@pytest.mark.parametrize(
    "args",
    [
        ("--smooth", "lat=10,lon=10", "--period", "lon=360"),
        ("--geometry", "sphere", "--period", "lon=360", "--k", "3"),
        ("--dims", "lon", "--period", "lon=360", "--smooth", "lon=20"),
    ],
    ids=" ".join,
)
def test_pictures(
    args: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[xr.DataArray] = []
    original = dhess.plot.answer

    def watched(da: xr.DataArray, result: xr.Dataset, **options: Any) -> Any:
        drawn.append(da)
        return original(da, result, **options)

    monkeypatch.setattr(dhess.plot, "answer", watched)
    source = saved(globe(), tmp_path, "zarr")
    picture = tmp_path / "a.png"
    ran(capsys, "find", source, *args, "--plot", str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
    smoothed = "--smooth" in args
    assert str(drawn[0].attrs.get("long_name", "")).endswith("smoothed") == smoothed
    assert bool((drawn[0] == globe()).all()) != smoothed


def test_gradient_tells_the_unit_of_every_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = saved(noleap(), tmp_path, "netcdf")
    typed = ("-m", "gradient", "--datetime-unit", "h", "--overwrite", "--out")
    out = str(tmp_path / "g.zarr")
    report = FieldReport.model_validate_json(
        ran(capsys, "field", source, *typed, out, "--json", "-")
    )
    assert report.component_units == {"time": "K h-1", "x": "K m-1"}
    assert report.datetime_unit == "h"
    said = ran(capsys, "field", source, *typed, out)
    assert "time: K h-1; x: K m-1" in said
