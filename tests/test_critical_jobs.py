"""Critical points as a job: the library's own answer, whatever interrupts it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import InputError
from dhess.job import JobSpec, Runner
from dhess.ledger import Ledger
from dhess.report import CriticalReport
from dhess.running import Progress, watched

from .test_critical import waves
from .test_options import one_sentence
from .test_windows import write

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

PERIOD: dict[Hashable, float] = {"x": 18.0, "z": 24.0}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Waves, cut off so that plateaus go over blocks and seams, and a gap."""
    values = np.clip(waves(3, (24, 20, 18)).values, -3.0, 2.0).astype("f4")
    values[13, 4, 5] = np.nan
    array = xr.DataArray(values, dims=["z", "y", "x"], name="f")
    return write(array, tmp_path_factory.mktemp("critical") / "f.zarr", (4, 5, 6))


def asked(path: Path, **more: Any) -> JobSpec:
    return JobSpec.read({"source": str(path), "chunks": 5, "task": "critical", **more})


def test_plateaus_go_over_windows(path: Path) -> None:
    """What the other tests need: several, one of them over blocks of 5 and over a seam."""
    found = dhess.critical_points(dhess.open(path), period=PERIOD)
    plateaus = found.isel(rank=found["cells"].values > 1)
    assert plateaus.sizes["rank"] > 2
    first, last = plateaus["extent"].sel(end="first"), plateaus["extent"].sel(end="last")
    assert bool((last - first > 5).any("dim").any())
    assert bool((last < first).any())
    assert {"minimum", "maximum", "saddle", "degenerate"} == set(found["kind"].values)


@pytest.mark.parametrize(
    ("window", "keys"),
    [(3, {}), (2, {"period": PERIOD, "nan": "adapt"}), (1, {"order": 4, "k": 5})],
)
def test_the_result_is_that_of_the_library(
    path: Path, tmp_path: Path, window: int, keys: dict[str, Any]
) -> None:
    """In one go; and in many, each of which ends after a few windows."""
    expected = dhess.critical_points(dhess.open(path), **keys).load()
    out, parts = tmp_path / "points.nc", {"resources": {"window": window}}
    with Ledger(tmp_path / "a.ledger") as ledger:
        found = Runner(asked(path, output=str(out), **parts, **keys), ledger).run()
    xr.testing.assert_identical(found, expected)
    with xr.open_dataset(out, engine="h5netcdf") as kept:
        xr.testing.assert_equal(kept, expected)
    starts, lowest = 0, []
    with Ledger(tmp_path / "b.ledger") as ledger:
        while True:
            seen: list[Progress] = []

            def enough(progress: Progress, seen: list[Progress] = seen) -> None:
                seen.append(progress)
                if progress.window >= seen[0].window + 4:
                    raise KeyboardInterrupt

            starts += 1
            try:
                with watched(enough):
                    again = Runner(asked(path, **parts, **keys), ledger).run()
            except KeyboardInterrupt:
                assert starts < 100
                lowest += [each.value for each in seen]
            else:
                break
    assert starts > 1
    xr.testing.assert_identical(again, expected)
    # What is told on the way falls, over stops too, to the lowest point that is no plateau.
    told = [value for value in lowest if value is not None]
    assert told == sorted(told, reverse=True)
    points = dhess.critical_points(dhess.open(path), **{**keys, "k": None})
    least = points["field"].values[points["cells"].values == 1].min()
    assert seen[-1].value == pytest.approx(float(least), abs=1e-6)
    # Its index is that of the cell where the spline is level, a step away at most.
    assert np.abs(points["index"].values - np.array(seen[-1].index)).max(axis=1).min() <= 1


def test_the_report_of_a_job(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "points.json"
    job = dhess.Job(str(path), task="critical", tolerance=1e-6, chunks=5, output=str(out))
    result = job.run()
    report = CriticalReport.model_validate_json(out.read_text())
    assert [each.kind for each in report.critical_points] == result["kind"].values.tolist()
    assert report.options["tolerance"] == 1e-6
    assert report.counts["degenerate"] == int((result["kind"] == "degenerate").sum()) > 0


def test_a_job_that_was_written_out_is_the_same_job(path: Path) -> None:
    spec = asked(path, k=3)
    again = JobSpec.read(json.loads(spec.model_dump_json(exclude_none=True)))
    assert again == spec
    assert again.canonical() == spec.canonical()
    assert asked(path).canonical() != spec.canonical()


def test_too_many_points(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told while it runs, and again when it is taken up, not at its end only."""
    total = dhess.critical_points(dhess.open(path)).sizes["rank"]
    monkeypatch.setattr("dhess.critical.found.MOST", total // 2)
    with Ledger(tmp_path / "a.ledger") as ledger:
        for _ in range(2):
            runner = Runner(asked(path, resources={"window": 2}), ledger)
            with pytest.raises(InputError) as caught:
                runner.run()
            one_sentence(caught.value, "critical points and more", f"at most {total // 2:,}")
            entry = ledger.entry(runner.job)
            assert entry is not None
            assert entry.state == "failed"
            assert 0 < ledger.count(runner.job) < entry.windows


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"task": "critical", "measure": "slope"}, ("measure is for task = 'find'", "'critical'")),
        ({"task": "critical", "quantile": 0.5}, ("quantile is for task = 'regions'",)),
        ({"task": "critical", "exclude_edges": True}, ("exclude_edges is for task = 'find'",)),
        ({"task": "critical", "tolerance": 0}, ("tolerance=0", "above 0")),
        ({"task": "critical", "scheme": "iterated"}, ("scheme='iterated'", "leave it out")),
        ({"task": "critical", "k": 0}, ("k=0",)),
        ({"task": "find", "tolerance": 1e-3}, ("tolerance is for task = 'critical'", "'find'")),
        ({"task": "critical", "output": "a.zarr"}, (".json", ".nc")),
        ({"task": "criticl"}, ("task='criticl'",)),
    ],
)
def test_keys_of_other_tasks(keys: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        JobSpec.read({"source": "a.zarr", **keys})
    one_sentence(caught.value, *words)
