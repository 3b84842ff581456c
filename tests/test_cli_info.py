"""``dhess info``: what it recognises of an axis, and that the options it offers are accepted."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.cli import main
from dhess.report import InfoReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without lines about progress, however slow this machine is."""
    monkeypatch.setattr("dhess.cli.progress.EVERY", math.inf)


def told(capsys: pytest.CaptureFixture[str], *args: str) -> InfoReport:
    assert main(["info", *args, "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    report = InfoReport.model_validate_json(out)
    assert InfoReport.model_validate_json(report.model_dump_json()) == report
    return report


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> str:
    assert main(["info", *args]) == 0
    return capsys.readouterr().out


def on(units: dict[str, str | None] | None = None, **axes: Any) -> xr.DataArray:
    """Zeros on the given axes, with units where they are given."""
    coords = {
        name: (name, x, {"units": units[name]} if units and units.get(name) else {})
        for name, x in axes.items()
    }
    return xr.DataArray(np.zeros([len(x) for x in axes.values()]), coords, list(axes), "f")


def options(da: xr.DataArray, **facts: Any) -> list[str]:
    return [hint.option for hint in InfoReport.from_array(da, **facts).hints]


def days(count: int, calendar: str, **more: Any) -> Any:
    more = {"freq": "D", **more}
    return xr.date_range(
        "2001-01-30", periods=count, calendar=calendar, use_cftime=calendar != "standard", **more
    )


def ocean() -> xr.DataArray:
    """Daily, around the globe, north first, in degrees, with land."""
    lat = np.arange(85.0, -90, -10).astype(np.float32)
    lon = np.arange(0.0, 360, 10).astype(np.float32)
    units: dict[str, str | None] = {"lat": "degrees_north", "lon": "degrees_east"}
    da = on(units, time=days(6, "noleap"), lat=lat, lon=lon)
    da[:, 4:9, 10:20] = np.nan
    return da


@pytest.mark.parametrize("kind", ["zarr", "netcdf"])
def test_ocean(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    da, source = ocean(), str(tmp_path / "f.nc")
    if kind == "zarr":
        source = str(store(da.chunk(time=2), tmp_path / "f.zarr"))
    else:
        da.to_netcdf(source, engine="h5netcdf", encoding={"f": {"chunksizes": (2, 18, 36)}})
    report = told(capsys, source, "--nan-share")
    time, lat, lon = report.axes
    assert (time.calendar, time.datetime_unit, time.step_min, time.step_max) == (
        "noleap", "D", 1.0, 1.0,
    )  # fmt: skip
    assert (time.first, time.last) == ("2001-01-30T00:00:00", "2001-02-04T00:00:00")
    assert (lat.direction, lat.spacing, lat.step_min) == ("descending", "even", 10.0)
    assert (lon.direction, lon.period, lon.repeats) == ("ascending", 360.0, False)
    assert (time.period, lat.period) == (None, None)
    assert report.nan_share == pytest.approx(50 / 648)
    assert report.stored_chunks == (2, 18, 36)
    assert report.sphere is not None
    assert (report.sphere.latitude, report.sphere.longitude) == ("lat", "lon")
    assert [hint.option for hint in report.hints] == [
        "--period lon=360",
        "--geometry sphere",
        "--datetime-unit D",
        "--dims lat,lon",
        "--geometry sphere --datetime-unit D --scale time=1",
        "--nan adapt",
    ]
    said = printed(capsys, source)
    for words in ("even, noleap calendar", "even, descending", "10 °N", "1 D", "--nan-share"):
        assert words in said
    assert all(hint.option in said for hint in report.hints[:-1])
    assert "7.7160% of the points" in printed(capsys, source, "--nan-share")


def test_what_is_offered_is_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(store(ocean(), tmp_path / "f.zarr"))
    hints = told(capsys, source, "--nan-share").hints
    assert len(hints) == 6
    for hint in hints:
        assert main(["find", source, *hint.option.split(), "--dtype", "float32"]) == 0, hint
        capsys.readouterr()
    together = " ".join(hint.option for hint in hints if "--scale" not in hint.option)
    assert main(["find", source, *together.split()]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("lon", "units", "expected"),
    [
        (np.arange(0, 360, 0.25).astype(np.float32), "degrees_east", "--period lon=360"),
        (np.arange(179.5, -180, -1), "degrees", "--period lon=360"),
        (np.arange(-180, 180), None, "--period lon=360"),
        (np.round(np.arange(0, 360, 1 / 3), 2), "degrees", "--period lon=360"),
        (np.linspace(0, 2 * np.pi, 36, endpoint=False), "radians", "--period lon=6.28318530717959"),
        (np.arange(0, 361, 10), "degrees", "--sel lon=0:36 --period lon=360"),
        (np.arange(0, 350, 10), "degrees", None),
        (np.arange(0, 720, 10), "degrees", None),
        (np.arange(0, 360, 10), "m", None),
        (np.array([0.0, 1.0, 3.0, 60.0]), "degrees", None),
    ],
    ids=["float32", "descending", "no unit", "rounded", "radians", "repeated", "short", "twice",
         "metres", "uneven"],
)  # fmt: skip
def test_period(lon: Any, units: str | None, expected: str | None) -> None:
    da = on({"lon": units}, lon=lon)
    offered = [option for option in options(da) if "--period" in option]
    assert offered == ([] if expected is None else [expected])
    if expected is not None:
        axis = InfoReport.from_array(da).axes[0]
        once = da.isel(lon=slice(None, -1)) if axis.repeats else da
        assert axis.period is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dhess.GridWarning)  # of the rounded one
            dhess.gradient(once, period={"lon": axis.period})


def test_no_period_is_guessed_for_other_axes() -> None:
    assert options(on({"angle": "degrees"}, angle=np.arange(0, 360, 10))) == []
    assert options(on({"lat": "degrees_north"}, lat=np.arange(-180, 180, 10))) == []


def test_sphere_by_name_by_attribute_and_by_unit() -> None:
    lat, lon = np.arange(-40.0, 41, 10), np.arange(0.0, 41, 10)
    assert options(on(Latitude=lat, Longitude=lon)) == ["--geometry sphere"]
    by_unit = on({"y": "degree_N", "x": "degree_E"}, y=lat, x=lon)
    assert options(by_unit) == ["--geometry sphere"]
    dhess.measure(by_unit, "slope", geometry="sphere")
    strange = on({"j": "DEGREES_NORTH", "i": "degrees_east"}, j=lat, i=lon)
    assert options(strange) == ["--geometry sphere --latitude j"]
    assert options(on({"y": "degrees", "x": "degrees"}, y=lat, x=lon)) == []
    assert options(on(lat=lat, x=lon)) == []


def test_sphere_that_would_be_refused_says_why(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    da = on(lat=np.arange(0.0, 121, 20), lon=np.arange(0.0, 51, 10))
    report = InfoReport.from_array(da)
    assert report.sphere is not None
    assert "beyond the pole" in str(report.sphere.problem)
    assert options(da) == []
    said = printed(capsys, str(store(da, tmp_path / "f.zarr")))
    assert "refused: latitude 'lat' is 120 at index 6" in said


@pytest.mark.parametrize(
    ("time", "calendar", "unit", "steps"),
    [
        (days(40, "360_day"), "360_day", "D", (1, 1)),
        (days(5, "standard", freq="6h"), "standard", "h", (6, 6)),
        (days(5, "noleap", freq="90min"), "noleap", "h", (1.5, 1.5)),
        (days(5, "standard", freq="MS"), "standard", "D", (28, 31)),
        (days(5, "standard", freq="250ms"), "standard", "ms", (250, 250)),
        (np.arange(5) * np.timedelta64(30, "m").astype("m8[ns]"), "standard", "min", (30, 30)),
        (np.arange(5) * np.timedelta64(3, "ns"), "standard", "ns", (3, 3)),
    ],
    ids=["360_day", "6 h", "90 min", "months", "250 ms", "30 min", "3 ns"],
)
def test_times(time: Any, calendar: str, unit: str, steps: tuple[float, float]) -> None:
    (axis,) = InfoReport.from_array(on(time=time)).axes
    assert (axis.calendar, axis.datetime_unit) == (calendar, unit)
    assert (axis.step_min, axis.step_max) == steps
    assert axis.spacing == ("even" if steps[0] == steps[1] else "uneven")
    assert options(on(time=time)) == [f"--datetime-unit {unit}"]


def test_one_datetime_unit_for_all_axes_of_times() -> None:
    lead = np.arange(5) * np.timedelta64(1, "h").astype("m8[ns]")
    da = on(time=days(5, "standard"), lead=lead)
    assert options(da) == ["--datetime-unit h"]
    assert [axis.datetime_unit for axis in InfoReport.from_array(da).axes] == ["D", "h"]


def test_mixed_units() -> None:
    plane = on({"z": "hPa", "y": "m", "x": "metres"}, z=[1e3, 900.0, 700.0, 500.0],
               y=np.arange(5.0), x=np.arange(6.0))  # fmt: skip
    assert options(plane) == ["--dims y,x", "--scale z=1,y=1000,x=1000"]
    assert options(quartic()) == []
    assert options(on({"y": "m"}, y=np.arange(5.0), x=np.arange(5.0))) == []


def test_how_uneven() -> None:
    """Steps 1, 1, 1, 5: on an even axis of step 2 the fourth point would lie 3 further."""
    (axis,) = InfoReport.from_array(on(x=[0.0, 1.0, 2.0, 3.0, 8.0])).axes
    assert (axis.spacing, axis.step_min, axis.step_max) == ("uneven", 1.0, 5.0)
    assert axis.uneven_by == pytest.approx(3 / 2)
    (even,) = InfoReport.from_array(on(x=np.linspace(0, 1, 7))).axes
    assert (even.spacing, even.uneven_by) == ("even", 0.0)


def test_halo() -> None:
    """Half of the nodes inside: order + 1 on even axes, order + 3 on uneven ones."""
    da = on(t=np.arange(30.0), x=np.arange(30.0) ** 2, y=np.arange(4.0), z=np.arange(3.0))
    t, x, y, z = InfoReport.from_array(da).axes
    assert t.halo == {"2": 1, "4": 2, "6": 3, "8": 4}
    assert x.halo == {"2": 2, "4": 3, "6": 4, "8": 5}
    assert set(y.halo) == {"2"}
    assert (z.halo, z.problem) == ({}, None)  # a slope, but no second derivative


def test_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(store(quartic().chunk(y=7), tmp_path / "f.zarr"))
    report = told(capsys, source, "--chunks", "y=7")
    assert report.search is not None
    assert (report.search.dims, report.search.bytes, report.search.blocks) == (("y", "x"), 3528, 3)
    da = dhess.open(source, chunks={"y": 7})
    lazy: Any = dhess.find_minimum(da, compute=False)
    assert report.search.tasks == len(lazy.__dask_graph__())
    many = told(capsys, source, "--chunks", "2").search
    assert many is not None
    assert (many.blocks, many.tasks) == (121, None)
    assert "as 3 blocks, in" in printed(capsys, source, "--chunks", "y=7")


def test_values_are_not_read(lazy_only: None) -> None:
    report = InfoReport.from_array(ocean().chunk(time=2))
    assert report.nan_share is None
    assert report.search is not None


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_cut_on_a_terminal(
    width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhess.cli.outputs.PIPE_WIDTH", width)
    source = str(store(ocean(), tmp_path / "f.zarr"))
    for command in (["info"], ["find", "--dims", "lat,lon", "--geometry", "sphere", "--k", "3"]):
        assert main([command[0], source, *command[1:]]) == 0
        out = capsys.readouterr().out
        assert max(map(len, out.splitlines())) <= width
        assert "…" not in out
        assert "2001-01-30" in out
