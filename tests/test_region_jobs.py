"""Regions as a job: the library's own answer, whatever interrupts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess import InputError
from dhess.job import JobSpec, Runner
from dhess.ledger import Ledger
from dhess.report import RegionsReport
from dhess.running import Progress, watched

from .test_options import one_sentence
from .test_windows import write

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    values = np.random.default_rng(4).standard_normal((24, 20, 18)).round(1).astype("f4")
    values[3, 4, 5] = np.nan
    return write(
        xr.DataArray(values, dims=["z", "y", "x"], name="f"), tmp_path / "f.zarr", (4, 5, 6)
    )


def asked(path: Path, **more: Any) -> JobSpec:
    return JobSpec.read({"source": str(path), "chunks": 5, "task": "regions", **more})


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ({"threshold": 2.0}, {}),
        ({"quantile": 0.3, "connectivity": "full", "period": {"x": 18.0, "z": 24.0}}, {}),
        ({"quantile": 0.2, "k": 4, "min_size": 3, "measure": "slope"}, {}),
    ],
)
def test_the_result_is_that_of_the_library(
    path: Path, tmp_path: Path, keys: dict[str, Any], options: dict[str, Any]
) -> None:
    """In one go; and in many, each of which ends after a few windows."""
    given = {"measure": "hessian_norm", **keys, **options}
    expected = dhess.flat_regions(dhess.open(path, chunks=5), **given)
    out = tmp_path / "regions.nc"
    with Ledger(tmp_path / "a.ledger") as ledger:
        found = Runner(asked(path, output=str(out), resources={"window": 2}, **keys), ledger).run()
    xr.testing.assert_identical(found, expected)
    with xr.open_dataset(out, engine="h5netcdf") as kept:
        np.testing.assert_array_equal(kept["size"], expected["size"])
    starts = 0
    with Ledger(tmp_path / "b.ledger") as ledger:
        while True:
            seen: list[int] = []

            def enough(progress: Progress, seen: list[int] = seen) -> None:
                seen.append(progress.window)
                if progress.window >= seen[0] + 9:
                    raise KeyboardInterrupt

            starts += 1
            try:
                with watched(enough):
                    again = Runner(asked(path, resources={"window": 2}, **keys), ledger).run()
            except KeyboardInterrupt:
                assert starts < 100
            else:
                break
    assert starts > 3
    xr.testing.assert_identical(again, expected)


def test_the_report_of_a_job(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "regions.json"
    job = dhess.Job(str(path), task="regions", quantile=0.1, chunks=5, output=str(out))
    result = job.run()
    report = RegionsReport.model_validate_json(out.read_text())
    assert [each.size for each in report.regions] == result["size"].values.tolist()
    assert report.threshold == result.attrs["threshold"]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"task": "regions"}, ("threshold and quantile", "neither")),
        ({"task": "regions", "quantile": 2.0}, ("quantile=2.0",)),
        ({"task": "find", "quantile": 0.5}, ("quantile is for task = 'regions'", "'find'")),
        ({"task": "regions", "quantile": 0.5, "exclude_edges": True}, ("exclude_edges is for",)),
        ({"task": "regions", "quantile": 0.5, "output": "a.zarr"}, (".json", ".nc")),
    ],
)
def test_keys_of_other_tasks(keys: dict[str, Any], words: tuple[str, ...]) -> None:
    with pytest.raises(InputError) as caught:
        JobSpec.read({"source": "a.zarr", **keys})
    one_sentence(caught.value, *words)
