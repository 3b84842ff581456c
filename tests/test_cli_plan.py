"""``dhess plan``: what the library plans, as a table, as JSON, and as an exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dask
import pytest
import xarray as xr
from distributed import LocalCluster

import dhess
from dhess.cli import main
from dhess.cli.compute import SMALL
from dhess.planning import plan
from dhess.report import PlanReport
from tests.stores import quartic, store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> str:
    return str(store(quartic(), tmp_path / "f.zarr"))


@pytest.fixture
def large(tmp_path: Path) -> str:
    """A store of 8 GB that takes no room, for none of its chunks is there."""
    whole = xr.DataArray(dask.array.zeros((1000, 1000, 1000), chunks=100), dims=("z", "y", "x"))
    path = tmp_path / "large.zarr"
    whole.to_dataset(name="f").to_zarr(path, compute=False, consolidated=False)
    return str(path)


def printed(capsys: pytest.CaptureFixture[str], *args: str) -> dict[str, str]:
    """Run a plan that fits; return the facts of its table."""
    assert main(["plan", *args]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    facts = (line.split("  ", 1) for line in out.splitlines() if "  " in line.strip())
    return {name: text.strip() for name, text in facts}


def planned(capsys: pytest.CaptureFixture[str], *args: str, code: int = 0) -> PlanReport:
    assert main(["plan", *args, "--json", "-"]) == code
    out, err = capsys.readouterr()
    assert err.count("\n") == (code != 0)
    report = PlanReport.model_validate_json(out)
    assert PlanReport.model_validate_json(report.model_dump_json()) == report
    return report


def test_table(large: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, large, "--workers", "3", "--memory-limit", "4GB", "-m", "slope")
    assert said["source"] == large
    assert said["work"] == "search for the smallest slope"
    assert said["dimensions"] == "z 1,000, y 1,000, x 1,000"
    assert said["values"] == "float64, 8 GB in memory"
    assert said["cut into"] == "125 blocks of up to 200 × 200 × 200, in 1 window"
    assert (
        said["takes"].split(" tasks, ")[1] == f"{int(said['takes'].split()[0]) / 125:.2f} per block"
    )
    assert said["reads"] == "8 GB, 1.00 × the data"
    assert "writes" not in said
    assert said["with"] == "3 workers of 1 thread"
    assert said["memory of each"].startswith("up to ")
    assert said["memory of each"].endswith(" of 4 GB: fits")
    assert "blocks " in said["of it"]
    assert "--read-rate" in said["time"]


def test_field_is_written(large: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = (large, "--field", "-m", "gradient", "--dtype", "float32", "--workers", "2")
    said = printed(capsys, *args, "--memory-limit", "8GB")
    assert said["work"] == "write gradient"
    assert said["writes"] == "12 GB"


@pytest.mark.parametrize(
    ("task", "work"),
    [
        ("find", "search for the smallest hessian_norm"),
        ("field", "write hessian_norm"),
        ("regions", "label the regions of low hessian_norm"),
        ("critical", "search for critical points"),
    ],
)
def test_tasks(task: str, work: str, large: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = printed(capsys, large, "--task", task, "--workers", "2", "--memory-limit", "8GB")
    assert said["work"] == work
    assert main(["plan", large, "--task", f"{task}s"]) == 2
    assert f"task='{task}s' is unknown; did you mean '{task}'?" in capsys.readouterr().err


def test_json_is_what_the_library_plans(large: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = (large, "-k", "5", "--dims", "y,x", "--order", "4", "--chunks", "100")
    report = planned(capsys, *args, "--workers", "2", "--memory-limit", "2GB")
    da = dhess.open(large, chunks=100)
    library = plan(da, k=5, dims=("y", "x"), order=4, workers=2, memory_limit="2GB")
    told = report.model_dump(mode="json", exclude={"schema_version", "dhess_version", "report"})
    assert told == json.loads(json.dumps(library.as_dict()))
    assert report.block == {"z": 100, "y": 100, "x": 100}
    assert report.blocks == 1000


def test_work_that_does_not_fit(large: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The chunks that the sentence names do fit, typed as they are."""
    args = (large, "--chunks", "500", "--workers", "2", "--memory-limit", "1GB")
    assert main(["plan", *args]) == 2
    out, err = capsys.readouterr()
    assert "8 blocks of up to 500 × 500 × 500" in out
    assert "of 1 GB: does not fit" in out
    assert err.count("\n") == 1
    assert err.startswith("dhess: error: a worker would take ")
    assert " and may take 1 GB; --chunks z=" in err
    report = planned(capsys, *args, code=2)
    assert not report.fits
    assert report.chunks is not None
    typed = err.split("--chunks ")[1].split()[0]
    assert typed == ",".join(f"{dim}={size}" for dim, size in report.chunks.items())
    smaller = planned(capsys, large, "--chunks", typed, "--workers", "2", "--memory-limit", "1GB")
    assert smaller.fits
    assert smaller.chunks is None
    assert smaller.block == report.chunks


