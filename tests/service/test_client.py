"""The Python client and its commands before a gateway that asks for tokens."""

from __future__ import annotations

import json
import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest
import xarray as xr

import dhess
from dhess.cli import main
from dhess.client import Client, RemoteError
from dhess.job import JobSpec
from dhess.report import FindReport

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.conftest import Tokens
    from tests.service.gateway import Gateway

PNG = b"\x89PNG\r\n\x1a\n"
UNKNOWN = "f" * 16


@pytest.fixture(autouse=True)
def access(
    gateway: Gateway, tokens: Tokens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What the commands take from the environment: the gateway, and ada's token."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DHESS_SERVER", gateway.url)
    monkeypatch.setenv("DHESS_TOKEN", tokens.ada)
    monkeypatch.delenv("DHESS_TOKEN_FILE", raising=False)
    monkeypatch.delenv("DHESS_CA", raising=False)


@pytest.fixture
def client() -> Client:
    return Client()


def job_file(folder: Path, **keys: Any) -> str:
    """A job beside its data, as 'dhess run' would take it."""
    path = folder / "job.toml"
    path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in keys.items()))
    return str(path)


def found(source: Path, **asked: Any) -> xr.Dataset:
    return dhess.find_minimum(dhess.open(source), **asked)


# ---------------------------------------------------------------------------------------- Python


def test_a_job_from_its_keys_to_its_result(client: Client, place: Path) -> None:
    source = place / "run.zarr"
    spec = JobSpec.read({"source": str(source), "measure": "slope", "k": 3, "chunks": 6})
    view = client.submit(spec)
    assert (view["task"], view["measure"], view["submitter"]) == ("find", "slope", "ada")
    views = list(client.events(view["id"]))
    assert views[-1]["state"] == "done"
    assert views[-1]["done"] == views[-1]["windows"] > 0
    assert client.wait(view["id"]) == views[-1] == client.show(view["id"])

    expected = found(source, measure="slope", k=3)
    report = FindReport.model_validate(client.result(view["id"]))
    assert report.answers == FindReport.from_dataset(expected).answers
    xr.testing.assert_equal(client.result_dataset(view["id"]), expected)
    assert client.picture(view["id"]).startswith(PNG)
    logged = list(client.logs(view["id"]))
    assert logged
    assert client.log(view["id"], 1) == (logged[1:], len(logged))
    assert client.submit(spec)["id"] == view["id"]
    assert client.submit(dhess.Job(str(source), measure="slope", k=3, chunks=6))["id"] == view["id"]
    keys = {"source": "run.zarr", "measure": "slope", "k": 3, "chunks": 6}
    assert client.submit(keys)["id"] == view["id"]


def test_a_field(client: Client, place: Path) -> None:
    output = place / "data" / "outputs" / "slope.zarr"
    keys = {"source": str(place / "run.zarr"), "task": "field", "measure": "slope"}
    view = client.submit(JobSpec.read(keys | {"output": str(output)}))
    assert client.wait(view["id"])["state"] == "done"
    assert client.result(view["id"])["out"] == str(output)
    expected = dhess.measure(dhess.open(place / "run.zarr"), "slope")
    xr.testing.assert_equal(dhess.open(output).compute(), expected.compute())


