"""Every address of a gateway, and every status that it declares."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import xarray as xr

from tests.service.conftest import Tokens, sentence
from tests.stores import FLAT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.gateway import Gateway

UNKNOWN = "0" * 16


def test_health_needs_no_token(gateway: Gateway) -> None:
    answer = gateway.ask("GET", "/health", token=None)
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_ready_tells_each_part_and_no_path(gateway: Gateway, done: str) -> None:
    answer = gateway.ask("GET", "/ready", token=None)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["ready"]
    assert all(check["ok"] for check in found["checks"].values())
    assert len(found["checks"]) >= 3
    assert str(gateway.folder) not in answer.text


def test_metrics(gateway: Gateway, done: str) -> None:
    deadline = time.monotonic() + 20  # jobs are counted once in a second
    lines: dict[str, str] = {}
    while float(lines.get('dhess_jobs{state="done"}', 0)) < 1:
        assert time.monotonic() < deadline, lines
        answer = gateway.ask("GET", "/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line[0] != "#")
    assert float(lines["dhess_windows_total"]) >= 1
    assert float(lines["dhess_cluster_workers"]) == 1
    shown = 'dhess_http_requests_total{method="GET",route="/v1/jobs/{job}",status="200"}'
    assert float(lines[shown]) >= 1


def test_me(gateway: Gateway, tokens: Tokens, open_gateway: Gateway) -> None:
    expected = {"name": "ada", "scopes": ["read", "submit"], "open": False}
    assert gateway.ask("GET", "/v1/me").json() == expected
    expected = {"name": "local", "scopes": ["read", "submit", "admin"], "open": True}
    assert open_gateway.ask("GET", "/v1/me").json() == expected


def test_spec_has_what_a_form_needs(gateway: Gateway, place: Path) -> None:
    found = gateway.ask("GET", "/v1/spec").json()
    assert set(found) == {"schema", "measures", "roots", "output_roots", "limits"}
    assert found["schema"]["required"] == ["source"]
    assert list(found["schema"]["properties"]["resources"]["properties"]) == ["window"]
    assert {"name", "meaning"} == set(found["measures"][0])
    assert found["roots"] == [str(place), str(place / "data" / "outputs")]
    assert found["limits"]["max_body"] == 1_000_000


def test_info(gateway: Gateway) -> None:
    found = gateway.ask("POST", "/v1/info", json={"source": "run.zarr", "variable": "f"}).json()
    assert found["report"] == "info"
    assert [each["name"] for each in found["axes"]] == ["y", "x"]


def test_plan(gateway: Gateway) -> None:
    found = gateway.ask("POST", "/v1/plan", json={"source": "run.zarr", "chunks": 7}).json()
    assert found["report"] == "plan"
    assert found["shape"] == [21, 21]
    assert found["blocks"] == 9


def test_a_job_from_the_first_request_to_the_last(gateway: Gateway, place: Path) -> None:
    job = {"source": "run.zarr", "measure": "hessian_norm", "chunks": 7}
    first = gateway.ask("POST", "/v1/jobs", json=job)
    assert first.status_code == 201
    name = first.json()["id"]
    assert first.headers["location"] == f"/v1/jobs/{name}"
    again = gateway.ask("POST", "/v1/jobs", json={**job, "source": f"{place}/run.zarr"})
    assert (again.status_code, again.json()["id"]) == (200, name)
    view = gateway.wait(name)
    assert (view["state"], view["submitter"]) == ("done", "ada")
    assert view["done"] == view["windows"] > 1
    found = gateway.ask("GET", f"/v1/jobs/{name}/result").json()
    assert found["answers"][0]["index"] == {"y": 8, "x": 13}
    assert gateway.ask("DELETE", f"/v1/jobs/{name}").status_code == 204
    sentence(gateway.ask("GET", f"/v1/jobs/{name}"), 404)


def test_result_as_netcdf(gateway: Gateway, done: str, tmp_path: Path) -> None:
    answer = gateway.ask("GET", f"/v1/jobs/{done}/result.nc")
    assert answer.headers["content-type"] == "application/x-netcdf"
    file = tmp_path / "result.nc"
    file.write_bytes(answer.content)
    with xr.open_dataset(file) as found:
        assert np.allclose([found["y"][0], found["x"][0]], [FLAT["y"], FLAT["x"]])


def test_result_as_picture(gateway: Gateway, done: str) -> None:
    answer = gateway.ask("GET", f"/v1/jobs/{done}/result.png")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")


def test_a_field_is_written_below_the_output_root(gateway: Gateway, place: Path) -> None:
    job = gateway.submit(source="run.zarr", task="field", measure="slope", output="slope.zarr")
    assert gateway.wait(job)["state"] == "done"
    found = gateway.ask("GET", f"/v1/jobs/{job}/result").json()
    assert found["out"] == str(place / "slope.zarr")
    assert xr.open_zarr(place / "slope.zarr", consolidated=False)["f"].shape == (21, 21)
    answer = gateway.ask("GET", f"/v1/jobs/{job}/result.nc")
    assert answer.headers["content-type"] == "application/x-netcdf"


def test_log(gateway: Gateway, done: str) -> None:
    found = gateway.ask("GET", f"/v1/jobs/{done}/log", params={"limit": 1}).json()
    assert len(found["lines"]) == 1
    assert set(found["lines"][0]) >= {"time", "level", "job", "message"}
    rest = gateway.ask("GET", f"/v1/jobs/{done}/log", params={"after": found["next"]}).json()
    assert found["lines"][0] not in rest["lines"]


def test_pages_of_jobs(gateway: Gateway, done: str) -> None:
    gateway.wait(gateway.submit(source="run.zarr", measure="slope"))
    seen, before = [], None
    while True:
        params = {"limit": 1, **({"before": before} if before else {})}
        page = gateway.ask("GET", "/v1/jobs", params=params).json()
        seen += [job["id"] for job in page["jobs"]]
        before = page["next"]
        if before is None:
            break
    assert len(seen) == len(set(seen)) >= 2
    assert done in seen
    whole = gateway.ask("GET", "/v1/jobs", params={"limit": 200}).json()["jobs"]
    assert [job["id"] for job in whole] == seen
    assert not gateway.ask("GET", "/v1/jobs", params={"submitter": "nobody"}).json()["jobs"]
    fields = gateway.ask("GET", "/v1/jobs", params={"task": "field"}).json()["jobs"]
    assert all(job["task"] == "field" for job in fields)


def events_of(gateway: Gateway, job: str, token: str | None) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    url = f"{gateway.url}/v1/jobs/{job}/events"
    with httpx.stream("GET", url, headers=headers, timeout=60, trust_env=False) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        text = stream.read().decode()
    found = []
    for block in filter(None, text.split("\n\n")):
        kind, data = block.split("\n")
        assert kind == "event: job"
        found.append(json.loads(data.removeprefix("data: ")))
    return found


def test_events_go_on_until_the_job_has_ended(gateway: Gateway, tokens: Tokens) -> None:
    job = gateway.submit(source="run.zarr", measure="laplacian_abs", chunks=3)
    found = events_of(gateway, job, tokens.viewer)
    assert found[-1]["state"] == "done"
    assert [each["done"] for each in found] == sorted(each["done"] for each in found)
    assert [each["state"] for each in events_of(gateway, job, tokens.viewer)] == ["done"]


def test_cancel_and_retry(gateway: Gateway) -> None:
    job = gateway.submit(source="run.zarr", chunks=2, resources={"window": 1})
    answer = gateway.ask("POST", f"/v1/jobs/{job}/cancel")
    assert (answer.status_code, answer.json()["wish"]) == (202, "cancel")
    assert gateway.wait(job)["state"] == "cancelled"
    assert "cancelled" in sentence(gateway.ask("POST", f"/v1/jobs/{job}/cancel"), 409)
    sentence(gateway.ask("GET", f"/v1/jobs/{job}/result"), 409)
    answer = gateway.ask("POST", f"/v1/jobs/{job}/retry")
    assert (answer.status_code, answer.json()["wish"]) == (202, "run")
    sentence(gateway.ask("POST", f"/v1/jobs/{job}/retry"), 409)
    assert gateway.wait(job)["state"] == "done"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""), ("GET", "/log"), ("GET", "/events"), ("GET", "/result"),
        ("GET", "/result.nc"), ("GET", "/result.png"), ("POST", "/cancel"), ("POST", "/retry"),
        ("DELETE", ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("job", [UNKNOWN, "nonsense", "%00", "..%2f..%2fledger.sqlite"])
def test_no_such_job(gateway: Gateway, method: str, path: str, job: str) -> None:
    answer = gateway.ask(method, f"/v1/jobs/{job}{path}")
    assert sentence(answer, 404)


@pytest.mark.parametrize(
    ("job", "told"),
    [
        ({}, "a job needs 'source'"),
        ({"sourc": "run.zarr"}, "did you mean 'source'"),
        ({"source": "run.zarr", "measure": "slop"}, "did you mean 'slope'"),
        ({"source": "run.zarr", "k": "3"}, "k='3'"),
        ({"source": "run.zarr", "k": -1}, "k=-1"),
        ({"source": []}, "empty list"),
        ({"source": 3}, "source=3"),
        ({"source": "run.zarr", "task": "field"}, "output"),
        ({"source": "run.zarr", "resources": {"workers": 2}}, "resources.workers"),
        ({"source": "run.zarr", "resources": {"scheduler": "tcp://a:1"}}, "resources.scheduler"),
        ({"source": "missing.zarr"}, "missing.zarr"),
        ({"source": "run.zarr::g"}, "'g'"),
        ({"source": "run.zarr", "sel": {"z": 3}}, "z"),
        ({"source": "run.zarr", "chunks": -3}, "chunks"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/plan"])
def test_a_job_that_cannot_be(gateway: Gateway, path: str, job: Any, told: str) -> None:
    answer = gateway.ask("POST", path, json=job)
    assert told in sentence(answer, 422)


@pytest.mark.parametrize("look", [{}, {"source": 3}, {"source": "run.zarr", "x": 1}])
def test_what_cannot_be_looked_at(gateway: Gateway, look: Any) -> None:
    sentence(gateway.ask("POST", "/v1/info", json=look), 422)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "state=gone", "task=x", "before=x"]
)
def test_queries_that_cannot_be(gateway: Gateway, query: str) -> None:
    assert query.split("=", maxsplit=1)[0] in sentence(gateway.ask("GET", f"/v1/jobs?{query}"), 422)


def test_other_methods_and_addresses(gateway: Gateway) -> None:
    answer = gateway.ask("PUT", "/v1/jobs", json={})
    sentence(answer, 405)
    assert "POST" in answer.headers["allow"]
    sentence(gateway.ask("GET", "/v2/jobs"), 404)
    sentence(gateway.ask("GET", "/page/missing.js"), 404)


def test_too_many_jobs_of_one_submitter(idle_gateway: Gateway) -> None:
    for k in range(1, 6):
        answer = idle_gateway.ask("POST", "/v1/jobs", json={"source": "run.zarr", "k": k})
        if answer.status_code != 201:
            break
    assert "wait already" in sentence(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1


def test_description_of_the_api(gateway: Gateway) -> None:
    found = gateway.ask("GET", "/openapi.json", token=None).json()
    assert found["components"]["schemas"]["Job"]["required"] == ["source"]
    for path, methods in found["paths"].items():
        for method, told in methods.items():
            at = f"{method} {path}"
            assert told["summary"], at
            for status, answer in told["responses"].items():
                for media, content in answer.get("content", {}).items():
                    binary = content.get("schema", {}).get("format") == "binary"
                    assert "example" in content or binary, f"{at}: {status} {media}"
            for content in told.get("requestBody", {}).get("content", {}).values():
                assert content["examples"], at


def test_the_page_is_served_without_a_token(gateway: Gateway) -> None:
    answer = gateway.ask("GET", "/", token=None)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
