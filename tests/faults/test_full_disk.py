"""A disk that is full, for real: a job waits, says so, and goes on when there is room."""

from __future__ import annotations

import shutil
import subprocess
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

import dhess
from dhess import OutputError
from dhess.job import JobSpec, Runner
from dhess.job.outputs import write_result
from dhess.job.pausing import Pauses
from dhess.ledger import Ledger
from dhess.ledger.recorder import is_full
from tests.service.gateway import Gateway
from tests.stores import quartic

from .run import make_job, make_store, result_of
from .stage import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 400_000
"""Bytes of the disk, on which the field of 442,368 bytes has no room beside anything else."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, with room for the field once what fills it is removed."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root on Linux can make a small disk")
    try:
        (place / "filler").write_bytes(bytes(8 * 2**20 - SIZE))
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("what", ["output", "ledger"])
def test_a_full_disk_pauses_the_job(
    tmp_path: Path, disk: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhess.job.pausing.ROOM_WAIT", 0.5)
    store = make_store(tmp_path)
    spec = JobSpec.load(make_job(disk if what == "output" else tmp_path, store, "field"))
    place = (tmp_path if what == "output" else disk) / "job.ledger"
    if what == "ledger":
        with (disk / "filler").open("ab") as filler:
            filler.write(bytes(SIZE - 150_000))  # a ledger is made in 90 kB
    with Ledger(place) as ledger:
        runner = Runner(spec, ledger)
        told: list[str] = []
        monkeypatch.setattr(Pauses, "tell", _noting(told))
        thread = threading.Thread(target=runner.run)
        thread.start()
        until(lambda: any("full" in each for each in told), 60)
        if what == "output":
            entry = ledger.entry(runner.job)
            assert entry is not None
            assert entry.state == "paused"
            assert "disk is full" in entry.note
        (disk / "filler").unlink()
        thread.join(120)
        assert not thread.is_alive()
        entry = ledger.entry(runner.job)
        assert entry is not None
        assert (entry.state, entry.note) == ("done", "")
    expected = dhess.measure(dhess.open(store), "hessian_norm").values.tobytes()
    assert result_of(disk if what == "output" else tmp_path, "field") == expected


def _noting(told: list[str]) -> object:
    """Return what notes and passes on why a job is paused."""
    tell = Pauses.tell

    def noting(pauses: Pauses, why: str) -> None:
        tell(pauses, why)
        told.append(why)

    return noting


@pytest.mark.parametrize("name", ["best.nc", "best.json"])
def test_a_result_on_a_full_disk_says_so(disk: Path, name: str) -> None:
    result = dhess.find_minimum(quartic())
    with (disk / "filler").open("ab", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))
    with pytest.raises(OutputError) as caught:
        write_result(result, str(disk / name), lambda _: None)
    assert is_full(caught.value)
    (disk / "filler").unlink()
    write_result(result, str(disk / name), lambda _: None)
    assert [each.name for each in disk.iterdir()] == [name]


def test_a_gateway_on_a_full_disk_says_so_and_goes_on(tmp_path: Path, disk: Path) -> None:
    """Ledger, results and logs have no room; the job is there, is paused, and comes out right."""
    store = make_store(tmp_path)
    keys = {"source": f"{store}::f", "k": 3, "chunks": 6, "resources": {"window": 2}}
    options = ["--root", str(tmp_path), "--workers", "1", "--memory-limit", "1GB"]
    with Gateway(disk, options) as gateway:
        job = gateway.submit(**keys)
        gateway.wait(job, "running")
        with (disk / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(4096))
        view = gateway.wait(job, "paused", "done")
        assert view["state"] == "paused"
        assert "full" in view["note"]
        assert gateway.ask("GET", "/health").status_code == 200
        assert not gateway.ask("GET", "/ready").json()["checks"]["ledger"]["ok"]
        (disk / "filler").unlink()
        assert gateway.wait(job)["state"] == "done"
        assert gateway.ask("GET", "/ready").json()["checks"]["ledger"]["ok"]
        found = gateway.ask("GET", f"/v1/jobs/{job}/result").json()
    expected = dhess.find_minimum(dhess.open(store), k=3)
    assert [each["value"] for each in found["answers"]] == expected["value"].values.tolist()
