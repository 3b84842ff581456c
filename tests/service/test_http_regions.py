"""Regions and critical points over HTTP: handed in, answered as JSON, NetCDF and a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

from dhess.report import CriticalReport, RegionsReport
from tests.service.conftest import sentence
from tests.stores import FLAT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.gateway import Gateway

ASKED = {"source": "run.zarr", "task": "regions", "measure": "laplacian_abs", "chunks": 7}
"""f = (x − 0.3)⁴ + (y + 0.2)⁴ on steps of 0.1.

By differences the Laplacian is 12 r² + 0.04 at a distance r from the flattest point: in steps,
0.12 (i² + j²) + 0.04.
"""


def answer(gateway: Gateway, **job: Any) -> tuple[str, dict[str, Any]]:
    """Hand in a job, wait for it, and return its id and what it found."""
    name = gateway.submit(**{**ASKED, **job})
    view = gateway.wait(name)
    assert view["state"] == "done", view
    assert view["done"] == view["windows"] > 1
    found: dict[str, Any] = gateway.ask("GET", f"/v1/jobs/{name}/result").json()
    return name, found


@pytest.fixture(scope="module")
def disc(gateway: Gateway) -> tuple[str, RegionsReport]:
    """Below 1.5 are the 37 points with i² + j² ≤ 12."""
    name, found = answer(gateway, threshold=1.5)
    return name, RegionsReport.model_validate(found)


def test_regions_below_a_threshold(disc: tuple[str, RegionsReport]) -> None:
    _, report = disc
    (region,) = report.regions
    assert (report.found, region.size, report.points_below) == (1, 37, 37)
    assert region.content == pytest.approx(0.37)
    assert region.value == pytest.approx(0.04)
    assert region.index == {"y": 8, "x": 13}
    assert region.at == pytest.approx(FLAT)
    assert region.low == pytest.approx({"y": -0.5, "x": 0.0})
    assert region.high == pytest.approx({"y": 0.1, "x": 0.6})
    assert region.centroid == pytest.approx(FLAT)
    assert not region.touches_edge


def test_regions_below_a_quantile(gateway: Gateway) -> None:
    """The lowest 25 of 441 are those with i² + j² ≤ 8; the threshold is just above them."""
    _, found = answer(gateway, quantile=0.0566)
    report = RegionsReport.model_validate(found)
    assert [each.size for each in report.regions] == [25]
    assert report.threshold == pytest.approx(0.12 * 8 + 0.04)
    assert report.options["quantile"] == 0.0566


def test_regions_are_left_out_and_joined_as_asked(gateway: Gateway) -> None:
    _, found = answer(gateway, threshold=1.5, min_size=38)
    assert (found["found"], found["regions"]) == (1, [])
    _, none = answer(gateway, threshold=0.01, connectivity="full")
    assert (none["found"], none["regions"]) == (0, [])
    assert none["smallest"] == pytest.approx(0.04)
    assert none["options"]["connectivity"] == "full"


def test_regions_as_netcdf(
    gateway: Gateway, disc: tuple[str, RegionsReport], tmp_path: Path
) -> None:
    kept = gateway.ask("GET", f"/v1/jobs/{disc[0]}/result.nc")
    assert kept.headers["content-type"] == "application/x-netcdf"
    (tmp_path / "result.nc").write_bytes(kept.content)
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as found:
        assert found["size"].values.tolist() == [37]
        np.testing.assert_allclose([found["low_x"][0], found["high_y"][0]], [0.0, 0.1], atol=1e-12)
        assert found.attrs["threshold"] == 1.5


def test_regions_as_a_picture(gateway: Gateway, disc: tuple[str, RegionsReport]) -> None:
    """What is drawn says of itself what it shows."""
    drawn = gateway.ask("GET", f"/v1/jobs/{disc[0]}/result.png")
    assert drawn.headers["content-type"] == "image/png"
    assert drawn.content.startswith(b"\x89PNG")
    assert b"Shaded in red: laplacian_abs < 1.5, on 8.4 % of the picture." in drawn.content


def test_regions_are_planned_and_listed(gateway: Gateway, disc: tuple[str, RegionsReport]) -> None:
    plan = gateway.ask("POST", "/v1/plan", json={**ASKED, "threshold": 1.5}).json()
    assert (plan["work"], plan["measure"], plan["blocks"]) == ("regions", "laplacian_abs", 9)
    listed = gateway.ask("GET", "/v1/jobs", params={"task": "regions"}).json()["jobs"]
    assert disc[0] in [each["id"] for each in listed]
    assert {each["task"] for each in listed} == {"regions"}


def test_critical_points(gateway: Gateway) -> None:
    """The field is level at its flattest point only."""
    name = gateway.submit(source="run.zarr", task="critical", chunks=7)
    assert gateway.wait(name)["state"] == "done"
    found = gateway.ask("GET", f"/v1/jobs/{name}/result").json()
    report = CriticalReport.model_validate(found)
    assert report.found == 1
    (point,) = report.critical_points
    assert point.at == pytest.approx(FLAT, abs=1e-6)
    assert gateway.ask("GET", f"/v1/jobs/{name}/result.png").content.startswith(b"\x89PNG")


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "neither is given"),
    ({"threshold": 1.5, "quantile": 0.1}, "both are given"),
    ({"threshold": "low"}, "threshold='low'"),
    ({"quantile": -0.1}, "quantile=-0.1"),
    ({"quantile": 1.5}, "from 0 to 1"),
    ({"quantile": True}, "quantile=True"),
    ({"threshold": 1.5, "connectivity": "corners"}, "connectivity='corners'"),
    ({"threshold": 1.5, "min_size": 0}, "min_size=0"),
    ({"threshold": 1.5, "k": 0}, "k=0"),
    ({"threshold": 1.5, "k": 1.5}, "k=1.5"),
    ({"threshold": 1.5, "exclude_edges": True}, "exclude_edges is for task = 'find'"),
    ({"threshold": 1.5, "measure": "hessian"}, "'hessian'"),
    ({"threshold": 1.5, "output": "labels.zarr"}, ".json or .nc"),
    ({"threshold": 1.5, "dims": ["z"]}, "'z'"),
    ({"threshold": 1.5, "threshhold": 1}, "did you mean 'threshold'"),
    ({"task": "find", "threshold": 1.5}, "threshold is for task = 'regions'"),
    ({"task": "field", "output": "a.zarr", "min_size": 2}, "min_size is for task = 'regions'"),
]


@pytest.mark.parametrize(("job", "told"), BAD, ids=[told for _, told in BAD])
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan"])
def test_regions_that_cannot_be(gateway: Gateway, path: str, job: Any, told: str) -> None:
    assert told in sentence(gateway.ask("POST", path, json={**ASKED, **job}), 422)


@pytest.mark.parametrize(
    ("number", "status", "told"),
    [("NaN", 400, "NaN"), ("Infinity", 400, "Infinity"), ("1e999", 422, "beyond what a double")],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan"])
def test_thresholds_that_are_no_numbers(
    gateway: Gateway, path: str, number: str, status: int, told: str
) -> None:
    body = f'{{"source": "run.zarr", "task": "regions", "threshold": {number}}}'
    headers = {"Content-Type": "application/json"}
    refused = gateway.ask("POST", path, content=body, headers=headers)
    assert told in sentence(refused, status)
