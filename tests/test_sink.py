"""What was written comes back bit by bit; what failed or was interrupted leaves nothing behind."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import dask.array
import numpy as np
import pytest
import xarray as xr
import zarr

from dhess.errors import OutputError, SourceError
from dhess.sink import check_output, write_field
from dhess.source import open as dhess_open

DAYS = np.arange("2000-01-01", "2000-01-31", dtype="M8[D]").astype("M8[ns]")


def values(dtype: str = "f8") -> np.ndarray[Any, Any]:
    """30 × 40 numbers; as floats with both zeros, infinities and a NaN of a payload of its own."""
    numbers = np.random.default_rng(7).normal(scale=100.0, size=(30, 40)).astype(dtype)
    if numbers.dtype.kind == "f":
        numbers[0, :4] = [0.0, -0.0, np.inf, -np.inf]
        numbers[10:20, :20] = np.nan  # one whole block
        numbers[5, 5] = np.nan
        numbers.view(f"u{numbers.itemsize}")[5, 5] |= 0x123
    return numbers


def field(data: Any, **kw: Any) -> xr.DataArray:
    coords = {
        "y": DAYS,
        "x": np.linspace(-1.0, 1.0, 40, dtype="f4"),
        "row": ("y", [f"row {i}" for i in range(30)]),
    }
    return xr.DataArray(data, dims=("y", "x"), coords=coords, name="norm", **kw)


def blocks(data: np.ndarray[Any, Any], chunks: Any = (10, 20)) -> Any:
    return dask.array.from_array(data, chunks=chunks)


def visible_and_hidden(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


# --------------------------------------------------------------------------------- what is written


@pytest.mark.parametrize("dtype", ["f8", "f4", "i4", "?"])
def test_bits_come_back(tmp_path: Path, dtype: str) -> None:
    data = values(dtype)
    write_field(field(blocks(data)), tmp_path / "out.zarr")
    back = dhess_open(tmp_path / "out.zarr")
    assert back.dtype == data.dtype
    assert back.to_numpy().tobytes() == data.tobytes()


def test_labels_come_back(tmp_path: Path) -> None:
    attrs = {"units": "1/m", "step": 0.1, "count": 3, "sizes": [1, 2], "limit": float("inf")}
    written = field(blocks(values()), attrs=attrs)
    write_field(written, tmp_path / "out.zarr")
    back = dhess_open(tmp_path / "out.zarr")
    assert back.name == "norm"
    assert back.identical(written)
    for name in ("y", "x", "row"):
        assert back[name].dtype == written[name].dtype


def test_others_read_it_without_a_warning(tmp_path: Path) -> None:
    write_field(field(blocks(values())), tmp_path / "out.zarr")
    with xr.open_zarr(tmp_path / "out.zarr") as dataset:  # warnings are errors in these tests
        np.testing.assert_array_equal(dataset.norm, values())
    assert zarr.open_group(tmp_path / "out.zarr", mode="r").metadata.zarr_format == 3


def test_encodings_of_the_source_are_not_carried_over(tmp_path: Path) -> None:
    packed = field(blocks(values()))
    packed.encoding = {"dtype": "i2", "scale_factor": 0.1, "_FillValue": -1, "chunks": (7, 7)}
    write_field(packed, tmp_path / "out.zarr")
    assert dhess_open(tmp_path / "out.zarr").to_numpy().tobytes() == values().tobytes()


def stored_chunks(path: Path) -> tuple[int, ...]:
    array = zarr.open_array(path / "norm", mode="r")
    assert isinstance(array, zarr.Array)
    return array.chunks


def test_a_stored_chunk_is_a_block(tmp_path: Path) -> None:
    write_field(field(blocks(values(), (12, 40))), tmp_path / "a.zarr")
    assert stored_chunks(tmp_path / "a.zarr") == (12, 40)
    write_field(field(blocks(values(), ((7, 3, 20), (20, 20)))), tmp_path / "b.zarr")
    assert stored_chunks(tmp_path / "b.zarr") == (20, 20)
    write_field(field(blocks(values(), ((10, 20), -1))), tmp_path / "c.zarr", chunks={"x": 13})
    assert stored_chunks(tmp_path / "c.zarr") == (20, 13)
    for name in "abc":
        np.testing.assert_array_equal(dhess_open(tmp_path / f"{name}.zarr"), values())


def test_lazy_coordinates_come_back(tmp_path: Path) -> None:
    """Of several dimensions, and of a kind that xarray encodes."""
    times = np.arange(30, dtype="m8[D]") + np.datetime64("2026-01-01", "ns")
    written = field(blocks(values())).assign_coords(
        lat=(("y", "x"), blocks(values() * 2)), when=("y", dask.array.from_array(times, 10))
    )
    write_field(written, tmp_path / "out.zarr")
    xr.testing.assert_identical(dhess_open(tmp_path / "out.zarr").compute(), written.compute())


def test_every_chunk_is_stored(tmp_path: Path) -> None:
    """A block of NaN too: where a chunk is missing, it got lost."""
    write_field(field(blocks(values())), tmp_path / "out.zarr")
    chunks = [path for path in Path(tmp_path, "out.zarr/norm/c").rglob("*") if path.is_file()]
    assert len(chunks) == 3 * 2
    chunks[0].unlink()
    assert np.isnan(dhess_open(tmp_path / "out.zarr")).sum() >= 10 * 20


def test_fields_of_other_kinds(tmp_path: Path) -> None:
    write_field(field(values()), tmp_path / "numpy.zarr")
    np.testing.assert_array_equal(dhess_open(tmp_path / "numpy.zarr"), values())
    write_field(field(values()).rename("x"), tmp_path / "x.zarr")
    assert dhess_open(tmp_path / "x.zarr").name == "field"
    write_field(xr.DataArray(np.float32(2.5)), tmp_path / "scalar.zarr")
    with xr.open_zarr(tmp_path / "scalar.zarr") as dataset:
        assert dataset.field.item() == 2.5


def test_url(memory_files: Any) -> None:
    write_field(field(blocks(values())), "memory://out.zarr")
    assert dhess_open("memory://out.zarr").to_numpy().tobytes() == values().tobytes()
    with pytest.raises(OutputError, match=r"'memory://out\.zarr' exists"):
        write_field(field(blocks(values())), "memory://out.zarr")
    write_field(field(blocks(values() + 1)), "memory://out.zarr", overwrite=True)
    np.testing.assert_array_equal(dhess_open("memory://out.zarr"), values() + 1)


# ------------------------------------------------------------------------------------ overwriting


def test_a_store_may_be_overwritten_by_what_is_made_of_it(tmp_path: Path) -> None:
    write_field(field(blocks(values())), tmp_path / "out.zarr")
    write_field(dhess_open(tmp_path / "out.zarr") + 1, tmp_path / "out.zarr", overwrite=True)
    np.testing.assert_array_equal(dhess_open(tmp_path / "out.zarr"), values() + 1)
    assert visible_and_hidden(tmp_path) == ["out.zarr"]


def test_what_may_not_be_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr" / "thesis.tex").touch()
    with pytest.raises(OutputError, match="exists; remove it"):
        write_field(field(values()), tmp_path / "out.zarr")
    with pytest.raises(OutputError, match="is no Zarr store, which is not overwritten"):
        write_field(field(values()), tmp_path / "out.zarr", overwrite=True)
    assert visible_and_hidden(tmp_path / "out.zarr") == ["thesis.tex"]


def test_a_failed_overwrite_leaves_the_old_store(tmp_path: Path) -> None:
    write_field(field(blocks(values())), tmp_path / "out.zarr")
    with pytest.raises(ZeroDivisionError):
        write_field(field(failing()), tmp_path / "out.zarr", overwrite=True)
    np.testing.assert_array_equal(dhess_open(tmp_path / "out.zarr"), values())
    assert visible_and_hidden(tmp_path) == ["out.zarr"]


# -------------------------------------------------------------------------------- what is refused


def test_outputs_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "report.json").touch()
    monkeypatch.chdir(tmp_path)
    for path, message in {
        "report.json": r"output 'report.json' exists; remove it",
        "none/out.zarr": r"output 'none/out.zarr': there is no folder",
        "report.json/out.zarr": r"there is no folder",
        "": r"an output is a path or a URL, not ''",
        "nosuch://out.zarr": r"cannot be reached: Protocol not known: nosuch",
    }.items():
        with pytest.raises(OutputError, match=message) as caught:
            check_output(path)
        assert caught.value.exit_code == 2
    check_output("report.json", overwrite=True)
    check_output("new.json")
    assert visible_and_hidden(tmp_path) == ["report.json"]


def test_a_folder_that_cannot_be_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Root may write everywhere, so it lays its rights down for this test."""
    folder = tmp_path_factory.mktemp("locked")
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(OutputError, match=r"cannot be written \(Permission denied\)"):
            check_output(folder / "out.zarr")
    finally:
        if user == 0:
            os.seteuid(0)
        folder.chmod(0o700)


