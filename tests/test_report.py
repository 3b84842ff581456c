"""Reports: what is not a number, dates, round trips, and tables."""

from __future__ import annotations

import datetime as dt
import io
import json

import numpy as np
import pytest
import xarray as xr
from pydantic import ValidationError
from rich.console import Console

import dhess
from dhess.measures import MEASURES
from dhess.report import Answer, FieldReport, FindReport, InfoReport, MeasuresReport, Report, render
from dhess.report.base import plain_value
from tests.stores import quartic


def text_of(report: Report) -> str:
    file = io.StringIO()
    Console(file=file, width=240, markup=False).print(render(report))
    return file.getvalue()


@pytest.fixture(scope="module")
def found() -> FindReport:
    return FindReport.from_dataset(dhess.find_minimum(quartic(), k=3))


def test_find_report_says_where_it_is_flattest(found: FindReport) -> None:
    best = found.answers[0]
    assert best.index == {"y": 8, "x": 13}
    assert best.at == pytest.approx({"y": -0.2, "x": 0.3})
    assert found.dims == found.differentiated == ("y", "x")
    assert (found.points, found.nan_points) == (441, 0)
    # the three-point formula of x⁴ at its centre: 2 h⁴ / h² = 0.02 along each axis
    assert best.value == pytest.approx(0.02 * np.sqrt(2))
    np.testing.assert_allclose(best.hessian, [[0.02, 0.0], [0.0, 0.02]], atol=1e-12)  # type: ignore[arg-type]
    assert best.eigenvalues == pytest.approx((0.02, 0.02))
    assert best.kind == "minimum"
    assert [each.rank for each in found.answers] == [0, 1, 2]


def test_kinds_are_those_that_a_search_knows(found: FindReport) -> None:
    with pytest.raises(ValidationError, match="'minimum', 'maximum', 'saddle' or 'degenerate'"):
        Answer.model_validate({**found.answers[0].model_dump(), "kind": "valley"})


def test_ranks_that_found_no_point_are_no_answers() -> None:
    """A lazy search has k ranks, however few points are valid."""
    da = xr.DataArray([np.nan] * 4 + [1.0, 2.0, 4.0, 8.0], dims="x")
    lazy = dhess.find_minimum(da.chunk(), k=6, compute=False)
    assert lazy.sizes["rank"] == 6
    # three points whose stencil touches no NaN
    assert [each.rank for each in FindReport.from_dataset(lazy.compute()).answers] == [0, 1, 2]


def test_options_are_kept(found: FindReport) -> None:
    assert found.measure == "hessian_norm"
    assert found.options["order"] == 2
    assert found.options["scheme"] == "direct"
    assert not {"points", "source", "measure", "dhess_version"} & set(found.options)


def test_json_reads_back_as_the_same_report(found: FindReport) -> None:
    assert FindReport.model_validate_json(found.model_dump_json()) == found


def test_reports_are_frozen_and_closed(found: FindReport) -> None:
    with pytest.raises(ValidationError):
        found.measure = "slope"
    with pytest.raises(ValidationError):
        FindReport.model_validate({**found.model_dump(), "colour": "red"})
    with pytest.raises(ValidationError):
        FindReport.model_validate({**found.model_dump(), "schema_version": 2})


def test_nan_and_infinity_are_null_in_json(found: FindReport) -> None:
    answer = found.answers[0].model_dump()
    odd = {"value": np.inf, "field": np.nan, "eigenvalues": (np.nan, -np.inf), "at": {"x": np.nan}}
    report = FindReport.model_validate({**found.model_dump(), "answers": [{**answer, **odd}]})
    read = json.loads(report.model_dump_json(), parse_constant=pytest.fail)["answers"][0]
    assert (read["value"], read["field"], read["eigenvalues"]) == (None, None, [None, None])
    assert read["at"] == {"x": None}
    assert FindReport.model_validate_json(report.model_dump_json()) == report


def test_dates_are_iso_text() -> None:
    days = np.array(["2026-01-05", "2026-01-06", "2026-01-07"], dtype="datetime64[ns]")
    da = xr.concat([quartic() + 1, quartic() * 0.5, quartic() * 2], dim="time")
    da = da.assign_coords(time=days)
    report = FindReport.from_dataset(dhess.find_minimum(da, dims=("y", "x")))
    assert report.answers[0].at["time"] == "2026-01-06T00:00:00.000000000"
    assert report.differentiated == ("y", "x")
    assert report.dims == ("time", "y", "x")


def test_dates_of_a_calendar_are_iso_text() -> None:
    days = xr.date_range("2004-02-28", periods=3, calendar="360_day", use_cftime=True)
    da = xr.concat([quartic() + 1, quartic() * 0.5, quartic() * 2], dim="time")
    best = dhess.find_minimum(da.assign_coords(time=days), dims=("y", "x"))
    report = FindReport.from_dataset(best)
    assert report.answers[0].at["time"] == "2004-02-29T00:00:00"
    assert FindReport.model_validate_json(report.model_dump_json()) == report
    assert " 2004-02-29 " in text_of(report)


