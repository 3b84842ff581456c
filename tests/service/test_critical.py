"""Critical points over HTTP: handed in, planned, followed, and fetched in every form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import dhess
from dhess.report import CriticalReport
from tests.service.conftest import sentence
from tests.service.gateway import run_dhess
from tests.stores import store
from tests.test_cli_critical import torus

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.gateway import Gateway

JOB: dict[str, Any] = {
    "source": "torus.zarr", "task": "critical", "period": {"y": 24, "x": 24}, "chunks": 8,
    "resources": {"window": 1},
}  # fmt: skip


@pytest.fixture(scope="module")
def torus_path(place: Path) -> Path:
    """A field with a minimum, a maximum and two saddles, at points known on paper."""
    return store(torus("y", "x").chunk(8), place / "torus.zarr")


@pytest.fixture(scope="module")
def job(gateway: Gateway, torus_path: Path) -> str:
    name = gateway.submit(**JOB)
    view = gateway.wait(name)
    assert view["state"] == "done", view
    return name


def test_a_job_as_it_is_told(gateway: Gateway, job: str) -> None:
    view = gateway.ask("GET", f"/v1/jobs/{job}").json()
    assert (view["task"], view["measure"]) == ("critical", "")
    assert view["done"] == view["windows"] == 9
    assert view["best"]["value"] == pytest.approx(-2, abs=1e-3)  # cos has −1 twice
    assert "measure" not in view["spec"]
    again = gateway.ask("POST", "/v1/jobs", json=view["spec"])
    assert (again.status_code, again.json()["id"]) == (200, job)
    listed = gateway.ask("GET", "/v1/jobs", params={"task": "critical"}).json()
    assert job in [each["id"] for each in listed["jobs"]]
    listed = gateway.ask("GET", "/v1/jobs", params={"task": "regions"}).json()
    assert job not in [each["id"] for each in listed["jobs"]]


def test_the_result_in_every_form(
    gateway: Gateway, job: str, torus_path: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"period": {"y": 24.0, "x": 24.0}}
    expected = dhess.critical_points(dhess.open(torus_path, chunks=8), **options)
    report = CriticalReport.model_validate(gateway.ask("GET", f"/v1/jobs/{job}/result").json())
    assert report == CriticalReport.from_dataset(expected)
    assert [each.kind for each in report.critical_points] == [
        "minimum", "saddle", "saddle", "maximum",
    ]  # fmt: skip
    assert list(report.critical_points[0].at.values()) == [15.5, 15.5]
    assert (report.by_index, report.alternating) == ((1, 2, 1), 0)
    file = tmp_path / "result.nc"
    file.write_bytes(gateway.ask("GET", f"/v1/jobs/{job}/result.nc").content)
    with xr.open_dataset(file, engine="h5netcdf") as found:
        xr.testing.assert_equal(found, expected)
    picture = gateway.ask("GET", f"/v1/jobs/{job}/result.png")
    assert picture.content.startswith(b"\x89PNG")
    assert b"minimum at y = 15.5, x = 15.5" in picture.content  # its alt text


def test_the_commands(gateway: Gateway, job: str) -> None:
    def ran(*args: str) -> str:
        asked = (*args, "--server", gateway.url)
        return run_dhess(*asked, DHESS_TOKEN=str(gateway.token)).stdout

    shown = [line.split() for line in ran("show", job).splitlines()]
    assert ["task", "critical"] in shown
    assert ["lowest", "-2", "at", "index", "15,", "15"] in shown
    told = ran("result", job)
    assert "alternating sum 1 − 2 + 1 = 0" in told
    assert "15.5" in told
    assert job in ran("jobs", "--task", "critical")


@pytest.mark.usefixtures("torus_path")
def test_its_plan(gateway: Gateway) -> None:
    found = gateway.ask("POST", "/v1/plan", json=JOB).json()
    assert (found["work"], found["measure"], found["blocks"]) == ("critical", "", 9)
    found = gateway.ask("POST", "/v1/plan", json={**JOB, "task": "regions", "threshold": 1.0})
    # Around the periods each block has one after it that needs its rim, and its faces.
    assert (found.json()["work"], found.json()["tasks"]) == ("regions", (3 + 2) * 9 + 3 + 1)


@pytest.mark.usefixtures("torus_path")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"measure": "slope"}, "measure is for task = 'find'"),
        ({"tolerance": 5}, "tolerance=5"),
        ({"tolerance": "fine"}, "tolerance='fine'"),
        ({"scheme": "iterated"}, "scheme='iterated'"),
        ({"quantile": 0.5}, "quantile is for task = 'regions'"),
        ({"task": "criticals"}, "task='criticals'"),
        ({"dims": ["lon"]}, "'lon'"),
        ({"output": "points.zarr"}, ".json or .nc"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan"])
def test_what_cannot_be(gateway: Gateway, path: str, change: dict[str, Any], words: str) -> None:
    assert words in sentence(gateway.ask("POST", path, json={**JOB, **change}), 422)