def test_resources_are_the_gateways_own(client: Client, place: Path) -> None:
    keys = {"source": str(place / "run.zarr"), "k": 4}
    spec = JobSpec.read(keys | {"resources": {"workers": 9, "memory_limit": "1PB", "window": 2}})
    with pytest.warns(dhess.DhessWarning, match=r"memory_limit, resources\.workers of the job are"):
        view = client.submit(spec)
    assert view["spec"]["resources"] == {"window": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        client.submit(JobSpec.read(keys | {"resources": {"window": 2}}))
    client.wait(view["id"])


def test_jobs_are_listed(client: Client, done: str) -> None:
    first = list(client.jobs())
    assert done in [job["id"] for job in first]
    assert [job["id"] for job in client.jobs(limit=1)] == [first[0]["id"]]
    assert {job["state"] for job in client.jobs(state="done", task="find")} == {"done"}
    assert list(client.jobs(submitter="nobody")) == []
    assert client.resolve(done[:8]) == done
    assert client.me()["name"] == "ada"


def test_refusals(client: Client, done: str, tokens: Tokens, place: Path) -> None:
    """Each by its status; the gateway's own tests have all cases."""
    viewer, eve = Client(token=tokens.viewer), Client(token=tokens.eve)
    source = str(place / "run.zarr")
    secret = str(place.parent / "secret.zarr")
    for status, call in (
        (401, lambda: Client(token="dhess_of-nobody").show(done)),
        (403, lambda: viewer.submit({"source": source})),
        (403, lambda: client.submit({"source": secret})),
        (403, lambda: eve.delete(done)),
        (404, lambda: client.show(UNKNOWN)),
        (404, lambda: client.picture(UNKNOWN)),
        (404, lambda: next(client.events(UNKNOWN))),
        (404, lambda: list(client.logs(UNKNOWN))),
        (409, lambda: client.cancel(done)),
        (409, lambda: client.retry(done)),
        (422, lambda: client.submit({"source": source, "measure": "slop"})),
    ):
        with pytest.raises(RemoteError) as refused:
            call()
        assert refused.value.status == status
    assert viewer.show(done)["state"] == "done"


# -------------------------------------------------------------------------------------- commands


def test_submit_and_wait_prints_what_find_prints(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_file(place, source="run.zarr", measure="slope", k=2, order=4)
    assert main(["submit", job, "--wait"]) == 0
    out, err = capsys.readouterr()
    assert main(["find", str(place / "run.zarr"), "-m", "slope", "-k", "2", "--order", "4"]) == 0
    assert out == capsys.readouterr().out
    assert re.match(r"dhess: job [0-9a-f]{16} is with http://127", err)
    assert main(["submit", job, "--wait", "--json", "-"]) == 0
    report = FindReport.model_validate_json(capsys.readouterr().out)
    assert len(report.answers) == 2


def test_submit_prints_the_id(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_file(place, source="run.zarr::f", k=5)
    assert main(["submit", job]) == 0
    out, err = capsys.readouterr()
    assert re.fullmatch(r"[0-9a-f]{16}\n", out)
    (line,) = err.splitlines()
    assert re.match(rf"dhess: job {out.strip()} is (queued|running).*; 'dhess show {out[:8]}", line)
    assert main(["show", out[:10], "--watch"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^state +done", shown, re.MULTILINE)
    assert main(["submit", job, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == out.strip()


def test_jobs_and_show(done: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["jobs", "--limit", "500"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert re.match(r"id +state +task +done +handed in", rows[0])
    (row,) = [row for row in rows if row.startswith(done)]
    assert re.search(r" done +find hessian_norm +100 % +\d{4}-\d\d-\d\d \d\d:\d\d .*run\.zarr", row)
    assert main(["jobs", "--limit", "1"]) == 0
    assert main(["jobs", "--state", "failed", "--submitter", "nobody"]) == 0
    assert capsys.readouterr().out.endswith("no jobs\n")
    assert main(["jobs", "--json", "-"]) == 0
    assert done in [job["id"] for job in json.loads(capsys.readouterr().out)["jobs"]]
    assert main(["show", done[:12]]) == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (shown["job"].strip(), shown["state"].strip()) == (done, "done")
    assert shown["best"].strip().endswith("at index 8, 13")
    assert main(["show", done, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["id"] == done


def test_result_as_files(done: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = {"--json": "a.json", "--netcdf": "a.nc", "--plot": "a.png"}
    files = [word for option, name in names.items() for word in (option, str(tmp_path / name))]
    assert main(["result", done[:12], *files]) == 0
    assert "hessian_norm" in capsys.readouterr().out
    report = FindReport.model_validate_json((tmp_path / "a.json").read_text())
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as dataset:
        assert FindReport.from_dataset(dataset).answers == report.answers
    assert (tmp_path / "a.png").read_bytes().startswith(PNG)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.is_file()}
    assert set(before) == set(names.values())
    for option, name in names.items():
        assert main(["result", done, option, str(tmp_path / name)]) == 2
        assert "exists; remove it" in capsys.readouterr().err
    assert before == {
        path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.is_file()
    }
    assert main(["result", done, "--netcdf", str(tmp_path / "a.nc"), "--overwrite"]) == 0
    assert main(["result", done, "--plot", str(tmp_path / "b.pdf")]) == 2
    assert "name a .png" in capsys.readouterr().err


def test_nothing_is_written_if_one_part_cannot_be_had(client: Client, tmp_path: Path) -> None:
    failed = {"--netcdf": "a.nc", "--plot": "a.png", "--json": "a.json"}
    files = [word for option, name in failed.items() for word in (option, str(tmp_path / name))]
    assert main(["result", UNKNOWN, *files]) == 2
    assert list(tmp_path.iterdir()) == []


def test_logs(done: str, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", done]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line["message"] in shown for line, shown in zip(client.logs(done), lines, strict=True)]
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d info    ", lines[0])
    assert main(["logs", done, "--follow"]) == 0
    assert capsys.readouterr().out.splitlines() == lines


def test_delete(place: Path, client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    view = client.submit({"source": str(place / "run.zarr"), "k": 6})
    client.wait(view["id"])
    assert main(["delete", view["id"][:12]]) == 0
    assert capsys.readouterr().err == f"dhess: job {view['id']} is deleted\n"
    assert main(["show", view["id"]]) == 2


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["show", UNKNOWN], f"there is no job '{UNKNOWN}'"),
        (["show", "ffffffff"], "no job at .* begins with 'ffffffff'"),
        (["cancel", "xyz!"], "'xyz!' is no id of a job, which has 16 digits"),
        (["retry", UNKNOWN], "there is no job"),
        (["logs", UNKNOWN, "--follow"], "there is no job"),
        (["result", UNKNOWN], "there is no job"),
        (["jobs", "--server", "gateway"], "server 'gateway' is no address of a gateway"),
        (["jobs", "--limit", "0"], "0 is not in the range"),
        (["jobs", "--state", "gone"], "'gone' is not one of 'queued', 'running'"),
        (["jobs", "--token-file", "/no/such"], "token file '/no/such' cannot be read: No such"),
        (["submit", "no-such.toml"], "job file 'no-such.toml' cannot be read: No such file"),
    ],
)
def test_mistakes_are_one_sentence(
    args: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(args) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert re.search(f"^dhess: error: .*{sentence}", err)


def test_tokens(
    done: str,
    tokens: Tokens,
    tmp_path: Path,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """None, a wrong one, one that may not, and one in a file that others can read."""
    monkeypatch.delenv("DHESS_TOKEN")
    assert main(["show", done]) == 2
    assert "wants a token; give one of its own with --token-file" in capsys.readouterr().err
    file = tmp_path / "token"
    file.write_text("dhess_of-nobody")
    file.chmod(0o600)
    assert main(["show", done, "--token-file", str(file)]) == 2
    err = capsys.readouterr().err
    assert "does not know our token" in err
    assert "of-nobody" not in err
    file.write_text(tokens.viewer)
    assert main(["show", done, "--token-file", str(file)]) == 0
    job = job_file(place, source="run.zarr", k=7)
    assert main(["submit", job, "--token-file", str(file)]) == 2
    assert "needs the scope 'submit'" in capsys.readouterr().err
    file.chmod(0o644)
    assert main(["show", done, "--token-file", str(file)]) == 2
    assert "others can read it (mode 0644); run: chmod 600" in capsys.readouterr().err