def test_durations_are_iso_text_and_none_where_there_is_none() -> None:
    assert plain_value(np.timedelta64(90, "m")) == "P0DT1H30M0S"
    assert plain_value(np.timedelta64("NaT", "s")) is None
    assert plain_value(dt.timedelta(hours=6)) == "P0DT6H0M0S"


@pytest.mark.parametrize("value", [0.2, 359.7, 1e-8, 16777216.0, -0.1])
def test_float32_is_the_shortest_text_that_reads_back(value: float) -> None:
    short = np.float32(value)
    assert plain_value(short) == value
    assert np.float32(plain_value(short)) == short


def test_components_in_several_units_are_told_by_name(found: FindReport) -> None:
    da = quartic()
    da["y"].attrs["units"] = "s"
    gradient = dhess.gradient(da.chunk())
    report = FieldReport.from_array(gradient, field="gradient", source="a::f", out="b.zarr")
    assert report.component_units == {"y": "K s-1", "x": "K m-1"}
    assert "y: K s-1; x: K m-1" in text_of(report)
    assert found.component_units == {}
    assert found.units["hessian"] == "K m-2"


def test_table_that_is_too_wide_is_two(found: FindReport) -> None:
    file = io.StringIO()
    Console(file=file, width=80, markup=False).print(render(found))
    wide, narrow = text_of(found), file.getvalue()
    assert (wide.count("rank "), narrow.count("rank ")) == (1, 2)
    assert max(map(len, narrow.splitlines())) <= 80
    assert all(str(each.index["x"]) in narrow for each in found.answers)


def test_text_coordinates_of_a_batch_dimension_stay_text() -> None:
    da = xr.concat([quartic(), quartic() * 0.5], dim="member").assign_coords(member=["a", "b"])
    report = FindReport.from_dataset(dhess.find_minimum(da, dims=("y", "x")))
    assert report.answers[0].at["member"] == "b"


def test_find_table_names_coordinates_units_and_points(found: FindReport) -> None:
    text = text_of(found)
    for word in ("rank", "hessian_norm", "y", "x", "kind", "minimum", "8, 13", "441 points"):
        assert word in text


def test_info_report_describes_every_axis() -> None:
    coords = {"z": [0.0, 1.0, 4.0, 5.0], "x": [3.0, 2.0, 1.0, 0.0]}
    da = xr.DataArray(np.zeros((4, 5, 4)), coords, ("z", "y", "x"), "f").chunk(z=2)
    report = InfoReport.from_array(da, source="a.zarr")
    z, y, x = report.axes
    assert (z.spacing, z.step_min, z.step_max) == ("uneven", 1.0, 3.0)
    assert (y.spacing, y.step_min, y.first, y.problem) == ("even", 1.0, None, None)
    assert (x.spacing, x.first, x.last, x.step_max) == ("even", 3.0, 0.0, 1.0)
    assert (report.blocks, report.block, report.bytes) == (2, (2, 5, 4), 640)
    assert report.stored_chunks is None
    assert report.nan_share is None
    assert "no coordinate" in text_of(report)


def test_info_report_says_why_there_is_no_derivative() -> None:
    coords = {"z": [1.0, np.nan, 2.0, 3.0], "x": [0.0, 1.0, 1.0, 2.0]}
    report = InfoReport.from_array(xr.DataArray(np.zeros((4, 4)), coords, ("z", "x")))
    z, x = report.axes
    assert (z.spacing, z.step_min, z.halo) == (None, None, {})
    assert "nan at index 1" in str(z.problem)
    assert "'x'" in str(x.problem)
    assert report.search is None
    text = text_of(report)
    assert "no derivative along z: coordinate 'z' is nan" in text
    assert "no derivative along x: coordinate 'x' has duplicate values" in text


def test_field_report_round_trip() -> None:
    lazy = dhess.hessian(quartic().chunk(x=7))
    report = FieldReport.from_array(lazy, field="hessian", source="a.zarr::f", out="b.zarr")
    assert report.dims == ("row", "col", "y", "x")
    assert report.bytes == 2 * 2 * 21 * 21 * 8
    assert FieldReport.model_validate_json(report.model_dump_json()) == report
    assert "b.zarr" in text_of(report)


def test_measures_report_is_the_table_of_measures() -> None:
    report = MeasuresReport.of_table()
    assert [each.name for each in report.measures] == list(MEASURES)
    by_name = {each.name: each for each in report.measures}
    assert by_name["slope"].needs == ("gradient",)
    assert by_name["hessian_norm"].needs == ("hessian",)
    assert by_name["slope_angle"].ndim == 2
    assert MeasuresReport.model_validate_json(report.model_dump_json()) == report
    text = text_of(report)
    assert all(each.name in text and each.formula in text for each in report.measures)


def test_markup_in_names_is_shown_as_it_is() -> None:
    da = quartic().rename("[bold]f[/bold]")
    assert "[bold]f[/bold]" in text_of(InfoReport.from_array(da))
