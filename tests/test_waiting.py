"""Workers that Dask has stopped for good: the work ends with a sentence, and does not hang."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import xarray as xr

import dhess
from dhess.sink import write_field
from dhess.waiting import stuck

from .test_options import one_sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LIMIT = 10**9


def worker(status: str, executing: int = 0, memory: int = 9 * 10**8) -> dict[str, Any]:
    counts = {"executing": executing} if executing else {}
    metrics = {"task_counts": counts, "memory": memory}
    return {"status": status, "memory_limit": LIMIT, "metrics": metrics}


@pytest.mark.parametrize(
    "workers",
    [
        [],
        [worker("running")],
        [worker("paused"), worker("running")],
        [worker("paused"), worker("paused", executing=1)],
        [worker("paused"), worker("init")],
    ],
)
def test_where_work_may_go_on(workers: list[dict[str, Any]]) -> None:
    assert stuck(dict(zip("abc", workers, strict=False))) is None


def test_the_fullest_worker_is_named() -> None:
    why = stuck({"a": worker("paused"), "b": worker("paused", memory=95 * 10**7)})
    assert why is not None
    assert "950MB of its 1000MB" in why


HOLD = """
import builtins, numpy, psutil
room = int({share} * {limit}) - psutil.Process().memory_info().rss
builtins.held_for_a_test = numpy.ones(room, dtype="u1")
"""


FREE = HOLD.replace("builtins.held_for_a_test =", "held =") + "del held"
"""The same, and freed at once: the process keeps it, and Dask counts it."""


def search(data: xr.DataArray, _: Path) -> None:
    dhess.find_minimum(data)


def write(data: xr.DataArray, path: Path) -> None:
    write_field(dhess.measure(data, "slope"), path)


@pytest.mark.parametrize("work", [search, write])
def test_workers_that_are_full_of_other_things(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: Callable[[xr.DataArray, Path], None]
) -> None:
    monkeypatch.setattr("dhess.waiting.EVERY", 0.3)
    data = xr.DataArray(np.arange(400.0).reshape(20, 20) ** 2, dims=["y", "x"], name="f").chunk(10)
    with dhess.local_cluster(1, memory_limit=LIMIT) as client:
        client.run(exec, HOLD.format(share=0.87, limit=LIMIT))  # workers cannot import tests
        while client.scheduler_info()["workers"].popitem()[1]["status"] != "paused":
            pass
        with pytest.raises(dhess.ClusterError) as caught:
            work(data, tmp_path / "out.zarr")
    one_sentence(caught.value, "paused every worker", "of its 1000MB", "chunks=")
    assert list(tmp_path.iterdir()) == []


def test_workers_that_are_full_of_what_was_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    """They give it back, and go on."""
    monkeypatch.setattr("dhess.waiting.EVERY", 0.3)
    data = xr.DataArray(np.arange(400.0).reshape(20, 20) ** 2, dims=["y", "x"], name="f").chunk(10)
    with dhess.local_cluster(1, memory_limit=LIMIT) as client:
        client.run(exec, FREE.format(share=0.87, limit=LIMIT))
        while client.scheduler_info()["workers"].popitem()[1]["status"] != "paused":
            pass
        found = dhess.find_minimum(data)
    xr.testing.assert_identical(found, dhess.find_minimum(data.compute()))


def test_a_cluster_without_workers_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Somebody may be about to start some; what is waited for goes to the log."""
    monkeypatch.setattr("dhess.waiting.EVERY", 0.05)
    data = xr.DataArray(np.arange(400.0).reshape(20, 20) ** 2, dims=["y", "x"], name="f")

    class Joins(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            client.cluster.scale(1)

    joins = Joins(logging.WARNING)
    with dhess.local_cluster(1, memory_limit=LIMIT) as client:
        client.cluster.scale(0)
        while client.scheduler_info()["workers"]:
            pass
        log = logging.getLogger("dhess.waiting")
        log.addHandler(joins)
        try:
            found = dhess.find_minimum(data.chunk(10))
        finally:
            log.removeHandler(joins)
    assert any("no workers" in record.getMessage() for record in caplog.records)
    xr.testing.assert_identical(found, dhess.find_minimum(data))