def test_what_zarr_cannot_store(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="Zarr cannot store the field 'norm'"):
        write_field(field(values(), attrs={"made by": object()}), tmp_path / "out.zarr")
    for chunks in (0, {"z": 1}):
        with pytest.raises(OutputError, match="do not fit a field of shape"):
            write_field(field(values()), tmp_path / "out.zarr", chunks=chunks)
    assert visible_and_hidden(tmp_path) == []


def test_a_full_disk(tmp_path: Path) -> None:
    def full(block: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    data = blocks(values()).map_blocks(full, meta=np.empty((0, 0)))
    with pytest.raises(OutputError, match="No space left on device; free some space"):
        write_field(field(data), tmp_path / "out.zarr")
    assert visible_and_hidden(tmp_path) == []


# ---------------------------------------------------------------------- failure and interruption


def failing() -> Any:
    """Blocks of which the last one cannot be computed."""

    def divide(block: Any, block_id: Any = None) -> Any:
        return block / (0 if block_id == (2, 1) else 1)

    ints = dask.array.ones((30, 40), chunks=(10, 20), dtype=object)
    return ints.map_blocks(divide, dtype="f8", meta=np.empty((0, 0)))


def test_a_failing_task_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_field(field(failing()), tmp_path / "out.zarr")
    assert visible_and_hidden(tmp_path) == []


def test_a_failing_task_behind_a_url_leaves_nothing(memory_files: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        write_field(field(failing()), "memory://out.zarr")
    with pytest.raises(SourceError, match="no Zarr store"):
        dhess_open("memory://out.zarr")


def test_tasks_that_outlive_the_failure_bring_nothing_back(tmp_path: Path) -> None:
    """One task fails while the other is at work, which writes after the folder is gone."""
    failed, written = threading.Event(), threading.Event()

    def work(block: Any, block_id: Any = None) -> Any:
        if block_id == (0, 0):
            raise ZeroDivisionError
        assert failed.wait(30)
        threading.Timer(0.5, written.set).start()
        return block

    data = dask.array.ones((30, 40), chunks=(15, 40)).map_blocks(work, meta=np.empty((0, 0)))
    with dask.config.set(scheduler="threads", num_workers=2):
        with pytest.raises(ZeroDivisionError):
            write_field(field(data), tmp_path / "out.zarr")
        failed.set()
        assert written.wait(30)
    assert visible_and_hidden(tmp_path) == []


INTERRUPTED = """
import contextlib, sys, time
import dask.array, numpy as np, xarray as xr
from dhess.cluster import local_cluster
from dhess.sink import write_field

def slow(block):
    time.sleep(0.3)
    return block

if __name__ == "__main__":
    path, where = sys.argv[1:]
    data = dask.array.ones((100, 10), chunks=(1, 10)).map_blocks(slow, meta=np.empty((0, 0)))
    with local_cluster(2) if where == "cluster" else contextlib.nullcontext():
        write_field(xr.DataArray(data, dims=("y", "x"), name="norm"), path)
"""


@pytest.mark.parametrize("where", ["threads", "cluster"])
def test_ctrl_c_leaves_nothing(
    tmp_path: Path, where: str, fresh_process_environment: dict[str, str]
) -> None:
    """A terminal sends SIGINT to the whole group: to the workers as well."""
    folder = tmp_path / "results"
    folder.mkdir()
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    process = subprocess.Popen(
        [sys.executable, script, folder / "out.zarr", where],
        env=fresh_process_environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    give_up = time.monotonic() + 60
    while not any(path.is_file() for path in folder.glob(".out.zarr.partial-*/norm/c/*/0")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < give_up
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode != 0
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert stderr.count("Traceback") == 1, stderr
    assert visible_and_hidden(folder) == []