def test_worker_that_is_too_small_for_anything(
    large: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", large, "--workers", "1", "--memory-limit", "50MB"]) == 2
    err = capsys.readouterr().err
    assert "and may take 50 MB, with blocks of any size; give it more memory" in err
    assert "--chunks" not in err


def test_small_data_is_planned_for_threads(
    source: str, large: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = planned(capsys, source)
    assert (report.workers, report.threads) == (1, dask.system.CPU_COUNT)
    assert planned(capsys, source, "--workers", "1").threads == 1
    report = planned(capsys, large)
    assert report.nbytes > SMALL
    assert (report.workers, report.threads) == (dask.system.CPU_COUNT, 1)


def test_time(large: str, capsys: pytest.CaptureFixture[str]) -> None:
    """8 GB at 100 MB/s by each of two."""
    args = (large, "--workers", "2", "--memory-limit", "4GB", "--read-rate")
    for typed in ("100MB", "100MB/s", "1e8"):
        assert planned(capsys, *args, typed).seconds == pytest.approx(40)
    assert printed(capsys, *args, "100MB")["time"] == "about 40 s, at 100 MB a second and thread"
    measured = planned(capsys, *args, "measure")
    assert measured.rate is not None
    assert measured.seconds == pytest.approx(8e9 / measured.rate / 2)


@pytest.mark.parametrize("typed", ["fast", "0", "-5MB", ""])
def test_rate_that_cannot_be_read(
    typed: str, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", source, "--read-rate", typed]) == 2
    err = capsys.readouterr().err
    assert f"--read-rate {typed!r}" in err
    assert "500MB|measure" in err
    assert err.count("\n") == 1


def test_cluster_that_runs_is_asked_for_its_workers(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with dhess.local_cluster(2, memory_limit="800MB") as client:
        report = planned(capsys, source, "--scheduler", client.scheduler.address)
    assert (report.workers, report.threads, report.memory_limit) == (2, 1, 800_000_000)


def test_cluster_without_workers(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    with LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as cluster:
        assert main(["plan", source, "--scheduler", cluster.scheduler_address]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "has no workers to plan for" in err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["-m", "slop"], ["'slop'", "'slope'"]),
        (["--k", "0"], ["k=0"]),
        (["--order", "3"], ["order=3"]),
        (["--memory-limit", "much"], ["'much'", "4GB"]),
        (["--workers", "0"], ["0", "1"]),
        (["--scheduler", "tcp://127.0.0.1:1", "--workers", "2"], ["--workers 2", "leave one"]),
        (["--json", "no/such/folder/a.json"], ["no/such/folder"]),
    ],
    ids=lambda each: " ".join(each),
)
def test_what_does_not_fit_together(
    args: list[str], words: list[str], source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", source, *args]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert all(word in err for word in words), err


@pytest.mark.usefixtures("lazy_only")
def test_nothing_is_computed(large: str, capsys: pytest.CaptureFixture[str]) -> None:
    planned(capsys, large)
